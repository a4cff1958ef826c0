//! Heads and bodies of content hosts, damaged.

use std::io::{self, Cursor, Write};

use ureq::http::{HeaderMap, HeaderValue};

use super::*;
use crate::fuzz_tests::fuzz;
use crate::icloud::test_clock::TestClock;

/// Counts, and keeps nothing.
#[derive(Default)]
struct Nowhere(u64);

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Nowhere {
    fn restart(&mut self) -> io::Result<()> {
        self.0 = 0;
        Ok(())
    }
}

fn job(sink: &mut Nowhere, at: u64, size: Option<u64>, package: bool) -> Job<'_> {
    Job { sink, start: at, at, size, package, no_range: false }
}

#[test]
fn download_head() {
    let seeds = [
        &b"bytes 4-9/10\nhttps://cvws.icloud-content.com/B/x?e=1795000000&o=y\n/other?e=1"[..],
        b"bytes 4-18446744073709551615/18446744073709551615\nhttps://h/?e=-9223372036854775808\n//host:99999/",
        b"bytes */10\nnothing\nhttp://[::1]/",
    ];
    fuzz("download_head", seeds, |bytes| {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let mut headers = HeaderMap::new();
        for name in ["content-range", "from", "location"] {
            if let Ok(value) = HeaderValue::from_bytes(lines.next().unwrap_or_default()) {
                headers.insert(name, value);
            }
        }
        let head = Head { status: 206, headers };
        let from = head.header("from").unwrap_or_default().to_owned();
        let mut sink = Nowhere::default();
        let fit = [Some(10), None].map(|size| fits(&head, &job(&mut sink, 4, size, false)));
        let next = redirected(&from, &head);
        let over = [&from, next.as_ref().unwrap_or(&from)].map(|url| is_nearly_over(url, 1_795_000_000));
        format!("{fit:?} {over:?} {} {}", next.is_some(), host(&from).is_empty())
    });
}

#[test]
fn package() {
    let zip = [&b"PK\x03\x04"[..], &[7; 300]].concat();
    let mut wrapped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    wrapped.write_all(&zip).expect("memory takes it");
    let wrapped = wrapped.finish().expect("memory takes it");
    fuzz("package", [zip, wrapped, b"PK".to_vec(), Vec::new()], |bytes| {
        let (clock, rate) = (TestClock::with_random(0.5), Rate::new(0));
        let mut sink = Nowhere::default();
        let mut job = job(&mut sink, 0, None, true);
        let mut body = Counted { inner: Box::new(Cursor::new(bytes.to_vec())), count: 0 };
        let done = unwrap_package(&mut body, &mut job, &rate, &clock);
        let at = job.at;
        assert_eq!(at, sink.0);
        match done {
            Err(error) => error.to_string(),
            Ok(None) => {
                assert_eq!(body.count, bytes.len() as u64, "all of it is counted");
                "whole".to_owned()
            }
            Ok(Some(Outcome::Broke(why))) => why,
            Ok(Some(_)) => "another outcome".to_owned(),
        }
    });
}
