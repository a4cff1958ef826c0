//! What the walk says about the service: pure, from counts to lines.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::latency::Latencies;
use super::report::Line;
use super::walk::{Batch, Walk};

/// A listing that takes longer is slow.
const SLOW: Duration = Duration::from_secs(5);
/// So many folders the program itself names in one request.
const OWN_BATCH: usize = 40;

/// The lines about listings.
pub fn listing_lines(walk: &Walk, latencies: &Latencies) -> Vec<Line> {
    let mut lines = vec![Line::new("root", walk.root.held.is_some(), walk.root.said.clone())];
    if walk.root.held.is_none() {
        return lines;
    }
    lines.push(Line::new("trash", walk.trash.held.is_some(), walk.trash.said.clone()));
    lines.push(batch_line(&walk.batches));
    let broken: Vec<_> = walk.batches.iter().filter(|batch| batch.answered).collect();
    if !broken.is_empty() {
        let in_order = broken.iter().all(|batch| batch.in_order);
        let says = if in_order { "as asked" } else { "another one than asked" };
        let follows =
            if in_order { "the order was kept" } else { "the order is not kept; answers are matched by id" };
        lines.push(Line::new("order", in_order, says).answers(1, follows));
    }
    lines.push(agreement_line(walk));
    lines.push(total_line(walk));
    lines.extend(slow_line(latencies));
    lines
}

fn batch_line(batches: &[Batch]) -> Line {
    let words = |batch: &Batch| {
        if !batch.answered {
            return batch.said.clone();
        }
        match (batch.missing, batch.refused) {
            (0, 0) => "ok".to_owned(),
            (0, refused) => format!("{refused} refused"),
            (missing, 0) => format!("{missing} left out"),
            (missing, refused) => format!("{missing} left out, {refused} refused"),
        }
    };
    let value: Map<String, Value> =
        batches.iter().map(|batch| (batch.asked.to_string(), words(batch).into())).collect();
    let says: Vec<_> = batches.iter().map(|batch| format!("{} {}", batch.asked, words(batch))).collect();
    let says = if says.is_empty() {
        "not tried: there are fewer than 20 folders".to_owned()
    } else {
        says.join(", ")
    };
    let taken =
        batches.iter().filter(|batch| batch.answered && batch.missing == 0).map(|batch| batch.asked).max();
    let refused = batches.iter().filter(|batch| !batch.answered).map(|batch| batch.asked).min();
    let left_out = batches.iter().any(|batch| batch.answered && batch.missing > 0);
    let line = Line::new("folders_per_request", value, says);
    let follows = match (taken, refused) {
        _ if left_out => "answers leave folders out; each that is missing is asked for alone".to_owned(),
        (Some(taken), None) if taken >= OWN_BATCH => {
            format!("{taken} are taken, so the program's {OWN_BATCH} are")
        }
        (Some(taken), None) => format!("{taken} are taken; more were not tried"),
        (taken, Some(refused)) if refused <= OWN_BATCH => {
            let most = taken.map_or_else(|| "one by one".to_owned(), |taken| format!("no more than {taken}"));
            format!("{refused} are refused, so the program has to ask for {most}")
        }
        (taken, Some(refused)) => {
            format!(
                "{} are taken and {refused} are refused; the program's {OWN_BATCH} are safe",
                taken.unwrap_or(0)
            )
        }
        (None, None) => return line,
    };
    line.answers(1, follows)
}

fn agreement_line(walk: &Walk) -> Line {
    let value = json!({"folders": walk.folders, "short": walk.short, "differing": walk.differing});
    let says = match (walk.short, walk.differing) {
        (0, 0) => format!("in all of {} folders", walk.folders),
        (short, 0) => format!("not in {short} listings of {} folders", walk.folders),
        (0, differing) => {
            format!("yes, but {differing} folders held another number of items at a second look")
        }
        (short, differing) => format!(
            "not in {short} listings of {} folders; {differing} held another number of items at a second look",
            walk.folders
        ),
    };
    let follows = match (walk.short, walk.differing) {
        (0, 0) => "no listing came back short",
        (0, _) => "listings came back short without a sign: what is missing proves nothing",
        _ => "listings came back short, and their count shows it",
    };
    Line::new("counts_agree", value, says).answers(2, follows)
}

/// The service's count of all files against what was listed, which only a whole walk can tell.
fn total_line(walk: &Walk) -> Line {
    let Some(counted) = walk.root.file_count else {
        return Line::new("file_count", json!(null), "the root tells none");
    };
    let trash = walk.trash.held.as_ref().map(|held| held.files + held.below);
    let value = json!({
        "counted": counted, "listed": walk.sum.files, "in_trash": trash, "in_app_libraries": walk.library_files, "whole": walk.is_whole,
    });
    let line = |says: String| Line::new("file_count", value.clone(), says);
    let (true, Some(trash)) = (walk.is_whole, trash) else {
        return line(format!("{counted}; not compared, for not all folders and the trash were listed"));
    };
    let own = walk.sum.files + trash;
    let with_apps = own + walk.library_files;
    if counted == own && walk.library_files > 0 {
        line(format!("{counted}, as listed"))
            .answers(28, "files of app libraries are not counted in the root")
    } else if counted == own {
        line(format!("{counted}, as listed"))
    } else if counted == with_apps {
        line(format!("{counted}, as listed with the app libraries"))
            .answers(28, "files of app libraries are counted in the root")
    } else {
        line(format!("{counted}, but {own} were listed (the trash included)"))
            .answers(3, "the root's count and the listings differ: it is a hint only")
    }
}

