// Shows the status as it changes, and asks for what a person wants. Every text from outside goes through plain() and
// textContent: there is no other way into this page.

import {ago, bytes, count, detail, figures, number, plain, session, side, state} from './words.js';

const at = (id) => document.getElementById(id);
let status = null;
let heldList = null;
let ways = null;

// ---- small helpers -----------------------------------------------------------------------------

function show(id, shown) {
  at(id).hidden = !shown;
}

// A text that did not change is not set again, so that nobody hears it twice.
function say(id, text) {
  if (at(id).textContent !== text) at(id).textContent = text;
}

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function item(path, more, dir = 'auto') {
  const li = element('li');
  const name = element('bdi', plain(path));
  name.dir = dir;
  li.append(name);
  if (more) li.append(element('small', more));
  return li;
}

const drawn = new Map();

// Draws a list anew only when it is another one, so that focus and place stay.
function list(id, items, make) {
  const key = JSON.stringify(items);
  if (drawn.get(id) === key) return;
  drawn.set(id, key);
  at(id).replaceChildren(...items.map(make));
}

async function ask(path, body) {
  try {
    const options = body === undefined ? {} : {
      method: 'POST',
      headers: {'Content-Type': 'application/json'},
      body: JSON.stringify(body),
    };
    const answer = await fetch(path, options);
    if (answer.status === 401) location.reload();
    const told = await answer.json();
    return {ok: answer.ok, status: answer.status, ...told};
  } catch {
    return {ok: false, status: 0, error: 'no contact with the program'};
  }
}

let toldUntil = 0;

// Says what came of a press; for a while, since it is soon of no interest any more.
function tell(text) {
  say('said', text);
  show('said', text !== '');
  toldUntil = Date.now() + 30_000;
}

function sentence(text) {
  const told = plain(text);
  return told === '' ? '' : `${told[0].toUpperCase()}${told.slice(1)}.`;
}

// Asks once, however often the button is pressed meanwhile. It keeps the focus, which a disabled one would lose.
async function once(button, path, body) {
  if (button.getAttribute('aria-busy') === 'true') return {ok: false, error: 'the last press is still under way'};
  button.setAttribute('aria-busy', 'true');
  const answer = await ask(path, body);
  button.removeAttribute('aria-busy');
  return answer;
}

// As once(), and tells what was said to it.
async function press(button, path, body, done) {
  const answer = await once(button, path, body);
  tell(answer.ok ? done : sentence(answer.error));
  return answer;
}

function sure(title, text, yes) {
  say('sure-title', title);
  say('sure-text', text);
  say('sure-yes', yes);
  const dialog = at('sure');
  dialog.showModal();
  return new Promise((resolve) => {
    const end = (answer) => {
      dialog.close();
      resolve(answer);
    };
    at('sure-yes').onclick = () => end(true);
    at('sure-no').onclick = () => end(false);
    dialog.oncancel = () => resolve(false);
  });
}

// ---- the status --------------------------------------------------------------------------------

function draw(fresh) {
  const before = status;
  status = fresh;
  const {words, mood, advice} = state(status);
  say('headline', words);
  at('state-card').className = `card ${mood}`;
  document.title = `${words} – icloudds`;
  say('advice', advice ?? '');
  show('advice', Boolean(advice));
  say('error', status.last_error ? sentence(status.last_error) : '');
  show('error', Boolean(status.last_error) && status.state !== 'needs-code');
  say('directory', plain(status.directory));
  say('root', `and iCloud Drive ${plain(status.remote_root)} of ${plain(status.account)}`);
  say('version', `icloudds ${plain(status.version)}`);
  say('pause', status.state === 'paused' ? 'Resume' : 'Pause');
  show('sign-out', status.guarded === true);
  drawProgress(status.progress);
  drawLists();
  tick();
  show('code-card', status.state === 'needs-code');
  if (status.state === 'needs-code' && before?.state !== 'needs-code') loadWays();
  if (status.state !== 'needs-code') ways = null;
  show('held-card', status.held_deletes > 0);
  const heldKey = JSON.stringify([status.held_deletes, status.held]);
  if (status.held_deletes > 0 && drawn.get('held-key') !== heldKey) {
    drawn.set('held-key', heldKey);
    loadHeld();
  }
}

function drawProgress(progress) {
  show('progress', progress !== null);
  if (progress === null) return;
  const [done, total] = progress.bytes_total > 0
    ? [progress.bytes_done, progress.bytes_total]
    : [progress.items_done, progress.items_total];
  const percent = total > 0 ? Math.floor(Math.min(done, total) / total * 100) : 0;
  at('bar').value = percent;
  say('bar-label', `Progress: ${percent} %`);
  say('figures', figures(progress));
}

