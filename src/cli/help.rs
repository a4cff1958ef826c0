//! The help texts.

/// For the program as a whole.
pub(super) const GENERAL: &str = "\
icloudds keeps a local folder and an iCloud Drive the same, in both directions.

usage: icloudds [--config FILE] [COMMAND]

to sync:
  run              keep the folder in sync until stopped (default)
  once             sync until nothing is left to do, then exit
  plan             print what a sync would do and why; change nothing

to sign in:
  login            sign in: password, second factor
  code             give or ask for a second-factor code
  logout           forget the session on this machine

to look:
  status           what it is doing, what is held, what is set aside
  health           exit 0 while the daemon is alive
  why PATH         what was decided for a path, and by which rule
  check-config     check the configuration and print what is in effect
  diagnose         how iCloud and this machine behave, for a report; nothing
                   private is in it

to steer:
  sync-now         ask for a full pass now
  approve          let held deletions go ahead, or reject them
  pause, resume    stop and restart syncing
  trash            list the local trash, restore from it
  reset-state      forget what was synced; the next start is a first run

about the program:
  licences         the licences of all that is in the binary
  completions      completions for bash, zsh or fish
  man              the manual page

options:
  --config FILE    the configuration (default: $ICLOUDDS_CONFIG,
                   else /etc/icloudds/config.toml)
  -h, --help       this help; after a command, the help for it
  -V, --version    the version

Every key of the configuration can also be set by a variable:
ICLOUDDS_SECTION__KEY, for example ICLOUDDS_ACCOUNT__USERNAME.

exit codes: 0 done; 1 another instance runs, or unhealthy; 2 unexpected;
3 configuration or usage; 4 local folder; 5 user name or password missing;
6 sign-in failed; 7 iCloud failed; 8 second factor needed; 9 code not sent;
10, 11 code wrong; 12 items set aside or deletions held; 13 no daemon.
";

pub(super) const RUN: &str = "\
usage: icloudds [--config FILE] [run]

Keeps the folder in sync until SIGTERM or SIGINT. When a second factor or a
password is needed it stays up, says so, and goes on by itself once it has it.

signals: TERM and INT stop within 10 seconds, a second one at once; HUP reads
the configuration again; USR1 starts a full pass; USR2 writes the state files.
";

pub(super) const ONCE: &str = "\
usage: icloudds [--config FILE] once

Syncs until a pass plans nothing and nothing is pending, then exits: 0 when in
sync, 12 when items are set aside or deletions are held. Beside a running
daemon it exits 1; use `icloudds sync-now` there.
";

pub(super) const PLAN: &str = "\
usage: icloudds [--config FILE] plan [--json]

Prints what a sync would do, on which side, and why. Changes nothing on either
side. Beside a running daemon it is the daemon that answers.

options:
  --json           for programs
";

pub(super) const LOGIN: &str = "\
usage: icloudds [--config FILE] login [--now]
       icloudds [--config FILE] login --import-session FILE
       icloudds [--config FILE] login --export-session FILE

Signs in: asks for the password unless it is configured, then for the second
factor, and stores the session. A daemon that waits goes on by itself. Answers
are also read from a pipe, a line each.

options:
  --now            also while iCloud asks to be left alone, which may make it
                   longer
  --import-session FILE
                   takes a session from a browser's cookie file, from a line
                   copied as cURL, or from --export-session; - is a pipe
  --export-session FILE
                   gives the session for another machine; whoever has the file
                   has the account's Drive; - is a pipe
";

pub(super) const CODE: &str = "\
usage: icloudds [--config FILE] code
       icloudds [--config FILE] code CODE
       icloudds [--config FILE] code --send [device | sms [N] | voice [N]]

Alone, lists the ways to get a second-factor code. With CODE, hands it to the
daemon that waits for it. With --send, asks for a code: on the trusted devices,
by SMS or a call to the N-th listed number (two-step accounts: the N-th device).
Devices may already show one: asking makes that one void.
";

pub(super) const STATUS: &str = "\
usage: icloudds [--config FILE] status [--json | --watch]