fn slow_line(latencies: &Latencies) -> Option<Line> {
    let root = latencies.slowest("listing_of_the_root")?;
    let trash = latencies.slowest("listing_of_the_trash");
    let tenths = |span: Duration| {
        let tenths = span.as_millis() / 100;
        format!("{}.{} s", tenths / 10, tenths % 10)
    };
    let said = trash.map_or_else(|| "no answer".to_owned(), tenths);
    let says = format!("root {}, trash {said}", tenths(root));
    let is_slow = |span: Option<Duration>| span.is_some_and(|span| span > SLOW);
    let value = json!({"root_slow": is_slow(Some(root)), "trash_slow": is_slow(trash)});
    let follows = match (is_slow(Some(root)), is_slow(trash)) {
        (false, false) => "neither was slow",
        (true, false) => "the root is slow to list here",
        (false, true) => "the trash is slow to list here",
        (true, true) => "root and trash are slow to list here",
    };
    Some(Line::new("slowest_listings", value, says).answers(37, follows))
}

/// The lines about items and their names.
pub fn item_lines(walk: &Walk) -> Vec<Line> {
    let sum = &walk.sum;
    if walk.folders == 0 {
        return Vec::new();
    }
    let kinds: Vec<_> = sum.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    let names = sum.names;
    let forms = json!({
        "ascii": names.ascii, "nfc": names.nfc, "nfd": names.nfd, "either": names.either, "mixed": names.mixed,
        "dotted": names.dotted, "too_long": names.too_long,
    });
    let says = format!(
        "{} ASCII, {} composed (NFC), {} decomposed (NFD), {} mixed, {} with one form only",
        names.ascii, names.nfc, names.nfd, names.mixed, names.either
    );
    let form = match (names.nfc, names.nfd + names.mixed) {
        (0, 0) => "no name here tells",
        (_, 0) => "names are stored composed, or only composed ones were sent",
        (0, _) => "names are stored decomposed, or only decomposed ones were sent",
        _ => "names are stored in the form in which they were sent",
    };
    let twins = json!({"numbered": names.numbered, "case": names.case_twins, "form": names.form_twins});
    let apart = match (names.case_twins, names.form_twins) {
        (0, 0) => "no folder holds names that differ in case or form alone",
        (_, 0) => "names that differ in case alone live side by side",
        (0, _) => "names that differ in form alone live side by side",
        _ => "names that differ in case or form alone live side by side",
    };
    let apple = sum.zones.iter().filter(|zone| zone.starts_with("com.apple.")).count();
    let zones = json!({"count": sum.zones.len(), "of_apple": apple});
    let split = if sum.folders == 0 {
        "there is no folder"
    } else if sum.split_folders > 0 {
        "folders' names are split at their last dot"
    } else {
        "no folder's name came split"
    };
    let mut lines = vec![
        Line::count("items", sum.items),
        Line::new("kinds", json!(sum.kinds), kinds.join(", ")),
        Line::new("names", forms, says).answers(10, form),
        Line::new(
            "twins",
            twins,
            format!(
                "{} numbered, {} by case, {} by form",
                names.numbered, names.case_twins, names.form_twins
            ),
        )
        .answers(
            9,
            if names.numbered > 0 {
                "numbered names stand beside their first, as `Name 2.ext`"
            } else {
                "no numbered name stands beside its first"
            },
        )
        .answers(10, apart),
        Line::new(
            "split_folders",
            sum.split_folders,
            format!("{} of {} folders", sum.split_folders, sum.folders),
        )
        .answers(10, split),
        Line::new("zones", zones, format!("{}, {apple} of them Apple's own", sum.zones.len())),
        Line::count("without_id", sum.without_id),
    ];
    let shared = if sum.shared > 0 { "shared items are listed with a share" } else { "none is listed" };
    lines.push(Line::count("shared_items", sum.shared).answers(29, shared));
    if !walk.libraries.is_empty() {
        let says: Vec<_> = walk.libraries.iter().map(|(word, count)| format!("{count} {word}")).collect();
        let line = Line::new("app_libraries", json!(walk.libraries), says.join(", "));
        let empty = walk.libraries.keys().find(|word| matches!(word.as_str(), "empty" | "ID_INVALID"));
        lines.push(match empty {
            Some(word) if word == "empty" => {
                line.answers(28, "an empty app library is listed as an empty folder")
            }
            Some(_) => line.answers(28, "an app library without documents answers ID_INVALID"),
            None => line,
        });
    }
    lines
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
