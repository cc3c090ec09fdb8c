"""Standard Webhooks 1.0 from its specification alone: secrets, signatures, and a receiver that takes what verifies.

`v1` is HMAC-SHA256; `v1a` is Ed25519, verified with the few lines of RFC 8032, section 6.
"""

import base64
import hashlib
import hmac
import json

import web

TOLERANCE = 5 * 60  # seconds


def signed_text(headers, raw):
    return b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), raw])


def signatures(headers, version):
    pairs = [one.split(",", 1) for one in headers["webhook-signature"].split(" ")]
    return [base64.b64decode(text, validate=True) for name, text in pairs if name == version]


def verifies(secret, headers, raw):
    """With a secret as it was shown, `whsec_…`."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    expected = hmac.new(key, signed_text(headers, raw), hashlib.sha256).digest()
    return any(hmac.compare_digest(expected, one) for one in signatures(headers, "v1"))


def verifies_with_public_key(public, headers, raw):
    """With a public key as it was shown, `whpk_…`."""
    key = base64.b64decode(public.removeprefix("whpk_"), validate=True)
    return any(ed25519_verifies(key, signed_text(headers, raw), one) for one in signatures(headers, "v1a"))


# RFC 8032 --------------------------------------------------------------------------------------------------------

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def add(one, other):
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % P, (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(factor, point):
    product = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            product = add(product, point)
        point, factor = add(point, point), factor >> 1
    return product


def same(one, other):
    return (one[0] * other[2] - other[0] * one[2]) % P == 0 and (one[1] * other[2] - other[1] * one[2]) % P == 0


def x_of(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


def point_of(raw):
    number = int.from_bytes(raw, "little")
    y = number & (1 << 255) - 1
    x = x_of(y, number >> 255)
    return None if x is None else (x, y, 1, x * y % P)


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (x_of(BASE_Y, 0), BASE_Y, 1, x_of(BASE_Y, 0) * BASE_Y % P)


def ed25519_verifies(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r = point_of(public), point_of(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % Q
    return same(times(s, BASE), add(r, times(h, key)))


# A receiver ------------------------------------------------------------------------------------------------------


class Heard:
    """One message as it arrived."""

    def __init__(self, headers, raw):
        self.headers, self.raw = {name.lower(): value for name, value in headers.items()}, raw
        self.body = json.loads(raw)


class Receiver(web.Waiter):
    """Echoes challenges and takes every event; `refuse` is the number of events it does not take first."""

    def __init__(self):
        super().__init__()
        self.challenges, self.events, self.refuse = [], [], 0
        self.listener = web.Listener(self._route)
        self.url = self.listener.url + "/hooks?shop=1"

    def _route(self, method, path, headers, raw):
        heard = Heard(headers, raw)
        with self.changed:
            if heard.body["type"] == "endpoint.challenge":
                self.challenges.append(heard)
                return 200, "application/json", json.dumps({"challenge": heard.body["challenge"]}).encode()
            self.events.append(heard)
            self.changed.notify_all()
            if self.refuse:
                self.refuse -= 1
                return 500, "text/plain", b"not today"
        return 204, "text/plain", b""

    def wait_events(self, number, count=1):
        """The first so many messages about an order."""

        def found():
            about = [one for one in self.events if one.body.get("order", {}).get("number") == number]
            return about if len(about) >= count else None

        return self.wait_for(found, f"{count} events about {number}")

    def stop(self):
        self.listener.stop()