Tells what the daemon is doing, counts, the last sync, what is held and set
aside, and how old the session is. Without a daemon: the last known state.
On a terminal, colours mark what needs a person, unless NO_COLOR is set.

options:
  --json           for programs
  --watch          stay, and show it anew each second
";

pub(super) const HEALTH: &str = "\
usage: icloudds [--config FILE] health [--ready]

Exits 0 while the daemon is alive, also while it waits for a code or for the
network; otherwise 1, with one line why.

options:
  --ready          0 only when signed in and syncing
";

pub(super) const WHY: &str = "\
usage: icloudds [--config FILE] why PATH

Tells what was decided for PATH, relative to the synced folder, on both sides,
and by which rule.
";

pub(super) const SYNC_NOW: &str = "\
usage: icloudds [--config FILE] sync-now

Asks the daemon for a full pass now.
";

pub(super) const APPROVE: &str = "\
usage: icloudds [--config FILE] approve [--reject] [--yes]
       icloudds [--config FILE] approve --list

Shows the deletions that are held and lets them go ahead, on a terminal after a
question. That covers what was shown, and nothing that comes later. Without a
daemon the next sync carries the decision out.

options:
  --list           show all of them, and decide nothing
  --reject         restore what was deleted instead
  --yes            do not ask
";

pub(super) const PAUSE: &str = "\
usage: icloudds [--config FILE] pause

Stops syncing; the daemon stays up.
";

pub(super) const RESUME: &str = "\
usage: icloudds [--config FILE] resume

Starts syncing again after `icloudds pause`.
";

pub(super) const TRASH: &str = "\
usage: icloudds [--config FILE] trash list
       icloudds [--config FILE] trash restore PATH

Lists the local trash, or brings a version back, beside what is there now.
";

pub(super) const LOGOUT: &str = "\
usage: icloudds [--config FILE] logout

Forgets the session and its tokens on this machine.
";

pub(super) const DIAGNOSE: &str = "\
usage: icloudds [--config FILE] diagnose [--json] [--probe-writes]

Looks at how iCloud and this machine behave, and prints a report that says
what nobody else can find out for your account: how the service lists, names,
counts and answers, how long that takes, and what the file system here does.
No file name, path, id, address or account is in it; attach it when you report
a fault. What is looked at is told on standard error, line by line.

It uses the stored session and never the password, makes at most 44 requests
(and 4 to renew the session), changes nothing on iCloud, fetches one small
file, looks at it and forgets it, and works beside a running daemon. While
iCloud asks to be left alone nothing is asked. On this disk it makes small
files in .icloudds and removes them.

  --json           for programs
  --probe-writes   also tries what only writing tells: makes one folder
                   \"icloudds probe ...\" in iCloud Drive, works in it, and moves
                   it to the trash, also after Ctrl-C; at most 140 requests.
                   Stop a running daemon first

exit codes: 0 all was found out; 4 the local folder is missing; 5 nobody is
signed in; 7 iCloud failed, or asks to be left alone; 8 a code is needed; the
report tells the rest all the same. 1 for --probe-writes beside a daemon.
";

pub(super) const CHECK_CONFIG: &str = "\
usage: icloudds [--config FILE] check-config

Checks the configuration and prints what is in effect, each value with where it
came from, secrets masked. Exits 3 when something is wrong, 5 without a user
name.
";

pub(super) const LICENCES: &str = "\
usage: icloudds [--config FILE] licences

Prints the licences of everything that is in the binary, with the notices of
those who hold the rights.
";

pub(super) const RESET_STATE: &str = "\
usage: icloudds [--config FILE] reset-state

Forgets what was synced. The next start is a first run: nothing is deleted,
what one side lacks is copied to it. Refused beside a running daemon.
";

pub(super) const COMPLETIONS: &str = "\
usage: icloudds [--config FILE] completions [bash | zsh | fish]

Prints completions for the shell. In its folder, as
/usr/share/bash-completion/completions/icloudds, it finds them by itself.
";

pub(super) const MAN: &str = "\
usage: icloudds [--config FILE] man

Prints the manual page, which `man` finds as
/usr/local/share/man/man1/icloudds.1.
";
