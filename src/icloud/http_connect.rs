//! How a connection comes about: name look-ups that are remembered for a while, and one TLS configuration for all.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport};

/// So long the answer of a name look-up serves new connections. `ureq` asks before every request, also where a connection
/// is open, and on a static system every question goes over the line.
const REMEMBERED: Duration = Duration::from_secs(60);

/// A client without connections yet.
pub(super) fn agent(config: &Config) -> Agent {
    let known = Arc::<Addresses>::default();
    let resolver = Remembering { inner: DefaultResolver::default(), known: Arc::clone(&known) };
    Agent::with_parts(config.clone(), OneTls { inner: DefaultConnector::default(), known }, resolver)
}

/// What names were found to mean, by host and port, and when. Held for a look or an insertion only, never while something
/// is asked.
#[derive(Debug, Default)]
struct Addresses(Mutex<HashMap<String, (ResolvedSocketAddrs, Instant)>>);

impl Addresses {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (ResolvedSocketAddrs, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, uri: &Uri) -> Option<ResolvedSocketAddrs> {
        let key = key(uri)?;
        let known = self.lock();
        let (addresses, at) = known.get(&key)?;
        (at.elapsed() < REMEMBERED).then(|| addresses.clone())
    }

    fn learn(&self, uri: &Uri, addresses: &ResolvedSocketAddrs) {
        let Some(key) = key(uri) else { return };
        let mut known = self.lock();
        // Names of content servers come and go; the list stays as long as what is in use.
        known.retain(|_, (_, at)| at.elapsed() < REMEMBERED);
        known.insert(key, (addresses.clone(), Instant::now()));
    }

    /// All of them: where one does not answer, the network may be another, and it may have been the proxy's.
    fn forget(&self) {
        self.lock().clear();
    }
}

fn key(uri: &Uri) -> Option<String> {
    DefaultResolver::host_and_port(uri.scheme()?, uri.authority()?)
}

/// Asks the system for a name's addresses, and not again for a while.
#[derive(Debug)]
struct Remembering<R> {
    inner: R,
    known: Arc<Addresses>,
}

impl<R: Resolver> Resolver for Remembering<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        if let Some(addresses) = self.known.get(uri) {
            return Ok(addresses);
        }
        let addresses = self.inner.resolve(uri, config, timeout)?;
        self.known.learn(uri, &addresses);
        Ok(addresses)
    }
}

/// Connects as `ureq` does, and has all connections share one TLS configuration. Without it each would read all roots
/// anew, and keep them, because it could be that a request brings roots of its own; ours bring only time limits.
/// Where an address does not answer, names are asked for anew.
#[derive(Debug)]
struct OneTls {
    inner: DefaultConnector,
    known: Arc<Addresses>,
}

impl Connector for OneTls {
    type Out = Box<dyn Transport>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<()>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let details = ConnectionDetails {
            request_level: false,
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        self.inner.connect(&details, chained).inspect_err(|_| self.known.forget())
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicU16, Ordering};

    use super::*;

    /// Answers each question with another port.
    #[derive(Debug, Default)]
    struct Counting(AtomicU16);

    impl Resolver for Counting {
        fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
            let mut found = self.empty();
            found.push(SocketAddr::from(([127, 0, 0, 1], self.0.fetch_add(1, Ordering::Relaxed))));
            Ok(found)
        }
    }

    #[test]
    fn a_name_is_asked_for_once_and_anew_after_a_failure() {
        let known = Arc::<Addresses>::default();
        let resolver = Remembering { inner: Counting::default(), known: Arc::clone(&known) };
        let ask = |uri: &str| {
            let uri: Uri = uri.parse().unwrap();
            resolver.resolve(&uri, &Config::default(), NextTimeout::default()).unwrap()[0].port()
        };
        assert_eq!([ask("https://a.example/1"), ask("https://a.example/2")], [0, 0]);
        assert_eq!(ask("https://a.example:8443/"), 1, "another port is another place");
        assert_eq!(ask("https://b.example/"), 2);
        known.forget();
        assert_eq!([ask("https://a.example/"), ask("https://a.example/")], [3, 3]);
    }
}
