//! Mistakes about the page and the notifications.

use super::{Setup, report};
use crate::golden::assert_golden;

#[test]
fn mistakes_about_the_page_and_the_notifications() {
    let cases = [
        "[web]\nlisten = '127.0.0.1:8384'\ntoken = 'hidden-short'",
        "[web]\nlisten = '127.0.0.1:8384'\ntoken = 'hidden-with a blank'",
        "[web]\nlisten = '127.0.0.1:8384'\ntoken = 'hidden-with-ümläut'",
        "[web]\nlisten = '127.0.0.1:8384'\ntoken = 'hidden-and-long-enough'",
        "[web]\nlisten = 'localhost:0'",
        "[web]\nallowed_hosts = ['nas.example', 'https://nas.example/']",
        "[web]\nallowed_hosts = ['nas.example:8384']",
        "[web]\nallowed_hosts = ['']",
        "[notify]\nwebhook = 'https://hidden-4.example.com'",
        "[notify]\nbody = '{mesage}'",
        "[notify]\nbody = '{\"text\": {message}}'",
        "[notify]\nbody = '{\"text\": \"{message}\"}'",
        "[notify]\nping = 'hc-ping.com/hidden-4'",
        "[notify]\nping = 'https://hc-ping.com/hidden-4'\nping_file = '/x'",
    ];
    let user = ("ICLOUDDS_ACCOUNT__USERNAME", "you@example.com");
    let text = report(&cases, |case| Setup::new(Some(case), &[user]).verdict());
    assert!(!text.lines().any(|line| line.starts_with("  ") && line.contains("hidden-")), "{text}");
    assert_golden("config/outward.txt", &text);
}
