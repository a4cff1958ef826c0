//! The real sign-in against the simulated iCloud, which verifies proofs, tokens, headers and
//! cookies, under every switch that concerns it.

mod escrow;
mod import;
mod rest;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use icloudds::chance::{Chance, SystemChance};
use icloudds::clock::SystemClock;
use icloudds::icloud::env::Env;
use icloudds::icloud::http::{Answer, Limits, Method};
use icloudds::icloud::options::IcloudOptions;
use icloudds::icloud::request::{Request, Root};
use icloudds::icloud::service::{Service, ServiceError};
use icloudds::icloud::signin::Initiative;
use icloudds::icloud::signin::error::{FactorKind, SignInError};
use icloudds::icloud::signin::factor::SendTo;
use icloudds::model::{Clock, DiskTime, Stopped};
use icloudds::secret::Secret;
use icloudds_simulator::account::{Adp, Protocol, Repair, StateForm, WebAccess, WrongProof};
use icloudds_simulator::control::Expire;
use icloudds_simulator::switches::{Hashcash, Region, SessionTrouble, Srp, SrpName, TwoFactor};
use icloudds_simulator::{Account, SimConfig, Simulator};

/// The system's clocks, so many seconds later; where that is negative, the wall clock was set back. Waits take no time; what is waited for happens at the simulator's side.
struct Ahead(SystemClock, i64);

impl Clock for Ahead {
    fn now(&self) -> DiskTime {
        let now = self.0.now();
        DiskTime(now.0 + self.1 * 1_000_000_000)
    }

    fn uptime(&self) -> Duration {
        self.0.uptime() + Duration::from_secs(u64::try_from(self.1).unwrap_or_default())
    }

    fn boot(&self) -> u64 {
        self.0.boot()
    }

    fn pause(&self, _: Duration) -> Result<(), Stopped> {
        Ok(())
    }

    fn unit_random(&self) -> f64 {
        self.0.unit_random()
    }
}

struct World {
    sim: Simulator,
    state: tempfile::TempDir,
    password: String,
}

impl World {
    fn new(change: impl FnOnce(&mut Account)) -> Self {
        let mut account = Account { iterations: 1000, ..Account::default() };
        change(&mut account);
        let password = account.password.clone();
        let sim = Simulator::start(SimConfig { account, ..SimConfig::default() }).expect("started");
        Self { sim, state: tempfile::tempdir().expect("temporary folder"), password }
    }

    /// The program, started anew.
    fn start(&self) -> Service {
        self.start_at(0)
    }

    fn options(&self) -> IcloudOptions {
        IcloudOptions {
            username: " Sync.Test@Example.com ".to_owned(),
            home: Some(self.sim.home()),
            setup: Some(self.sim.setup()),
            auth: Some(self.sim.auth()),
            state_directory: self.state.path().join("state"),
            ..IcloudOptions::default()
        }
    }

    /// No waits, and a clock so many seconds ahead.
    fn env(&self, later_secs: i64) -> Env {
        let clock = Ahead(SystemClock::new(Arc::default()), later_secs);
        Env { clock: Arc::new(clock), chance: Arc::new(SystemChance) }
    }

    /// The program, started anew so many seconds later.
    fn start_at(&self, later_secs: i64) -> Service {
        let service = Service::open(self.options(), self.env(later_secs)).expect("opened");
        service.account().set_password(Some(Secret::new(self.password.as_str())));
        service
    }

    /// Signs in with a code of the trusted devices.
    fn signed_in(&self) -> Service {
        let service = self.start();
        let error = service.sign_in(Initiative::Unattended).expect_err("a code is needed");
        assert!(error.needs_code(), "{error:?}");
        service.account().send_code(SendTo::Device).expect("sent");
        let code = self.sim.device_code().expect("a device shows a code");
        service.account().submit_code(&code).expect("accepted");
        service
    }

    fn check(&self) {
        assert_eq!(self.sim.violations(), [""; 0]);
    }
}

fn unattended(service: &Service) -> Result<(), SignInError> {
    service.sign_in(Initiative::Unattended)
}

