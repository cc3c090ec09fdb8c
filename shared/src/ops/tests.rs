use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

/// Read, and written as it was.
fn kept<T: DeserializeOwned + Serialize>(value: &Value) -> T {
    let read: T = serde_json::from_value(value.clone()).expect("it is read");
    assert_eq!(&serde_json::to_value(&read).expect("it is written"), value);
    read
}

#[test]
fn what_the_gateway_says_is_read_and_written_the_same() {
    let session: Session = kept(&json!({
        "token": "t", "expiresIn": 900, "operator": {"name": "anna", "role": "admin", "platform": "acme"}
    }));
    assert_eq!(session.operator.role, Role::Admin);
    let matter: Matter = kept(&json!({
        "id": "1", "kind": "order.unknown", "subject": {"kind": "order", "id": "2", "number": "A-1"},
        "merchantId": "3", "storeId": "4", "count": 1, "raisedAt": "2026-11-26T10:04:25.671Z",
        "seenAt": "2026-11-26T10:04:25.671Z", "detail": {}, "cause": "c.", "nextStep": "n."
    }));
    assert_eq!(matter.raised_at.ms(), 1_795_687_465_671);
    let fact: FactInFull = kept(&json!({
        "id": "1", "merchantId": "2", "number": "A-1", "source": "notice", "claim": "paid", "state": "held",
        "heldAt": "2026-11-26T10:04:25.671Z", "differences": [], "sentNumber": "S", "orderStatus": "awaiting",
        "fields": [{"field": "amount", "asked": 2100, "told": 2101, "differs": true}]
    }));
    assert_eq!(fact.fields[0].told, Some(json!(2101)));
    kept::<Rows<Platform>>(&json!({"data": [{
        "id": "1", "slug": "demo", "name": "Demo", "limit": {"count": 5, "window": "1s"},
        "createdAt": "2026-11-26T10:04:25.671Z"
    }]}));
}

#[test]
fn members_of_later_versions_are_passed_over() {
    let me: Me =
        serde_json::from_value(json!({"name": "anna", "role": "viewer", "badge": 7})).expect("it is read");
    assert_eq!(me.platform, None);
}

#[test]
fn each_role_may_what_those_before_it_may() {
    assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
}

#[test]
fn a_moment_is_its_milliseconds() {
    for ms in [0, -1, 1_795_687_465_671] {
        assert_eq!(Moment::of_ms(ms).expect("a date").ms(), ms);
    }
    assert_eq!(Moment::of_ms(i64::MAX), None);
}
