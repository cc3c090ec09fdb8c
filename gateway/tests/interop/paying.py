"""Checks: what the shop is told when money comes, and what a merchant is told when the upstream fails."""

import http.client
import html
import threading
import urllib.parse

import envelope
import web
from checks import CREATE_PATH, check, check_each_style, joints_are_compact, mentions, opened, refused, well_formed
from stage import ACCOUNT_NO, MERCHANT_KEY, MERCHANT_NO, UPSTREAM_STORE, acknowledged


@check_each_style
def a_notice_in_this_style_is_told_to_the_shop_with_the_merchants_numbers(stage, style):
    body, order = stage.open(orderTitle="拉麵 / 🍜")
    told = stage.pay(body, order, style)
    assert told.verified, told.raw
    assert told.headers["Content-Type"].startswith("application/json"), told.headers
    assert told.header["partnerNo"] == MERCHANT_NO, told.header
    expected = {
        "code": 1,
        "status": 1,
        "orderNo": order.order_no,
        "partnerOrderNo": body["partnerOrderNo"],
        "orderAmount": 2100,
        "currency": "HKD",
        "wallet": "Alipay",
    }
    assert {name: told.body.get(name) for name in expected} == expected, told.raw
    assert told.body["payTime"], told.raw
    leaks = mentions(told.raw, [ACCOUNT_NO, UPSTREAM_STORE, order.number])
    assert not leaks, f"{leaks} in {told.raw}"
    joints_are_compact(told.raw)
    assert envelope.cut_by_words(told.raw, "response", MERCHANT_KEY), told.raw


@check
def a_repeated_notice_is_acknowledged_and_told_once(stage):
    body, order = stage.open()
    stage.pay(body, order)
    acknowledged(stage.upstream.notify(order))
    acknowledged(stage.upstream.notify(order, "pretty"))
    stage.after_a_later_delivery()
    assert len(stage.shop.told_about(body["partnerOrderNo"])) == 1


@check
def a_paid_order_is_paid_in_the_query(stage):
    body, order = stage.open()
    stage.pay(body, order)
    answer = stage.client.query({"partnerOrderNo": body["partnerOrderNo"]})
    well_formed(answer)
    assert (answer.body["status"], answer.body["orderAmount"]) == (1, 2100), answer
    joints_are_compact(answer.raw)


@check
def a_payment_learned_by_a_query_is_told_to_the_shop(stage):
    body, order = stage.open()
    stage.upstream.become(order, 1)
    stage.paid.append(body["partnerOrderNo"])
    answer = stage.client.query({"partnerOrderNo": body["partnerOrderNo"]})
    assert answer.body["status"] == 1, answer
    stage.shop.wait_told(body["partnerOrderNo"])
    acknowledged(stage.upstream.notify(order))


@check
def a_notice_signed_with_another_key_is_not_taken(stage):
    body, order = stage.open()
    reply = stage.upstream.notify(order, key=MERCHANT_KEY, status=1)
    assert reply.raw.strip().lower() != b"success", reply.raw
    stage.after_a_later_delivery()
    assert not stage.shop.told_about(body["partnerOrderNo"])


@check
def a_notice_that_does_not_fit_the_order_is_acknowledged_and_not_told(stage):
    for changes in ({"orderAmount": 1}, {"currency": "JPY"}, {"partnerOrderNo": "somebody-elses"}):
        body, order = stage.open()
        acknowledged(stage.upstream.notify(order, status=1, payTime=envelope.now(), **changes))
        stage.after_a_later_delivery()
        assert not stage.shop.told_about(body["partnerOrderNo"]), changes
        # The truth, when it comes, still counts.
        assert stage.pay(body, order).verified


@check
def only_money_is_told_and_money_wins_over_a_failure(stage):
    body, order = stage.open()
    acknowledged(stage.upstream.notify(order, status=0))
    stage.upstream.become(order, 2)
    acknowledged(stage.upstream.notify(order))
    stage.after_a_later_delivery()
    assert not stage.shop.told_about(body["partnerOrderNo"])
    assert stage.pay(body, order).body["status"] == 1


@check
def an_order_without_a_notifyurl_can_be_paid_and_queried(stage):
    body, order = stage.open(notifyUrl=None)
    acknowledged(stage.upstream.pay(order))
    assert stage.client.query({"partnerOrderNo": body["partnerOrderNo"]}).body["status"] == 1