/// A call that only a session gets through to.
fn list(service: &Service) -> Result<Answer, ServiceError> {
    let body = br#"[{"drivewsid":"FOLDER::com.apple.CloudDocs::root","partialData":false}]"#;
    let answer = service.call(&Request {
        root: Root::Drivews,
        method: Method::Post,
        path: "/retrieveItemDetailsInFolders",
        query: &[],
        body,
        limits: Limits::JSON,
        kind: "list",
        changes: false,
    })?;
    assert_eq!(answer.head.status, 200, "the root was listed");
    Ok(answer)
}

#[test]
fn a_device_code_signs_in_and_a_restart_signs_in_zero_times() {
    for protocol in [Protocol::S2k, Protocol::S2kFo] {
        let world = World::new(|account| account.protocol = protocol);
        let service = world.signed_in();
        list(&service).expect("through");
        assert!(service.upload_token().is_some());
        assert!(service.account().state().trust_expires.is_some());
        let before = world.sim.counts();
        for _ in 0..10 {
            unattended(&world.start()).expect("still signed in");
        }
        assert_eq!(world.sim.counts(), before);
        list(&world.start()).expect("through with the stored session");
        world.check();
    }
}

#[test]
fn a_code_by_sms_works_and_a_wrong_one_may_be_corrected() {
    let world = World::new(|_| {});
    let service = world.start();
    unattended(&service).expect_err("a code is needed");
    assert_eq!(service.account().ways().expect("ways").numbers.len(), 2);
    service.account().send_code(SendTo::Number(2)).expect("sent");
    let message = world.sim.messages().pop().expect("a message");
    assert_eq!(message.phone, 2);
    let wrong = if message.code == "000000" { "000001" } else { "000000" };
    let error = service.account().submit_code(wrong).expect_err("wrong");
    assert_eq!(error.exit_code().code(), 11);
    service.account().submit_code(&message.code).expect("accepted");
    list(&service).expect("through");
    world.check();
}

#[test]
fn every_form_of_the_state_and_every_answer_to_a_code_is_understood() {
    for form in [StateForm::Top, StateForm::Nested, StateForm::Html, StateForm::Bridge] {
        let world = World::new(|account| account.state_form = form);
        let service = world.start();
        unattended(&service).expect_err("a code is needed");
        assert_eq!(service.account().ways().expect("ways").numbers.len(), 2);
        world.check();
    }
    for answer in TwoFactor::ALL {
        let world = World::new(|_| {});
        world.sim.switches(|switches| switches.two_factor = *answer);
        let service = world.start();
        unattended(&service).expect_err("a code is needed");
        service.account().send_code(SendTo::Device).expect("sent");
        let code = world.sim.device_code().expect("a code");
        let outcome = service.account().submit_code(&code);
        if *answer == TwoFactor::Status409TrustFails {
            let error = outcome.expect_err("never trusted");
            assert_eq!(error.exit_code().code(), 11, "{error:?}");
        } else {
            outcome.expect("accepted");
            list(&service).expect("through");
        }
        let repairs = u64::from(*answer == TwoFactor::Status412Repair);
        assert_eq!(world.sim.count("signin.repair"), repairs, "{answer:?}");
        world.check();
    }
}

#[test]
fn a_right_code_to_an_account_that_a_person_has_to_repair_says_so_and_asks_for_nothing_more() {
    let world = World::new(|account| account.repair = Repair::Refused);
    world.sim.switches(|switches| switches.two_factor = TwoFactor::Status412Repair);
    let service = world.start();
    unattended(&service).expect_err("a code is needed");
    service.account().send_code(SendTo::Device).expect("sent");
    let code = world.sim.device_code().expect("a code");
    let error = service.account().submit_code(&code).expect_err("the repair is refused");
    assert!(matches!(error, SignInError::Repair), "{error}");
    assert!(service.account().state().code_accepted, "the code was right, and is not asked for again");
    let before = world.sim.counts();
    unattended(&world.start()).expect_err("it rests, also over a restart");
    assert_eq!(world.sim.counts(), before);
    world.check();
}

/// Always draws the secret whose A begins with a zero byte (docs/protocol.md §18, vector 3a).
struct ZeroInFront;

