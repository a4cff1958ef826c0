//! Answers what is asked through the control socket.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine_slot::JobKind;
use super::events::JobEvent;
use super::jobs;
use super::main_loop::Loop;
use super::requests::Answer;
use crate::app::commands::why_text;
use crate::app::wording::note_text;
use crate::control::{CodeWays, ControlCall, ControlReply, ControlRequest, Held, SendHow};
use crate::engine::operation::{Note, NoteKind};
use crate::engine::plan::print::Line;
use crate::engine::view::{LocalView, RemoteView};
use crate::exit::ExitCode;
use crate::icloud::signin::error::{FactorKind, SignInError};
use crate::icloud::signin::factor::{SendTo, Ways};
use crate::model::plain::plain;
use crate::model::state::Verdict;
use crate::model::{LocalKind, RelPath, State};
use crate::status::health;

impl Loop {
    /// Answers at once what can be answered at once; the rest waits for the engine, or is done beside the loop.
    pub(super) fn on_call(&mut self, call: ControlCall, now: Instant) {
        match call.request.clone() {
            ControlRequest::Status => {
                let reply = self.status_reply();
                call.answer(reply);
            }
            ControlRequest::Health { ready } => {
                let reply = self.health_reply(ready, now);
                call.answer(reply);
            }
            ControlRequest::SyncNow => {
                self.sync_now(now);
                let said = match self.hindrance(now) {
                    None => "a full pass begins now".to_owned(),
                    Some(why) => format!("a full pass begins when it can: {why}"),
                };
                call.answer(ControlReply::done(said));
            }
            ControlRequest::Pause => {
                self.requests.pause();
                call.answer(ControlReply::done(
                    "paused: `icloudds resume` goes on; what is under way is finished first",
                ));
            }
            ControlRequest::Resume => {
                if self.requests.resume() {
                    self.sync_now(now);
                }
                call.answer(ControlReply::done("syncing goes on"));
            }
            ControlRequest::SessionChanged => {
                self.read_session(true);
                call.answer(ControlReply::done("the stored session is read again"));
            }
            ControlRequest::StateChanged => call.answer(ControlReply::done("noted")),
            ControlRequest::Plan { json } => {
                if self.local.root().is_none() || self.remote.root().is_none() {
                    self.no_plan(call);
                } else if let Err((call, _)) = self.requests.ask_for_plan((call, json)) {
                    call.answer(ControlReply::refused(
                        ExitCode::Busy,
                        "another plan is being made",
                        "try again when it is done",
                    ));
                }
            }
            ControlRequest::Why { path } => {
                let reply = self.why(&path);
                call.answer(reply);
            }
            ControlRequest::Held { skip } => {
                let held = Held::of(&self.engine.stored().guard, skip);
                call.answer(ControlReply::Held { held });
            }
            ControlRequest::Approve { reject, list } => self.approve(call, reject, list.as_deref(), now),
            ControlRequest::CodeWays | ControlRequest::CodeSend { .. } | ControlRequest::Code { .. } => {
                self.code(call)
            }
            ControlRequest::Trash | ControlRequest::Restore { .. } => self.trash_call(call),
            ControlRequest::Counters => {
                let counters = self.counters();
                call.answer(ControlReply::Counters { counters });
            }
        }
    }

