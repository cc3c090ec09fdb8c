"""Checks: what a merchant's client is answered when it creates and queries orders."""

import json

import envelope
import web
from checks import CREATE_PATH, check, check_each_style, joints_are_compact, mentions, opened, refused, well_formed
from stage import ACCOUNT_NO, MERCHANT_KEY, MERCHANT_NO, MERCHANT_STORE, UPSTREAM_STORE


@check_each_style
def an_upstream_may_answer_in_this_style(stage, style):
    stage.upstream.set_style(style)
    body, order = stage.open()
    answer = stage.client.query({"partnerOrderNo": body["partnerOrderNo"]})
    well_formed(answer)
    expected = {"code": 1, "status": 0, "orderAmount": 2100, "currency": "HKD", "wallet": "Alipay"}
    found = {name: answer.body.get(name) for name in expected}
    assert found == expected, answer
    assert answer.body["partnerOrderNo"] == body["partnerOrderNo"], answer
    assert answer.body["orderNo"] == order.order_no, answer


@check_each_style
def a_merchant_may_ask_in_this_style(stage, style):
    body = stage.order(orderTitle="拉麵 🍜 / café")
    answer = stage.client.create(body, style=style)
    well_formed(answer)
    assert answer.code == 1, answer
    assert stage.upstream.creates()[-1].body["orderTitle"] == "拉麵 🍜 / café"
    answer = stage.client.query({"partnerOrderNo": body["partnerOrderNo"]}, style=style)
    well_formed(answer)
    assert (answer.code, answer.body["status"]) == (1, 0), answer


@check
def an_answer_starts_with_the_response_and_holds_the_words_once(stage):
    body, _ = stage.open(orderTitle="signature of a response")
    for answer in (
        stage.client.create(body),
        stage.client.query({"partnerOrderNo": body["partnerOrderNo"]}),
        stage.client.create(stage.order(wallet="response,signature")),
    ):
        joints_are_compact(answer.raw)
        assert envelope.cut_by_words(answer.raw, "response", MERCHANT_KEY), answer


@check
def an_answer_has_the_header_of_the_merchant(stage):
    answer = stage.client.create(stage.order())
    header = answer.header
    assert header["partnerNo"] == MERCHANT_NO, header
    assert (header["version"], header["signType"]) == ("1.0", "SHA256"), header
    assert 0 < len(header["respMsgId"]) <= 32 and header["reqMsgId"], header
    assert len(header["respTime"]) <= 25, header


@check
def neither_side_sees_the_numbers_of_the_other(stage):
    body = stage.order(orderTitle="numbers")
    answer = stage.client.create(body)
    sent = stage.upstream.creates()[-1]
    asked = stage.client.query({"partnerOrderNo": body["partnerOrderNo"]})
    for told in (answer, asked):
        leaks = mentions(told.raw, [ACCOUNT_NO, UPSTREAM_STORE, sent.number, sent.body["notifyUrl"]])
        assert not leaks, f"{leaks} in {told}"
    theirs = [MERCHANT_NO, MERCHANT_STORE, body["partnerOrderNo"], stage.shop.listener.url]
    for seen in (sent, stage.upstream.queries(sent.number)[0]):
        leaks = mentions(seen.raw, theirs)
        assert not leaks, f"{leaks} in {seen.raw}"


@check
def members_that_the_protocol_does_not_know_pass_both_ways(stage):
    answer = stage.client.create(stage.order(tradeSummary=True, basket=[{"name": "麵", "n": 2}]))
    seen = stage.upstream.creates()[-1].body
    assert seen["tradeSummary"] is True and seen["basket"] == [{"name": "麵", "n": 2}], seen
    assert answer.body["responseNote"] == "the signature of this response", answer
    assert answer.body["signatureOf"] == {"request": "response"}, answer


@check
def a_member_that_becomes_a_known_one_when_trimmed_or_folded_is_refused(stage):
    before = len(stage.upstream.creates())
    for name in ("orderAmount ", " storeNo", "ORDERAMOUNT", "notifyurl", "GoodsAmount\t"):
        refused(stage.client.create(stage.order(**{name: 1})), 5)
    assert len(stage.upstream.creates()) == before


