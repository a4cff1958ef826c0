//! How what passes do and leave alone is called in sentences for people.

use crate::engine::execute::{Effect, EffectKind};
use crate::engine::operation::{Note, NoteKind, Reason};
use crate::model::Side;

/// What was done, as a line for people.
pub fn effect_text(effect: &Effect) -> String {
    let Effect { kind, side, path, other, .. } = effect;
    let on = side.map_or("", Side::in_words);
    match (kind, other) {
        (EffectKind::Download, _) => format!("downloaded {path}"),
        (EffectKind::Upload, _) if effect.reason == Reason::WentBack => {
            format!("uploaded {path}: older than the version that it replaces, which is in Recently Deleted")
        }
        (EffectKind::Upload, _) if effect.reason == Reason::Exchanged => {
            format!(
                "uploaded {path}: another file came to its place, the version that it replaces is in Recently Deleted"
            )
        }
        (EffectKind::Upload, _) if effect.reason == Reason::Emptied => {
            format!("uploaded {path}: empty now, the version that it replaces is in Recently Deleted")
        }
        (EffectKind::Upload, _) if effect.reason == Reason::CutShort => {
            format!(
                "uploaded {path}: written before the machine started, or its volume was mounted, so a power cut may have left a part of it; \
                 the version that it replaces is in Recently Deleted"
            )
        }
        (EffectKind::Upload, _) => format!("uploaded {path}"),
        (EffectKind::MakeFolder, _) => format!("made folder {on} {path}"),
        (EffectKind::Rename, Some(from)) => format!("renamed {on} {from} to {path}"),
        (EffectKind::Move, Some(from)) => format!("moved {on} {from} to {path}"),
        (EffectKind::Rename | EffectKind::Move, None) => format!("moved {on} {path}"),
        (EffectKind::Delete, _) => format!("deleted {on} {path}"),
        (EffectKind::Conflict, Some(copy)) => {
            format!("conflict {path}: the version from here is kept as {copy}")
        }
        (EffectKind::Conflict, None) => format!("conflict settled {path}"),
        (EffectKind::Adopt, _) => format!("the same on both sides {path}"),
        (EffectKind::Forget, _) => format!("forgotten {path}"),
        (EffectKind::Keep, _) if side.is_none() => format!("kept {path} on both sides"),
        (EffectKind::Keep, _) => format!("kept {path} {on} only"),
    }
}

/// What was left alone at the path that somebody asks about.
pub fn note_text(kind: &NoteKind) -> String {
    match kind {
        NoteKind::SetAside(why) => format!("set aside: {why}"),
        NoteKind::Skipped(why) => format!("skipped: {why}"),
        NoteKind::Unsettled(why) => format!("left for now: {why}"),
        NoteKind::Held(side) => format!("its deletion {} is held", side.in_words()),
    }
}

/// What was left alone, as a line of the log.
pub fn note_line(note: &Note) -> String {
    let path = &note.path;
    match &note.kind {
        NoteKind::SetAside(why) => format!("set aside {path}: {why}"),
        NoteKind::Skipped(why) => format!("skipped {path}: {why}"),
        NoteKind::Unsettled(why) => format!("left for now {path}: {why}"),
        NoteKind::Held(side) => format!("deletion held {} {path}: run `icloudds approve`", side.in_words()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RelPath;

    #[test]
    fn what_only_the_base_learns_is_no_loss_unless_it_is_forgotten() {
        let path = RelPath::parse("a/b").expect("a path");
        for (kind, side, text) in [
            (EffectKind::Adopt, None, "the same on both sides a/b"),
            (EffectKind::Forget, None, "forgotten a/b"),
            (EffectKind::Keep, Some(Side::Local), "kept a/b here only"),
            (EffectKind::Keep, Some(Side::Remote), "kept a/b on iCloud only"),
            (EffectKind::Keep, None, "kept a/b on both sides"),
        ] {
            let (path, reason) = (path.clone(), Reason::HoldsForeign);
            assert_eq!(effect_text(&Effect { kind, side, path, other: None, bytes: 0, reason }), text);
        }
    }

    #[test]
    fn a_note_says_the_same_of_an_item_wherever_it_is_told() {
        let path = RelPath::parse("a/b").expect("a path");
        for (kind, text, line) in [
            (NoteKind::SetAside("too large".into()), "set aside: too large", "set aside a/b: too large"),
            (NoteKind::Skipped("a link".into()), "skipped: a link", "skipped a/b: a link"),
            (NoteKind::Unsettled("away".into()), "left for now: away", "left for now a/b: away"),
            (
                NoteKind::Held(Side::Local),
                "its deletion here is held",
                "deletion held here a/b: run `icloudds approve`",
            ),
            (
                NoteKind::Held(Side::Remote),
                "its deletion on iCloud is held",
                "deletion held on iCloud a/b: run `icloudds approve`",
            ),
        ] {
            assert_eq!(note_text(&kind), text);
            assert_eq!(note_line(&Note { path: path.clone(), kind }), line);
        }
    }
}
