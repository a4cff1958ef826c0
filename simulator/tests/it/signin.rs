//! The password half (docs/protocol.md §3).

use icloudds_simulator::account::{Protocol, Repair, WrongProof};
use icloudds_simulator::fault::{Effect, Fault, FaultBody};
use icloudds_simulator::switches::{Escrow, EscrowHeader, Hashcash, Region, SrpName};
use serde_json::json;
use sha1::{Digest, Sha1};

use crate::client::{Client, NAME, PASSWORD, simulator};

#[test]
fn the_whole_way_works_with_both_protocols() {
    for protocol in [Protocol::S2k, Protocol::S2kFo] {
        let sim = simulator(|config| config.account.protocol = protocol);
        let mut client = Client::new(&sim);
        let login = client.log_in(&sim);
        assert_eq!(login.status, 200);
        let info = login.json();
        assert_eq!(info["hsaTrustedBrowser"], true);
        assert_eq!(info["dsInfo"]["dsid"], "17320123456");
        assert_eq!(info["webservices"]["drivews"]["url"], format!("{}/drivews", sim.url()));
        assert_eq!(client.setup("validate", &json!(null)).status, 200);
        assert_eq!(sim.violations(), Vec::<String>::new());
        assert_eq!(sim.count("signin.complete"), 1);
    }
}

#[test]
fn the_documented_account_takes_its_documented_iterations() {
    let sim = icloudds_simulator::Simulator::start(Default::default()).unwrap();
    let mut client = Client::new(&sim);
    let (init, _) = client.init(NAME, PASSWORD, 5);
    assert_eq!(init.json()["iteration"], 20136);
    assert_eq!(init.json()["salt"], "nT8cW3ouSGBvgZKjtMXW5w==");
}

#[test]
fn without_a_second_factor_200_comes_at_once() {
    let sim = simulator(|config| config.account.hsa_version = 0);
    let mut client = Client::new(&sim);
    assert_eq!(client.sign_in(PASSWORD).status, 200, "step 1 is optional");
    assert_eq!(client.account_login().json()["hsaChallengeRequired"], false);
}

#[test]
fn wrong_proofs_are_counted_and_lock_the_account() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.start();
    let first = client.sign_in("wrong");
    assert_eq!((first.status, first.code().as_str()), (401, "-20101"));
    assert!(sim.violations().is_empty(), "one wrong password is no fault");
    assert_eq!(client.sign_in("wrong").status, 401);
    assert_eq!(sim.violations().len(), 1, "the repetition is");
    let third = client.sign_in("wrong");
    assert_eq!((third.status, third.code().as_str()), (403, "-20209"));
    let right = client.sign_in(PASSWORD);
    assert_eq!((right.status, right.code().as_str()), (403, "-20209"));
}

#[test]
fn a_newly_typed_password_is_no_repetition() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.sign_in("wrong");
    sim.password_typed();
    client.sign_in("wrong too");
    assert_eq!(sim.violations(), Vec::<String>::new());
    sim.change_password("new");
    sim.password_typed();
    client.carried.clear();
    assert_eq!(client.sign_in("new").status, 409);
}

#[test]
fn other_shapes_of_a_rejection() {
    for (shape, status) in [(WrongProof::Status403, 403), (WrongProof::Hidden200, 200)] {
        let sim = simulator(|config| config.account.wrong_proof = shape);
        let mut client = Client::new(&sim);
        let answer = client.sign_in("wrong");
        assert_eq!((answer.status, answer.code().as_str()), (status, "-20101"));
        assert_eq!(answer.header("X-Apple-I-Rscd"), (status == 200).then_some("401"));
    }
}

#[test]
fn an_unknown_name_is_refused_and_locks_nobody_out() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    let (init, proof) = client.init("nobody@example.com", PASSWORD, 9);
    assert_eq!(init.status, 200);
    let answer = client.auth("POST", "/signin/complete", Some(&proof));
    assert_eq!((answer.status, answer.code().as_str()), (403, "-20101"));
    assert_eq!(sim.core().state().auth.wrong_proofs, 0);
    // The same proof again is a repetition, whoever is meant.
    let (_, proof) = client.init("nobody@example.com", PASSWORD, 9);
    client.auth("POST", "/signin/complete", Some(&proof));
    assert_eq!(sim.violations(), ["signin.complete: a password proof was repeated after a rejection"]);
}

