//! Tells people what passes do: log lines, and progress on a terminal.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::wording::{effect_text, note_line};
use crate::engine::execute::{Effect, EffectKind, Event, Progress};
use crate::engine::operation::NoteKind;
use crate::engine::pass::Report;

/// Between two lines of progress where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// What a person sees while a pass works.
pub struct ProgressReporter {
    bar: Option<ProgressBar>,
    last_line: Instant,
    begun: Instant,
    progress: Progress,
}

impl Default for ProgressReporter {
    fn default() -> Self {
        Self::new(std::io::stderr().is_terminal())
    }
}

impl ProgressReporter {
    /// A reporter for one pass; `terminal` shows a bar.
    pub fn new(terminal: bool) -> Self {
        let now = Instant::now();
        Self { bar: terminal.then(bar), last_line: now, begun: now, progress: Progress::default() }
    }

    /// Tells one event.
    pub fn tell(&mut self, event: &Event) {
        match event {
            Event::Done(effect) => self.above_bar(|| tell_effect(effect)),
            Event::SetAside { path, reason, next_try } => self.above_bar(|| match next_try {
                Some(_) => log::warn!("set aside for now {path}: {reason}"),
                None => log::warn!("set aside {path}: {reason}"),
            }),
            Event::Skipped { path, reason } => self.above_bar(|| log::info!("skipped {path}: {reason}")),
            Event::PlanAgain { path, why } => log::debug!("planned again {path}: {why}"),
            Event::Retry { path, why, wait } => {
                log::debug!("tried again in {:.1} s {path}: {why}", wait.as_secs_f64());
            }
            Event::Progress(progress) => self.progress(*progress),
            Event::Stored(_) => {}
        }
    }

    fn above_bar(&self, tell: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(tell),
            None => tell(),
        }
    }

    fn progress(&mut self, progress: Progress) {
        self.progress = progress;
        if let Some(bar) = &self.bar {
            bar.set_length(progress.bytes_total.max(1));
            bar.set_position(progress.bytes_done.min(progress.bytes_total));
            bar.set_message(format!("{}/{} items", progress.items_done, progress.items_total));
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let seconds = self.begun.elapsed().as_secs_f64();
            let rate = progress.bytes_done as f64 / seconds.max(0.001);
            let left = progress.bytes_total.saturating_sub(progress.bytes_done) as f64 / rate.max(1.0);
            log::info!(
                items_done = progress.items_done,
                items = progress.items_total,
                bytes_done = progress.bytes_done,
                bytes = progress.bytes_total,
                bytes_per_second = rate.round(),
                seconds_left = left.round();
                "in progress"
            );
        }
    }

    /// Ends the pass: the summary where it changed something, else nothing.
    pub fn end(self, report: &Report) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let counts = &report.outcome.counts;
        let set_aside = counts.set_aside + u64::try_from(report.set_aside().count()).unwrap_or(u64::MAX);
        let changed = counts.uploads
            + counts.downloads
            + counts.moved_local
            + counts.moved_remote
            + counts.deleted_local
            + counts.deleted_remote
            + counts.folders_local
            + counts.folders_remote
            + counts.conflicts;
        let level = if changed > 0 { log::Level::Info } else { log::Level::Debug };
        log::log!(
            level,
            uploads = counts.uploads,
            downloads = counts.downloads,
            moved_local = counts.moved_local,
            moved_remote = counts.moved_remote,
            deleted_local = counts.deleted_local,
            deleted_remote = counts.deleted_remote,
            folders_local = counts.folders_local,
            folders_remote = counts.folders_remote,
            conflicts = counts.conflicts,
            set_aside,
            held = report.held,
            bytes = counts.bytes,
            seconds = (self.begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
            "pass done"
        );
    }
}

/// Fits 80 columns with a million items and terabytes.
const PROGRESS: &str =
    "{bar:12} {msg} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta} left";

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(5));
    let style = ProgressStyle::with_template(PROGRESS);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn tell_effect(effect: &Effect) {
    let text = effect_text(effect);
    match effect.kind {
        EffectKind::Download | EffectKind::Upload => log::info!(bytes = effect.bytes; "{text}"),
        EffectKind::Conflict => log::warn!("{text}"),
        EffectKind::Adopt | EffectKind::Forget | EffectKind::Keep => log::debug!("{text}"),
        _ => log::info!("{text}"),
    }
    log::debug!("why {}: {}", effect.path, effect.reason);
}

/// How many items that are left for now are named.
const UNSETTLED_NAMED: usize = 10;

/// Says what is left for now and why: a pass or two later most of it is settled, so this is for what is not.
pub fn tell_unsettled(report: &Report) {
    let notes = report.notes.iter().filter_map(|note| Some((&note.path, note.kind.unsettled()?)));
    let mut notes = notes.chain(report.planned_again());
    for (path, why) in notes.by_ref().take(UNSETTLED_NAMED) {
        log::warn!("left for now {path}: {why}");
    }
    match notes.count() {
        0 => {}
        more => log::warn!("left for now: {more} more items"),
    }
}

/// Says once what is left alone and why; `told` is what the pass before left alone, and no more, however long that goes.
pub fn tell_notes(report: &Report, told: &mut std::collections::BTreeSet<String>) {
    let before = std::mem::take(told);
    for note in &report.notes {
        let line = note_line(note);
        if !before.contains(&line) && !told.contains(&line) {
            match note.kind {
                NoteKind::SetAside(_) | NoteKind::Held(_) => log::warn!("{line}"),
                NoteKind::Skipped(_) => log::info!("{line}"),
                NoteKind::Unsettled(_) => log::debug!("{line}"),
            }
        }
        told.insert(line);
    }
}
