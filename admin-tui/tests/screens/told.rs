//! What the gateway says in these tests.

use admin_tui::app::Tab;
use admin_tui::client::Page;
use admin_tui::event::Loaded;
use serde_json::{Value, json};
use shared::ops::{EntryBytes, FactInFull};

use crate::kit::{NOW_MS, read};

pub fn matter(id: &str, kind: &str, subject: &str, number: &str) -> Value {
    json!({
        "id": id, "kind": kind, "subject": {"kind": subject, "id": format!("S{id}"), "number": number},
        "merchantId": "M1", "storeId": "T1", "count": 2, "raisedAt": "2026-11-26T09:55:25Z",
        "seenAt": "2026-11-26T10:00:00Z", "detail": {"amount": 2100, "currency": "HKD"},
        "cause": "ScanForPay gave no answer about the order for as long as it was asked.",
        "nextStep": "Look the order up at ScanForPay by its order number."
    })
}

pub fn attention() -> Loaded {
    let rows = json!([
        matter("1", "fact.quarantined", "fact", "咖啡-17"),
        matter("2", "refund.proposed", "refund", "R-2"),
        matter("3", "refund.unknown", "refund", "R-3"),
        matter("4", "order.unknown", "order", "A-4"),
    ]);
    Loaded::Attention(Page { rows: read(rows), next: None })
}

pub fn fact() -> FactInFull {
    read(json!({
        "id": "S1", "merchantId": "M1", "number": "咖啡-17", "source": "notice", "claim": "paid", "state": "held",
        "heldAt": "2026-11-26T09:55:25Z", "differences": [], "sentNumber": "S", "orderStatus": "awaiting",
        "fields": [
            {"field": "amount", "asked": 2100, "told": 2101, "differs": true},
            {"field": "currency", "asked": "HKD", "told": "HKD", "differs": false},
        ]
    }))
}

const AT: &str = "2026-11-26T09:00:00Z";

pub fn order(id: &str, number: &str, status: &str, amount: i64) -> Value {
    let paid = if matches!(status, "paid" | "partially_refunded") { amount } else { 0 };
    json!({
        "id": id, "number": number, "platform": "demo", "merchantId": "M1", "partnerNo": "10001", "storeNo": "S-1",
        "product": "qr", "wallet": "Alipay", "amount": amount, "paidAmount": paid, "refundedAmount": 0,
        "currency": "HKD", "title": "冰咖啡 × 2 🧋", "status": status,
        "createdAt": AT, "updatedAt": "2026-11-26T09:01:00Z"
    })
}

pub fn delivery(id: &str, state: &str, tries: i64) -> Value {
    json!({
        "id": id, "eventId": format!("E{id}"), "kind": "order.paid", "endpointId": "N1",
        "url": "https://shop.example/notify", "merchantId": "M1", "number": "咖啡-17", "state": state,
        "attemptCount": tries, "outcome": if tries > 0 { "refused" } else { "not tried" },
        "dueAt": "2026-11-26T10:07:25Z", "createdAt": AT
    })
}

pub fn replay(id: &str, state: &str, total: i64) -> Value {
    json!({
        "id": id, "state": state, "skipAcknowledged": true, "reason": "the shop was down", "askedBy": "operator:anna",
        "rate": 50, "total": total, "merchants": 2, "endpoints": 3, "oldestAt": AT,
        "newestAt": "2026-11-26T09:30:00Z", "takesSeconds": 125, "sending": 2, "delivered": total / 2,
        "failed": 1, "skipped": 0, "createdAt": "2026-11-26T10:00:00Z"
    })
}

fn service() -> Value {
    json!({"attempts": 40, "acknowledged": 30, "p50Ms": 12, "p95Ms": 80, "p99Ms": 900, "backlog": 7, "exhausted": 2})
}

pub fn endpoint(id: &str, status: &str) -> Value {
    json!({
        "id": id, "kind": "registered", "platform": "demo", "merchantId": "M1", "url": "https://shop.example/hooks",
        "format": "standard-webhooks", "status": status, "breaker": "open", "failingSince": "2026-11-26T09:50:00Z",
        "service": service(), "createdAt": AT
    })
}