#[test]
fn the_name_may_be_typed_in_capitals() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    // Whatever is typed, the proof hashes the name in lower case, unless the switch says otherwise.
    let (_, proof) = client.init("Sync.Test@Example.com", PASSWORD, 9);
    assert_eq!(client.auth("POST", "/signin/complete", Some(&proof)).status, 401);
    let sim = simulator(|config| config.switches.srp_name = SrpName::AsSent);
    let mut client = Client::new(&sim);
    let (_, proof) = client.init("Sync.Test@Example.com", PASSWORD, 9);
    assert_eq!(client.auth("POST", "/signin/complete", Some(&proof)).status, 409);
}

#[test]
fn c_is_good_for_one_proof_and_m2_counts() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    let (_, proof) = client.init(NAME, PASSWORD, 9);
    let mut foreign = proof.clone();
    foreign["c"] = json!("d-000-other:PRN");
    assert_eq!(client.auth("POST", "/signin/complete", Some(&foreign)).status, 400);
    assert_eq!(client.auth("POST", "/signin/complete", Some(&proof)).status, 400);

    let (_, mut proof) = client.init(NAME, PASSWORD, 9);
    proof["m2"] = proof["m1"].clone();
    assert_eq!(client.auth("POST", "/signin/complete", Some(&proof)).status, 401);
}

#[test]
fn a_zero_a_and_malformed_bodies_are_refused() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    for body in [
        json!({"a": "AAAA", "accountName": NAME, "protocols": ["s2k"]}),
        json!({"a": "?", "accountName": NAME, "protocols": ["s2k"]}),
        json!({"a": "Ag==", "protocols": ["s2k"]}),
        json!({"a": "Ag==", "accountName": NAME, "protocols": ["s2k_fo"]}),
    ] {
        assert_eq!(client.auth("POST", "/signin/init", Some(&body)).status, 400, "{body}");
    }
}

#[test]
fn a_stale_context_is_401_and_not_the_password() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.start();
    client.carried.insert("scnt", "stale".to_owned());
    let (answer, _) = client.init(NAME, PASSWORD, 9);
    assert_eq!(answer.status, 401);
    assert_ne!(answer.code(), "-20101");

    let mut client = Client::new(&sim);
    client.start();
    sim.advance(std::time::Duration::from_secs(601));
    assert_eq!(client.init(NAME, PASSWORD, 9).0.status, 401, "expired");
}

#[test]
fn scnt_rotates_and_the_one_before_still_counts() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.start();
    let first = client.carried["scnt"].clone();
    client.init(NAME, PASSWORD, 9);
    assert_ne!(client.carried["scnt"], first);
    client.carried.insert("scnt", first.clone());
    assert_eq!(client.init(NAME, PASSWORD, 9).0.status, 200, "a lost reply");
    client.carried.insert("scnt", first);
    assert_eq!(client.init(NAME, PASSWORD, 9).0.status, 401);
}

#[test]
fn a_trust_token_saves_the_second_factor_until_it_expires() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.log_in(&sim);
    let token = client.carried["X-Apple-TwoSV-Trust-Token"].clone();
    let mut again = Client::new(&sim);
    again.carried.insert("X-Apple-TwoSV-Trust-Token", token.clone());
    assert_eq!(again.sign_in(PASSWORD).status, 200);
    assert_eq!(again.account_login().json()["hsaTrustedBrowser"], true);
    sim.advance(std::time::Duration::from_secs(31 * 24 * 3600));
    let mut late = Client::new(&sim);
    late.carried.insert("X-Apple-TwoSV-Trust-Token", token);
    assert_eq!(late.sign_in(PASSWORD).status, 409);
}