function cut(name) {
  const more = (status.lengths?.[name] ?? 0) - status[name].length;
  return more > 0 ? [{more}] : [];
}

function rest({more}) {
  return element('li', `… and ${number(more)} more: icloudds status --json lists all`);
}

function drawLists() {
  const aside = [...status.set_aside, ...status.unsettled, ...cut('set_aside'), ...cut('unsettled')];
  show('aside-card', aside.length > 0);
  list('aside', aside, (it) => it.more ? rest(it) : item(it.path, `${plain(it.reason)}${nextTry(it)}`));
  const conflicts = [...status.conflicts, ...cut('conflicts')];
  show('conflicts-card', conflicts.length > 0);
  list('conflicts', conflicts, (it) => it.more ? rest(it) : item(
    it.path,
    it.copy ? `the other version is ${plain(it.copy)}` : 'the other version is in the trash',
  ));
  const skipped = [...status.skipped, ...cut('skipped')];
  show('skipped-card', skipped.length > 0);
  list('skipped', skipped, (it) => it.more ? rest(it) : item(it.path, plain(it.reason)));
  show('activity-none', status.activity.length === 0);
  list('activity', status.activity, (it) => {
    const li = item(it.what);
    const when = element('small');
    when.dataset.at = it.at;
    li.append(when);
    return li;
  });
}

function nextTry(it) {
  if (it.next_try === undefined) return '; looked at again by itself';
  if (it.next_try === null) return '; tried again when it changes';
  return `; next try at ${new Date(it.next_try).toLocaleTimeString('en', {timeStyle: 'short'})}`;
}

// What changes with the time alone.
function tick() {
  if (status === null) return;
  const now = Date.now();
  if (now > toldUntil) show('said', false);
  say('detail', detail(status, now));
  const facts = [
    ['Here', side(status.counts.local, status.looked.local)],
    ['On iCloud', side(status.counts.remote, status.looked.remote)],
    ['Session', session(status, now)],
    ['Last in sync', status.last_sync ? ago(Date.parse(status.last_sync), now) : 'never'],
    ['Watching', plain(status.watch)],
    ['From iCloud', plain([status.remote_watch, status.remote_watch_because].filter(Boolean).join(': '))],
    ['Since start', `${count(status.totals.uploads, 'upload', 'uploads')}, ` +
      `${count(status.totals.downloads, 'download', 'downloads')}, ${bytes(status.totals.bytes)}`],
    ['Running since', ago(Date.parse(status.started), now)],
  ];
  if (status.file_system) facts.push(['File system', plain(status.file_system)]);
  list('facts', facts.flat(), (text, index) => element(index % 2 === 0 ? 'dt' : 'dd', text));
  for (const when of document.querySelectorAll('[data-at]')) {
    const text = ago(Date.parse(when.dataset.at), now);
    if (when.textContent !== text) when.textContent = text;
  }
}

// ---- codes -------------------------------------------------------------------------------------

async function loadWays() {
  say('code-said', '');
  const answer = await ask('/api/code');
  ways = answer.ok ? answer : null;
  at('code-ways').replaceChildren();
  if (!answer.ok) {
    say('code-where', 'iCloud does not say in which ways a code can come. A code that a device shows can be typed all the same.');
    say('code-said', sentence(answer.error));
    return;
  }
  say('code-where', answer.device
    ? 'Your trusted Apple devices show the code, or a message brings it: ask for one, then type it here. ' +
      'If a device already shows one, type that.'
    : 'Ask for a code, then type it here.');
  if (answer.device) way('Show a code on my devices', {way: 'device'}, 'Look at your devices, and type the code that they show.');
  answer.numbers.forEach((masked, index) => {
    const place = index + 1;
    const calls = answer.voice.includes(place);
    if (!calls) {
      const label = answer.two_step ? `Send a code to ${plain(masked)}` : `SMS to ${plain(masked)}`;
      way(label, {way: 'sms', number: place}, `A code is on its way to ${plain(masked)}.`);
    }
    if (!answer.two_step) way(`Call ${plain(masked)}`, {way: 'voice', number: place}, `${plain(masked)} is called with a code.`);
  });
}

