//! Failed authentications, counted by where they come from. Whoever proves who they are is never counted here, so
//! that one caller with a wrong key cannot lock out another behind the same address.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::RateLimiter;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};

use super::bucket::{Pulse, Tier};
use super::quota::Quota;
use super::said::Refusal;

/// Networks remembered at most, about 70 bytes each. Beyond it the rest are counted together.
pub const REMEMBERED: usize = 100_000;
/// A full table is looked through for what can be forgotten no more often than this.
const LOOK: Duration = Duration::from_secs(1);

/// All the networks for which there is no room; in the range reserved for documentation, so that it is nobody's.
const THE_REST: u64 = 0x2001_0db8_0000_0000;

pub struct Addresses {
    quota: Quota,
    pulse: Pulse,
    networks: RateLimiter<Ask, Networks, Pulse, NoOpMiddleware<Duration>>,
    looked_at: Mutex<Duration>,
}

/// What is asked about a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Ask {
    /// Whether one more failure is allowed, now that there is one.
    Count(u64),
    /// Whether one would be.
    Look(u64),
}

/// The networks' counts. The library knows no look without taking; here a look leaves what it finds as it was.
#[derive(Default)]
struct Networks(DashMapStateStore<u64>);

impl StateStore for Networks {
    type Key = Ask;

    fn measure_and_replace<T, F, E>(&self, ask: &Ask, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        match ask {
            Ask::Count(network) => self.0.measure_and_replace(network, decide),
            Ask::Look(network) if self.0.contains_key(network) => {
                // What ends in an error changes nothing.
                let look = |counted| Err(decide(counted).map(|(answer, _)| answer));
                match self.0.measure_and_replace::<Infallible, _, _>(network, look) {
                    Ok(never) => match never {},
                    Err(answer) => answer,
                }
            }
            Ask::Look(_) => decide(None).map(|(answer, _)| answer),
        }
    }
}

impl ShrinkableKeyedStateStore<Ask> for Networks {
    fn retain_recent(&self, drop_below: Nanos) {
        self.0.retain_recent(drop_below);
    }

    fn shrink_to_fit(&self) {
        self.0.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Addresses {
    pub fn new(quota: Quota, nodes: NonZeroU32, pulse: &Pulse) -> Self {
        let quota = quota.share(nodes);
        let rate = governor::Quota::with_period(quota.interval()).expect("a quota's interval is not zero");
        let networks = RateLimiter::new(rate.allow_burst(quota.count()), Networks::default(), pulse.clone());
        Self { quota, networks, looked_at: Mutex::new(pulse.now()), pulse: pulse.clone() }
    }

    /// Count one failure. The refusal says that there were too many.
    pub fn failed(&self, address: IpAddr) -> Result<(), Refusal> {
        let has_room = self.networks.len() < REMEMBERED || self.make_room();
        let network = if has_room { network(address) } else { THE_REST };
        self.ask(Ask::Count(network))
    }

    /// Whether one more failure would be allowed; nothing is counted. Nobody is refused for those who are counted
    /// together.
    pub fn listens_to(&self, address: IpAddr) -> Result<(), Refusal> {
        self.ask(Ask::Look(network(address)))
    }

    fn ask(&self, ask: Ask) -> Result<(), Refusal> {
        self.networks.check_key(&ask).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.pulse.now());
            Refusal { tier: Tier::Address, quota: self.quota, wait }
        })
    }

    /// Forget those who have not failed lately.
    fn make_room(&self) -> bool {
        let now = self.pulse.now();
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(*looked_at) < LOOK {
            return false;
        }
        *looked_at = now;
        self.networks.retain_recent();
        self.networks.shrink_to_fit();
        self.networks.len() < REMEMBERED
    }
}