#[test]
fn nothing_goes_on_before_the_second_proof_and_a_wrong_one_is_counted() {
    let sim = simulator(|config| {
        config.switches.escrow = Escrow::Both;
        config.switches.escrow_header = EscrowHeader::Pdp;
    });
    let mut client = Client::new(&sim);
    client.start();
    let announced = client.sign_in(PASSWORD);
    assert_eq!((announced.status, announced.header("X-Apple-PDP")), (409, Some("true")));
    client.auth("PUT", "/verify/trusteddevice/securitycode", None);
    let answer = client.submit_code(&sim.device_code().unwrap());
    assert_eq!((answer.status, answer.header("X-Apple-PDP")), (409, Some("true")));
    assert_eq!(answer.json()["securityCode"]["valid"], true);
    assert_eq!(client.trust().status, 403);
    assert_eq!(client.account_login().status, 421);
    assert_eq!(client.prove_again(PASSWORD).status, 200);
    assert_eq!(client.trust().status, 204);
    assert_eq!(client.account_login().json()["hsaTrustedBrowser"], true);
    assert_eq!(sim.violations(), [""; 0]);
    // With the trust token the password alone is answered the same way, and no code is wanted.
    let trust = client.carried["X-Apple-TwoSV-Trust-Token"].clone();
    let mut client = Client::new(&sim);
    client.carried.insert("X-Apple-TwoSV-Trust-Token", trust);
    client.start();
    let answer = client.sign_in(PASSWORD);
    assert_eq!((answer.status, answer.header("X-Apple-PDP")), (409, Some("true")));
    assert_eq!(client.account_login().status, 421);
    assert_eq!(client.prove_again("wrong").status, 401);
    assert_eq!(sim.violations(), [""; 0]);
    assert_eq!(client.prove_again("wrong").status, 401);
    assert_eq!(sim.violations().len(), 2, "repeated, and more than one: {:?}", sim.violations());
    assert_eq!(client.prove_again(PASSWORD).status, 200);
    assert_eq!(client.account_login().json()["hsaTrustedBrowser"], true);
}

#[test]
fn repair_comes_between_the_proof_and_the_login() {
    let sim = simulator(|config| {
        config.account.hsa_version = 0;
        config.account.repair = Repair::Works;
    });
    let mut client = Client::new(&sim);
    assert_eq!(client.sign_in(PASSWORD).status, 412);
    assert_eq!(client.account_login().status, 421);
    assert_eq!(client.auth("POST", "/repair/complete", Some(&json!({}))).status, 200);
    assert_eq!(client.account_login().status, 200);

    let sim = simulator(|config| {
        config.account.hsa_version = 0;
        config.account.repair = Repair::Refused;
    });
    let mut client = Client::new(&sim);
    assert_eq!(client.sign_in(PASSWORD).status, 412);
    assert_eq!(client.auth("POST", "/repair/complete", Some(&json!({}))).status, 403);
}

#[test]
fn security_keys_show_in_the_409() {
    let sim = simulator(|config| config.account.security_keys = vec!["Blue key".to_owned()]);
    let mut client = Client::new(&sim);
    let answer = client.sign_in(PASSWORD);
    assert_eq!(answer.status, 409);
    assert_eq!(answer.json()["keyNames"][0], "Blue key");
    assert_eq!(answer.json()["fsaChallenge"]["rpId"], "apple.com");
    let challenge = answer.json()["fsaChallenge"]["challenge"].clone();
    assert_eq!(client.auth("GET", "", None).json()["fsaChallenge"]["challenge"], challenge);
    // The page that a browser gets lacks it.
    client.extra = vec![("Accept".to_owned(), "text/html".to_owned())];
    assert!(!String::from_utf8(client.auth("GET", "", None).body).unwrap().contains("fsaChallenge"));
    client.extra.clear();
    // What no key signed is no way in, and a challenge serves once.
    let forged = json!({"challenge": challenge, "rpId": "apple.com", "credentialID": "AAAA"});
    assert_eq!(client.auth("POST", "/verify/security/key", Some(&forged)).status, 403);
    assert_eq!(client.auth("POST", "/verify/security/key", Some(&forged)).status, 403);
    assert_eq!(client.trust().status, 403);
    assert_ne!(client.auth("GET", "", None).json()["fsaChallenge"]["challenge"], challenge);
}

