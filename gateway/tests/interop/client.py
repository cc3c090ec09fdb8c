#!/usr/bin/env python3
"""A merchant's signing client, and a command line for it.

    client.py --base http://127.0.0.1:8080 --partner-no 20001 --key KEY --store-no S order --number p1 --amount 2100
    client.py --base … --partner-no … --key … --store-no S query --number p1
"""

import argparse
import json
import sys
import uuid

import envelope
import web


class Answer:
    """What came back: status, bytes, and the envelope in it."""

    def __init__(self, reply, key):
        self.status, self.headers, self.raw = reply.status, reply.headers, reply.raw
        self.envelope = envelope.read(reply.raw, "response")
        self.header, self.body = self.envelope.header, self.envelope.body
        self.verified = self.envelope.verifies(key)

    @property
    def code(self):
        return self.body.get("code")

    def __repr__(self):
        return f"{self.status} {'verified' if self.verified else 'UNVERIFIED'} {self.raw.decode()}"


class Client:
    def __init__(self, base, partner_no, sign_key, store_no, style="compact"):
        self.base, self.partner_no, self.sign_key, self.store_no = base.rstrip("/"), partner_no, sign_key, store_no
        self.style = style

    def header(self, **changes):
        """A request header; a member changed to None is left out."""
        header = {
            "version": "1.0",
            "partnerNo": self.partner_no,
            "reqMsgId": uuid.uuid4().hex,
            "reqTime": envelope.now(),
            "signType": "SHA256",
        }
        return without_none(header | changes)

    def order(self, number, amount=2100, **changes):
        """The body of an order; a member changed to None is left out."""
        body = {
            "storeNo": self.store_no,
            "partnerOrderNo": number,
            "wallet": "Alipay",
            "currency": "HKD",
            "orderAmount": amount,
            "orderTitle": "Consume",
        }
        return without_none(body | changes)

    def document(self, body, header=None, style=None, key=None):
        """The signed document of a request, as bytes."""
        return envelope.seal(style or self.style, "request", header or self.header(), body, key or self.sign_key)

    def post(self, path, raw, key=None):
        return Answer(web.post_json(self.base + path, raw), key or self.sign_key)

    def create(self, body, path="/api/offline/qrcode", **sealing):
        return self.post(path, self.document(body, **sealing))

    def query(self, body, **sealing):
        return self.post("/api/common/payQuery", self.document({"storeNo": self.store_no} | body, **sealing))

    def refund(self, number, refund_no, amount, **changes):
        body = without_none({"partnerOrderNo": number, "refundNo": refund_no, "orderAmount": amount} | changes)
        return self.post("/api/common/refund", self.document(body))


def without_none(members):
    return {key: value for key, value in members.items() if value is not None}


def main():
    parser = argparse.ArgumentParser(description="Sign a request, send it, verify the answer.")
    parser.add_argument("--base", required=True, help="base URL, with the platform's prefix where there is one")
    parser.add_argument("--partner-no", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--store-no", required=True)
    parser.add_argument("--style", choices=sorted(envelope.STYLES), default="compact")
    parser.add_argument("--raw", action="store_true", help="print the exact bytes sent and received")
    commands = parser.add_subparsers(dest="command", required=True)
    order = commands.add_parser("order")
    order.add_argument("--number", required=True)
    order.add_argument("--amount", type=int, required=True)
    order.add_argument("--wallet", default="Alipay")
    order.add_argument("--currency", default="HKD")
    order.add_argument("--title")
    order.add_argument("--notify-url")
    order.add_argument("--return-url")
    query = commands.add_parser("query")
    query.add_argument("--number")
    query.add_argument("--order-no")
    arguments = parser.parse_args()

    client = Client(arguments.base, arguments.partner_no, arguments.key, arguments.store_no, arguments.style)
    if arguments.command == "order":
        path = "/api/offline/qrcode"
        body = client.order(
            arguments.number,
            arguments.amount,
            wallet=arguments.wallet,
            currency=arguments.currency,
            orderTitle=arguments.title,
            notifyUrl=arguments.notify_url,
            returnUrl=arguments.return_url,
        )
    else:
        path = "/api/common/payQuery"
        body = without_none(
            {"storeNo": arguments.store_no, "partnerOrderNo": arguments.number, "orderNo": arguments.order_no}
        )
    sent = client.document(body)
    answer = client.post(path, sent)
    if arguments.raw:
        print(sent.decode(), answer.raw.decode(), sep="\n")
    else:
        print(json.dumps(answer.body, indent=2, ensure_ascii=False))
    if not answer.verified:
        print("the answer's signature does not verify", file=sys.stderr)
    sys.exit(0 if answer.verified and answer.code == 1 else 1)


if __name__ == "__main__":
    main()
