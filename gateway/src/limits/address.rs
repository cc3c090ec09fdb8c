//! Failed authentications, counted by where they come from. Whoever proves who they are is never counted here, so
//! that one caller with a wrong key cannot lock out another behind the same address.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::RateLimiter;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;

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
    networks: RateLimiter<u64, DashMapStateStore<u64>, Pulse, NoOpMiddleware<Duration>>,
    looked_at: Mutex<Duration>,
}

impl Addresses {
    pub fn new(quota: Quota, nodes: NonZeroU32, pulse: &Pulse) -> Self {
        let quota = quota.share(nodes);
        let rate = governor::Quota::with_period(quota.interval()).expect("a quota's interval is not zero");
        let networks = RateLimiter::dashmap_with_clock(rate.allow_burst(quota.count()), pulse.clone());
        Self { quota, networks, looked_at: Mutex::new(pulse.now()), pulse: pulse.clone() }
    }

    /// Count one failure. The refusal says that there were too many.
    pub fn failed(&self, address: IpAddr) -> Result<(), Refusal> {
        let has_room = self.networks.len() < REMEMBERED || self.make_room();
        let network = if has_room { network(address) } else { THE_REST };
        self.networks.check_key(&network).map_err(|not_until| {
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
        assert_eq!(addresses.networks.len(), REMEMBERED + 1);
        hand.advance(Duration::from_mins(2));
        assert_eq!(addresses.failed(nth(REMEMBERED + 2)), Ok(()), "those of long ago were forgotten");
        assert_eq!(addresses.networks.len(), 1);
    }
}
