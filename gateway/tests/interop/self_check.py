"""Checks of the tools themselves: client, upstream and shop against each other and against the golden vectors."""

import json
import subprocess
import sys
from pathlib import Path

import client
import envelope
import rules
import web
from checks import check, check_each_style
from stage import ACCOUNT_KEY, ACCOUNT_NO, MERCHANT_KEY, UPSTREAM_STORE, acknowledged

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parents[2] / "shared" / "vectors"


@check
def every_golden_vector_is_judged_as_it_says(_):
    judged = 0
    for name in ("python.json", "php.json"):
        for vector in json.loads((VECTORS / name).read_text()):
            try:
                read = envelope.read(vector["document"].encode(), vector["side"])
                verifies = read.verifies(vector["sign_key"])
            except envelope.NotAnEnvelope:
                verifies = False
            assert verifies == vector["valid"], f"{name}: {vector['name']}"
            if verifies:
                assert read.text == vector["text"].strip(envelope.WHITE), f"{name}: {vector['name']}"
                assert envelope.sign(vector["text"], vector["sign_key"]) == vector["signature"], vector["name"]
            judged += 1
    assert judged >= 50, judged


@check_each_style
def client_and_upstream_understand_each_other(stage, style):
    stage.upstream.set_style(style)
    number = stage.number()
    answer = stage.client.create(stage.order(number), style=style)
    assert answer.verified and answer.code == 1, answer
    assert answer.body.get("payUrl", answer.body.get("payUrl ")) == stage.upstream.order_numbered(number).pay_url
    answer = stage.client.query({"partnerOrderNo": number}, style=style)
    assert answer.verified and (answer.code, answer.body["status"]) == (1, 0), answer


@check_each_style
def upstream_and_shop_understand_each_other(stage, style):
    number, order = _open(stage)
    acknowledged(stage.upstream.pay(order, style))
    told = stage.shop.wait_told(number)
    assert told.verified and told.body["status"] == 1, told.raw
    assert len(stage.shop.told_about(number)) == 1


@check
def the_shop_does_not_acknowledge_what_does_not_verify(stage):
    number, order = _open(stage)
    reply = stage.upstream.notify(order, key=MERCHANT_KEY)
    assert reply.raw == b"failure" and not stage.shop.wait_told(number).verified
    assert web.post_json(stage.shop.notify_url, b"not json").raw == b"failure"


@check
def the_upstream_answers_each_fault_as_named(stage):
    def create():
        return stage.client.create(stage.order(), header=_both_times(stage))

    stage.upstream.set_fault("wrong-key")
    assert not create().verified
    stage.upstream.set_fault("code", 44)
    assert create().code == 44
    stage.upstream.set_fault("code-after", 9)
    assert create().code == 9
    for fault, failure in (("http-502", envelope.NotAnEnvelope), ("not-json", envelope.NotAnEnvelope), ("hang-up", OSError)):
        stage.upstream.set_fault(fault)
        try:
            answer = create()
        except failure:
            continue
        raise AssertionError(f"{fault}: {answer}")
    assert create().code == 1


@check
def the_upstream_refuses_and_lists_what_breaks_the_protocol(stage):
    key, header = ACCOUNT_KEY, _both_times(stage)
    clean = len(stage.upstream.breaches)
    for code, send in (
        (8, lambda: stage.client.create(stage.order(), header=header, key=MERCHANT_KEY)),
        (3, lambda: stage.client.create(stage.order(), header=header | {"partnerNo": "1"})),
        (5, lambda: stage.client.create(stage.order(amount=2100.0), header=header)),
        (5, lambda: stage.client.create(stage.order(storeNo="1"), header=header)),
        (5, lambda: stage.client.create(stage.order(), header=header | {"reqTime": "yesterday"})),
        (5, lambda: stage.client.query({"partnerOrderNo": "p", "note": 1}, header=header)),
        (6, lambda: stage.client.post("/api/common/payQuery", b"[]")),
    ):
        answer = send()
        assert answer.code == code and answer.verified, answer
        assert len(stage.upstream.breaches) > clean, answer
        clean = len(stage.upstream.breaches)
    assert stage.client.query({}, header=header).code == 7
    assert stage.client.query({"partnerOrderNo": "p"}, header=header).code == 30
    body = stage.order()
    assert [stage.client.create(body, header=header, key=key).code for _ in range(2)] == [1, 31]
    assert len(stage.upstream.breaches) == clean
    assert rules.create_breaches("/api/offline/qrcode", body | {"orderTitle": "x" * 101}), "too long"


@check
def existing_clients_that_cut_at_the_words_are_told_apart(_):
    value = {"header": {}, "body": {"code": 1, "msg": "ok"}}
    fine = envelope.seal_text("response", envelope.compact(value), "k").encode()
    assert envelope.cut_by_words(fine, "response", "k")
    assert not envelope.cut_by_words(fine + b"\n", "response", "k")
    value["body"]["msg"] = "bad signature"
    assert not envelope.cut_by_words(envelope.seal_text("response", envelope.compact(value), "k").encode(), "response", "k")


@check
def the_command_lines_work_together(_):
    with Script("upstream.py", "--partner-no", ACCOUNT_NO, "--key", ACCOUNT_KEY, "--store-no", UPSTREAM_STORE) as upstream:
        with Script("shop.py", "--key", ACCOUNT_KEY) as shop:
            who = ["--base", upstream.url, "--partner-no", ACCOUNT_NO, "--key", ACCOUNT_KEY, "--store-no", UPSTREAM_STORE]
            order = ["--style", "sampled", "order", "--number", "p1", "--amount", "2100", "--notify-url", shop.url]
            done = _client(*who, *order)
            assert done.returncode == 0, done.stderr
            order_no = json.loads(done.stdout)["orderNo"]
            upstream.control("style", style="pretty")
            told = upstream.control("pay", orderNo=order_no, style="escaped")
            assert told["answer"] == "success", told
            done = _client(*who, "query", "--number", "p1")
            assert done.returncode == 0 and json.loads(done.stdout)["status"] == 1, done.stdout
            listed = json.loads(web.exchange("GET", shop.url.replace("/notify", "/control/told")).raw)
            assert [(one["verified"], one["body"]["partnerOrderNo"]) for one in listed] == [(True, "p1")], listed
            upstream.control("fault", fault="code", code=44)
            assert _client(*who, "order", "--number", "p2", "--amount", "1").returncode == 1
            assert len(upstream.control("requests")) == 3
            assert all("requestTime" in breach for breach in upstream.control("breaches")), "one key alone is a doubt"


class Script:
    """One of the scripts of this folder as a process; its first line is its URL."""

    def __init__(self, name, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / name), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().strip()

    def control(self, word, **members):
        return json.loads(web.post_json(f"{self.url}/control/{word}", json.dumps(members).encode()).raw)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def _client(*arguments):
    return subprocess.run(
        [sys.executable, str(HERE / "client.py"), *arguments], capture_output=True, text=True, timeout=web.DEADLINE
    )


def _both_times(stage):
    header = stage.client.header()
    return header | {"requestTime": header["reqTime"]}


def _open(stage):
    number = stage.number()
    answer = stage.client.create(stage.order(number, notifyUrl=stage.shop.notify_url), header=_both_times(stage))
    assert answer.code == 1, answer
    return number, stage.upstream.order_numbered(number)


def direct(stage):
    """The client speaks to the upstream itself, and the shop takes the upstream's own notices."""
    stage.shop.sign_key = ACCOUNT_KEY
    stage.client = client.Client(stage.upstream.url, ACCOUNT_NO, ACCOUNT_KEY, UPSTREAM_STORE)
