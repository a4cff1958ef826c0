//! What lies below `.icloudds`, where others may write too, damaged.

use jiff::Timestamp;

use super::install::download_record::Record;
use super::private::marker::Marker;
use super::trash::list::{beside, slot_time};
use crate::fuzz_tests::fuzz;
use crate::model::RelPath;
use crate::model::name::check_name;

#[test]
fn marker() {
    let seeds = [
        &br#"{"id":"0123456789abcdef0123456789abcdef","account":"17320123456","remote_root":"/Docs"}"#[..],
        b"",
        b"{}",
    ];
    fuzz("marker", seeds, |bytes| {
        let Ok(marker) = serde_json::from_slice::<Marker>(bytes) else { return "none".to_owned() };
        let stored = serde_json::to_vec(&marker).expect("it can be stored");
        assert_eq!(serde_json::from_slice::<Marker>(&stored).expect("what was stored can be read"), marker);
        "one".to_owned()
    });
}

#[test]
fn download_record() {
    let seeds = [
        &br#"{"zone":"com.apple.CloudDocs","doc":"A","etag":"1::2","signature_text":"x","size":10,"path":"a/b","boot":"b","durable":4,
            "swap":{"slot":"a//2026-11-22 10-00-00+0000/b","target":"a/b","new_inode":7,"old":[1,2,-3]}}"#[..],
        br#"{"zone":"z","doc":"A","etag":"","signature_text":"","size":null,"path":"../b","boot":"","durable":0,"swap":null}"#,
    ];
    fuzz("download_record", seeds, |bytes| {
        let Some(record) = Record::parse(bytes) else { return "none".to_owned() };
        let stored = serde_json::to_vec(&record).expect("it can be stored");
        let back = Record::parse(&stored).expect("what was stored can be read");
        assert_eq!(back.key(), record.key());
        format!("{} {}", record.key().is_some(), record.swap.is_some())
    });
}

#[test]
fn trash_name() {
    let seeds = [
        "2026-11-22 10-00-00+0000",
        "2026-11-22 10-00-00+0000 17",
        "9999-12-31 23-59-59-2359",
        "-9999-01-01 00-00-00+2359",
    ];
    fuzz("trash_name", seeds, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let when = slot_time(&text);
        if let (Ok(path), false) = (RelPath::parse(&text), text.is_empty()) {
            for (when, count) in
                [(when.unwrap_or_default(), 1), (Timestamp::MAX, u32::MAX), (Timestamp::MIN, 2)]
            {
                let name = beside(&path, when, count);
                assert!(check_name(name.name()).is_ok() && name.name().len() <= 255);
            }
        }
        format!("{} {}", when.is_some(), RelPath::parse(&text).is_ok())
    });
}