fn merchant() -> Value {
    json!({
        "id": "M1", "platform": "demo", "partnerNo": "10001", "name": "咖啡店 Coffee", "mode": "live", "stores": 1,
        "createdAt": AT, "suspended": false
    })
}

pub fn merchant_whole() -> Value {
    json!({
        "merchant": merchant(), "limit": {"count": 50, "window": "1s"},
        "limitUse": {"count": 50, "window": "1s", "used": 12, "refused": 0},
        "stores": [{
            "id": "T1", "storeNo": "S-1", "accountId": "A1", "currency": "HKD", "wallets": ["Alipay", "Wechat"],
            "createdAt": AT, "disabled": false, "credentialsFail": true,
            "limitUse": {"count": 20, "window": "1s", "used": 19, "refused": 7}
        }],
        "keys": [
            {"id": "K2", "createdAt": AT, "lastUsedAt": "2026-11-26T10:00:00Z"},
            {"id": "K1", "createdAt": "2026-10-26T09:00:00Z", "endsAt": "2026-12-01T00:00:00Z"}
        ],
        "endpoints": [endpoint("N1", "active")], "service": service()
    })
}

pub fn delivery_whole() -> Value {
    let mut whole = delivery("D1", "due", 2);
    whole["attempts"] = json!([
        {"at": "2026-11-26T09:00:01Z", "tookMs": 31, "status": 500, "outcome": "refused", "excerpt": "<h1>库存</h1> error"},
        {"at": "2026-11-26T09:00:31Z", "tookMs": 10_000, "outcome": "timed_out"}
    ]);
    whole
}

pub fn order_whole() -> Value {
    json!({
        "order": order("O1", "咖啡-17", "paid", 2100),
        "stands": "paid 09:01:00Z; the shop answered 500 twice, next try in 3m",
        "sentNumber": "01KB0000000000000000000017", "orderNo": "2026112609000012345",
        "payUrl": "https://pay.example/c/abc123", "expiresAt": "2026-11-27T09:00:00Z",
        "submissions": [{"id": "01KB0000000000000000000017", "sentAt": AT, "answeredAt": "2026-11-26T09:00:00.087Z", "code": 1}],
        "refunds": [{
            "id": "R1", "orderId": "O1", "number": "咖啡-17", "merchantId": "M1", "refundNo": "R-1", "amount": 100,
            "currency": "HKD", "state": "failed", "askedBy": "operator:anna", "reason": "one cup was cold", "calls": 1,
            "leftAmount": 2100, "createdAt": "2026-11-26T09:30:00Z", "updatedAt": "2026-11-26T09:30:00Z"
        }],
        "timeline": [
            {"id": "J1", "hasBytes": true, "at": AT, "kind": "placed", "text": "submission 1, store S-1, key 01KB0000000000000000000042"},
            {"id": "J2", "hasBytes": true, "at": "2026-11-26T09:00:00.087Z", "kind": "answer", "text": "submitting → awaiting, code 1, after 87 ms"},
            {"id": "J3", "hasBytes": true, "at": "2026-11-26T09:01:00Z", "kind": "notice", "text": "awaiting → paid, code 1, status 1"},
            {"hasBytes": false, "at": "2026-11-26T09:01:01Z", "kind": "attempt", "text": "order.paid to https://shop.example/notify: refused (500) in 31 ms"},
            {
                "id": "J4", "hasBytes": false, "at": "2026-11-26T09:40:00Z", "kind": "query", "by": "operator:anna",
                "text": "paid → paid, code 1, status 1", "detail": {"code": 1, "status": 1, "by": "operator:anna"}
            }
        ],
        "deliveries": [delivery_whole()]
    })
}

/// A notice, with what no screen shows as it is.
pub fn bytes() -> EntryBytes {
    let text = "{\"partnerNo\":\"10001\",\"body\":{\"orderTitle\":\"\\u51b0\\u5496\\u5561 \u{202e}\",\t\"orderAmount\":2100}}\n";
    read(json!({
        "id": "J3", "at": "2026-11-26T09:01:00Z", "kind": "notice", "text": text, "size": text.len(), "cut": false
    }))
}