/// The network an address belongs to: an IPv6 /64, of which one subscriber has all the addresses, or an IPv4
/// address, written as IPv6 writes it but with its bits where a network has them.
fn network(address: IpAddr) -> u64 {
    let top = |address: Ipv6Addr| u64::try_from(address.to_bits() >> 64).expect("64 bits are left");
    match address.to_canonical() {
        // ::/32 is reserved, so no IPv6 network is mistaken for an IPv4 address.
        IpAddr::V4(address) => u64::from(address.to_bits()),
        IpAddr::V6(address) => top(address),
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::clock::{Clock, ManualClock};

    fn addresses(quota: &str) -> (Addresses, ManualClock) {
        let (clock, hand) = Clock::manual(OffsetDateTime::UNIX_EPOCH);
        let quota = quota.parse().expect("a quota");
        (Addresses::new(quota, NonZeroU32::MIN, &Pulse(clock)), hand)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn each_address_has_its_own_count_and_it_is_given_back_in_time() {
        let (addresses, hand) = addresses("2/1m");
        for _ in 0..2 {
            assert_eq!(addresses.failed(ip("192.0.2.1")), Ok(()));
        }
        let refusal = addresses.failed(ip("192.0.2.1")).expect_err("twice was allowed");
        assert_eq!((refusal.tier, refusal.retry_after()), (Tier::Address, 30));
        assert_eq!(addresses.failed(ip("192.0.2.2")), Ok(()));
        hand.advance(Duration::from_secs(30));
        assert_eq!(addresses.failed(ip("192.0.2.1")), Ok(()));
    }

    #[test]
    fn a_look_draws_nothing_and_is_refused_when_a_failure_would_be() {
        let (addresses, hand) = addresses("2/1m");
        let look = || addresses.listens_to(ip("192.0.2.1"));
        for _ in 0..2 {
            for _ in 0..3 {
                assert_eq!(look(), Ok(()));
            }
            assert_eq!(addresses.failed(ip("::ffff:192.0.2.1")), Ok(()));
        }
        assert_eq!(look().map_err(|refusal| (refusal.tier, refusal.retry_after())), Err((Tier::Address, 30)));
        assert_eq!(addresses.listens_to(ip("192.0.2.2")), Ok(()), "its neighbour is heard");
        assert_eq!(addresses.networks.len(), 1, "who only looks is not remembered");
        hand.advance(Duration::from_secs(30).saturating_sub(Duration::from_nanos(1)));
        assert!(look().is_err());
        hand.advance(Duration::from_nanos(1));
        assert_eq!(look(), Ok(()));
        assert_eq!(addresses.failed(ip("192.0.2.1")), Ok(()));
    }

    #[test]
    fn an_ipv6_network_counts_as_one_and_a_mapped_address_as_what_it_stands_for() {
        assert_eq!(network(ip("2001:db8:1:2::1")), network(ip("2001:db8:1:2:ffff:ffff:ffff:ffff")));
        assert_ne!(network(ip("2001:db8:1:2::1")), network(ip("2001:db8:1:3::1")));
        assert_eq!(network(ip("::ffff:192.0.2.1")), network(ip("192.0.2.1")));
        assert_ne!(network(ip("192.0.2.1")), network(ip("192.0.2.2")));
    }

    #[test]
    fn no_more_networks_are_remembered_than_the_limit_and_the_rest_are_counted_together() {
        let (addresses, hand) = addresses("1/1m");
        let nth = |n: usize| IpAddr::from(u32::try_from(n).expect("small").to_be_bytes());
        for n in 0..REMEMBERED {
            assert_eq!(addresses.failed(nth(n)), Ok(()));
        }
        assert_eq!(addresses.failed(nth(REMEMBERED)), Ok(()), "the first of the rest");
        assert!(addresses.failed(nth(REMEMBERED + 1)).is_err());
        assert_eq!(
            addresses.listens_to(nth(REMEMBERED + 1)),
            Ok(()),
            "whoever of them knows its secret comes in"
        );
        assert_eq!(addresses.networks.len(), REMEMBERED + 1);
        hand.advance(Duration::from_mins(2));
        assert_eq!(addresses.failed(nth(REMEMBERED + 2)), Ok(()), "those of long ago were forgotten");
        assert_eq!(addresses.networks.len(), 1);
    }
}
