//! What follows from each failure of a side.

use std::io;

use super::*;
use crate::model::AccountProblem;

fn told(failure: &StepFailure) -> &'static str {
    match failure {
        StepFailure::Replan(_) => "planned again",
        StepFailure::Again { .. } => "tried again",
        StepFailure::Resend(_) => "sent again",
        StepFailure::Aside(_) => "set aside",
        StepFailure::Skip(_) => "skipped",
        StepFailure::End(_) => "the end",
    }
}

#[test]
fn what_ends_the_pass_is_what_no_other_item_would_fare_better_with() {
    for error in [
        RemoteError::Stale,
        RemoteError::Unreachable("why".into()),
        RemoteError::Account { cause: AccountProblem::Drive, message: "why".into() },
        RemoteError::Stopped,
        RemoteError::Damaged("why".into()),
    ] {
        let is_end = matches!(StepFailure::from(error.clone()), StepFailure::End(_));
        assert_eq!(is_end, error.ends_pass(), "{error:?}");
    }
}

#[test]
fn each_failure_of_icloud_has_its_consequence() {
    let busy = |retry_after| RemoteError::Busy { message: String::new(), retry_after };
    for (error, expected) in [
        (RemoteError::Stale, "planned again"),
        (RemoteError::NameTaken, "planned again"),
        (RemoteError::Gone, "planned again"),
        (RemoteError::Refused("why".into()), "set aside"),
        (RemoteError::Quota("why".into()), "set aside"),
        (busy(None), "tried again"),
        (RemoteError::Uncertain("why".into()), "tried again"),
        (RemoteError::Damaged("why".into()), "tried again"),
        (RemoteError::Unreachable("why".into()), "the end"),
        (RemoteError::Account { cause: AccountProblem::Drive, message: "why".into() }, "the end"),
        (RemoteError::Stopped, "the end"),
    ] {
        assert_eq!(told(&StepFailure::from(error.clone())), expected, "{error:?}");
    }
}

#[test]
fn the_wait_that_icloud_asks_for_is_kept() {
    let asked = Some(Duration::from_secs(7));
    let error = RemoteError::Busy { message: "later".into(), retry_after: asked };
    let StepFailure::Again { why, after } = StepFailure::from(error) else { panic!("it is tried again") };
    assert_eq!((why.as_str(), after), ("iCloud is busy: later", asked));
}

#[test]
fn each_failure_of_the_disk_has_its_consequence() {
    let path = RelPath::root;
    let io = |kind: io::ErrorKind| DiskError::Io { what: "move", path: path(), source: kind.into() };
    for (error, expected) in [
        (DiskError::Changed { path: path() }, "planned again"),
        (DiskError::Taken { path: path() }, "planned again"),
        (DiskError::Folder { path: path() }, "planned again"),
        (DiskError::Name { path: path() }, "set aside"),
        (DiskError::Full { path: path() }, "set aside"),
        (DiskError::WrongRoot("another".into()), "the end"),
        (io(ErrorKind::PermissionDenied), "set aside"),
        (io(ErrorKind::ReadOnlyFilesystem), "set aside"),
        (io(ErrorKind::TimedOut), "tried again"),
    ] {
        let case = format!("{error:?}");
        assert_eq!(told(&StepFailure::from(error)), expected, "{case}");
    }
}

#[test]
fn who_may_not_write_is_told_what_to_do() {
    let source = ErrorKind::PermissionDenied.into();
    let failure = StepFailure::from(DiskError::Io { what: "move", path: RelPath::root(), source });
    assert!(failure.to_string().contains("give the user that runs icloudds access"), "{failure}");
}
