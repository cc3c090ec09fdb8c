#!/usr/bin/env python3
"""A merchant's receiver: verifies notices with the merchant's key, answers `success`, keeps what it got.

    shop.py --key KEY [--port 0]      prints its notify URL; /control/told lists what came
"""

import argparse
import json
import threading
import urllib.parse

import envelope
import web


class Told:
    """One notice as it arrived."""

    def __init__(self, path, headers, raw, key):
        self.path, self.headers, self.raw = path, headers, raw
        try:
            read = envelope.read(raw, "response")
            self.header, self.body, self.verified = read.header, read.body, read.verifies(key)
        except envelope.NotAnEnvelope:
            self.header, self.body, self.verified = {}, {}, False

    @property
    def number(self):
        return self.body.get("partnerOrderNo")


class Shop(web.Waiter):
    def __init__(self, sign_key, port=0):
        super().__init__()
        self.sign_key = sign_key
        self.told, self.returned = [], []
        self.listener = web.Listener(self._route, port)
        self.notify_url = self.listener.url + "/notify"
        self.return_url = self.listener.url + "/return?shop=1&lang=zh"

    def _route(self, method, path, headers, raw):
        if path.startswith("/control/told"):
            with self.changed:
                listing = [{"path": one.path, "verified": one.verified, "body": one.body} for one in self.told]
            return 200, "application/json", json.dumps(listing).encode()
        if path.startswith("/return"):
            with self.changed:
                self.returned.append((method, path, urllib.parse.parse_qs(raw.decode())))
                self.changed.notify_all()
            return 200, "text/plain", b"thank you"
        if method != "POST":
            return 405, "text/plain", b"POST only"
        notice = Told(path, headers, raw, self.sign_key)
        with self.changed:
            self.told.append(notice)
            self.changed.notify_all()
        return (200, "text/plain", b"success") if notice.verified else (200, "text/plain", b"failure")

    def told_about(self, number):
        with self.changed:
            return [one for one in self.told if one.number == number]

    def wait_told(self, number):
        """The first notice about an order."""
        return self.wait_for(lambda: self.told_about(number), f"the shop told about {number}")[0]

    def stop(self):
        self.listener.stop()


def main():
    parser = argparse.ArgumentParser(description="Receive and verify notices.")
    parser.add_argument("--key", required=True)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    shop = Shop(arguments.key, arguments.port)
    print(shop.notify_url, flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        shop.stop()


if __name__ == "__main__":
    main()
