#!/usr/bin/env python3
"""A stand-in for ScanForPay, written from docs/PROTOCOL.md: opens and answers for orders, notifies, and misbehaves on demand.

    upstream.py --partner-no 10001 --key KEY --store-no S [--port 0]      prints its base URL

Steered over HTTP, too (JSON bodies):
    POST /control/style  {"style": "pretty"}                   one of envelope.STYLES, for answers and notices
    POST /control/fault  {"fault": "code", "code": 44}         for the next create, or with "number" for the next query
                                                               about that partnerOrderNo; a null fault takes it back
    POST /control/hold   {}                                    creates wait …
    POST /control/release {}                                   … until this
    POST /control/pay    {"orderNo": "…", "notify": true, "style": "escaped"}
    POST /control/notify {"orderNo": "…", "how": "twice", "other": "…"}     a notice that goes wrong, one of NOTICES
    POST /control/refunds {"outcome": "goes on"}               what becomes of new refunds from now on, one of REFUNDS
    POST /control/scan   {"outcome": "declines"}               what becomes of scanned barcodes from now on, one of SCANS
    GET  /control/requests      GET /control/breaches
"""

import argparse
import json
import threading

import envelope
import rules
import web

FAULTS = (
    "http-502",  # refused at the door: nothing kept
    "code",  # a business error of the given code: nothing kept
    "wrong-key",  # kept, but the answer is signed with another key
    "not-json",  # kept, but the answer is a page
    "hang-up",  # kept, but the connection closes without an answer
    "code-after",  # kept, but answered with the given code
    "silence",  # kept, but not answered before `release`
)
NOTICES = (
    "late",  # not now
    "never",
    "twice",  # the same bytes
    "out of order",  # and then an older one, of status 0
    "wrong amount",
    "wrong currency",
    "wrong key",
    "other order",  # names another one
)
REFUNDS = {
    "is made": 1,
    "goes on": 0,  # until `end_refund`
    "fails": 2,
}

SCANS = {
    "pays": 1,  # answered with status 1
    "declines": 2,  # answered with status 2
    "waits": 0,  # the payer types a PIN; answered with status 0
    "waits silently": None,  # the same, answered with code 21
}
# The reference names no field for a transaction's code: this upstream's is called so.
CODE = "qrCode"


class Seen:
    """One request as it came."""

    def __init__(self, path, raw, header, body):
        self.path, self.raw, self.header, self.body = path, raw, header, body

    @property
    def creates(self):
        return self.path in rules.PRODUCTS

    @property
    def refunds(self):
        return self.path == "/api/common/refund"

    @property
    def number(self):
        return self.body.get("partnerOrderNo")


class Order:
    def __init__(self, order_no, body, url):
        self.order_no, self.body = order_no, body
        self.number, self.amount = body["partnerOrderNo"], body["orderAmount"]
        # What a product has no field for is the store's own, or read off the payer's code.
        self.wallet, self.currency = body.get("wallet", "Alipay"), body.get("currency", "HKD")
        self.pay_url = f"{url}/pay/{order_no}"
        self.status, self.pay_time = 0, None
        self.given_back = {}  # refund number → amount, made or going on
        self.refunds = {}  # refund number → status

    def went_back(self):
        return sum(amount for number, amount in self.given_back.items() if self.refunds[number] == 1)

    def answer(self):
        """The body of a query's answer and of a notice."""
        body = {
            "code": 1,
            "msg": "success",
            "orderNo": self.order_no,
            "partnerOrderNo": self.number,
            "storeNo": self.body["storeNo"],
            "orderAmount": self.amount,
            "wallet": self.wallet,
            "status": self.status,
            "currency": self.currency,
        }
        if self.pay_time:
            body |= {"payTime": self.pay_time, "buyer": "159****7312", "buyerId": "2088102145678901"}
        return body


