//! Staying signed in over a year, the trust that ends, half sessions, and codes that devices show unasked.

use std::time::Duration;

use icloudds::icloud::service::ServiceError;
use icloudds::icloud::signin::error::SignInError;
use icloudds::icloud::signin::factor::SendTo;
use icloudds_simulator::switches::{ConflictOk, Escrow, Partial, Push, Retrust, TrustIp, TrustRoll};

use super::{World, list, unattended};
use crate::cases::side_by_side;

const DAY: u64 = 86_400;

fn codes(world: &World) -> u64 {
    world.sim.count("code.request") + world.sim.count("sms.request")
}

/// So many days pass on both sides.
fn pass(world: &World, days: u64) {
    world.sim.advance(Duration::from_secs(days * DAY));
}

fn trusted_for(days: u64) -> World {
    World::new(|account| {
        account.trust_life = Duration::from_secs(days * DAY);
        account.iterations = 20;
    })
}

#[test]
fn a_year_goes_by_without_a_code_while_the_password_is_kept() {
    side_by_side([30, 60, 90].into_iter().zip(Retrust::ALL), |(life, retrust)| {
        let world = trusted_for(life);
        world.sim.switches(|switches| {
            switches.retrust = *retrust;
            switches.escrow = Escrow::Both;
        });
        world.signed_in();
        let (asked, proofs) = (codes(&world), world.sim.count("signin.complete"));
        for day in 1..=365_u64 {
            pass(&world, 1);
            let service = world.start_at(i64::try_from(day * DAY).expect("small"));
            unattended(&service).expect("signed in");
            service.prolong_trust().expect("renewed where due");
            list(&service).expect("through");
            assert_eq!(service.account().state().trust_days_left, None, "day {day} of {life}");
        }
        assert_eq!(codes(&world), asked, "{life}: no code");
        let renewals = world.sim.count("signin.complete") - proofs;
        assert!(renewals <= 365 / (life / 2) + 1, "{life}: {renewals} sign-ins in a year");
        world.check();
    });
}

#[test]
fn without_a_password_the_end_is_told_a_fortnight_before() {
    for life in [30, 60, 90] {
        let world = trusted_for(life);
        world.signed_in();
        let mut told = Vec::new();
        for day in 1..life {
            pass(&world, 1);
            let service = world.start_at(i64::try_from(day * DAY).expect("small"));
            service.account().set_password(None);
            assert!(!service.prolong_trust().expect("nothing to renew it with"));
            told.extend(service.account().state().trust_days_left);
        }
        // Whether a day has just ended or is about to is a matter of the second.
        assert!(told.first() == Some(&14) && told.last() <= Some(&1), "{life}: {told:?}");
        assert!((14..=15).contains(&told.len()), "{life}: {told:?}");
        world.check();
    }
}

#[test]
fn a_trust_that_cannot_be_renewed_costs_neither_the_session_nor_many_sign_ins() {
    type Change = fn(&World);
    let cases: [Change; 2] = [
        |world| world.sim.switches(|switches| switches.trust_roll = TrustRoll::Never),
        |world| {
            world.sim.switches(|switches| switches.trust_ip = TrustIp::Bound);
            world.sim.move_client();
        },
    ];
    for change in cases {
        let world = trusted_for(30);
        world.signed_in();
        change(&world);
        let (asked, proofs) = (codes(&world), world.sim.count("signin.complete"));
        for day in 1..=29_u64 {
            pass(&world, 1);
            let service = world.start_at(i64::try_from(day * DAY).expect("small"));
            service.prolong_trust().expect("no failure");
            list(&service).expect("the session holds");
            assert_eq!(service.account().state().needs_code, None);
        }
        assert_eq!(codes(&world), asked, "nobody was asked for a code");
        let tries = world.sim.count("signin.complete") - proofs;
        assert!((1..=5).contains(&tries), "{tries} tries");
        world.check();
    }
}

