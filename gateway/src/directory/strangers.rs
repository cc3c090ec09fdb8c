//! Failed authentications by address: who has failed too often lately is not listened to for a while. Only failures
//! count, so a caller who knows its secret never meets this. An IPv6 address counts with its whole /64, which one
//! customer of one provider has to itself.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ipnet::Ipv6Net;

/// Failures of one address within two spans at most.
pub const MAX_FAILURES: u32 = 20;
/// How long a count lasts, at least; at most twice as long.
pub const SPAN: Duration = Duration::from_mins(5);
/// Addresses counted in one span at most; with more, counting begins anew, and names are still guarded one by one.
const MAX_ADDRESSES: usize = 50_000;

#[derive(Default)]
pub struct Strangers(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    now: HashMap<IpAddr, u32>,
    before: HashMap<IpAddr, u32>,
    /// Unix milliseconds.
    began_at: i64,
}

impl Strangers {
    /// Count a failure.
    pub fn failed(&self, address: IpAddr, now: i64) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(now);
        if counts.now.len() >= MAX_ADDRESSES && !counts.now.contains_key(&counted(address)) {
            counts.before = std::mem::take(&mut counts.now);
            counts.began_at = now;
        }
        *counts.now.entry(counted(address)).or_default() += 1;
    }

    /// How long this address is not listened to any more.
    pub fn wait(&self, address: IpAddr, now: i64) -> Option<Duration> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.turn(now);
        let of = |counts: &HashMap<IpAddr, u32>| counts.get(&counted(address)).copied().unwrap_or_default();
        let (failed, failed_before) = (of(&counts.now), of(&counts.before));
        if failed.saturating_add(failed_before) < MAX_FAILURES {
            return None;
        }
        // This span's count lasts through the next; the one before ends with this.
        let spans = if failed >= MAX_FAILURES { 2 } else { 1 };
        let left = counts.began_at.saturating_add(spans * span_ms()).saturating_sub(now).max(1);
        Some(Duration::from_millis(left.unsigned_abs()))
    }
}

impl Counts {
    fn turn(&mut self, now: i64) {
        let passed = now.saturating_sub(self.began_at);
        if passed >= 2 * span_ms() {
            self.before.clear();
            self.now.clear();
        } else if passed >= span_ms() {
            self.before = std::mem::take(&mut self.now);
        } else {
            return;
        }
        self.began_at = now;
    }
}

fn span_ms() -> i64 {
    i64::try_from(SPAN.as_millis()).expect("minutes")
}

fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Net::new(address, 64).expect("64 of 128 bits").network()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_790_000_000_000;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn fail(strangers: &Strangers, address: &str, times: u32, now: i64) {
        (0..times).for_each(|_| strangers.failed(ip(address), now));
    }

    #[test]
    fn an_address_is_heard_until_it_has_failed_as_often_as_the_limit() {
        let strangers = Strangers::default();
        fail(&strangers, "192.0.2.1", MAX_FAILURES - 1, START);
        assert_eq!(strangers.wait(ip("192.0.2.1"), START), None);
        fail(&strangers, "::ffff:192.0.2.1", 1, START);
        assert_eq!(strangers.wait(ip("192.0.2.1"), START), Some(2 * SPAN));
        assert_eq!(strangers.wait(ip("192.0.2.2"), START), None, "its neighbour is heard");
    }

    #[test]
    fn a_count_lasts_into_the_next_span_and_no_longer() {
        let strangers = Strangers::default();
        fail(&strangers, "192.0.2.1", MAX_FAILURES - 1, START);
        fail(&strangers, "192.0.2.1", 1, START + span_ms());
        assert_eq!(strangers.wait(ip("192.0.2.1"), START + span_ms()), Some(SPAN));
        assert!(strangers.wait(ip("192.0.2.1"), START + 2 * span_ms() - 1).is_some());
        assert_eq!(strangers.wait(ip("192.0.2.1"), START + 2 * span_ms()), None);
    }

    #[test]
    fn ipv6_addresses_count_with_their_network() {
        let strangers = Strangers::default();
        for last in 1..=MAX_FAILURES {
            strangers.failed(ip(&format!("2001:db8::{last:x}")), START);
        }
        assert!(strangers.wait(ip("2001:db8::ffff"), START).is_some());
        assert_eq!(strangers.wait(ip("2001:db8:0:1::1"), START), None);
    }

    #[test]
    fn no_more_addresses_are_remembered_than_the_limit() {
        let strangers = Strangers::default();
        for n in 0..3 * u32::try_from(MAX_ADDRESSES).expect("it fits") {
            strangers.failed(IpAddr::from(n.to_be_bytes()), START);
        }
        let counts = strangers.0.lock().expect("nobody panicked");
        assert!(counts.now.len() <= MAX_ADDRESSES && counts.before.len() <= MAX_ADDRESSES);
    }
}