    /// What a person who asked for something is to know, because it does not begin at once.
    fn hindrance(&self, now: Instant) -> Option<&'static str> {
        use crate::status::DaemonState as S;
        match self.current_state(now) {
            S::Syncing => Some("another one is at work"),
            state @ (S::SigningIn
            | S::NeedsCode
            | S::NeedsPassword
            | S::Paused
            | S::Offline
            | S::WrongFolder
            | S::DiskFull
            | S::Stopping) => Some(state.sentence()),
            S::Starting | S::Scanning | S::Listing | S::Idle | S::Guarded => None,
        }
    }

    fn status_reply(&self) -> ControlReply {
        ControlReply::Status { status: Box::new(self.status.document(self.engine.stored())) }
    }

    fn health_reply(&self, ready: bool, now: Instant) -> ControlReply {
        let status = self.status.document(self.engine.stored());
        let health = if ready {
            let signed_in = self.remote.root().is_some() && self.ports.service.account().state().signed_in;
            let refresh_period = self.setup.config().sync.refresh_period;
            health::ready(&status, &self.status.ready_facts(signed_in, refresh_period, now))
        } else {
            health::alive(&status, Duration::ZERO, Duration::from_secs(60))
        };
        ControlReply::Health { healthy: health.healthy, why: health.why }
    }

    /// What is known of a path: of what both sides agreed on, of what each showed last, and of what waits.
    fn why(&self, path: &str) -> ControlReply {
        let path = match RelPath::parse(path) {
            Ok(path) => path,
            Err(error) => return ControlReply::refused(ExitCode::Configuration, error.to_string(), ""),
        };
        let (stored, loan) = (self.engine.stored(), self.engine.loan());
        let mut text = why_text(self.setup.config(), stored, &path);
        let (local, remote) = self.engine.seen();
        text.push_str(&seen_text(stored, local, remote, loan.is_some(), &path));
        // What is stored of an item that was tried, or of a deletion, is told above.
        let is_untold = |note: &&Note| match note.kind {
            NoteKind::SetAside(_) => !stored.set_aside.contains_key(&note.path),
            NoteKind::Skipped(_) | NoteKind::Unsettled(_) => true,
            NoteKind::Held(_) => false,
        };
        for note in self.status.notes_at(&path).filter(is_untold) {
            let _ = writeln!(text, "  left alone {}", plain(&note_text(&note.kind)));
        }
        for operation in self.status.waiting_at(&path) {
            let line = Line::of(operation);
            let _ = writeln!(text, "  waits      for iCloud: {} ({})", line.verb, line.why);
        }
        if loan.is_some_and(|loan| loan.kind() == JobKind::Pass) {
            text.push_str("  now        a pass is running; this is what was known when it began\n");
        }
        ControlReply::Text { text }
    }

    /// A person's answer covers the list that they were shown, and the items of that alone: what a running pass finds
    /// meanwhile waits for another answer.
    fn approve(&mut self, call: ControlCall, reject: bool, list: Option<&str>, now: Instant) {
        let guard = &self.engine.stored().guard;
        let count = guard.held.len();
        if count == 0 {
            return call.answer(ControlReply::done("no deletion is held"));
        }
        if list.is_some_and(|list| list != guard.list_name()) {
            return call.answer(ControlReply::refused(
                ExitCode::Unfinished,
                "what is held has changed since it was shown, so nothing was decided",
                "look at it again with `icloudds approve`",
            ));
        }
        let verdict = if reject { Verdict::Rejected } else { Verdict::Approved };
        let answer: Answer = (verdict, guard.held.clone());
        if self.engine.loan().is_some() {
            self.engine.show_guard(|shown| {
                shown.decide(verdict, &answer.1);
            });
            self.requests.answered(answer);
            let what = if reject { "rejected" } else { "approved" };
            return call.answer(ControlReply::done(format!(
                "{count} held deletions are {what}: carried out when the running pass is over"
            )));
        }
        let when =
            self.hindrance(now).map_or_else(|| "now".to_owned(), |why| format!("when it can be: {why}"));
        let said = match reject {
            true => format!("{count} held deletions are rejected; the items are restored {when}"),
            false => format!("{count} held deletions are approved; they are carried out {when}"),
        };
        self.decide(&[answer], Some((call, said)), now);
    }

    /// What has to do with codes goes to iCloud, so it is done beside the loop.
    fn code(&mut self, call: ControlCall) {
        if matches!(call.request, ControlRequest::Code { .. }) {
            self.fetch_password();
        }
        let service = Arc::clone(&self.ports.service);
        let events = self.ports.events.clone();
        let work = move || {
            let account = service.account();
            let reply = match &call.request {
                ControlRequest::CodeWays => {
                    account.ways().map(|ways| ControlReply::Ways { ways: ways_of(&ways) })
                }
                ControlRequest::CodeSend { how } => send(&service, *how),
                ControlRequest::Code { code } => {
                    let given = account.submit_code(code.expose());
                    if given.is_ok() {
                        log::info!("the code was accepted");
                        drop(events.send(JobEvent::SessionRead { read: Ok(true), told: true }));
                    }
                    if given.as_ref().is_err_and(SignInError::needs_password) {
                        // What is waited for is another thing now.
                        drop(events.send(JobEvent::SessionRead { read: Ok(true), told: true }));
                    }
                    given.map(|()| ControlReply::done("the code was accepted, syncing goes on"))
                }
                _ => Ok(ControlReply::done("")),
            };
            call.answer(reply.unwrap_or_else(|error| refusal(&error)));
        };
        if let Err(error) = jobs::errand("icloudds-code", work) {
            log::warn!("cannot start a thread: {error}");
        }
    }
}

fn send(service: &crate::icloud::service::Service, how: SendHow) -> Result<ControlReply, SignInError> {
    let account = service.account();
    let ways = account.ways()?;
    let to = match how {
        SendHow::Usual if ways.device => SendTo::Device,
        SendHow::Device => SendTo::Device,
        SendHow::Usual => SendTo::Number(1),
        SendHow::Sms { number } => SendTo::Number(number.unwrap_or(1)),
        SendHow::Voice { number } => SendTo::Voice(number.unwrap_or(1)),
    };
    account.send_code(to)?;
    Ok(ControlReply::done("the code was sent: run `icloudds code CODE` with it"))
}

fn ways_of(ways: &Ways) -> CodeWays {
    CodeWays {
        device: ways.device,
        numbers: ways.numbers.clone(),
        voice: ways.voice.clone(),
        two_step: ways.kind == FactorKind::TwoStep,
    }
}

fn refusal(error: &SignInError) -> ControlReply {
    ControlReply::Refused {
        refusal: crate::control::Refusal {
            exit: error.exit_code().code(),
            message: error.to_string(),
            advice: error.advice(),
        },
    }
}

/// What both sides showed at the last look; `busy` while somebody looks.
fn seen_text(
    stored: &State,
    local: Option<&LocalView>,
    remote: Option<&RemoteView>,
    busy: bool,
    path: &RelPath,
) -> String {
    let here = local.map(|view| match view.tree.find(path) {
        Some(node) => {
            let entry = view.tree.get(node);
            match entry.kind {
                LocalKind::Folder => "Folder".to_owned(),
                LocalKind::File => format!("File, {} bytes", entry.stamp.size),
                LocalKind::Special => "a link, socket, device or FIFO".to_owned(),
            }
        }
        None => "nothing".to_owned(),
    });
    let agreed = stored.base.find(path).map(|node| stored.base.get(node).remote.id.clone());
    let there = remote.map(|view| {
        let node = agreed.as_ref().and_then(|id| view.tree.by_id(id)).or_else(|| view.tree.find(path));
        match node {
            Some(node) => {
                let entry = view.tree.get(node);
                let at = plain(&view.tree.path(node).to_string());
                format!("{:?} at {at}, etag {}", entry.kind, entry.etag)
            }
            None => "nothing".to_owned(),
        }
    });
    let unknown = if busy { "being looked at now" } else { "not looked yet" };
    format!(
        "  seen here  {}\n  seen there {}\n",
        here.unwrap_or_else(|| unknown.to_owned()),
        there.unwrap_or_else(|| unknown.to_owned())
    )
}