pub fn overview() -> Value {
    let placed: Vec<u64> = (0..60).map(|minute| 20 + minute % 13).collect();
    let paid: Vec<u64> = placed.iter().map(|placed| placed * 9 / 10).collect();
    let amounts: Vec<u64> = paid.iter().map(|paid| paid * 2100).collect();
    let times: Vec<Value> =
        (0..60).map(|minute| json!({"p50Ms": 20 + minute % 7, "p99Ms": 80 + minute})).collect();
    json!({
        "at": AT, "stepSeconds": 60,
        "currencies": [
            {"currency": "HKD", "placed": placed, "paid": paid, "paidAmount": amounts},
            {"currency": "JPY", "placed": [1, 0, 2], "paid": [0, 0, 1], "paidAmount": [0, 0, 2100]}
        ],
        "wallets": [{"wallet": "Alipay", "paid": 900}, {"wallet": "Wechat", "paid": 300}],
        "upstream": times, "noticeToAcknowledgement": [{}, {"p50Ms": 2, "p99Ms": 9}],
        "deliveriesDue": 12, "oldestDueAt": "2026-11-26T10:00:25Z", "endpointsFailing": 1, "limitHits": 0,
        "mattersWaiting": 4
    })
}

fn page<T: serde::de::DeserializeOwned>(rows: Value, next: Option<&str>) -> Page<T> {
    Page { rows: read(rows), next: next.map(str::to_owned) }
}

pub fn loaded(tab: Tab) -> Loaded {
    match tab {
        Tab::Overview => Loaded::Overview(Box::new(read(overview()))),
        Tab::Orders => {
            let rows = json!([
                order("O3", "A-19", "unknown", 9900),
                order("O2", "A-18", "awaiting", 50),
                order("O1", "咖啡-17", "paid", 2100),
            ]);
            Loaded::Orders(page(rows, None))
        }
        Tab::Deliveries => {
            let rows = json!([
                delivery("D1", "due", 2),
                delivery("D2", "exhausted", 12),
                delivery("D3", "delivered", 1)
            ]);
            Loaded::Deliveries(page(rows, None))
        }
        Tab::Endpoints => {
            let rows =
                json!([endpoint("N1", "active"), endpoint("N2", "paused"), endpoint("N3", "disabled")]);
            Loaded::Endpoints(page(rows, None))
        }
        Tab::Replays => {
            let rows = json!([
                replay("Y1", "preview", 24),
                replay("Y2", "running", 240),
                replay("Y3", "paused", 10),
                replay("Y4", "done", 4)
            ]);
            Loaded::Replays(page(rows, None))
        }
        Tab::Attention => attention(),
        Tab::Merchants => {
            let mut suspended = merchant();
            suspended["id"] = json!("M2");
            suspended["suspended"] = json!(true);
            Loaded::Merchants(page(json!([merchant(), suspended]), None))
        }
        Tab::Platforms => {
            let rows = json!([
                {"id": "P1", "slug": "demo", "name": "咖啡 Group", "limit": {"count": 2000, "window": "1s"}, "createdAt": AT},
                {"id": "P2", "slug": "acme", "name": "Acme Commerce", "createdAt": AT},
            ]);
            Loaded::Platforms(page(rows, None))
        }
        Tab::Operators => {
            let rows = json!([
                {"name": "anna", "role": "admin", "createdAt": AT},
                {"name": "ben", "role": "viewer", "platform": "acme", "createdAt": AT, "disabledAt": AT},
            ]);
            Loaded::Operators(page(rows, None))
        }
        Tab::Audit => {
            let rows = json!([{
                "id": "C1", "at": AT, "operatorId": "O1", "address": "127.0.0.1", "action": "attention.ended",
                "subjectId": "S1", "before": {"kind": "order.unknown"}, "after": {"reason": "seen to"},
            }]);
            Loaded::Audit(page(rows, Some("/ops/v1/audit?cursor=x")))
        }
        Tab::Health => Loaded::Health(Box::new(read(json!({
            "version": "0.1.0", "store": "scangate.db", "disk_is_low": true, "limits_count": "alone",
            "accounts_barred": 0, "deliveries_due": 3, "oldest_due_since": NOW_MS - 90_000, "orders_overdue": 1,
            "master_keys_previous": 0, "sealed_under_previous": 0, "attention": 4, "facts_held": 1
        })))),
    }
}
