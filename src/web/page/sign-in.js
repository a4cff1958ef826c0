// Gives the token, or the link of the log, for a cookie.

const form = document.getElementById('form');
const token = document.getElementById('token');
const said = document.getElementById('said');

async function signIn(body) {
  said.textContent = '';
  try {
    const answer = await fetch('/api/sign-in', {
      method: 'POST',
      headers: {'Content-Type': 'application/json'},
      body: JSON.stringify(body),
    });
    const {error} = await answer.json();
    if (answer.ok) {
      location.replace('/');
      return;
    }
    said.textContent = `${error[0].toUpperCase()}${error.slice(1)}.`;
  } catch {
    said.textContent = 'No contact with the program. Try again in a moment.';
  }
  token.focus();
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (token.value.trim() === '') {
    said.textContent = 'Type the token.';
    token.focus();
    return;
  }
  signIn({token: token.value});
});

// The link of the log, opened anew or in this window.
function followLink() {
  const link = location.hash.match(/^#link=([0-9a-f]+)$/);
  if (link === null) return;
  // What stands in the address bar is of no use any more.
  history.replaceState(null, '', '/');
  signIn({link: link[1]});
}

addEventListener('hashchange', followLink);
followLink();
