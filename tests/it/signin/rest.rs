//! The one rest of the account: nothing is sent while it lasts, whoever asks, over restarts.

use std::time::Duration;

use icloudds::icloud::http::{Limits, Method};
use icloudds::icloud::request::{Request, Root};
use icloudds::icloud::service::{Service, ServiceError};
use icloudds::icloud::signin::Initiative;
use icloudds::icloud::signin::error::SignInError;
use icloudds_simulator::switches::{Region, Throttle};

use super::{World, list, unattended};

const HOUR: i64 = 3600;

/// A listing, whatever comes of it; the status of the answer.
fn ask(service: &Service) -> Result<u16, ServiceError> {
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
    Ok(answer.head.status)
}

fn throttled(throttle: Throttle) -> World {
    let world = World::new(|_| {});
    let service = world.signed_in();
    world.sim.switches(|switches| {
        switches.throttle = throttle;
        switches.throttle_every = 1;
        switches.throttle_for = Duration::from_secs(3600);
    });
    let status = ask(&service).expect("an answer that throttles");
    assert!(status >= 400, "{status}");
    world
}

#[test]
fn not_one_request_goes_out_while_it_lasts_and_all_goes_on_after_it() {
    for throttle in
        [Throttle::Status429, Throttle::Throttled503, Throttle::TryAgainLater503, Throttle::RetryLater400]
    {
        let world = throttled(throttle);
        let before = world.sim.counts();
        // A clock that went back by a year does not stretch it, but does not end it either.
        for later in [0, 60, HOUR - 60, -365 * 86_400] {
            let service = world.start_at(later);
            ask(&service).expect_err("it rests");
            let error = service.sign_in(Initiative::Person).expect_err("it rests");
            assert!(matches!(error, SignInError::Throttled { .. }), "{error:?}");
            assert!(error.to_string().contains(" UTC"), "{error}");
            service.renew_session().expect_err("it rests");
            service.account().prolong_trust().expect("not even tried");
            service.account().ways().expect_err("it rests");
            let left = service.account().rest_left().expect("it rests").as_secs();
            assert!((1..=3600).contains(&left), "{left}");
        }
        assert_eq!(world.sim.counts(), before, "{throttle:?}");
        world.sim.switches(|switches| switches.throttle = Throttle::None);
        world.sim.advance(Duration::from_secs(3601));
        let later = world.start_at(HOUR + 1);
        list(&later).expect("through");
        assert_eq!(later.account().rest_left(), None);
        world.check();
    }
}

#[test]
fn denied_access_and_an_overloaded_sign_in_rest_half_an_hour_and_twice_that_the_next_time() {
    let world = throttled(Throttle::AccessDenied);
    assert_eq!(world.start().account().rest_left().expect("it rests").as_secs().div_ceil(60), 30);
    let before = world.sim.counts();
    ask(&world.start_at(1700)).expect_err("it rests");
    assert_eq!(world.sim.counts(), before);
    let again = world.start_at(1801);
    assert_eq!(ask(&again).expect("asked again"), 403);
    assert_eq!(again.account().rest_left().expect("it rests").as_secs().div_ceil(60), 60);

    let world = World::new(|_| {});
    world.sim.switches(|switches| switches.region = Region::Auth503);
    let error = unattended(&world.start()).expect_err("turned away");
    assert!(matches!(&error, SignInError::Throttled { left } if left.as_secs() > 1790), "{error:?}");
    let before = world.sim.counts();
    for later in [0, 1700] {
        unattended(&world.start_at(later)).expect_err("it rests");
    }
    assert_eq!(world.sim.counts(), before);
    let error = unattended(&world.start_at(1801)).expect_err("turned away again");
    assert!(matches!(&error, SignInError::Throttled { left } if left.as_secs() > 3590), "{error:?}");
}

#[test]
fn forgetting_the_session_is_no_way_around_it_and_only_a_person_ends_it() {
    let world = throttled(Throttle::Throttled503);
    world.start().account().logout().expect("forgotten");
    let before = world.sim.counts();
    unattended(&world.start()).expect_err("it rests");
    assert_eq!(world.sim.counts(), before);
    world.sim.switches(|switches| switches.throttle = Throttle::None);
    let service = world.start();
    service.account().end_rest().expect("a person insists");
    let error = unattended(&service).expect_err("a code is needed now");
    assert!(error.needs_code(), "{error:?}");
}