#[test]
fn hashcash_is_checked_when_given_and_demanded_when_required() {
    let sim = simulator(|config| config.switches.hashcash = Hashcash::Required);
    let mut client = Client::new(&sim);
    let start = client.start();
    assert!(start.header("X-Apple-HC-Bits").is_some());
    assert_eq!(client.sign_in(PASSWORD).status, 403, "no stamp");
    let (init, proof) = client.init(NAME, PASSWORD, 3);
    let challenge = init.header("X-Apple-HC-Challenge").unwrap();
    let stamp = |wanted: bool| {
        (0u32..)
            .map(|counter| format!("1:11:20260401120000:{challenge}::{counter}"))
            .find(|text| {
                let hash = Sha1::digest(text.as_bytes());
                (hash[0] == 0 && hash[1] < 32) == wanted
            })
            .unwrap()
    };
    client.extra.push(("X-Apple-HC".to_owned(), stamp(true)));
    assert_eq!(client.auth("POST", "/signin/complete", Some(&proof)).status, 409);
    assert_eq!(client.sign_in(PASSWORD).status, 403, "each challenge counts once");

    sim.switches(|switches| switches.hashcash = Hashcash::Challenged);
    client.extra.clear();
    assert_eq!(client.sign_in(PASSWORD).status, 409, "optional");
    client.extra.push(("X-Apple-HC".to_owned(), stamp(false)));
    assert_eq!(client.sign_in(PASSWORD).status, 403, "a worthless stamp");
}

#[test]
fn faults_reach_each_sign_in_call() {
    let answer = |status, code: Option<&str>, headers: &[(&str, &str)]| Effect::Answer {
        status,
        body: FaultBody::Json,
        retry_after: (status == 429).then_some(60),
        code: code.map(str::to_owned),
        headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
    };
    for effect in [
        answer(429, None, &[]),
        answer(503, None, &[]),
        answer(403, None, &[]),
        answer(421, None, &[]),
        answer(200, None, &[("X-Apple-I-Rscd", "401")]),
    ] {
        let sim = simulator(|config| {
            config.switches.faults = vec![Fault {
                kind: Some("signin.complete".to_owned()),
                path: None,
                skip: 0,
                count: 1,
                every: 1,
                probability: 1.0,
                seed: 0,
                effect: effect.clone(),
            }];
        });
        let mut client = Client::new(&sim);
        client.start();
        let struck = client.sign_in(PASSWORD);
        let Effect::Answer { status, .. } = effect else { unreachable!() };
        assert_eq!(struck.status, status);
        assert_eq!(struck.header("Retry-After"), (status == 429).then_some("60"));
        assert_eq!(struck.header("X-Apple-I-Rscd"), (status == 200).then_some("401"));
        assert_eq!(client.sign_in(PASSWORD).status, 409, "only once");
    }
}

#[test]
fn a_troubled_region_answers_503() {
    let sim = simulator(|config| config.switches.region = Region::Auth503);
    let mut client = Client::new(&sim);
    assert_eq!(client.start().status, 503);
    client.extra.push(("Host".to_owned(), "idmsa.apple.com.cn".to_owned()));
    client.extra.push(("Origin".to_owned(), "https://idmsa.apple.com".to_owned()));
    client.extra.push(("Referer".to_owned(), "https://idmsa.apple.com/".to_owned()));
    assert_eq!(client.start().status, 200);
}

#[test]
fn headers_that_must_be_there() {
    for (missing, status) in [
        ("User-Agent", 403),
        ("Origin", 403),
        ("Referer", 403),
        ("X-Apple-Widget-Key", 400),
        ("Content-Type", 400),
    ] {
        let sim = simulator(|_| {});
        let mut client = Client::new(&sim);
        client.without.push(missing);
        assert_eq!(client.init(NAME, PASSWORD, 3).0.status, status, "{missing}");
        assert_eq!(sim.violations().len(), 1, "{missing}");
    }
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.extra.push(("Origin".to_owned(), "https://example.com".to_owned()));
    assert_eq!(client.init(NAME, PASSWORD, 3).0.status, 403);
    client.extra.clear();
    client.extra.push(("Origin".to_owned(), "https://idmsa.apple.com".to_owned()));
    assert_eq!(client.init(NAME, PASSWORD, 3).0.status, 200);
}

#[test]
fn secrets_in_an_address_are_noticed() {
    let sim = simulator(|_| {});
    let mut client = Client::new(&sim);
    client.auth("GET", "/authorize/signin?p=Tr0ub4dor%263-icloudds", None);
    assert_eq!(sim.violations(), ["signin.start: the password in the URL"]);
}