function way(label, body, done) {
  const button = element('button', label);
  button.type = 'button';
  button.addEventListener('click', async () => {
    say('code-said', '');
    const answer = await once(button, '/api/code/send', body);
    if (answer.ok) {
      say('code-where', done);
      at('code').focus();
    } else {
      say('code-said', sentence(answer.error));
    }
  });
  at('code-ways').append(button);
}

at('code-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const field = at('code');
  const button = at('code-form').querySelector('button');
  say('code-said', '');
  const answer = await once(button, '/api/code', {code: field.value});
  if (answer.ok) {
    field.value = '';
    tell('The code was accepted. Syncing goes on.');
    return;
  }
  field.setAttribute('aria-invalid', 'true');
  say('code-said', sentence(answer.error));
  field.select();
  field.focus();
});

at('code').addEventListener('input', () => at('code').removeAttribute('aria-invalid'));

// ---- held deletions ----------------------------------------------------------------------------

async function loadHeld() {
  const answer = await ask('/api/held');
  if (!answer.ok) {
    drawn.delete('held-key');
    return;
  }
  heldList = answer;
  say('held-title', `Held deletions: ${number(answer.count)}`);
  list('held', answer.deletions, (it) => item(it.path, it.on === 'local' ? 'deleted on iCloud, still here' : 'deleted here, still on iCloud'));
  const more = answer.count - answer.deletions.length;
  say('held-more', more > 0 ? `… and ${number(more)} more: icloudds approve --list shows all.` : '');
  show('held-more', more > 0);
}

async function decide(button, decision, done) {
  const shown = heldList;
  if (shown === null) return;
  if (decision === 'approve') {
    const title = `Delete ${count(shown.count, 'item', 'items')}?`;
    const text = 'They are deleted on the side where they still are. What is deleted here goes to the local trash, and on iCloud to Recently Deleted, unless the configuration says otherwise.';
    if (!await sure(title, text, 'Delete them')) return;
  }
  const answer = await press(button, '/api/approve', {list: shown.list, decision}, done);
  drawn.delete('held-key');
  if (!answer.ok) loadHeld();
}

at('approve').addEventListener('click', () => decide(at('approve'), 'approve', 'Approved. They are deleted now.'));
at('reject').addEventListener('click', () => decide(at('reject'), 'reject', 'Rejected. They are brought back now.'));

// ---- the trash ---------------------------------------------------------------------------------

async function loadTrash() {
  const answer = await ask('/api/trash');
  if (!answer.ok) {
    say('trash-said', sentence(answer.error));
    return;
  }
  const more = answer.count - answer.versions.length;
  say('trash-said', answer.count === 0 ? 'The local trash is empty.' : more > 0 ? `The newest of ${number(answer.count)} versions.` : '');
  list('trash', answer.versions, (it) => {
    const li = item(it.path, bytes(it.size));
    const when = element('small');
    when.dataset.at = it.at;
    const button = element('button', 'Restore');
    button.type = 'button';
    button.setAttribute('aria-label', `Restore ${plain(it.path)}`);
    button.addEventListener('click', async () => {
      const restored = await press(button, '/api/trash/restore', {path: it.path, version: it.version}, '');
      if (restored.ok) tell(sentence(restored.said));
      loadTrash();
    });
    li.append(when, button);
    return li;
  });
  tick();
}

at('trash-card').addEventListener('toggle', () => {
  if (at('trash-card').open) loadTrash();
});

// ---- steering ----------------------------------------------------------------------------------

at('sync-now').addEventListener('click', async () => {
  const answer = await press(at('sync-now'), '/api/sync-now', {}, '');
  if (answer.ok) tell(sentence(answer.said));
});

at('pause').addEventListener('click', () => {
  const paused = status?.state === 'paused';
  press(at('pause'), paused ? '/api/resume' : '/api/pause', {}, paused ? 'Syncing goes on.' : 'Paused. What is under way is finished first.');
});

at('sign-out').addEventListener('click', async () => {
  await ask('/api/sign-out', {});
  location.replace('/');
});

// ---- hearing of changes ------------------------------------------------------------------------

function listen() {
  const events = new EventSource('/api/events');
  events.addEventListener('status', (event) => {
    show('lost', false);
    draw(JSON.parse(event.data));
  });
  events.addEventListener('error', () => {
    show('lost', true);
    // A stream that was refused, as when many pages are open, is not tried again by the browser.
    if (events.readyState === EventSource.CLOSED) {
      events.close();
      look();
      setTimeout(listen, 5000);
    }
  });
}

async function look() {
  const answer = await ask('/api/status');
  if (!answer.ok) return;
  show('lost', false);
  draw(answer);
}

listen();
setInterval(tick, 1000);
