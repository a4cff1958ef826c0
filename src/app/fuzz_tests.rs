//! The files of the state directory that this part reads, damaged.

use std::fs;

use super::feed_state::{FEED_FILE, FeedState};
use crate::fuzz_tests::fuzz;

#[test]
fn feed_file() {
    let seeds = [
        r#"{"account":"17","token":"AQAAAAE=","agreed":604800,"confirmed":true,"distrusted":0}"#,
        r#"{"account":"17","token":null,"agreed":18446744073709551615,"distrusted":86400,"more":[{}]}"#,
        "{}",
    ];
    fuzz("feed_file", seeds, |bytes| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(FEED_FILE), bytes).expect("written");
        let read = FeedState::load(folder.path());
        read.store(folder.path());
        assert_eq!(FeedState::load(folder.path()), read, "what was stored is what was read");
        format!(
            "{} {} {} {}",
            read.token.is_some(),
            read.agreed.min(1),
            read.confirmed,
            read.distrusted.min(1)
        )
    });
}
