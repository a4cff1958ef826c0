//! TLS on the same port, for the real names, and the tunnels that lead there.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use icloudds_simulator::Simulator;
use icloudds_simulator::http::tls::Tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::client::{exchange, simulator};

fn secure() -> Simulator {
    simulator(|config| config.tls = Some(Tls::new(&["icloud.test".to_owned()]).unwrap()))
}

/// A client that trusts this authority and nothing else.
fn trusting(authority: &str) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// What comes for one request inside TLS, all of it; `None` when the certificate is not accepted.
fn fetch(config: &Arc<ClientConfig>, stream: TcpStream, host: &str, path: &str) -> Option<String> {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut stream = StreamOwned::new(session, stream);
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: t\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("the server says that it ends");
    Some(text)
}

fn connect(sim: &Simulator) -> TcpStream {
    TcpStream::connect(sim.address()).unwrap()
}

#[test]
fn the_names_of_the_service_are_served_to_those_who_trust_the_authority() {
    let sim = secure();
    let config = trusting(sim.core().authority_pem().unwrap());
    for host in [
        "www.icloud.com",
        "p31-drivews.icloud.com",
        "setup.icloud.com.cn",
        "idmsa.apple.com",
        "cvws.icloud-content.com",
        "localhost",
        "icloud.test",
    ] {
        let answer = fetch(&config, connect(&sim), host, "/x").expect(host);
        assert!(answer.starts_with("HTTP/1.1 "), "{host}: {answer}");
    }
    assert!(fetch(&config, connect(&sim), "www.example.com", "/").is_none(), "no other name");
    let stranger = trusting(Tls::new(&[]).unwrap().authority_pem());
    assert!(fetch(&stranger, connect(&sim), "www.icloud.com", "/").is_none(), "another authority");
    let plain = exchange(&connect(&sim), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", false).unwrap();
    assert_eq!(plain.status, 200, "the same port speaks plain HTTP");
}

#[test]
fn addresses_that_are_announced_inside_tls_are_secure_ones() {
    let sim = secure();
    let config = trusting(sim.core().authority_pem().unwrap());
    // On this machine's own names the roots are paths, and must keep to TLS.
    let answer = fetch(&config, connect(&sim), "localhost", "/appleauth/auth/authorize/signin").unwrap();
    assert!(answer.contains("aasp=") && !answer.contains("Domain="), "{answer}");
    let answer =
        fetch(&config, connect(&sim), "idmsa.apple.com", "/appleauth/auth/authorize/signin").unwrap();
    assert!(answer.contains("Domain=.apple.com; Secure"), "{answer}");
}

#[test]
fn a_tunnel_leads_to_the_simulated_hosts_and_to_no_other() {
    let sim = secure();
    let config = trusting(sim.core().authority_pem().unwrap());
    let ask = |target: &str| {
        let stream = connect(&sim);
        let head = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        let answer = exchange(&stream, head.as_bytes(), true).unwrap();
        (answer.status, stream)
    };
    for host in ["setup.icloud.com", "p31-docws.icloud.com", "icloud.test"] {
        let (status, stream) = ask(&format!("{host}:443"));
        assert_eq!(status, 200);
        assert!(fetch(&config, stream, host, "/").unwrap().starts_with("HTTP/1.1 "));
    }
    let (status, stream) = ask("www.icloud.com:80");
    assert_eq!(status, 200);
    assert_eq!(
        exchange(&stream, b"GET / HTTP/1.1\r\nHost: www.icloud.com\r\n\r\n", false).unwrap().status,
        200
    );
    for foreign in ["www.example.com:443", "evil-icloud.com:443", "10.0.0.1:22", ":443"] {
        assert_eq!(ask(foreign).0, 403, "{foreign}");
    }
    let greedy = b"CONNECT www.icloud.com:443 HTTP/1.1\r\nHost: x\r\n\r\nmore";
    assert_eq!(exchange(&connect(&sim), greedy, false).unwrap().status, 400);
    let plain = simulator(|_| {});
    let head = b"CONNECT www.icloud.com:443 HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(exchange(&connect(&plain), head, false).unwrap().status, 405);
}
