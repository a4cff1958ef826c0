// What is said: numbers, times and states in words. No access to the page, so that each line can be tried alone.

// What moves the reading direction or is not seen at all is shown as what it is, as on the terminal.
export function plain(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

export function number(n) {
  return Number(n).toLocaleString('en');
}

export function count(n, one, many) {
  return `${number(n)} ${n === 1 ? one : many}`;
}

export function bytes(n) {
  let value = n;
  let unit = 'B';
  for (const next of ['kB', 'MB', 'GB', 'TB', 'PB', 'EB']) {
    if (value < 999.95) break;
    value /= 1000;
    unit = next;
  }
  return unit === 'B' ? `${value} B` : `${value.toFixed(1)} ${unit}`;
}

export function span(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} days`;
}

// When `at` was or will be, seen from `now`; both in milliseconds.
export function ago(at, now) {
  const seconds = (now - at) / 1000;
  if (Math.abs(seconds) < 2) return 'just now';
  return seconds > 0 ? `${span(seconds)} ago` : `in ${span(-seconds)}`;
}

// How it is in a few words, whether that is good, waits for a person or is bad, and what to do.
export function state(status) {
  const held = status.held_deletes;
  switch (status.state) {
    case 'starting': return {words: 'Starting', mood: ''};
    case 'signing-in': return {words: 'Signing in to iCloud', mood: ''};
    case 'needs-code': return {words: 'A code is needed to sign in', mood: 'wait'};
    case 'needs-password':
      return {
        words: 'The password is needed',
        mood: 'wait',
        advice: 'This page never asks for it. Run "icloudds login" where the program runs: with Podman, ' +
          '"podman exec -it icloudds /icloudds login"; with Kubernetes, "kubectl exec -it deploy/icloudds -- /icloudds login".',
      };
    case 'scanning': return {words: 'Reading the local folder', mood: ''};
    case 'listing': return {words: 'Listing iCloud Drive', mood: ''};
    case 'syncing': return {words: 'Syncing', mood: ''};
    case 'paused': return {words: 'Paused', mood: 'wait', advice: 'Nothing is synced until it is resumed.'};
    case 'offline': return {words: 'iCloud cannot be reached', mood: 'bad', advice: 'It tries again by itself.'};
    case 'guarded': return {words: `${count(held, 'deletion waits', 'deletions wait')} for you`, mood: 'wait'};
    case 'wrong-folder':
      return {words: 'The folder cannot be used', mood: 'bad', advice: 'Nothing is deleted meanwhile, and it goes on by itself.'};
    case 'disk-full': return {words: 'The disk is full', mood: 'bad', advice: 'Free some space: it goes on by itself.'};
    case 'stopping': return {words: 'Stopping', mood: ''};
    case 'idle':
      if (status.in_sync) return {words: 'Up to date', mood: 'good'};
      if (status.set_aside.length > 0) return {words: 'Up to date but for what is set aside', mood: 'wait'};
      return {words: 'Waiting for changes', mood: ''};
    default: return {words: plain(status.state), mood: ''};
  }
}

// The line below the state.
export function detail(status, now) {
  const parts = [];
  const side = status.looked.local ? status.counts.local : status.counts.remote;
  if (status.looked.local || status.looked.remote) parts.push(count(side.files, 'file', 'files'));
  if (status.last_sync) parts.push(`checked ${ago(Date.parse(status.last_sync), now)}`);
  const waits = Object.values(status.pending).reduce((sum, n) => sum + n, 0);
  if (waits > 0) parts.push(`${number(waits)} to do`);
  if (status.next_try && Date.parse(status.next_try) > now) parts.push(`next try ${ago(Date.parse(status.next_try), now)}`);
  return parts.join(', ');
}

export function side(counts, looked) {
  if (!looked) return 'not looked at yet';
  return `${count(counts.files, 'file', 'files')} in ${count(counts.folders, 'folder', 'folders')}, ${bytes(counts.bytes)}`;
}

export function figures(progress) {
  const parts = [`${number(progress.items_done)} of ${count(progress.items_total, 'item', 'items')}`];
  if (progress.bytes_total > 0) parts.push(`${bytes(progress.bytes_done)} of ${bytes(progress.bytes_total)}`);
  if (progress.rate > 0) parts.push(`${bytes(progress.rate)}/s`);
  if (progress.seconds_left !== null) parts.push(`${span(progress.seconds_left)} left`);
  return parts.join(', ');
}

export function session(status, now) {
  if (['needs-code', 'needs-password'].includes(status.state)) return 'not signed in';
  const since = status.session_began ? `signed in ${ago(Date.parse(status.session_began), now)}` : '';
  if (!status.session_expires) return since || (status.last_sync ? 'signed in' : 'not signed in yet');
  const at = Date.parse(status.session_expires);
  const about = status.session_expires_estimated ? ' (estimated)' : '';
  if (at <= now) return `the trust ran out ${ago(at, now)}`;
  const until = `trusted until ${new Date(at).toLocaleDateString('en', {dateStyle: 'medium'})}, ${ago(at, now)}${about}`;
  return since ? `${since}, ${until}` : until;
}
