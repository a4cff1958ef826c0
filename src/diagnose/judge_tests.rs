use super::*;
use crate::diagnose::walk::Look;
use crate::icloud::survey::{Held, Names};

fn batch(asked: usize, answered: bool) -> Batch {
    Batch { asked, said: "refused (HTTP 400)".to_owned(), answered, missing: 0, refused: 0, in_order: true }
}

fn follows(line: &Line, question: u8) -> String {
    let answer = line.answers.iter().find(|(number, _)| *number == question);
    answer.map(|(_, follows)| follows.clone()).unwrap_or_default()
}

#[test]
fn the_number_of_folders_in_one_request_has_its_consequence() {
    for (batches, expected) in [
        (vec![batch(20, true), batch(40, true), batch(80, true)], "80 are taken, so the program's 40 are"),
        (vec![batch(20, true)], "20 are taken; more were not tried"),
        (
            vec![batch(20, true), batch(40, false)],
            "40 are refused, so the program has to ask for no more than 20",
        ),
        (vec![batch(20, false)], "20 are refused, so the program has to ask for one by one"),
        (
            vec![batch(20, true), batch(40, true), batch(80, false)],
            "40 are taken and 80 are refused; the program's 40 are safe",
        ),
        (
            vec![Batch { missing: 3, ..batch(20, true) }],
            "answers leave folders out; each that is missing is asked for alone",
        ),
        (vec![], ""),
    ] {
        assert_eq!(follows(&batch_line(&batches), 1), expected, "{batches:?}");
    }
    assert_eq!(batch_line(&[]).says, "not tried: there are fewer than 20 folders");
}

#[test]
fn short_listings_are_told_apart_by_whether_their_count_shows_it() {
    for (short, differing, expected) in [
        (0, 0, "no listing came back short"),
        (2, 0, "listings came back short, and their count shows it"),
        (0, 1, "listings came back short without a sign: what is missing proves nothing"),
        (2, 1, "listings came back short, and their count shows it"),
    ] {
        let walk = Walk { folders: 9, short, differing, ..Walk::default() };
        assert_eq!(follows(&agreement_line(&walk), 2), expected);
    }
}

#[test]
fn the_count_of_all_files_is_compared_only_after_a_whole_walk() {
    for (counted, library_files, is_whole, says, question, expected) in [
        (7, 0, true, "7, as listed", 28, ""),
        (7, 3, true, "7, as listed", 28, "files of app libraries are not counted in the root"),
        (
            10,
            3,
            true,
            "10, as listed with the app libraries",
            28,
            "files of app libraries are counted in the root",
        ),
        (
            8,
            0,
            true,
            "8, but 7 were listed (the trash included)",
            3,
            "the root's count and the listings differ: it is a hint only",
        ),
        (8, 0, false, "8; not compared, for not all folders and the trash were listed", 3, ""),
    ] {
        let mut walk = Walk { is_whole, library_files, ..Walk::default() };
        walk.sum.files = 5;
        walk.root = Look { file_count: Some(counted), ..Look::default() };
        walk.trash = Look { held: Some(Held { files: 1, below: 1, ..Held::default() }), ..Look::default() };
        let line = total_line(&walk);
        assert_eq!((line.says.as_str(), follows(&line, question).as_str()), (says, expected), "{counted}");
    }
}

#[test]
fn a_slow_root_or_trash_is_named() {
    for (root, trash, expected) in [
        (400, 500, "neither was slow"),
        (30_000, 500, "the root is slow to list here"),
        (400, 30_000, "the trash is slow to list here"),
        (30_000, 30_000, "root and trash are slow to list here"),
    ] {
        let mut latencies = Latencies::default();
        latencies.note("listing_of_the_root", Duration::from_millis(root));
        latencies.note("listing_of_the_trash", Duration::from_millis(trash));
        assert_eq!(follows(&slow_line(&latencies).expect("a line"), 37), expected);
    }
}

#[test]
fn names_tell_how_they_are_stored() {
    for (nfc, nfd, case_twins, expected) in [
        (0, 0, 0, "no name here tells"),
        (4, 0, 0, "names are stored composed, or only composed ones were sent"),
        (0, 4, 0, "names are stored decomposed, or only decomposed ones were sent"),
        (1, 4, 2, "names are stored in the form in which they were sent"),
    ] {
        let mut walk = Walk { folders: 1, ..Walk::default() };
        walk.sum.names = Names { nfc, nfd, case_twins, numbered: 1, ..Names::default() };
        let lines = item_lines(&walk);
        let line = |key: &str| lines.iter().find(|line| line.key == key).expect(key);
        assert_eq!(follows(line("names"), 10), expected);
        assert!(follows(line("twins"), 9).starts_with("numbered names stand"));
        assert_eq!(follows(line("twins"), 10).contains("in case alone"), case_twins > 0);
    }
    assert!(item_lines(&Walk::default()).is_empty());
}