@check
def a_repeat_gets_the_same_payurl_and_opens_nothing_new(stage):
    body, order = stage.open()
    before = len(stage.upstream.creates())
    opened(stage.client.create(body), order)
    opened(stage.client.create(dict(reversed(body.items())), style="pretty"), order)
    same_bytes = stage.client.document(body)
    opened(stage.client.post(CREATE_PATH, same_bytes), order)
    opened(stage.client.post(CREATE_PATH, same_bytes), order)
    assert len(stage.upstream.creates()) == before


@check
def other_content_under_a_live_number_is_code_31(stage):
    body, order = stage.open()
    before = len(stage.upstream.creates())
    refused(stage.client.create(body | {"orderAmount": 2101}), 31)
    refused(stage.client.create(body | {"wallet": "Wechat"}), 31)
    opened(stage.client.create(body), order)
    assert len(stage.upstream.creates()) == before


@check
def an_integral_amount_may_have_a_point_or_an_exponent(stage):
    for spelling in ("2100.0", "21e2", "2.1E+3"):
        answer = stage.client.post(CREATE_PATH, _with_amount(stage, spelling))
        well_formed(answer)
        assert answer.code == 1, answer
        seen = stage.upstream.creates()[-1].body["orderAmount"]
        assert type(seen) is int and seen == 2100, seen


@check
def any_other_amount_is_code_5(stage):
    before = len(stage.upstream.creates())
    for spelling in ("21.5", '"2100"', "-1", "0", "0.0", "1e400", "1e-400", "9007199254740993", "true", "[2100]"):
        answer = stage.client.post(CREATE_PATH, _with_amount(stage, spelling))
        refused(answer, 5)
        assert "orderAmount" in answer.body["msg"], answer
    assert len(stage.upstream.creates()) == before


@check
def what_a_store_does_not_take_is_code_5_and_what_is_missing_code_4(stage):
    before = len(stage.upstream.creates())
    for code, name, value in (
        (5, "wallet", "PayPal"),
        (5, "currency", "USD"),
        (5, "partnerOrderNo", "n" * 33),
        (5, "notifyUrl", "http://10.1.2.3/notify"),
        (5, "notifyUrl", "http://user:word@127.0.0.1/notify"),
        (5, "returnUrl", "javascript:alert(1)"),
        (4, "wallet", ""),
        (4, "wallet", None),
        (4, "orderAmount", None),
    ):
        body = stage.order()
        body = {key: kept for key, kept in (body | {name: value}).items() if kept is not None}
        answer = stage.client.create(body)
        refused(answer, code)
        assert name in answer.body["msg"], answer
    assert len(stage.upstream.creates()) == before


@check
def a_request_that_fails_validation_takes_no_number(stage):
    body = stage.order()
    refused(stage.client.create(body | {"wallet": "PayPal"}), 5)
    answer = stage.client.create(body)
    assert answer.code == 1 and answer.verified, answer


@check
def a_title_that_is_too_long_is_cut(stage):
    answer = stage.client.create(stage.order(orderTitle="🍜" * 101))
    assert answer.code == 1, answer
    assert stage.upstream.creates()[-1].body["orderTitle"] == "🍜" * 100


@check
def headers_of_the_samples_and_of_the_public_client_are_accepted(stage):
    time = envelope.now()
    for changes in (
        {"reqTime": None, "requestTime": time},
        {"requestTime": time},
        {"reqMsgId": ""},
        {"reqMsgId": None},
        {"reqMsgId": "fd03f269-3180-4575-8af0-8f6cf324fb0f"},
        {"signType": None},
    ):
        answer = stage.client.create(stage.order(operatorId=""), header=stage.client.header(**changes))
        assert answer.code == 1 and answer.verified, f"{changes}: {answer}"


@check
def a_stale_request_is_told_so_and_opens_nothing(stage):
    before = len(stage.upstream.creates())
    for time in ("2018-07-25T18:06:05+08:00", "2098-07-25T18:06:05+08:00"):
        answer = stage.client.create(stage.order(), header=stage.client.header(reqTime=time))
        well_formed(answer)
        assert answer.code not in (1, 8), answer
    assert len(stage.upstream.creates()) == before


@check
def a_message_id_comes_again_only_with_the_same_bytes(stage):
    header = stage.client.header()
    body = stage.order()
    answer = stage.client.create(body, header=header)
    order = stage.upstream.order_behind(answer.body["payUrl"])
    before = len(stage.upstream.creates())
    opened(stage.client.create(body, header=header), order)
    answer = stage.client.create(stage.order(), header=header)
    well_formed(answer)
    assert answer.code not in (1, 8), answer
    assert len(stage.upstream.creates()) == before


