//! Rules of which a table of whole worlds does not show each half.

use super::super::items::Doubt;
use super::*;
use Change::{Absent, Deleted, Left, Same, Unknown};
use Fate::{Forget, Keep, Open, Pin};
use Mode::{DownloadOnly, TwoWay, UploadOnly};
use Side::{Local, Remote};

fn item(here: Change, there: Change, accepted: bool) -> Item {
    Item { here, there, accepted, folder: true, ..Item::unknown(Reason::Same) }
}

#[test]
fn a_folder_that_is_gone_on_both_sides_is_forgotten_in_every_mode() {
    for mode in [TwoWay, DownloadOnly, UploadOnly] {
        for (here, there) in
            [(Deleted, Deleted), (Left, Deleted), (Deleted, Left), (Deleted, Absent), (Absent, Left)]
        {
            let expected = (Forget, Reason::GoneOnBoth);
            assert_eq!(folder(&item(here, there, true), mode), expected, "{here:?} {there:?} {mode:?}");
        }
    }
}

#[test]
fn a_folder_that_is_gone_on_one_side_comes_back_where_that_side_may_not_change_the_other() {
    let (gone_here, gone_there) = (Reason::Deleted(Local), Reason::Deleted(Remote));
    for (here, there, mode, accepted, expected) in [
        (Deleted, Same, TwoWay, true, (Open, gone_here)),
        (Deleted, Same, UploadOnly, true, (Open, gone_here)),
        (Deleted, Same, DownloadOnly, true, (Keep, gone_here)),
        // What takes no part any more is not made anew.
        (Deleted, Same, DownloadOnly, false, (Open, gone_here)),
        (Same, Deleted, TwoWay, true, (Open, gone_there)),
        (Same, Deleted, DownloadOnly, true, (Open, gone_there)),
        (Same, Deleted, UploadOnly, true, (Keep, gone_there)),
        (Same, Deleted, UploadOnly, false, (Open, gone_there)),
        // What was moved to where nothing is synced was deleted by nobody.
        (Left, Same, TwoWay, true, (Open, Reason::LeftScope(Local))),
        (Same, Left, TwoWay, true, (Open, Reason::LeftScope(Remote))),
    ] {
        let row = (here, there, mode, accepted);
        assert_eq!(folder(&item(here, there, accepted), mode), expected, "{row:?}");
    }
}

#[test]
fn a_new_folder_is_left_alone_where_the_other_side_may_not_change() {
    let refused = (Pin, Reason::LocalChangeNotAllowed);
    for (here, there, mode, expected) in [
        (Same, Absent, TwoWay, (Open, Reason::New(Local))),
        (Same, Absent, UploadOnly, (Open, Reason::New(Local))),
        (Same, Absent, DownloadOnly, refused),
        (Absent, Same, TwoWay, (Open, Reason::New(Remote))),
        (Absent, Same, DownloadOnly, (Open, Reason::New(Remote))),
        (Absent, Same, UploadOnly, refused),
        (Same, Same, DownloadOnly, (Open, Reason::Same)),
        (Unknown(Doubt::Unreachable), Deleted, TwoWay, (Pin, Reason::Same)),
        (Deleted, Unknown(Doubt::Unlisted), DownloadOnly, (Pin, Reason::Same)),
    ] {
        assert_eq!(folder(&item(here, there, true), mode), expected, "{here:?} {there:?} {mode:?}");
    }
}