class Upstream(web.Waiter):
    def __init__(self, partner_no, sign_key, store_nos, port=0):
        super().__init__()
        self.partner_no, self.sign_key, self.store_nos = partner_no, sign_key, set(store_nos)
        self.style, self.fault, self.held, self.scan = "compact", None, False, "pays"
        self.refunding, self.silences = "is made", 0
        self.seen, self.orders, self.breaches, self.messages = [], {}, [], 0
        self.listener = web.Listener(self._route, port)
        self.url = self.listener.url

    def stop(self):
        self.release()
        self.listener.stop()

    # Steering -------------------------------------------------------------------------------------------------------

    def set_style(self, style):
        assert style in envelope.STYLES, style
        with self.changed:
            self.style = style

    def set_fault(self, fault, code=None, number=None):
        """For the next create, or for the next query or refund about a number."""
        assert fault is None or fault in FAULTS, fault
        with self.changed:
            self.fault = (fault, code, number) if fault else None

    def set_scan(self, outcome):
        """What becomes of barcodes from now on."""
        assert outcome in SCANS, outcome
        with self.changed:
            self.scan = outcome

    def set_refunds(self, outcome):
        """What becomes of new refunds from now on."""
        assert outcome in REFUNDS, outcome
        with self.changed:
            self.refunding = outcome

    def end_refund(self, order, number, outcome):
        """A refund that went on is made, or fails."""
        with self.changed:
            self._refunded(order, number, REFUNDS[outcome])

    def hold(self):
        """From now on creates are kept but not answered, until `release`."""
        with self.changed:
            self.held = True

    def release(self):
        with self.changed:
            self.held = False
            self.silences += 1
            self.changed.notify_all()

    def creates(self):
        with self.changed:
            return [seen for seen in self.seen if seen.creates]

    def queries(self, number):
        """The queries about an order of this number; a partner may ask about others whenever it likes."""
        with self.changed:
            return [
                seen
                for seen in self.seen
                if not (seen.creates or seen.refunds) and number in (seen.number, seen.body.get("orderNo"))
            ]

    def refunds(self, number):
        with self.changed:
            return [seen for seen in self.seen if seen.refunds and seen.number == number]

    def order_behind(self, pay_url):
        with self.changed:
            return next(order for order in self.orders.values() if order.pay_url == pay_url)

    def order_numbered(self, number):
        with self.changed:
            return self.orders[number]

    def become(self, order, status):
        """The payer pays (1), the payment fails (2), the money goes back (3)."""
        with self.changed:
            order.status = status
            order.pay_time = envelope.now() if status in (1, 3) else order.pay_time

    def pay(self, order, style=None):
        """The payer pays and the notice is sent; returns what its receiver answered."""
        self.become(order, 1)
        return self.notify(order, style)

    def notify(self, order, style=None, key=None, **changes):
        raw = self._sealed(order.answer() | changes, style, key)
        return web.post_json(order.body["notifyUrl"], raw)

    def notify_badly(self, order, how, other=None):
        """A notice that goes wrong in this way; returns what each message was answered, none if none was sent."""
        assert how in NOTICES, how
        if how == "twice":
            raw = self._sealed(order.answer(), None, None)
            return [web.post_json(order.body["notifyUrl"], raw) for _ in range(2)]
        if how == "out of order":
            return [self.notify(order), self.notify(order, status=0)]
        changes = {
            "wrong amount": {"orderAmount": order.amount + 1},
            "wrong currency": {"currency": "USD"},
            "wrong key": {"key": "another key"},
            "other order": {"partnerOrderNo": other and other.number},
        }
        return [self.notify(order, **changes[how])] if how in changes else []

    # Serving --------------------------------------------------------------------------------------------------------

    def _route(self, method, path, headers, raw):
        if path.startswith("/control/"):
            return self._control(path, raw)
        if method != "POST" or path not in (*rules.PRODUCTS, "/api/common/payQuery", "/api/common/refund"):
            return 404, "text/html", b"<h1>404</h1>"
        if headers.get("Content-Type", "").split(";")[0].strip() != "application/json":
            self._breach(path, "the content type is not application/json")
        # Whatever fault lies ahead, the request is looked at as ever: a faulty answer excuses no faulty request.
        refusal, request = self._read(path, raw)
        fault = self._take_fault(request)
        if fault and fault[0] == "http-502":
            return 502, "text/html", b"<html><h1>502 Bad Gateway</h1></html>"
        if fault and fault[0] == "code":
            return self._answer({"code": fault[1], "msg": "on demand"})
        answer = refusal or self._carry_out(request)
        if fault and fault[0] == "silence":
            with self.changed:
                before = self.silences
                self.changed.wait_for(lambda: self.silences > before, web.DEADLINE)
        if fault and fault[0] in ("hang-up", "silence"):
            raise web.HangUp
        if fault and fault[0] == "not-json":
            return 200, "text/html", b"<html>Service busy</html>"
        if fault and fault[0] == "code-after":
            return self._answer({"code": fault[1], "msg": "on demand"})
        return self._answer(answer, key="another key" if fault else None)

    def _take_fault(self, request):
        with self.changed:
            if self.fault and request and self.fault[2] == (None if request.creates else request.number):
                fault, self.fault = self.fault, None
                return fault
        return None

    def _read(self, path, raw):
        """A refusal, or the request, kept and checked."""
        try:
            read = envelope.read(raw, "request")
        except envelope.NotAnEnvelope as error:
            self._breach(path, str(error))
            return {"code": 6, "msg": str(error)}, None
        seen = Seen(path, raw, read.header, read.body)
        with self.changed:
            self.seen.append(seen)
            self.changed.notify_all()
        if read.header.get("partnerNo") != self.partner_no:
            self._breach(path, f"partnerNo {read.header.get('partnerNo')!r}")
            return {"code": 3, "msg": "unknown partner"}, seen
        if not read.verifies(self.sign_key):
            self._breach(path, "the signature does not verify")
            return {"code": 8, "msg": "bad signature"}, seen
        found = rules.header_breaches(read.header)
        if seen.creates:
            found += rules.create_breaches(path, read.body)
        else:
            check = rules.refund_breaches if seen.refunds else rules.query_breaches
            found += check(read.body)
        if not seen.refunds and read.body.get("storeNo") not in self.store_nos:
            found.append(f"storeNo {read.body.get('storeNo')!r} is not the partner's")
        for breach in found + rules.doubts(read.header):
            self._breach(path, breach)
        return ({"code": 5, "msg": found[0]} if found else None), seen

    def _create(self, path, body):
        with self.changed:
            if body["partnerOrderNo"] in self.orders:
                return {"code": 31, "msg": "created twice"}
            order = Order(f"U{len(self.orders) + 1:010d}", body, self.url)
            self.orders[order.number] = order
            self.changed.notify_all()
            self.changed.wait_for(lambda: not self.held, web.DEADLINE)
        # Beyond the documented members: what the partner sent along, its own numbers, and a text full of awkward words.
        more = {key: value for key, value in body.items() if key not in rules.CREATE}
        numbers = {"partnerNo": self.partner_no, "storeNo": body["storeNo"], "partnerOrderNo": order.number}
        awkward = {"responseNote": "the signature of this response", "signatureOf": {"request": "response"}}
        return self._carried(path, order) | numbers | more | awkward

    def _carried(self, path, order):
        """What the answer of this product carries."""
        opened = {"code": 1, "msg": "success", "orderNo": order.order_no}
        if path == "/api/offline/create":
            return opened | {CODE: order.pay_url}
        if path != "/api/offline/pay":
            return opened | {"payUrl": order.pay_url}
        if SCANS[self.scan] is None:
            return {"code": 21, "msg": "the payer types the PIN"}
        if SCANS[self.scan]:
            self.become(order, SCANS[self.scan])
        return order.answer()

    def _query(self, body):
        with self.changed:
            if not body.get("orderNo") and not body.get("partnerOrderNo"):
                return {"code": 7, "msg": "no number"}
            for order in self.orders.values():
                wanted = body.get("orderNo") or body["partnerOrderNo"]
                if wanted == (order.order_no if body.get("orderNo") else order.number):
                    return order.answer()
        return {"code": 30, "msg": "订单不存在"}

    def _carry_out(self, request):
        if request.refunds:
            return self._refund(request.body)
        if request.creates:
            return self._create(request.path, request.body)
        return self._query(request.body)

    def _refund(self, body):
        with self.changed:
            order, number, amount = self.orders.get(body["partnerOrderNo"]), body["refundNo"], body["orderAmount"]
            if order is None:
                return {"code": 30, "msg": "订单不存在"}
            if order.given_back.get(number, amount) not in (amount, 0):
                return {"code": 31, "msg": "another amount"}
            if number not in order.given_back:
                if order.status not in (1, 3):
                    return {"code": 32, "msg": "not paid"}
                if sum(order.given_back.values()) + amount > order.amount:
                    return {"code": 35, "msg": "too much"}
                order.given_back[number] = amount
                self._refunded(order, number, REFUNDS[self.refunding])
            return {
                "code": 1,
                "msg": "success",
                "orderAmount": amount,
                "status": order.refunds[number],
                "currency": order.currency,
                "refundNo": number,
            }

    @staticmethod
    def _refunded(order, number, status):
        order.refunds[number] = status
        if status == 2:
            order.given_back[number] = 0
        if order.went_back() == order.amount:
            order.status = 3

    def _answer(self, body, key=None):
        return 200, "application/json; charset=utf-8", self._sealed(body, None, key)

    def _sealed(self, body, style, key):
        with self.changed:
            self.messages += 1
            style, message_id = style or self.style, f"upstream-{self.messages}"
        header = {
            "version": "1.0",
            "partnerNo": self.partner_no,
            "respMsgId": message_id,
            "respTime": envelope.now(),
            "signType": "SHA256",
        }
        return envelope.seal(style, "response", header, body, key or self.sign_key)

    def _breach(self, path, words):
        with self.changed:
            self.breaches.append(f"{path}: {words}")

    def _control(self, path, raw):
        asked = json.loads(raw or b"{}")
        word = path.removeprefix("/control/")
        answer = {"ok": True}
        if word == "style":
            self.set_style(asked["style"])
        elif word == "fault":
            self.set_fault(asked["fault"], asked.get("code"), asked.get("number"))
        elif word == "scan":
            self.set_scan(asked["outcome"])
        elif word == "refunds":
            self.set_refunds(asked["outcome"])
        elif word == "notify":
            order, other = (
                next((one for one in self.orders.values() if one.order_no == asked.get(name)), None)
                for name in ("orderNo", "other")
            )
            if order is None:
                return 404, "application/json", b'{"error":"no such order"}'
            answer |= {"answers": [one.status for one in self.notify_badly(order, asked["how"], other)]}
        elif word == "hold":
            self.hold()
        elif word == "release":
            self.release()
        elif word == "pay":
            order = next((one for one in self.orders.values() if one.order_no == asked["orderNo"]), None)
            if order is None:
                return 404, "application/json", b'{"error":"no such order"}'
            self.become(order, 1)
            if asked.get("notify", True) and "notifyUrl" in order.body:
                told = self.notify(order, asked.get("style"))
                answer |= {"status": told.status, "answer": told.raw.decode(errors="replace")}
        elif word == "requests":
            with self.changed:
                answer = [{"path": one.path, "header": one.header, "body": one.body} for one in self.seen]
        elif word == "breaches":
            answer = self.breaches
        else:
            return 404, "application/json", b'{"error":"no such word"}'
        return 200, "application/json", json.dumps(answer).encode()


def main():
    parser = argparse.ArgumentParser(description="Stand in for ScanForPay.")
    parser.add_argument("--partner-no", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--store-no", action="append", required=True)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    upstream = Upstream(arguments.partner_no, arguments.key, arguments.store_no, arguments.port)
    print(upstream.url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        upstream.stop()


if __name__ == "__main__":
    main()
