//! The second proof of the password: at both places, under both headers, with and without tokens, and never one too many.

use icloudds::icloud::signin::Initiative;
use icloudds::icloud::signin::error::SignInError;
use icloudds::icloud::signin::factor::SendTo;
use icloudds::secret::Secret;
use icloudds_simulator::control::Expire;
use icloudds_simulator::fault::{Effect, Fault};
use icloudds_simulator::switches::{Escrow, EscrowHeader, EscrowToken, TwoFactor};

use super::{World, list, unattended};
use crate::cases::side_by_side;

fn world(escrow: Escrow) -> World {
    let world = World::new(|_| {});
    world.sim.switches(|switches| switches.escrow = escrow);
    world
}

/// The next request of a kind is struck.
fn once(kind: &str, effect: Effect) -> Fault {
    Fault {
        kind: Some(kind.to_owned()),
        path: None,
        skip: 0,
        count: 1,
        every: 1,
        probability: 1.0,
        seed: 0,
        effect,
    }
}

/// The proofs sent: the first kind and the second.
fn proofs(world: &World) -> (u64, u64) {
    (world.sim.count("signin.complete"), world.sim.count("escrow.complete"))
}

#[test]
fn a_code_that_wants_the_password_again_ends_in_a_trusted_session() {
    side_by_side(Escrow::ALL, |escrow| {
        for header in EscrowHeader::ALL {
            for token in EscrowToken::ALL {
                for answer in [
                    TwoFactor::Status204,
                    TwoFactor::Status409Token,
                    TwoFactor::Status409TrustWorks,
                    TwoFactor::Status412Repair,
                ] {
                    let world = world(*escrow);
                    world.sim.switches(|switches| {
                        switches.escrow_header = *header;
                        switches.escrow_token = *token;
                        switches.two_factor = answer;
                    });
                    let service = world.signed_in();
                    list(&service).expect("through");
                    let expected = if escrow.on_code() { (1, 1) } else { (1, 0) };
                    assert_eq!(proofs(&world), expected, "{escrow:?} {header:?} {token:?} {answer:?}");
                    assert!(service.account().state().trust_expires.is_some());
                    world.check();
                }
            }
        }
    });
}

#[test]
fn a_code_by_sms_wants_it_too() {
    let world = world(Escrow::OnCode);
    let service = world.start();
    unattended(&service).expect_err("a code is needed");
    service.account().send_code(SendTo::Number(1)).expect("sent");
    let message = world.sim.messages().pop().expect("a message");
    service.account().submit_code(&message.code).expect("accepted");
    list(&service).expect("through");
    assert_eq!(proofs(&world), (1, 1));
    world.check();
}

#[test]
fn a_kept_trust_token_signs_in_without_a_code_wherever_the_second_proof_is_asked_for() {
    for escrow in Escrow::ALL {
        for token in EscrowToken::ALL {
            let world = world(*escrow);
            world.sim.switches(|switches| switches.escrow_token = *token);
            let service = world.signed_in();
            let before = proofs(&world);
            let codes = world.sim.count("code.request");
            world.sim.expire(Expire::Session);
            world.sim.expire(Expire::SessionToken);
            list(&service).expect("renewed without a person");
            let second = u64::from(escrow.on_trust_token());
            assert_eq!(proofs(&world), (before.0 + 1, before.1 + second), "{escrow:?}");
            assert_eq!(world.sim.count("code.request"), codes);
            world.check();
        }
    }
}

#[test]
fn a_trust_token_that_ran_out_leads_to_a_code_and_not_to_a_second_proof() {
    for escrow in Escrow::ALL {
        let world = world(*escrow);
        let service = world.signed_in();
        let before = proofs(&world);
        for what in [Expire::Session, Expire::SessionToken, Expire::Trust] {
            world.sim.expire(what);
        }
        let error = unattended(&world.start_at(700)).expect_err("a person is needed");
        assert!(error.needs_code(), "{error:?}");
        assert_eq!(proofs(&world), (before.0 + 1, before.1), "{escrow:?}");
        drop(service);
        world.check();
    }
}