impl Chance for ZeroInFront {
    fn fill(&self, bytes: &mut [u8]) {
        const SECRET: [u8; 32] = [
            0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 0x07, 0x18, 0x29, 0x3a, 0x4b, 0x5c, 0x6d, 0x7e, 0x8f, 0x90,
            0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x0f, 0xed, 0xcb, 0xa9, 0x87, 0x65, 0x44, 0x50,
        ];
        bytes.iter_mut().zip(SECRET.iter().cycle()).for_each(|(byte, secret)| *byte = *secret);
    }
}

#[test]
fn numbers_are_hashed_padded_whoever_reads_them_and_hashcash_is_paid_when_asked() {
    for name in SrpName::ALL {
        for reading in [Srp::Padded, Srp::Both] {
            let world = World::new(|account| account.hsa_version = 0);
            world.sim.switches(|switches| {
                switches.srp = reading;
                switches.srp_name = *name;
            });
            let zero = Env { chance: Arc::new(ZeroInFront), ..Env::system(SystemClock::new(Arc::default())) };
            let service = Service::open(world.options(), zero).expect("opened");
            service.account().set_password(Some(Secret::new(world.password.as_str())));
            unattended(&service).expect("a zero byte in front is no wrong password");
            for _ in 0..4 {
                world.start().account().logout().expect("forgotten");
                unattended(&world.start()).expect("signed in");
            }
            world.check();
        }
    }
    for demand in Hashcash::ALL {
        let world = World::new(|account| account.hsa_version = 0);
        world.sim.switches(|switches| switches.hashcash = *demand);
        unattended(&world.start()).expect("signed in");
        world.check();
    }
}

#[test]
fn a_wrong_password_is_proven_once_over_all_restarts_and_never_locks_the_account() {
    for answer in [WrongProof::Status401, WrongProof::Status403, WrongProof::Hidden200] {
        let mut world = World::new(|account| account.wrong_proof = answer);
        let right = std::mem::replace(&mut world.password, "not the password".to_owned());
        for _ in 0..10 {
            assert_eq!(unattended(&world.start()).expect_err("refused").exit_code().code(), 6);
        }
        assert_eq!(world.sim.count("signin.complete"), 1);
        world.password = right;
        world.sim.password_typed();
        unattended(&world.start()).expect_err("only the code is missing now");
        assert_eq!(world.sim.count("signin.complete"), 2);
        world.check();
    }
}

#[test]
fn what_ends_a_session_is_cured_by_the_cheapest_rung() {
    // What expires, and whether the password is proven again.
    for (expired, proofs) in [
        (&[Expire::Session][..], 0),
        (&[Expire::Session, Expire::SessionToken][..], 1),
        (&[Expire::UploadToken][..], 0),
    ] {
        let world = World::new(|_| {});
        let service = world.signed_in();
        let before = world.sim.count("signin.complete");
        for what in expired {
            world.sim.expire(*what);
        }
        list(&service).expect("cured");
        assert_eq!(world.sim.count("signin.complete") - before, proofs);
        world.check();
    }
    let world = World::new(|_| {});
    let service = world.signed_in();
    for what in [Expire::Session, Expire::SessionToken, Expire::Trust] {
        world.sim.expire(what);
    }
    let ServiceError::SignIn(error) = list(&service).expect_err("a person is needed") else {
        panic!("a sign-in error");
    };
    assert!(error.needs_code(), "{error:?}");
    assert_eq!(world.sim.count("code.request"), 1, "no code is asked for by itself");
    world.check();
}

#[test]
fn every_trouble_of_a_live_session_is_survived_without_the_password() {
    for trouble in SessionTrouble::ALL {
        let world = World::new(|_| {});
        let service = world.signed_in();
        list(&service).expect("through");
        let before = world.sim.count("signin.complete");
        world.sim.switches(|switches| switches.session = *trouble);
        for _ in 0..3 {
            list(&service).expect("cured");
        }
        assert_eq!(world.sim.count("signin.complete"), before, "{trouble:?}");
        world.check();
    }
}

