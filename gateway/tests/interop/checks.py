"""What marks a function as a check, and what several checks look at."""

import json

import envelope
import rules

CREATE_PATH = "/api/offline/qrcode"


def check(function):
    """A check: called with a fresh-looking stage; its name is the sentence it proves."""
    function.cases = [None]
    return function


def check_each_style(function):
    """The same, once for every style of writing documents."""
    function.cases = list(envelope.STYLES)
    return function


def check_each_product(function):
    """The same, once for every payment product."""
    function.cases = list(rules.PRODUCTS)
    return function


def opened(answer, order):
    """A verified answer that hands over the payUrl."""
    well_formed(answer)
    assert answer.code == 1, answer
    assert answer.body["payUrl"] == order.pay_url, answer


def refused(answer, code):
    """A verified answer with this code, at HTTP status 200, that names no order."""
    well_formed(answer)
    assert answer.code == code, answer
    assert not {"payUrl", "orderNo", "partnerOrderNo"} & set(answer.body), answer
    assert answer.body["msg"], answer


def well_formed(answer):
    assert answer.status == 200, answer
    assert answer.verified, answer


def mentions(raw, words):
    """Which of the words stand in a document, escapes or not."""
    text = raw.decode()
    read = json.dumps(json.loads(text), ensure_ascii=False)
    return [word for word in words if word in text or word in read]


def joints_are_compact(raw):
    """What existing clients rely on that cut a response at its words."""
    assert raw.startswith(b'{"response":{'), raw[:40]
    assert raw.endswith(b'"}'), raw[-40:]
    assert raw.count(b"response") == 1, raw
    assert raw.count(b"signature") == 1, raw
    assert raw.count(b'},"signature":"') == 1, raw
