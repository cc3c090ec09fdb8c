use super::*;
use crate::config::Config;

const START: i64 = 1_790_000_000_000;

fn pace(unnoticed: bool) -> Pace {
    Pace::new(&Config::default().reconcile, unnoticed)
}

fn order(status: OrderStatus, submissions: i64) -> order::Model {
    order::Model {
        id: "o".into(),
        platform_id: "p".into(),
        merchant_id: "m".into(),
        store_id: "s".into(),
        number: "n".into(),
        product: "qrcode".into(),
        wallet: None,
        currency: "HKD".into(),
        amount: 2100,
        title: None,
        notify_url: None,
        return_url: None,
        content_hash: Vec::new(),
        status: status.as_str().into(),
        late: false,
        paid: 0,
        refund_reserved: 0,
        refunded: 0,
        submission_id: "s".into(),
        submissions,
        answer_due_at: START + 25 * SECOND,
        pay_url: None,
        answer_extra: None,
        code: None,
        upstream_order_no: None,
        paid_wallet: None,
        buyer: None,
        buyer_id: None,
        pay_time: None,
        sign_key_id: "k".into(),
        events: 0,
        created_at: START,
        updated_at: START,
        expires_at: START + 24 * HOUR,
        look_at: None,
        looks: 0,
        reference: None,
        paid_twice: false,
        refunded_elsewhere: 0,
        notice_due_at: None,
        second_payments: 0,
    }
}

/// All looks at an order that stays as it is, in seconds after `START`.
fn drawn(mut order: order::Model, pace: &Pace) -> Vec<i64> {
    let mut looks = Vec::new();
    let mut next = pace.first(&order, START);
    while let Some(at) = next {
        looks.push((at - START) / SECOND);
        next = match pace.next(&order, at) {
            Next::At(at) => Some(at),
            Next::Last(_) => None,
        };
        order.looks += 1;
    }
    looks
}

const H: i64 = 3_600;

#[test]
fn an_unknown_order_is_looked_after_as_the_list_says() {
    let mut expected = vec![5, 15, 30, 60, 120, 300, 600, 1_800];
    expected.extend((1..=24).map(|hour| hour * H));
    assert_eq!(drawn(order(OrderStatus::Unknown, 1), &pace(false)), expected);
}

#[test]
fn an_awaiting_order_is_looked_after_until_a_day_after_it_expired() {
    let order = order(OrderStatus::Awaiting, 1);
    assert_eq!(drawn(order.clone(), &pace(false)), [120, 600, 24 * H, 25 * H, 48 * H]);
    let mut tight = vec![30, 60, 120, 300, 600, 1_800];
    tight.extend((1..=25).map(|hour| hour * H));
    tight.push(48 * H);
    assert_eq!(drawn(order.clone(), &pace(true)), tight);
    let short = order::Model { expires_at: START + 180 * SECOND, ..order };
    assert_eq!(drawn(short, &pace(false)), [120, 180, 180 + H, 180 + 24 * H]);
}

#[test]
fn what_ended_without_money_is_looked_at_twice_more() {
    for status in [OrderStatus::Failed, OrderStatus::Closed] {
        assert_eq!(drawn(order(status, 1), &pace(true)), [H, 24 * H]);
    }
}

#[test]
fn nothing_is_expected_of_what_was_refused_or_paid_unless_it_was_submitted_twice() {
    let ended =
        [OrderStatus::Refused, OrderStatus::Paid, OrderStatus::PartiallyRefunded, OrderStatus::Refunded];
    for status in ended {
        assert_eq!(drawn(order(status, 1), &pace(true)), [0; 0]);
        assert_eq!(drawn(order(status, 2), &pace(false)), [120, 600, 24 * H, 25 * H, 48 * H]);
    }
}

#[test]
fn an_answer_is_overdue_when_it_is_due_and_every_half_minute_after() {
    let order = order(OrderStatus::Submitting, 1);
    assert_eq!(pace(false).first(&order, START), Some(START + 25 * SECOND));
    let late = START + HOUR;
    assert_eq!(pace(false).next(&order, late), Next::At(late + 30 * SECOND));
}

#[test]
fn what_was_missed_is_made_up_for_by_one_look() {
    let down_for = 3 * HOUR;
    let order = order::Model { looks: 4, ..order(OrderStatus::Unknown, 1) };
    assert_eq!(pace(false).next(&order, START + down_for), Next::At(START + down_for + 3 * MINUTE));
}

#[test]
fn an_old_order_is_asked_about_at_once_and_not_given_up_for_one_silence() {
    let old = order::Model { expires_at: START - 90 * 24 * HOUR, ..order(OrderStatus::Awaiting, 1) };
    assert_eq!(drawn(old, &pace(false)), [0, H, 2 * H]);
}

#[test]
fn what_is_in_doubt_at_its_last_look_is_not_forgotten_with_a_process_that_dies() {
    let unknown = order::Model { looks: 31, ..order(OrderStatus::Unknown, 1) };
    assert_eq!(pace(false).next(&unknown, START), Next::Last(Some(START + HOUR)));
    let closed = order::Model { looks: 1, ..order(OrderStatus::Closed, 1) };
    assert_eq!(pace(false).next(&closed, START), Next::Last(None));
}
