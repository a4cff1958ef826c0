//! Answers what is asked through the control socket.

use std::sync::Arc;

use super::jobs;
use super::main_loop::Loop;
use crate::app::commands::why_text;
use crate::control::{CodeWays, ControlCall, ControlReply, ControlRequest, Held, SendHow};
use crate::engine::pass::{Engine, PassError};
use crate::exit::ExitCode;
use crate::icloud::signin::error::{FactorKind, SignInError};
use crate::icloud::signin::factor::{SendTo, Ways};
use crate::model::state::{GuardState, Verdict};
use crate::model::{Change, RelPath};
use crate::status::health::{self, ReadyFacts};

/// How many held deletions one answer names.
const HELD_NAMED: usize = 1000;

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
                call.answer(ControlReply::done("a full pass begins now"));
            }
            ControlRequest::Pause => {
                self.paused = true;
                if self.engine.is_some() {
                    self.set_state(self.rest_state());
                }
                call.answer(ControlReply::done(
                    "paused: `icloudds resume` goes on; a pass that runs comes to its end first",
                ));
            }
            ControlRequest::Resume => {
                if std::mem::take(&mut self.paused) {
                    self.asked = true;
                    if self.engine.is_some() {
                        self.set_state(self.rest_state());
                    }
                }
                call.answer(ControlReply::done("syncing goes on"));
            }
            ControlRequest::SessionChanged => {
                self.session_changed();
                call.answer(ControlReply::done("the stored session is read again"));
            }
            ControlRequest::StateChanged => call.answer(ControlReply::done("noted")),
            ControlRequest::Plan { json } => {
                if self.edges.is_none() {
                    let state = self.tracker.state();
                    call.answer(ControlReply::refused(
                        ExitCode::Service,
                        format!("there is nothing to plan with yet: {}", state.sentence()),
                        "",
                    ));
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
            ControlRequest::Why { .. } | ControlRequest::Held | ControlRequest::Approve { .. } => {
                self.waiting_calls.push(call);
                self.answer_waiting();
            }
            ControlRequest::CodeWays | ControlRequest::CodeSend { .. } | ControlRequest::Code { .. } => {
                self.code(call)
            }
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
                signed_in: self.edges.is_some() && self.service.account().state().signed_in,
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

    /// Answers what waited for the engine, if it is at home.
    pub(super) fn answer_waiting(&mut self) {
        if self.engine.is_none() {
            self.answer_meanwhile();
            return;
        }
        if let Some(reject) = self.verdict.take() {
            match self.approve(reject) {
                ControlReply::Refused { refusal } => log::error!("{}", refusal.message),
                _ => log::info!("the decision on the held deletions is carried out now"),
            }
        }
        for call in std::mem::take(&mut self.waiting_calls) {
            let reply = match call.request.clone() {
                ControlRequest::Why { path } => self.why(&path),
                ControlRequest::Held => self.held(),
                ControlRequest::Approve { reject } => self.approve(reject),
                _ => {
                    self.waiting_calls.push(call);
                    continue;
                }
            };
            call.answer(reply);
        }
    }

    /// Answers what can be answered while a job has the engine: a long transfer must not keep a person waiting.
    fn answer_meanwhile(&mut self) {
        let held = self.lent_deletions();
        for call in std::mem::take(&mut self.waiting_calls) {
            match call.request.clone() {
                ControlRequest::Held => call.answer(ControlReply::Held { held: held.clone() }),
                ControlRequest::Approve { .. } if held.count == 0 => {
                    call.answer(ControlReply::done("no deletion is held"));
                }
                ControlRequest::Approve { reject } => {
                    self.verdict = Some(reject);
                    let what = if reject { "rejected" } else { "approved" };
                    let count = held.count;
                    call.answer(ControlReply::done(format!(
                        "{count} held deletions are {what}: carried out when the running pass is over"
                    )));
                }
                _ => self.waiting_calls.push(call),
            }
        }
    }

    fn why(&self, path: &str) -> ControlReply {
        let Some(engine) = &self.engine else { return ControlReply::done("") };
        match RelPath::parse(path) {
            Ok(path) => {
                let mut text = why_text(self.config(), &engine.state, &path);
                text.push_str(&seen_text(engine, &path));
                ControlReply::Text { text }
            }
            Err(error) => ControlReply::refused(ExitCode::Configuration, error.to_string(), ""),
        }
    }

    fn held(&self) -> ControlReply {
        let held = self.engine.as_ref().map_or_else(Held::default, |engine| held_of(&engine.state.guard));
        ControlReply::Held { held }
    }

    fn lent_deletions(&self) -> Held {
        self.lent.as_ref().map_or_else(Held::default, |state| held_of(&state.guard))
    }

    fn approve(&mut self, reject: bool) -> ControlReply {
        let Some(engine) = self.engine.as_mut() else { return ControlReply::done("") };
        let mut guard = engine.state.guard.clone();
        if guard.held.is_empty() {
            return ControlReply::done("no deletion is held");
        }
        let count = guard.held.len();
        guard.verdict = Some(if reject { Verdict::Rejected } else { Verdict::Approved });
        if let Err(error) = engine.commit(&[Change::Guard(guard)]) {
            return ControlReply::refused(ExitCode::Unexpected, error.to_string(), "");
        }
        self.asked = true;
        ControlReply::done(if reject {
            format!("{count} held deletions are rejected: the items are restored now")
        } else {
            format!("{count} held deletions are approved and carried out now")
        })
    }

    /// The answer of a plan that was asked for.
    pub(super) fn planned(&mut self, result: Result<String, PassError>) {
        let reply = match result {
            Ok(text) => ControlReply::Text { text },
            Err(error) => ControlReply::refused(ExitCode::Service, error.to_string(), ""),
        };
        let at =
            self.waiting_calls.iter().position(|call| matches!(call.request, ControlRequest::Plan { .. }));
        if let Some(at) = at {
            self.waiting_calls.remove(at).answer(reply);
        }
        self.set_state(self.rest_state());
    }

    /// What has to do with codes goes to iCloud, so it is done beside the loop.
    fn code(&mut self, call: ControlCall) {
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
                        drop(news.send(jobs::News::SessionChanged));
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

fn held_of(guard: &GuardState) -> Held {
    Held { count: guard.held.len() as u64, deletions: guard.held.iter().take(HELD_NAMED).cloned().collect() }
}

fn send(service: &crate::icloud::service::Service, how: SendHow) -> Result<ControlReply, SignInError> {
    let account = service.account();
    let ways = account.ways()?;
    let to = match how {
        SendHow::Usual if ways.device => SendTo::Device,
        SendHow::Device => SendTo::Device,
        SendHow::Usual => SendTo::Number(1),
        SendHow::Sms { number } => SendTo::Number(number.unwrap_or(1)),
    };
    account.send_code(to)?;
    Ok(ControlReply::done("the code was sent: run `icloudds code CODE` with it"))
}

fn ways_of(ways: &Ways) -> CodeWays {
    CodeWays {
        device: ways.device,
        numbers: ways.numbers.clone(),
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

/// What both sides showed at the last look.
fn seen_text(engine: &Engine, path: &RelPath) -> String {
    let here = engine.local.as_ref().map(|view| match view.tree.find(path) {
        Some(node) => {
            let entry = view.tree.get(node);
            format!("{:?}, {} bytes", entry.kind, entry.stamp.size)
        }
        None => "nothing".to_owned(),
    });
    let agreed = engine.state.base.find(path).map(|node| engine.state.base.get(node).id.clone());
    let there = engine.remote.as_ref().map(|view| {
        let node = agreed.as_ref().and_then(|id| view.tree.by_id(id)).or_else(|| view.tree.find(path));
        match node {
            Some(node) => {
                let entry = view.tree.get(node);
                format!("{:?} at {}, etag {}", entry.kind, view.tree.path(node), entry.etag)
            }
            None => "nothing".to_owned(),
        }
    });
    format!(
        "  seen here  {}\n  seen there {}\n",
        here.unwrap_or_else(|| "not looked yet".to_owned()),
        there.unwrap_or_else(|| "not looked yet".to_owned())
    )
}
