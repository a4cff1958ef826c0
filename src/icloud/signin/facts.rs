//! What the service says of an account that is nobody's secret: flags, and the services that it offers (`docs/protocol.md` §6.1).

use serde_json::Value;

use super::error::SignInError;
use super::sign_in_wire::is_service_root;
use super::{Account, parsed, service_error, status_of};
use crate::icloud::http::Method;

const VALIDATE: &str = "validate";
/// The members that say something of the protocol and nothing of the person.
const FLAGS: [&str; 20] = [
    "hsaVersion",
    "hsaEnabled",
    "hsaTrustedBrowser",
    "hsaChallengeRequired",
    "isExtendedLogin",
    "termsUpdateNeeded",
    "isRepairNeeded",
    "pcsEnabled",
    "pcsServiceIdentitiesIncluded",
    "pcsDeleted",
    "iCDPEnabled",
    "version",
    "locked",
    "statusCode",
    "isManagedAppleID",
    "isWebAccessAllowed",
    "hasICloudQualifyingDevice",
    "brZoneConsolidated",
    "brMigrated",
    "isPaidDeveloper",
];
/// Longer names of services are no names.
const LONGEST_NAME: usize = 32;

/// One service that the account offers.
#[derive(Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its name in the account information: lower-case letters and digits.
    pub name: String,
    /// Whether it is active.
    pub active: bool,
    /// Whether it says that it needs keys from a device; it alone means nothing.
    pub needs_keys: bool,
    /// Its root, where that is a host of the service; never shown.
    pub root: Option<String>,
}

/// What the service says of the account. It holds no name, number or address of a person.
#[derive(Clone, Default, PartialEq)]
pub struct AccountFacts {
    /// Flags and small numbers, by the service's own names.
    pub flags: Vec<(&'static str, Value)>,
    /// The services, by name.
    pub services: Vec<Offered>,
    /// Whether the account belongs to another region than the configured one.
    pub other_region: bool,
    /// The service's clock when it answered, in seconds since 1970.
    pub date: Option<i64>,
}

impl AccountFacts {
    /// The root of a service that is active.
    pub fn root(&self, name: &str) -> Option<&str> {
        self.services.iter().find(|service| service.name == name && service.active)?.root.as_deref()
    }
}

impl Account {
    /// Asks the service what it says of the account; `None` when it does not accept the session. One request, of which nothing but the
    /// cookies is kept.
    ///
    /// # Errors
    ///
    /// [`SignInError::Throttled`], [`SignInError::Network`], and when the answer is no account information.
    pub fn facts(&self) -> Result<Option<AccountFacts>, SignInError> {
        let answer = self.setup_call(Method::Post, VALIDATE, Some(b"null"))?;
        match status_of(&answer) {
            200 => {}
            300..=499 => return Ok(None),
            _ => return Err(service_error(VALIDATE, &answer)),
        }
        let value = parsed(VALIDATE, &answer.body)?;
        let date = answer.head.date();
        let facts = AccountFacts { date, ..read(&value, self.is_loopback(), &self.roots.setup) };
        let bare = value.get("dsInfo").is_none() && !facts.other_region;
        Ok((!bare).then_some(facts))
    }
}

/// Reads account information; `loopback` allows plain and local roots in tests.
fn read(value: &Value, loopback: bool, setup: &str) -> AccountFacts {
    let of_person = value.get("dsInfo").unwrap_or(&Value::Null);
    let flag = |name: &'static str| {
        let value = value.get(name).or_else(|| of_person.get(name))?;
        let is_plain =
            value.is_boolean() || value.as_i64().is_some_and(|number| (-999..=999).contains(&number));
        is_plain.then(|| (name, value.clone()))
    };
    let is_name = |name: &str| {
        (1..=LONGEST_NAME).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    let offered = |(name, service): (&String, &Value)| {
        let text = |member: &str| service.get(member).and_then(Value::as_str);
        let root = text("url").filter(|url| is_service_root(url, loopback, setup));
        is_name(name).then(|| Offered {
            name: name.clone(),
            active: text("status").is_none_or(|status| status == "active"),
            needs_keys: service.get("pcsRequired").and_then(Value::as_bool) == Some(true),
            root: root.map(|url| url.trim_end_matches('/').to_owned()),
        })
    };
    let services = value.get("webservices").and_then(Value::as_object);
    AccountFacts {
        flags: FLAGS.into_iter().filter_map(flag).collect(),
        services: services.into_iter().flatten().filter_map(offered).collect(),
        other_region: value.get("domainToUse").is_some_and(|domain| !domain.is_null()),
        date: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flags_and_services_are_kept_and_nothing_of_the_person() {
        let facts = read(
            &json!({
                "dsInfo": {"dsid": "17", "fullName": "Ann Example", "hsaVersion": 2, "isWebAccessAllowed": true, "version": "x"},
                "iCDPEnabled": false,
                "webservices": {
                    "drivews": {"url": "https://p31-drivews.icloud.com:443", "status": "active", "pcsRequired": true},
                    "push": {"url": "https://evil.example", "status": "inactive"},
                    "Ann Example": {"url": "https://x.icloud.com"},
                },
            }),
            false,
            "https://setup.icloud.com/setup/ws/1",
        );
        let flags: Vec<_> = facts.flags.iter().map(|(name, _)| *name).collect();
        assert_eq!(flags, ["hsaVersion", "iCDPEnabled", "isWebAccessAllowed"]);
        let names: Vec<_> = facts.services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(names, ["drivews", "push"]);
        assert_eq!(facts.root("drivews"), Some("https://p31-drivews.icloud.com:443"));
        assert_eq!(facts.root("push"), None, "it is not active, and its host is a stranger's");
        assert!(!facts.services[1].active && facts.services[1].root.is_none());
    }
}
