//! Places: whom they are in the way of, and for how long.

use super::*;

const NOW: Now = Now { ms: 1_000, passed: Duration::from_secs(1) };
const ONE_AT_A_TIME: Terms =
    Terms { is_open: true, concurrency: 1, rate: 1_000, since: None, quiet_until: None };

fn lanes(most: usize) -> Shared {
    let settings = breaker::Settings {
        failures: 10,
        pause: Duration::from_secs(10),
        longest_pause: Duration::from_mins(10),
    };
    Shared::with(settings, most)
}

#[test]
fn an_endpoint_that_has_answered_has_room_again_while_that_is_written() {
    let lanes = lanes(8);
    lanes.lock().due("e", "owner", NOW.ms, NOW.ms);
    let mut first = lanes.plan(NOW, 9, |_| ONE_AT_A_TIME).remove("e").expect("a place").remove(0);
    assert!(first.begin(ONE_AT_A_TIME));
    assert!(lanes.plan(NOW, 9, |_| ONE_AT_A_TIME).is_empty(), "one attempt at a time");
    first.answered();
    let second = lanes.plan(NOW, 9, |_| ONE_AT_A_TIME).remove("e").expect("it has room");
    assert_eq!((second.len(), lanes.lock().taken), (1, 2), "the first has its place until it is written");
    drop((first, second));
    assert_eq!(lanes.lock().taken, 0);
}

#[test]
fn what_an_endpoint_asked_for_stands_though_an_attempt_from_before_is_acknowledged() {
    let lanes = lanes(8);
    lanes.lock().due("e", "owner", NOW.ms, NOW.ms);
    let places = lanes.plan(NOW, 2, |_| Terms { concurrency: 2, ..ONE_AT_A_TIME });
    let said = |acknowledged, wait| Said { since: None, acknowledged, leave_alone: wait };
    let later = Now { ms: NOW.ms + 1_000, passed: NOW.passed + Duration::from_secs(1) };
    lanes.lock().heard("e", said(false, Some(Duration::from_mins(5))), NOW.passed, later);
    lanes.lock().heard("e", said(true, None), NOW.passed, later);
    assert!(!lanes.lock().is_closed("e", later.passed + Duration::from_secs(299)));
    let since = Some(7);
    lanes.lock().heard("e", Said { since, ..said(true, None) }, later.passed, later);
    assert!(!lanes.lock().is_closed("e", later.passed), "that was another URL");
    drop(places);
    let moved = |_: &str| Terms { since, ..ONE_AT_A_TIME };
    lanes.lock().due("e", "owner", NOW.ms, later.ms);
    assert_eq!(lanes.plan(later, 2, moved)["e"].len(), 1, "another URL has asked for nothing");
}

#[test]
fn what_is_being_written_counts_against_its_owner_and_is_not_forgotten() {
    let lanes = lanes(2);
    let mut place = lanes.promise("e", "owner", ONE_AT_A_TIME, NOW).expect("a place");
    assert!(place.begin(ONE_AT_A_TIME));
    place.answered();
    lanes.lock().tidy(NOW.passed + Duration::from_mins(1));
    assert!(lanes.promise("f", "owner", ONE_AT_A_TIME, NOW).is_none(), "half of all places are its owner's");
    drop(place);
    assert!(lanes.promise("f", "owner", ONE_AT_A_TIME, NOW).is_some());
}

#[test]
fn an_owners_slow_endpoints_leave_a_place_for_its_others() {
    let lanes = lanes(64);
    let terms = |_: &str| Terms { concurrency: 8, ..ONE_AT_A_TIME };
    for endpoint in 0..18 {
        lanes.lock().due(&format!("slow {endpoint}"), "owner", NOW.ms, NOW.ms);
    }
    let slow = lanes.plan(NOW, 1_000, terms);
    let taken: usize = slow.values().map(Vec::len).sum();
    assert!((18..32).contains(&taken), "{taken}");
    assert!(lanes.promise("good", "owner", terms("good"), NOW).is_some());
    assert!(lanes.promise("another's", "other", terms("another's"), NOW).is_some());
}
