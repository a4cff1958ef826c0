//! The drive client over the real session, with cookies, headers and tokens checked by the simulator.

use super::*;
use icloudds::clock::SystemClock;
use icloudds::icloud::env::Env;
use icloudds::icloud::options::IcloudOptions;
use icloudds::icloud::service::Service;
use icloudds::icloud::signin::Initiative;
use icloudds::icloud::signin::factor::SendTo;
use icloudds::secret::Secret;
use icloudds_simulator::Account;
use icloudds_simulator::control::Expire;

#[test]
fn what_expires_is_renewed_under_way() {
    let account = Account { iterations: 1000, ..Account::default() };
    let password = account.password.clone();
    let sim = Arc::new(Simulator::start(SimConfig { account, ..SimConfig::default() }).expect("started"));
    let state = tempfile::tempdir().expect("temporary folder");
    let options = IcloudOptions {
        username: "sync.test@example.com".to_owned(),
        home: Some(sim.home()),
        setup: Some(sim.setup()),
        auth: Some(sim.auth()),
        state_directory: state.path().join("state"),
        ..IcloudOptions::default()
    };
    let service = Service::open(options, Env::system(SystemClock::new(Arc::default()))).expect("opened");
    service.account().set_password(Some(Secret::new(password.as_str())));
    service.sign_in(Initiative::Unattended).expect_err("a code is needed");
    service.account().send_code(SendTo::Device).expect("sent");
    service.account().submit_code(&sim.device_code().expect("a code")).expect("accepted");
    let clock = Arc::new(SimClock { sim: Arc::clone(&sim), ahead: Mutex::default() });
    let http_clock = Arc::clone(&clock) as Arc<dyn Clock>;
    let drive = ICloudDrive::new(Arc::new(service), DriveOptions::default(), http_clock);
    let world = World { sim, clock, drive };

    world.upload(&root(), "before", b"hello").expect("uploaded");
    for (what, name) in [(Expire::UploadToken, "token"), (Expire::Session, "cookies")] {
        world.sim.expire(what);
        world.upload(&root(), name, b"hello").expect("uploaded with a renewed session");
    }
    let offer = world.drive.offers(&[world.id("before")]).pop().unwrap().expect("an offer");
    let mut sink = Memory::default();
    world.drive.fetch(&offer, Some(5), 0, &mut sink).expect("fetched");
    assert_eq!(sink.bytes, b"hello");
    assert_eq!(world.names(&root()), ["before", "cookies", "token"]);
    world.check();
}
