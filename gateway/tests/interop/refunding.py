"""Checks: money that goes back."""

from checks import check, joints_are_compact, mentions, well_formed
from stage import ACCOUNT_NO, UPSTREAM_STORE


@check
def a_payment_goes_back_in_parts_and_neither_side_sees_the_numbers_of_the_other(stage):
    body, order = stage.open()
    stage.pay(body, order)
    number = body["partnerOrderNo"]
    answer = stage.client.refund(number, "theirs-1", 600, operatorId="clerk-17", terminalNo="till-4")
    well_formed(answer)
    expected = {"code": 1, "status": 1, "orderAmount": 600, "currency": "HKD", "refundNo": "theirs-1"}
    assert {name: answer.body.get(name) for name in expected} == expected, answer
    joints_are_compact(answer.raw)
    sent = stage.upstream.refunds(order.number)[0]
    assert not mentions(sent.raw, ["theirs-1", "clerk-17", "till-4", number]), sent.raw
    leaks = mentions(answer.raw, [ACCOUNT_NO, UPSTREAM_STORE, order.number, sent.body["refundNo"]])
    assert not leaks, f"{leaks} in {answer.raw}"
    assert stage.client.query({"partnerOrderNo": number}).body["status"] == 1
    assert stage.client.refund(number, "theirs-2", 1500).body["status"] == 1
    assert stage.client.query({"partnerOrderNo": number}).body["status"] == 3
    assert sum(order.given_back.values()) == order.amount


@check
def the_same_refund_again_is_the_same_and_more_than_is_left_is_code_35(stage):
    body, order = stage.open()
    stage.pay(body, order)
    number = body["partnerOrderNo"]
    first = stage.client.refund(number, "r", 600)
    assert stage.client.refund(number, "r", 600).body == first.body
    assert stage.client.refund(number, "r", 601).code == 31
    assert stage.client.refund(number, "s", 1501).code == 35
    assert len(stage.upstream.refunds(order.number)) == 1


@check
def a_refund_whose_answer_is_lost_is_made_once(stage):
    body, order = stage.open()
    stage.pay(body, order)
    number = body["partnerOrderNo"]
    stage.upstream.set_fault("hang-up", number=order.number)
    answer = stage.client.refund(number, "r", 600)
    well_formed(answer)
    assert (answer.code, answer.body["status"]) == (1, 0), answer
    assert stage.client.refund(number, "s", 600).code == 32
    assert stage.client.refund(number, "r", 600).body["status"] == 0
    assert list(order.given_back.values()) == [600]


@check
def what_is_not_paid_or_not_held_is_not_refunded(stage):
    body, order = stage.open()
    assert stage.client.refund(body["partnerOrderNo"], "r", 600).code == 32
    assert stage.client.refund("nobodys", "r", 600).code == 30
    assert stage.client.refund(body["partnerOrderNo"], None, 600).code == 4
    assert stage.client.refund(body["partnerOrderNo"], "r", 0).code == 5
    assert not stage.upstream.refunds(order.number)
