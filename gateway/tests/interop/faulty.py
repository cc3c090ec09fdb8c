"""Checks: each thing that can go wrong between ScanForPay and the gateway, with every product. Whatever it is, the
merchant is told of the money that came, once, and no more goes back than was asked for."""

import threading

import web
from checks import check_each_product, refused, well_formed
from products import body_of
from stage import acknowledged
from upstream import NOTICES, REFUNDS

# What the merchant hears of a payment because of its notice alone: how the notice goes wrong → told, acknowledged.
TOLD_BY_NOTICE = {
    "late": (False, None),
    "never": (False, None),
    "twice": (True, True),
    "out of order": (True, True),
    "wrong amount": (False, True),
    "wrong currency": (False, True),
    "wrong key": (False, False),
    "other order": (False, True),
}
# The notice that does not fit makes the gateway ask, and so it is told all the same.
ASKED_AT_ONCE = ("wrong amount", "wrong currency", "other order")
# The answer to a create is worth nothing, and the order is open.
LOST_CREATES = ("wrong-key", "not-json", "hang-up", "silence")
# fault of the call, what becomes of the refund → what the merchant hears of all of it (code, status), what went back
REFUNDED = {
    (None, "is made"): ((1, 1), True),
    (None, "goes on"): ((1, 0), False),
    (None, "fails"): ((1, 2), False),
    ("hang-up", "is made"): ((1, 0), True),
    ("silence", "is made"): ((1, 0), True),
    ("not-json", "is made"): ((1, 0), True),
    ("wrong-key", "is made"): ((1, 0), True),
    ("code-after", "is made"): ((1, 0), True),
    ("http-502", "is made"): ((1, 0), False),
}


def place(stage, path):
    """An order by this product that is still to be paid: its body and the order as the upstream has it."""
    stage.upstream.set_scan("waits")
    body = body_of(stage, path)
    answer = stage.client.create(body, path)
    well_formed(answer)
    assert answer.code == 1, answer
    return body, stage.upstream.order_numbered(stage.upstream.creates()[-1].number)


def state_of(stage, body):
    answer = stage.client.query({"partnerOrderNo": body["partnerOrderNo"]})
    well_formed(answer)
    return answer


@check_each_product
def a_notice_that_goes_wrong_costs_no_payment_and_tells_none_twice(stage, path):
    assert set(TOLD_BY_NOTICE) == set(NOTICES)
    for how, (told, taken) in TOLD_BY_NOTICE.items():
        body, order = place(stage, path)
        number = body["partnerOrderNo"]
        _, other = place(stage, path)
        stage.upstream.become(order, 1)
        stage.paid.append(number)
        replies = stage.upstream.notify_badly(order, how, other)
        assert [reply.raw == b"success" for reply in replies] == [taken] * len(replies), how
        if told or how in ASKED_AT_ONCE:
            stage.shop.wait_told(number)
        else:
            stage.after_a_later_delivery()
            assert not stage.shop.told_about(number), how
            # Who asks finds it, and what comes late tells nothing new.
            assert state_of(stage, body).body["status"] == 1, how
            stage.shop.wait_told(number)
        if how == "late":
            acknowledged(stage.upstream.notify(order))
        answer = state_of(stage, body)
        assert (answer.body["status"], answer.body["orderAmount"]) == (1, order.amount), how
        stage.after_a_later_delivery()
        assert len(stage.shop.told_about(number)) == 1, how


@check_each_product
def a_create_that_took_effect_unheard_is_found_and_its_payment_told(stage, path):
    stage.upstream.set_scan("waits")
    lost = []
    for fault in LOST_CREATES:
        body = body_of(stage, path)
        stage.upstream.set_fault(fault)
        refused(stage.client.create(body, path), 21)
        stage.upstream.release()
        order = stage.upstream.order_numbered(stage.upstream.creates()[-1].number)
        stage.upstream.become(order, 1)
        stage.paid.append(body["partnerOrderNo"])
        lost.append((body, order))
    # No notice ever comes and nobody asks: the gateway looks by itself.
    for body, order in lost:
        told = stage.shop.wait_told(body["partnerOrderNo"])
        assert told.body["orderAmount"] == order.amount, told.raw
        assert state_of(stage, body).body["status"] == 1


@check_each_product
def an_answer_that_names_another_amount_is_nothing_to_go_by(stage, path):
    body, order = place(stage, path)
    stage.upstream.become(order, 1)
    amount, order.amount = order.amount, order.amount + 1
    for _ in range(2):
        refused(state_of(stage, body), 21)
    order.amount = amount
    stage.paid.append(body["partnerOrderNo"])
    # As the truth comes by its notice.
    acknowledged(stage.upstream.notify(order))
    assert stage.shop.wait_told(body["partnerOrderNo"]).body["orderAmount"] == amount


@check_each_product
def a_refund_that_goes_wrong_is_made_once_or_not_at_all(stage, path):
    assert {outcome for _, outcome in REFUNDED} == set(REFUNDS)
    for (fault, outcome), (told, goes_back) in REFUNDED.items():
        body, order = place(stage, path)
        number = body["partnerOrderNo"]
        stage.pay(body, order)
        stage.upstream.set_refunds(outcome)
        stage.upstream.set_fault(fault, 9, number=order.number)
        answer = stage.client.refund(number, "r", 600)
        well_formed(answer)
        assert (answer.code, answer.body["status"]) == told, f"{fault}, {outcome}: {answer}"
        stage.upstream.release()
        assert order.went_back() == (600 if goes_back else 0), f"{fault}, {outcome}"
        if told == (1, 0):
            # An impatient clerk, and more than is left while it is kept back.
            assert stage.client.refund(number, "s", 600).code == 32, f"{fault}, {outcome}"
            assert stage.client.refund(number, "t", order.amount - 599).code == 35, f"{fault}, {outcome}"
        assert stage.client.refund(number, "r", 600).body["status"] == told[1], f"{fault}, {outcome}"
        calls = [one.body["refundNo"] for one in stage.upstream.refunds(order.number)]
        assert len(calls) == 1, f"{fault}, {outcome}: {calls}"
        stage.upstream.set_refunds("is made")


@check_each_product
def a_whole_refund_whose_answer_is_lost_is_found_by_asking(stage, path):
    for fault in ("hang-up", "silence"):
        body, order = place(stage, path)
        number = body["partnerOrderNo"]
        stage.pay(body, order)
        stage.upstream.set_fault(fault, number=order.number)
        assert stage.client.refund(number, "r", order.amount).body["status"] == 0
        stage.upstream.release()
        assert stage.client.refund(number, "r", order.amount).body["status"] == 1, fault
        assert state_of(stage, body).body["status"] == 3, fault
        assert stage.client.refund(number, "s", 1).code in (32, 35), fault
        assert (order.went_back(), len(stage.upstream.refunds(order.number))) == (order.amount, 1), fault


@check_each_product
def a_refund_that_goes_on_is_told_as_made_when_it_ends_while_it_is_waited_for(stage, path):
    body, order = place(stage, path)
    stage.pay(body, order)
    stage.upstream.set_refunds("goes on")
    answers = []
    number = body["partnerOrderNo"]
    caller = threading.Thread(target=lambda: answers.append(stage.client.refund(number, "r", order.amount)))
    caller.start()
    sent = stage.upstream.wait_for(lambda: order.refunds, "a refund")
    stage.upstream.end_refund(order, next(iter(sent)), "is made")
    caller.join(web.DEADLINE)
    assert answers and answers[0].body["status"] == 1, answers
    assert state_of(stage, body).body["status"] == 3