@check
def a_wrong_key_is_code_8_and_nothing_more(stage):
    body, order = stage.open()
    before = len(stage.upstream.creates())
    for ask in (
        lambda: stage.client.create(stage.order(), key="0" * 64),
        lambda: stage.client.create(body, key="0" * 64),
        lambda: stage.client.query({"partnerOrderNo": body["partnerOrderNo"]}, key="0" * 64),
    ):
        answer = ask()
        assert (answer.status, answer.code, set(answer.body)) == (200, 8, {"code", "msg"}), answer
        assert not answer.verified, f"signed with the merchant's own key: {answer}"
    assert len(stage.upstream.creates()) == before
    assert not stage.upstream.queries(order.number)


@check
def a_stranger_gets_the_words_that_a_wrong_key_gets(stage):
    wrong = stage.client.create(stage.order(), key="0" * 64)
    stranger = stage.client.create(stage.order(), header=stage.client.header(partnerNo="770033007700330"))
    assert stranger.body == wrong.body, f"{stranger} against {wrong}"
    assert set(stranger.header) == set(wrong.header), f"{stranger} against {wrong}"
    assert stranger.status == wrong.status == 200
    assert not stranger.verified, stranger


@check
def an_unknown_number_is_code_30_and_never_forwarded(stage):
    _, order = stage.open()
    refused(stage.client.query({"partnerOrderNo": "nobody-ordered-this"}), 30)
    refused(stage.client.query({"orderNo": "nobody-ordered-this"}), 30)
    # What we call it towards the upstream is no number of the merchant's.
    refused(stage.client.query({"partnerOrderNo": order.number}), 30)
    assert not stage.upstream.queries("nobody-ordered-this") + stage.upstream.queries(order.number)


@check
def a_query_without_a_number_is_code_7(stage):
    refused(stage.client.query({}), 7)
    refused(stage.client.query({"partnerOrderNo": "", "orderNo": ""}), 7)


@check
def a_query_may_leave_out_the_store_and_the_order_number_wins(stage):
    (first, order), (second, _) = stage.open(), stage.open()
    answer = stage.client.query({"storeNo": "", "orderNo": order.order_no, "partnerOrderNo": second["partnerOrderNo"]})
    well_formed(answer)
    assert answer.body["partnerOrderNo"] == first["partnerOrderNo"], answer


@check
def a_document_that_is_no_envelope_still_gets_one_with_status_200(stage):
    before = len(stage.upstream.creates())
    body = stage.order()
    value = envelope.compact({"header": stage.client.header(), "body": body})
    twice = envelope.seal_text("request", value[:-2] + ',"orderAmount":1}}', MERCHANT_KEY)
    deep = envelope.seal_text("request", value[:-2] + ',"d":' + "[" * 5000 + "]" * 5000 + "}}", MERCHANT_KEY)
    for raw in (b"", b"not json", b"[]", b"{}", b"\xff\xfe", b"null", twice.encode(), deep.encode()):
        answer = stage.client.post(CREATE_PATH, raw)
        # Nothing in it has verified, so it is answered as any stranger is: no more than code 8.
        assert answer.status == 200 and answer.code == 8, f"{raw[:60]}: {answer}"
        assert not answer.verified, answer
        joints_are_compact(answer.raw)
    assert len(stage.upstream.creates()) == before


@check
def another_method_or_content_type_still_gets_an_envelope_with_status_200(stage):
    url, raw = stage.client.base + CREATE_PATH, stage.client.document(stage.order())
    for reply in (
        web.exchange("GET", url),
        web.exchange("PUT", url, raw, {"Content-Type": "application/json"}),
        web.exchange("POST", url, raw, {"Content-Type": "text/plain"}),
        web.exchange("POST", url, raw, {"Content-Type": "application/x-www-form-urlencoded"}),
        web.exchange("POST", url, raw),
    ):
        assert reply.status == 200, f"{reply.status} {reply.raw[:200]}"
        code = json.loads(reply.raw)["response"]["body"]["code"]
        assert type(code) is int, reply.raw
        joints_are_compact(reply.raw)


def _with_amount(stage, spelling):
    value = envelope.compact({"header": stage.client.header(), "body": stage.order(amount=2100)})
    assert value.count('"orderAmount":2100') == 1
    value = value.replace('"orderAmount":2100', f'"orderAmount":{spelling}')
    return envelope.seal_text("request", value, MERCHANT_KEY).encode()