@check
def the_payer_comes_back_with_the_merchants_number_and_the_query_finds_the_truth(stage):
    body, order = stage.open()
    stage.upstream.become(order, 1)
    stage.paid.append(body["partnerOrderNo"])
    form = urllib.parse.urlencode({"partnerOrderNo": order.number}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    page = web.exchange("POST", order.body["returnUrl"], form, kind)
    assert page.status == 200, f"{page.status} {page.raw[:200]}"
    text = html.unescape(page.raw.decode())
    assert body["partnerOrderNo"] in text and stage.shop.return_url in text, text
    leaks = [word for word in (order.number, ACCOUNT_NO, UPSTREAM_STORE) if word in text]
    assert not leaks, f"{leaks} in {text}"
    stage.shop.wait_told(body["partnerOrderNo"])
    assert stage.client.query({"partnerOrderNo": body["partnerOrderNo"]}).body["status"] == 1


@check
def an_answer_that_proves_nothing_is_code_21_and_never_sent_twice(stage):
    for fault, code in (
        ("http-502", None), ("wrong-key", None), ("not-json", None), ("hang-up", None),
        ("code-after", 2), ("code-after", 9), ("code-after", 20), ("code-after", 21), ("code-after", 22),
        ("code-after", 31), ("code-after", 32), ("code-after", 33), ("code-after", 77),
    ):
        before = len(stage.upstream.creates())
        stage.upstream.set_fault(fault, code)
        answer = stage.client.create(stage.order())
        refused(answer, 21)
        joints_are_compact(answer.raw)
        assert len(stage.upstream.creates()) == before + 1, fault


@check
def an_order_in_doubt_is_looked_up_before_it_is_opened_again(stage):
    for fault in ("http-502", "wrong-key", "not-json", "hang-up"):
        body = stage.order()
        stage.upstream.set_fault(fault)
        refused(stage.client.create(body), 21)
        lost = stage.upstream.creates()[-1]
        answer = stage.client.create(body)
        assert answer.code == 1 and answer.verified, answer
        again = stage.upstream.creates()[-1]
        assert again.number != lost.number, "each submission has a number of its own"
        looked_up = stage.upstream.queries(lost.number)
        assert looked_up, fault
        seen = stage.upstream.seen
        assert seen.index(lost) < seen.index(looked_up[0]) < seen.index(again), fault
        opened(answer, stage.upstream.order_numbered(again.number))


@check
def money_for_a_submission_whose_answer_was_lost_is_told(stage):
    body = stage.order()
    stage.upstream.set_fault("hang-up")
    refused(stage.client.create(body), 21)
    lost = stage.upstream.order_numbered(stage.upstream.creates()[-1].number)
    told = stage.pay(body, lost)
    assert told.verified and told.body["orderAmount"] == 2100, told.raw
    assert stage.client.query({"partnerOrderNo": body["partnerOrderNo"]}).body["status"] == 1


@check
def an_order_in_doubt_that_was_paid_is_not_opened_again(stage):
    body = stage.order()
    stage.upstream.set_fault("hang-up")
    refused(stage.client.create(body), 21)
    lost = stage.upstream.order_numbered(stage.upstream.creates()[-1].number)
    stage.upstream.become(lost, 1)
    stage.paid.append(body["partnerOrderNo"])
    before = len(stage.upstream.creates())
    well_formed(stage.client.create(body))
    assert len(stage.upstream.creates()) == before
    stage.shop.wait_told(body["partnerOrderNo"])


@check
def a_refusal_is_passed_on_and_frees_the_number(stage):
    for code in (40, 41, 42, 43, 44):
        body = stage.order()
        stage.upstream.set_fault("code", code)
        refused(stage.client.create(body), code)
        answer = stage.client.create(body | {"wallet": "Wechat"})
        assert answer.code == 1 and answer.verified, answer


@check
def a_query_that_the_upstream_does_not_answer_is_an_envelope_all_the_same(stage):
    for fault in ("http-502", "wrong-key", "not-json", "hang-up"):
        body, order = stage.open()
        stage.upstream.set_fault(fault, number=order.number)
        answer = stage.client.query({"partnerOrderNo": body["partnerOrderNo"]})
        well_formed(answer)
        assert answer.body.get("status") != 1, answer
        assert stage.upstream.fault is None, f"{fault}: the upstream was not asked"


@check
def two_calls_at_once_open_one_order(stage):
    body, answers = stage.order(), []
    before = len(stage.upstream.creates())
    stage.upstream.hold()
    callers = [threading.Thread(target=lambda: answers.append(stage.client.create(body))) for _ in range(2)]
    for caller in callers:
        caller.start()
    stage.upstream.wait_for(lambda: len(stage.upstream.creates()) > before, "a create")
    stage.upstream.release()
    for caller in callers:
        caller.join(web.DEADLINE)
    assert len(answers) == 2
    order = stage.upstream.order_numbered(stage.upstream.creates()[-1].number)
    for answer in answers:
        opened(answer, order)
    assert len(stage.upstream.creates()) == before + 1


@check
def a_client_that_hangs_up_loses_nothing(stage):
    body = stage.order()
    before = len(stage.upstream.creates())
    stage.upstream.hold()
    parts = urllib.parse.urlsplit(stage.client.base)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=web.DEADLINE)
    document = stage.client.document(body)
    connection.request("POST", parts.path + CREATE_PATH, document, {"Content-Type": "application/json"})
    stage.upstream.wait_for(lambda: len(stage.upstream.creates()) > before, "the create")
    connection.close()
    stage.upstream.release()
    opened(stage.client.create(body), stage.upstream.order_numbered(stage.upstream.creates()[-1].number))
    assert len(stage.upstream.creates()) == before + 1


@check
def a_notice_may_come_before_the_answer_to_the_create(stage):
    body, answers = stage.order(), []
    before = len(stage.upstream.orders)
    stage.upstream.hold()
    caller = threading.Thread(target=lambda: answers.append(stage.client.create(body)))
    caller.start()
    stage.upstream.wait_for(lambda: len(stage.upstream.orders) > before, "the order")
    order = stage.upstream.order_numbered(stage.upstream.creates()[-1].number)
    told = stage.pay(body, order)
    assert told.verified, told.raw
    stage.upstream.release()
    caller.join(web.DEADLINE)
    opened(answers[0], order)
    assert stage.client.query({"partnerOrderNo": body["partnerOrderNo"]}).body["status"] == 1