#[test]
fn half_a_session_is_told_in_one_sentence_and_asked_for_once() {
    for (partial, words) in [
        (Partial::Terms, "terms"),
        (Partial::RepairFlag, "completed first"),
        (Partial::RepairCookie, "completed first"),
        (Partial::WebOff, "switched off"),
    ] {
        let world = World::new(|account| account.hsa_version = 0);
        world.sim.switches(|switches| switches.partial = partial);
        let service = world.start();
        let error = unattended(&service).expect_err("half a session");
        assert!(error.to_string().contains(words), "{partial:?}: {error}");
        assert_eq!(error.exit_code().code(), 7);
        assert_eq!(world.sim.count("accountLogin"), 1, "{partial:?}");
        if partial != Partial::WebOff {
            service.account().unlock_web_access().expect_err("not begun");
        }
        assert_eq!(world.sim.count("pcs.state") + world.sim.count("pcs.request"), 0, "{partial:?}");
        let ServiceError::SignIn(error) = list(&service).expect_err("half a session") else {
            panic!("a sign-in error");
        };
        assert!(error.to_string().contains(words), "{partial:?}: {error}");
        assert_eq!(world.sim.count("signin.complete"), 1, "{partial:?}: no second proof");
        world.check();
    }
}

#[test]
fn a_code_that_shows_already_is_good_and_a_request_cancels_it() {
    let world = World::new(|_| {});
    world.sim.switches(|switches| switches.push = Push::CancelledByPut);
    let service = world.start();
    unattended(&service).expect_err("a code is needed");
    assert_eq!(codes(&world), 0, "nothing is asked for by itself");
    let code = world.sim.device_code().expect("it shows already");
    service.account().submit_code(&code).expect("accepted");
    list(&service).expect("through");
    world.check();

    let world = World::new(|_| {});
    world.sim.switches(|switches| switches.push = Push::CancelledByPut);
    let service = world.start();
    unattended(&service).expect_err("a code is needed");
    service.account().send_code(SendTo::Device).expect("taken");
    assert_eq!(world.sim.device_code(), None, "and none shows");
    service.account().send_code(SendTo::Voice(2)).expect("called");
    let call = world.sim.messages().pop().expect("a call");
    assert!(call.voice && call.phone == 2);
    service.account().submit_code(&call.code).expect("accepted");
    list(&service).expect("through");
    world.check();
}

#[test]
fn a_409_that_did_what_was_asked_and_the_flag_of_a_telephone_are_understood() {
    let world = World::new(|account| account.state_form = icloudds_simulator::account::StateForm::Bridge);
    world.sim.switches(|switches| switches.conflict_ok = ConflictOk::On);
    let service = world.start();
    unattended(&service).expect_err("a code is needed");
    assert_eq!(service.account().ways().expect("ways").numbers.len(), 2);
    service.account().send_code(SendTo::Number(1)).expect("sent");
    let message = world.sim.messages().pop().expect("a message");
    service.account().submit_code(&message.code).expect("accepted");
    list(&service).expect("through");
    world.check();
}

#[test]
fn a_wrong_password_at_a_renewal_is_refused_once_and_the_session_goes_on() {
    let mut world = trusted_for(30);
    world.signed_in();
    world.password = "not the password".to_owned();
    pass(&world, 16);
    let later = i64::try_from(16 * DAY).expect("small");
    let service = world.start_at(later);
    let error = service.prolong_trust().expect_err("refused");
    assert!(matches!(error, SignInError::WrongPassword { .. }), "{error:?}");
    list(&service).expect("the session holds");
    let proofs = world.sim.count("signin.complete");
    pass(&world, 10);
    let service = world.start_at(later + i64::try_from(10 * DAY).expect("small"));
    assert!(!service.prolong_trust().expect("not tried again"));
    assert_eq!(world.sim.count("signin.complete"), proofs);
    world.check();
}
