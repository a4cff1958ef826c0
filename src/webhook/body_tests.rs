//! Each service's body against the format that the service documents.

use jiff::tz::TimeZone;
use serde_json::Value;

use super::super::watch::Condition;
use super::*;
use crate::model::State;
use crate::status::{Facts, Tracker};

/// What a hostile name makes of a message.
const NASTY: &str = "1 item cannot be synced for now: a\"b\\c\n@everyone <!channel> {event} 👩: no";

fn bodies(template: &str) -> (String, &'static str) {
    let facts = Facts {
        username: "you@example.com".to_owned(),
        directory: "/drive".to_owned(),
        remote_root: "/".to_owned(),
        watch: "events".to_owned(),
        file_system: None,
        pid: 1,
    };
    let status = Tracker::new(facts, 0).document(&State::empty(), &TimeZone::UTC);
    let notice = Notice {
        about: Condition::SetAside,
        event: "set-aside".to_owned(),
        message: NASTY.to_owned(),
        at: 1_795_341_600,
    };
    of(&notice, &status, &Template::parse(template).expect("a template"), "nas")
}

/// The template that docs/notify.md gives for a service.
fn documented(service: &str) -> String {
    let text = include_str!("../../docs/notify.md");
    let section = text.split("\n## ").find(|section| section.starts_with(service));
    let section = section.unwrap_or_else(|| panic!("no section {service}"));
    let line = section.lines().find_map(|line| line.strip_prefix("body = '"));
    line.and_then(|line| line.strip_suffix('\'')).unwrap_or_default().to_owned()
}

/// A member's name, and what it must be.
type Member = (&'static str, fn(&Value) -> bool);

/// Checks that `value` has no member but these, and each of its kind, as the services document them.
fn check(value: &Value, members: &[Member]) {
    for (name, member) in value.as_object().expect("an object") {
        let known = members.iter().find(|(known, _)| known == name);
        let (_, fits) = known.unwrap_or_else(|| panic!("{name} is not documented"));
        assert!(fits(member), "{name}: {member}");
    }
}

fn json_of(service: &str) -> Value {
    let (text, kind) = bodies(&documented(service));
    assert_eq!(kind, "application/json", "{service}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{service}: {error}: {text}"))
}

#[test]
fn without_a_template_all_is_told() {
    let (text, kind) = bodies("");
    assert_eq!(kind, "application/json");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    for (name, expected) in [
        ("event", "set-aside"),
        ("about", "set-aside"),
        ("message", NASTY),
        ("state", "starting"),
        ("account", "y***@example.com"),
        ("directory", "/drive"),
        ("host", "nas"),
        ("at", "2026-11-22T10:00:00Z"),
    ] {
        assert_eq!(value[name], expected, "{name}");
    }
}

#[test]
fn ntfy_takes_a_plain_text_at_its_topic_and_json_at_its_root() {
    let (text, kind) = bodies("{message}");
    assert_eq!((text.as_str(), kind), (NASTY, "text/plain; charset=utf-8"));
    // https://docs.ntfy.sh/publish/#publish-as-json
    let value = json_of("ntfy");
    assert!(value["topic"].is_string());
    assert_eq!(value["message"], NASTY);
    check(
        &value,
        &[
            ("topic", Value::is_string),
            ("message", Value::is_string),
            ("title", Value::is_string),
            ("tags", |tags| tags.as_array().is_some_and(|tags| tags.iter().all(Value::is_string))),
            ("priority", |it| it.as_u64().is_some_and(|it| (1..=5).contains(&it))),
        ],
    );
}

#[test]
fn slack_takes_a_block_of_plain_text_in_which_nothing_is_a_mention() {
    // https://docs.slack.dev/reference/block-kit/blocks/section-block
    let value = json_of("Slack");
    check(&value, &[("blocks", Value::is_array)]);
    let block = &value["blocks"][0];
    check(block, &[("type", |it| it == "section"), ("text", Value::is_object)]);
    let text = &block["text"];
    check(
        text,
        &[("type", |it| it == "plain_text"), ("text", Value::is_string), ("emoji", Value::is_boolean)],
    );
    assert_eq!(text["text"], NASTY);
    assert!(NASTY.len() <= 3000);
}

#[test]
fn discord_takes_a_content_in_which_nobody_is_mentioned() {
    // https://discord.com/developers/docs/resources/webhook#execute-webhook
    let value = json_of("Discord");
    check(
        &value,
        &[
            ("content", |it| it.as_str().is_some_and(|it| !it.is_empty() && it.chars().count() <= 2000)),
            ("username", |it| it.as_str().is_some_and(|it| (1..=80).contains(&it.len()))),
            ("allowed_mentions", |it| it["parse"].as_array().is_some_and(Vec::is_empty)),
        ],
    );
    assert_eq!(value["content"], NASTY);
    assert!(value["allowed_mentions"].is_object(), "a file called @everyone wakes nobody");
}

#[test]
fn gotify_takes_a_message_with_a_priority() {
    // https://gotify.net/api-docs#/message/createMessage
    let value = json_of("Gotify");
    check(
        &value,
        &[
            ("message", Value::is_string),
            ("title", Value::is_string),
            ("priority", |it| it.as_u64().is_some_and(|it| it <= 10)),
        ],
    );
    assert_eq!(value["message"], NASTY);
}

#[test]
fn telegram_takes_a_chat_and_a_text_without_a_markup() {
    // https://core.telegram.org/bots/api#sendmessage
    let value = json_of("Telegram");
    let is_chat = |it: &Value| it.is_i64() || it.as_str().is_some_and(|it| !it.is_empty());
    check(
        &value,
        &[("chat_id", is_chat), ("text", |it| it.as_str().is_some_and(|it| it.chars().count() <= 4096))],
    );
    assert_eq!(value["text"], NASTY);
    assert!(!value["chat_id"].is_null());
}

#[test]
fn home_assistant_takes_any_json_and_so_no_template() {
    // https://www.home-assistant.io/docs/automation/trigger/#webhook-trigger
    assert_eq!(documented("Home Assistant"), "");
}
