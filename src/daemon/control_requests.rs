//! Answers what is asked through the control socket.

use std::fmt::Write as _;
use std::sync::Arc;

use super::jobs;
use super::main_loop::{Loop, Running};
use crate::app::commands::{note_text, why_text};
use crate::control::{CodeWays, ControlCall, ControlReply, ControlRequest, Held, SendHow};
use crate::engine::operation::{Note, NoteKind};
use crate::engine::plan::print::Line;
use crate::engine::view::{LocalView, RemoteView};
use crate::exit::ExitCode;
use crate::icloud::signin::error::{FactorKind, SignInError};
use crate::icloud::signin::factor::{SendTo, Ways};
use crate::model::plain::plain;
use crate::model::state::{Deletion, Verdict};
use crate::model::{LocalKind, RelPath, State};
use crate::status::health::{self, ReadyFacts};

impl Loop {
    /// Answers at once what can be answered at once; the rest waits for the engine, or is done beside the loop.
    pub(super) fn call(&mut self, call: ControlCall) {
        match call.request.clone() {
            ControlRequest::Status => {
                let reply = self.status_reply();
                call.answer(reply);
            }
            ControlRequest::Health { ready } => {
                let reply = self.health_reply(ready);
                call.answer(reply);
            }
            ControlRequest::SyncNow => {
                self.sync_now();
                let said = match self.hindrance() {
                    None => "a full pass begins now".to_owned(),
                    Some(why) => format!("a full pass begins when it can: {why}"),
                };
                call.answer(ControlReply::done(said));
            }
            ControlRequest::Pause => {
                self.paused = true;
                call.answer(ControlReply::done(
                    "paused: `icloudds resume` goes on; what is under way is finished first",
                ));
            }
            ControlRequest::Resume => {
                if std::mem::take(&mut self.paused) {
                    self.sync_now();
                }
                call.answer(ControlReply::done("syncing goes on"));
            }
            ControlRequest::SessionChanged => {
                self.read_session(true);
                call.answer(ControlReply::done("the stored session is read again"));
            }
            ControlRequest::StateChanged => call.answer(ControlReply::done("noted")),
            ControlRequest::Plan { json } => {
                if self.here.is_none() || self.there.is_none() {
                    self.no_plan(call);
                } else if self.plan_call.is_some() {
                    call.answer(ControlReply::refused(
                        ExitCode::Busy,
                        "another plan is being made",
                        "try again when it is done",
                    ));
                } else {
                    self.plan_call = Some((call, json));
                }
            }
            ControlRequest::Why { path } => {
                let reply = self.why(&path);
                call.answer(reply);
            }
            ControlRequest::Held { skip } => {
                let held = self.stored().map_or_else(Held::default, |state| Held::of(&state.guard, skip));
                call.answer(ControlReply::Held { held });
            }
            ControlRequest::Approve { reject, list } => self.approve(call, reject, list.as_deref()),
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
    fn hindrance(&self) -> Option<&'static str> {
        use crate::status::DaemonState as S;
        match self.current_state() {
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

    fn status_reply(&mut self) -> ControlReply {
        ControlReply::Status { status: Box::new(self.document()) }
    }

    fn health_reply(&mut self, ready: bool) -> ControlReply {
        let ControlReply::Status { status } = self.status_reply() else {
            return ControlReply::Health { healthy: false, why: "no status".to_owned() };
        };
        let verdict = if ready {
            let facts = ReadyFacts {
                signed_in: self.there.is_some() && self.service.account().state().signed_in,
                last_pass_began: self.last_pass_began.map(|at| at.elapsed()),
                last_pass_failed: self.last_pass_failed.clone(),
                refresh_period: self.config().sync.refresh_period,
            };
            health::ready(&status, &facts)
        } else {
            health::alive(&status, std::time::Duration::ZERO, std::time::Duration::from_secs(60))
        };
        ControlReply::Health { healthy: verdict.healthy, why: verdict.why }
    }

    /// What is known of a path: of what both sides agreed on, of what each showed last, and of what waits.
    fn why(&self, path: &str) -> ControlReply {
        let Some(stored) = self.stored() else { return ControlReply::done("") };
        let path = match RelPath::parse(path) {
            Ok(path) => path,
            Err(error) => return ControlReply::refused(ExitCode::Configuration, error.to_string(), ""),
        };
        let mut text = why_text(self.config(), stored, &path);
        let (local, remote) = match (&self.engine, &self.lent) {
            (Some(engine), _) => (engine.local.as_ref(), engine.remote.as_deref()),
            (None, lent) => (None, lent.as_ref().and_then(|lent| lent.walk.previous())),
        };
        text.push_str(&seen_text(stored, local, remote, self.engine.is_none(), &path));
        // What is stored of an item that was tried, or of a deletion, is told above.
        let told = |note: &&Note| match note.kind {
            NoteKind::SetAside(_) => !stored.set_aside.contains_key(&note.path),
            NoteKind::Skipped(_) | NoteKind::Unsettled(_) => true,
            NoteKind::Held(_) => false,
        };
        for note in self.notes.iter().filter(|note| note.path == path).filter(told) {
            let _ = writeln!(text, "  left alone {}", plain(&note_text(&note.kind)));
        }
        for operation in self.waiting.iter().filter(|operation| operation.path == path) {
            let line = Line::of(operation);
            let _ = writeln!(text, "  waits      for iCloud: {} ({})", line.verb, line.why);
        }
        if self.engine.is_none() && self.running == Running::Pass {
            text.push_str("  now        a pass is running; this is what was known when it began\n");
        }
        ControlReply::Text { text }
    }

    /// A person's answer covers the list that they were shown, and the items of that alone: what a running pass finds
    /// meanwhile waits for another answer.
    fn approve(&mut self, call: ControlCall, reject: bool, list: Option<&str>) {
        let guard = self.stored().map(|state| state.guard.clone()).unwrap_or_default();
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
        let answer = (verdict, guard.held);
        if self.engine.is_none() {
            // What is told until the pass is over.
            if let Some(lent) = &mut self.lent {
                lent.state.guard.decide(verdict, &answer.1);
            }
            self.answers.push(answer);
            let what = if reject { "rejected" } else { "approved" };
            return call.answer(ControlReply::done(format!(
                "{count} held deletions are {what}: carried out when the running pass is over"
            )));
        }
        let when = self.hindrance().map_or_else(|| "now".to_owned(), |why| format!("when it can be: {why}"));
        let said = match reject {
            true => format!("{count} held deletions are rejected; the items are restored {when}"),
            false => format!("{count} held deletions are approved; they are carried out {when}"),
        };
        self.decide(&[answer], Some((call, said)));
    }

    /// Carries out decisions that came while the engine was lent; says whether that takes a job.
    pub(super) fn decide_if_asked(&mut self) -> bool {
        let answers = std::mem::take(&mut self.answers);
        if answers.is_empty() {
            return false;
        }
        self.decide(&answers, None)
    }

    fn decide(&mut self, answers: &[(Verdict, Vec<Deletion>)], told: Option<(ControlCall, String)>) -> bool {
        let Some(mut guard) = self.engine.as_ref().map(|engine| engine.state.guard.clone()) else {
            return false;
        };
        let decided: usize = answers.iter().map(|(verdict, shown)| guard.decide(*verdict, shown)).sum();
        if decided == 0 && told.is_none() {
            return false;
        }
        let Some(engine) = self.lend(Running::Chore) else { return false };
        if let Some(lent) = &mut self.lent {
            lent.state.guard = guard.clone();
        }
        let thread = jobs::decide(engine, guard, told, self.news_in.clone());
        self.started(Running::Chore, thread);
        self.sync_now();
        true
    }

    /// What has to do with codes goes to iCloud, so it is done beside the loop.
    fn code(&mut self, call: ControlCall) {
        if matches!(call.request, ControlRequest::Code { .. }) {
            self.fetch_password();
        }
        let service = Arc::clone(&self.service);
        let news = self.news_in.clone();
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
                        drop(news.send(jobs::JobEvent::SessionRead { read: Ok(true), told: true }));
                    }
                    if given.as_ref().is_err_and(SignInError::needs_password) {
                        // What is waited for is another thing now.
                        drop(news.send(jobs::JobEvent::SessionRead { read: Ok(true), told: true }));
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
            exit: error.exit_code(),
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
    let agreed = stored.base.find(path).map(|node| stored.base.get(node).id.clone());
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
