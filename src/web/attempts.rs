//! How often something may be tried: a few times in a while, by each address or by all together.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Addresses of which attempts are remembered; the one that tried longest ago is forgotten first.
const MOST_ADDRESSES: usize = 256;

/// Attempts within a while.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts(VecDeque<Instant>);

impl Attempts {
    /// Whether there is room for one more, of `most` within `span`; else how long until there is. Counts it.
    pub(super) fn take(&mut self, most: usize, span: Duration, now: Instant) -> Result<(), Duration> {
        self.left(most, span, now)?;
        self.0.push_back(now);
        Ok(())
    }

    /// As [`Attempts::take`], without counting.
    fn left(&mut self, most: usize, span: Duration, now: Instant) -> Result<(), Duration> {
        while self.0.front().is_some_and(|at| now.saturating_duration_since(*at) >= span) {
            self.0.pop_front();
        }
        match self.0.front() {
            Some(first) if self.0.len() >= most => Err((*first + span).saturating_duration_since(now)),
            _ => Ok(()),
        }
    }
}

/// Attempts by address. An IPv6 host owns a whole network, so that counts as one address.
#[derive(Clone, Debug, Default)]
pub(super) struct ByAddress(BTreeMap<IpAddr, Attempts>);

impl ByAddress {
    /// Whether `peer` may try: fewer than `most` of its attempts within `span` were noted.
    pub(super) fn may(
        &mut self,
        peer: IpAddr,
        most: usize,
        span: Duration,
        now: Instant,
    ) -> Result<(), Duration> {
        match self.0.get_mut(&network(peer)) {
            Some(attempts) => attempts.left(most, span, now),
            None => Ok(()),
        }
    }

    /// Notes an attempt that failed.
    pub(super) fn note(&mut self, peer: IpAddr, most: usize, now: Instant) {
        let peer = network(peer);
        if self.0.len() >= MOST_ADDRESSES && !self.0.contains_key(&peer) {
            let oldest = self.0.iter().min_by_key(|(_, attempts)| attempts.0.back().copied());
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.0.remove(&oldest);
            }
        }
        let attempts = &mut self.0.entry(peer).or_default().0;
        attempts.push_back(now);
        if attempts.len() > most {
            attempts.pop_front();
        }
    }
}

fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(60);

    #[test]
    fn a_few_attempts_within_a_while() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut attempts = Attempts::default();
        for (seconds, left) in
            [(0, Ok(())), (10, Ok(())), (20, Err(40)), (59, Err(1)), (60, Ok(())), (61, Err(9))]
        {
            let said = attempts.take(2, SPAN, at(seconds));
            assert_eq!(said.map_err(|wait| wait.as_secs()), left, "after {seconds} s");
        }
    }

    #[test]
    fn each_address_has_its_own_and_their_number_is_bounded() {
        let now = Instant::now();
        let mut by = ByAddress::default();
        let v6 = |text: &str| text.parse::<IpAddr>().expect("an address");
        for _ in 0..5 {
            by.note(v6("2001:db8::1"), 3, now);
        }
        assert!(by.may(v6("2001:db8::ffff"), 3, SPAN, now).is_err(), "the same network");
        assert!(by.may(v6("2001:db8:1::1"), 3, SPAN, now).is_ok());
        assert!(by.may(v6("2001:db8::1"), 3, SPAN, now + SPAN).is_ok());
        for n in 0..100_000_u32 {
            by.note(IpAddr::V4(n.into()), 3, now + Duration::from_millis(n.into()));
        }
        assert_eq!(by.0.len(), MOST_ADDRESSES);
    }
}