#[test]
fn special_accounts_end_in_one_plain_sentence() {
    type Change = fn(&mut Account);
    let rows: [(Change, u8, &str); 5] = [
        (|account| account.locked = true, 6, "iforgot"),
        (|account| account.security_keys = vec!["Key".to_owned()], 8, "security keys"),
        (
            |account| {
                account.hsa_version = 0;
                account.terms_pending = true;
            },
            7,
            "icloud.com",
        ),
        (
            |account| {
                account.hsa_version = 0;
                account.web_access = WebAccess::EmptyWebservices;
            },
            7,
            "Access iCloud Data on the Web",
        ),
        (
            |account| {
                account.hsa_version = 0;
                account.repair = Repair::Refused;
            },
            7,
            "icloud.com",
        ),
    ];
    for (change, code, words) in rows {
        let world = World::new(change);
        let error = unattended(&world.start()).expect_err(words);
        assert_eq!(error.exit_code().code(), code, "{error:?}");
        assert!(error.advice().contains(words), "{error:?}: {}", error.advice());
        let proofs = world.sim.count("signin.complete");
        unattended(&world.start()).expect_err("the same again");
        assert_eq!(world.sim.count("signin.complete"), proofs, "{words}: no second proof");
        world.check();
    }
    let world = World::new(|account| {
        account.hsa_version = 0;
        account.repair = Repair::Works;
    });
    unattended(&world.start()).expect("repaired");
    world.check();
}

#[test]
fn a_wrong_region_is_named_and_a_throttled_host_is_left_alone() {
    let world = World::new(|account| account.hsa_version = 0);
    world.sim.switches(|switches| switches.region = Region::DomainToUse);
    for _ in 0..3 {
        let error = unattended(&world.start()).expect_err("the other region");
        assert!(error.advice().contains("account.region = \"china\""), "{error:?}");
    }
    assert_eq!(world.sim.count("signin.complete"), 1);
    world.check();
    let world = World::new(|_| {});
    world.sim.switches(|switches| switches.region = Region::Auth503);
    for _ in 0..3 {
        let error = unattended(&world.start()).expect_err("throttled");
        assert!(matches!(error, SignInError::Throttled { .. }), "{error:?}");
    }
    assert_eq!(world.sim.count("signin.start"), 1);
    world.check();
}

#[test]
fn advanced_data_protection_waits_for_the_devices() {
    let world = World::new(|account| account.adp = Some(Adp::default()));
    let service = world.signed_in();
    list(&service).expect("unlocked");
    world.sim.expire(Expire::Pcs);
    list(&service).expect("unlocked again");
    world.check();
    let world = World::new(|account| {
        account.adp = Some(Adp { consent_after_polls: None, ..Adp::default() });
    });
    let service = world.signed_in();
    let ServiceError::SignIn(error) = list(&service).expect_err("nobody consents") else {
        panic!("a sign-in error");
    };
    assert!(error.advice().contains("Access iCloud Data on the Web"), "{error:?}");
    world.check();
}

#[test]
fn a_two_step_account_signs_in() {
    let world = World::new(|account| account.hsa_version = 1);
    let service = world.start();
    let error = unattended(&service).expect_err("a code is needed");
    assert!(matches!(error, SignInError::CodeNeeded { kind: FactorKind::TwoStep }), "{error:?}");
    service.account().send_code(SendTo::Number(1)).expect("sent");
    let message = world.sim.messages().pop().expect("a message");
    let error = service.account().submit_code("0000").expect_err("wrong");
    assert_eq!(error.exit_code().code(), 10, "{error:?}");
    service.account().submit_code(&message.code).expect("accepted");
    list(&service).expect("through");
    world.check();
}

#[test]
fn a_half_open_sign_in_that_expired_is_opened_again() {
    let world = World::new(|_| {});
    let service = world.start();
    unattended(&service).expect_err("a code is needed");
    world.sim.expire(Expire::Signin);
    service.account().send_code(SendTo::Device).expect("sent after all");
    let code = world.sim.device_code().expect("a code");
    service.account().submit_code(&code).expect("accepted");
    list(&service).expect("through");
    world.check();
}
