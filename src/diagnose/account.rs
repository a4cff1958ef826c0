//! The account and its session, as far as they are nobody's secret.

use std::time::Duration;

use serde_json::{Map, json};

use super::report::Line;
use crate::icloud::signin::SessionState;
use crate::icloud::signin::facts::AccountFacts;

const DAY: i64 = 86_400;

/// How the session stands at `now`, seconds since 1970, as far as this machine knows by itself.
pub fn session_lines(state: &SessionState, now: i64) -> Vec<Line> {
    let mut lines = Vec::new();
    let days = |at: i64| at.saturating_sub(now).div_euclid(DAY);
    let waits = state.needs_code.is_some();
    let says = match (state.signed_in, waits) {
        (_, true) => "waits for a second factor",
        (true, false) => "signed in",
        (false, false) => "nobody is signed in",
    };
    lines.push(Line::new("signed_in", state.signed_in && !waits, says));
    lines.push(match state.trust_expires {
        Some((at, estimated)) => {
            let how = if estimated { "estimated" } else { "as its cookie says" };
            let says = format!("ends in {} days ({how})", days(at));
            let follows = format!("the trust has {} days left, {how}", days(at));
            let value = json!({"days_left": days(at), "estimated": estimated});
            Line::new("trust", value, says).answers(23, follows)
        }
        None => Line::new("trust", json!(null), "none is known"),
    });
    if let Some(at) = state.session_ends {
        lines.push(Line::new(
            "session",
            json!({"days_left": days(at)}),
            format!("its cookie ends in {} days", days(at)),
        ));
    }
    if let Some(at) = state.confirmed_at.filter(|at| *at > 0) {
        let hours = now.saturating_sub(at).div_euclid(3600);
        lines.push(Line::new("confirmed", json!({"hours_ago": hours}), format!("{hours} hours ago")));
    }
    let password = if state.has_password { "kept, so the trust is renewed by itself" } else { "not kept" };
    lines.push(Line::new("password", state.has_password, password));
    if let Some(left) = state.back_off {
        lines.push(rest_line(left));
    }
    lines
}

fn rest_line(left: Duration) -> Line {
    let minutes = left.as_secs().div_ceil(60);
    Line::new(
        "rest",
        json!({"minutes_left": minutes}),
        format!("iCloud asks to be left alone for {minutes} more minutes"),
    )
    .answers(20, format!("a rest of which {minutes} minutes are left"))
}

/// What the service says of the account.
pub fn account_lines(region: &str, facts: &AccountFacts) -> Vec<Line> {
    let belongs = if facts.other_region { "the account belongs to another one" } else { "the account's" };
    let mut lines = vec![Line::new(
        "region",
        json!({"configured": region, "matches": !facts.other_region}),
        format!("{region}, {belongs}"),
    )];
    let shown: Vec<_> = facts.flags.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let flags: Map<_, _> =
        facts.flags.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    lines.push(Line::new("flags", flags, shown.join(", ")));
    let services: Map<_, _> = facts
        .services
        .iter()
        .map(|service| {
            (service.name.clone(), json!({"active": service.active, "needs_keys": service.needs_keys}))
        })
        .collect();
    let names: Vec<_> = facts
        .services
        .iter()
        .map(
            |service| {
                if service.active { service.name.clone() } else { format!("{} (not active)", service.name) }
            },
        )
        .collect();
    lines.push(Line::new("services", services, names.join(", ")));
    lines
}

/// The differences of the clocks, in seconds: the service's less ours. The one nearest to none counts, for an answer takes its time.
pub fn clock_line(differences: &[i64]) -> Option<Line> {
    let nearest = *differences.iter().min_by_key(|difference| difference.abs())?;
    let says = match nearest {
        -2..=2 => "agrees with the service's".to_owned(),
        behind if behind > 0 => format!("{behind} s behind the service's"),
        ahead => format!("{} s ahead of the service's", -ahead),
    };
    Some(Line::new("clock", json!({"behind_s": nearest}), says))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> SessionState {
        SessionState {
            signed_in: true,
            needs_code: None,
            code_accepted: false,
            has_password: false,
            back_off: None,
            trust_began: None,
            trust_expires: None,
            trust_days_left: None,
            session_ends: None,
            confirmed_at: None,
        }
    }

    #[test]
    fn the_session_and_its_trust_are_told_in_days() {
        let now = 1_800_000_000;
        let whole = SessionState {
            trust_expires: Some((now + 40 * DAY + 5, false)),
            session_ends: Some(now + 3 * DAY),
            confirmed_at: Some(now - 7200),
            back_off: Some(Duration::from_secs(90)),
            ..state()
        };
        let lines = session_lines(&whole, now);
        let says = |key: &str| lines.iter().find(|line| line.key == key).expect(key).says.clone();
        assert_eq!(says("trust"), "ends in 40 days (as its cookie says)");
        assert_eq!(says("session"), "its cookie ends in 3 days");
        assert_eq!(says("confirmed"), "2 hours ago");
        assert!(says("rest").contains("2 more minutes"));
        let nobody = session_lines(&SessionState { signed_in: false, ..state() }, now);
        assert_eq!(nobody[0].says, "nobody is signed in");
    }

    #[test]
    fn the_clock_is_compared_by_the_nearest_answer() {
        for (differences, expected) in [
            (&[40, 1, -90][..], "agrees with the service's"),
            (&[40, 41], "40 s behind the service's"),
            (&[-700], "700 s ahead of the service's"),
        ] {
            assert_eq!(clock_line(differences).expect("a line").says, expected);
        }
        assert_eq!(clock_line(&[]), None);
    }
}