#[test]
fn no_code_is_spent_without_the_password_at_hand() {
    let world = world(Escrow::OnCode);
    unattended(&world.start()).expect_err("a code is needed");
    let other = world.start();
    other.account().set_password(None);
    let error = unattended(&other).expect_err("the password comes first");
    assert!(matches!(error, SignInError::MissingPassword), "{error:?}");
    other.account().send_code(SendTo::Device).expect("sent");
    let code = world.sim.device_code().expect("a code");
    let error = other.account().submit_code(&code).expect_err("not spent");
    assert_eq!((error.exit_code().code(), error.needs_password()), (5, true), "{error:?}");
    assert_eq!(world.sim.count("code.submit"), 0);
    other.account().set_password(Some(Secret::new(world.password.as_str())));
    other.account().submit_code(&code).expect("the same code is still good");
    list(&other).expect("through");
    assert_eq!(proofs(&world), (1, 1));
    world.check();
}

#[test]
fn a_refused_second_proof_is_never_repeated_without_a_person() {
    let world = world(Escrow::OnCode);
    unattended(&world.start()).expect_err("a code is needed");
    let other = world.start();
    other.account().set_password(Some(Secret::new("not the password")));
    other.account().send_code(SendTo::Device).expect("sent");
    let code = world.sim.device_code().expect("a code");
    let error = other.account().submit_code(&code).expect_err("the second proof is wrong");
    assert_eq!((error.exit_code().code(), error.needs_password()), (6, true), "{error:?}");
    for _ in 0..5 {
        let again = world.start();
        again.account().set_password(Some(Secret::new("not the password")));
        let error = unattended(&again).expect_err("refused before");
        assert!(matches!(error, SignInError::RejectedBefore), "{error:?}");
    }
    assert_eq!(proofs(&world), (1, 1));
    // A person types the right one.
    world.sim.password_typed();
    let right = world.start();
    let error = right.sign_in(Initiative::Person).expect_err("a new code is needed");
    assert!(error.needs_code(), "{error:?}");
    right.account().send_code(SendTo::Device).expect("sent");
    right.account().submit_code(&world.sim.device_code().expect("a code")).expect("accepted");
    list(&right).expect("through");
    world.check();
}

#[test]
fn a_connection_that_breaks_after_the_code_does_not_cost_it() {
    let kinds = ["escrow.init", "escrow.complete", "trust", "accountLogin"];
    let ends = [Effect::NotAppliedReplyLost, Effect::AppliedReplyLost];
    for (kind, end) in kinds.into_iter().flat_map(|kind| ends.iter().map(move |end| (kind, end))) {
        let world = world(Escrow::OnCode);
        unattended(&world.start()).expect_err("a code is needed");
        let service = world.start();
        service.account().send_code(SendTo::Device).expect("sent");
        let code = world.sim.device_code().expect("a code");
        world.sim.switches(|switches| switches.faults = vec![once(kind, end.clone())]);
        service.account().submit_code(&code).expect_err("the connection broke");
        assert!(service.account().state().code_accepted, "{kind}");
        // Another process, or the same one later, goes on without a code.
        let later = world.start_at(60);
        unattended(&later).expect("only the rest was missing");
        list(&later).expect("through");
        assert_eq!(world.sim.count("code.submit"), 1, "{kind} {end:?}");
        world.check();
    }
}

#[test]
fn when_the_half_open_sign_in_ends_before_the_second_proof_a_new_one_is_opened() {
    let world = world(Escrow::OnCode);
    unattended(&world.start()).expect_err("a code is needed");
    let service = world.start();
    service.account().send_code(SendTo::Device).expect("sent");
    let code = world.sim.device_code().expect("a code");
    world.sim.switches(|switches| switches.faults = vec![once("escrow.init", Effect::NotAppliedReplyLost)]);
    service.account().submit_code(&code).expect_err("the connection broke");
    world.sim.expire(Expire::Signin);
    let error = unattended(&service).expect_err("a new code is needed");
    assert!(error.needs_code(), "{error:?}");
    assert_eq!(proofs(&world), (2, 0), "one password proof for each sign-in");
    service.account().send_code(SendTo::Device).expect("sent");
    service.account().submit_code(&world.sim.device_code().expect("a code")).expect("accepted");
    list(&service).expect("through");
    world.check();
}
