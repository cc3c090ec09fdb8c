"""What schemathesis cannot know of the callers: who the demo's merchant is and how a request is signed, and which
values are right only now and here.

Generated requests of the signed API become those of the demo's merchant, of now, and signed, so that what is
generated gets past the signature and to the rules behind it. In right requests of the REST API, what has to name
something that exists names it. Wrong requests are sent as they were made.
"""

import json
import os
import uuid
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from urllib.request import Request, urlopen

import schemathesis
from schemathesis.core.parameters import ParameterLocation

DEMO = json.loads(Path(os.environ["DEMO_JSON"]).read_text())
STORE = next(store for store in DEMO["stores"] if store["currency"] == "HKD")
KEY = DEMO["merchant"]["sign_key"].encode()
LONGEST_ID = 64

HEADER = {"version": "1.0", "partnerNo": DEMO["merchant"]["partner_no"], "signType": "SHA256"}
BODY = {
    "storeNo": STORE["store_no"],
    "currency": STORE["currency"],
    "notifyUrl": DEMO["shop"]["notify_url"],
    "returnUrl": DEMO["shop"]["return_url"],
}


@schemathesis.hook
def before_call(context, case, kwargs):
    if "{platform}" in case.operation.path:
        sign(case)
    elif case.meta is not None and case.meta.generation.mode.is_positive:
        name_what_exists(case)


# ---- the signed API --------------------------------------------------------------------------------


def replace_texts(part, values):
    """Only texts that a request of the right form would have; what is empty or of another type is meant to be wrong."""
    if isinstance(part, dict):
        for name, value in values.items():
            if isinstance(part.get(name), str) and part[name]:
                part[name] = value


def sign(case):
    if isinstance(case.path_parameters.get("platform"), str):
        case.path_parameters["platform"] = DEMO["platform"]["slug"]
    request = case.body.get("request") if isinstance(case.body, dict) else None
    if not isinstance(request, dict) or not isinstance(request.get("header"), dict):
        return
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    of_now = {"reqTime": now, "requestTime": now}
    if len(str(request["header"].get("reqMsgId"))) <= LONGEST_ID:
        of_now["reqMsgId"] = uuid.uuid4().hex  # one that is new: the same id with other content is refused
    replace_texts(request["header"], {**HEADER, **of_now})
    replace_texts(request.get("body"), BODY)
    if isinstance(case.body.get("signature"), str):
        # The document is sent as `json.dumps` writes it, and so is this part of it.
        case.body["signature"] = sha256(json.dumps(request).encode() + KEY).hexdigest()


# ---- the REST API ----------------------------------------------------------------------------------


def get(path):
    url = DEMO["gateway"]["base_url"] + path
    request = Request(url, headers={"Authorization": f"Bearer {DEMO['platform']['api_key']}"})
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


#: What bodies of right requests name: something that exists, is allowed here, or has not been used before.
MERCHANT_ID = next(
    merchant["id"]
    for merchant in get("/v1/merchants?limit=100")["data"]
    if merchant["partnerNo"] == DEMO["merchant"]["partner_no"]
)
API_KEY_ID = next(key["id"] for key in get("/v1/api-keys?limit=100")["data"] if key["name"] == "demo")
ACCOUNT = get("/v1/accounts?limit=1")["data"][0]
NAMED = {
    "merchantId": lambda: MERCHANT_ID,
    "accountId": lambda: ACCOUNT["id"],
    "baseUrl": lambda: ACCOUNT["baseUrl"],
    "numbersOf": lambda: MERCHANT_ID,
    "referencePattern": lambda: r"^\d{12}(.+)$",
    "window": lambda: "15m",
    "timeZone": lambda: "Asia/Tokyo",
    "currency": lambda: "JPY",
    "signKey": lambda: uuid.uuid4().hex,
    "allowAddresses": lambda: ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"],
    "expiresAt": lambda: (datetime.now(timezone.utc) + timedelta(days=365)).isoformat(timespec="seconds"),
}
#: Scopes that a merchant's own key cannot have.
PLATFORMS_ONLY = {
    "accounts:read", "accounts:write", "merchants:write", "stores:write", "facts:read", "facts:write", "attention:read",
}
#: Below these a platform's key says whose orders are meant.
WITHIN_A_MERCHANT = ("/v1/orders", "/v1/refunds", "/v1/selfcheck", "/v1/signature")
#: Fields that only some products have; with another they are refused.
OF_SOME_PRODUCTS = ("notifyUrl", "returnUrl", "goodsAmount", "goodsExtraAmount", "barcode", "timeToPay")
#: Settings of endpoints that go with some others only, or whose bounds no schema can say.
OF_SOME_ENDPOINTS = ("acknowledgement", "schedule", "timeout", "rate", "concurrency", "headers", "storeIds", "eventTypes", "keyPair")
OF_STORE = {"storeNo": STORE["store_no"], "currency": STORE["currency"], "wallet": STORE["wallets"][0]}
QUERY = {
    "createdFrom": "2026-09-21T14:13:20Z",
    "createdBefore": "2036-09-21T14:13:20Z",
    "day": "2026-09-21",
    "storeNo": STORE["store_no"],
}
#: The range of a list of deliveries.
RANGE = {"from": QUERY["createdFrom"], "before": QUERY["createdBefore"]}
IMPORT = (
    "number,storeNo,amount,currency,upstreamOrderNo,status,refunded,createdAt\n"
    "{0},%(store_no)s,2100,%(currency)s,{0},paid,0,2026-09-20T18:06:05+08:00\n" % STORE
)
STATEMENT = "partnerOrderNo,orderNo,orderAmount,currency,status\n{0},,2100,HKD,1\n"
CSV = "name,reference\nTea House,{0}-a\nRamen,{0}-b\n"


def replace_given(part, values):
    for name, value in values.items():
        if name in part:
            part[name] = value


def name_what_exists(case):
    # A cursor is what a page gave; with any other there is no page.
    (case.query or {}).pop("cursor", None)
    # A platform's key says whose orders are meant.
    path = case.operation.path
    if path.startswith(WITHIN_A_MERCHANT) or path == "/v1/statement":
        case.query = {**(case.query or {}), "merchant": MERCHANT_ID}
        replace_given(case.query, QUERY)
    elif path == "/v1/deliveries" and case.query:
        replace_given(case.query, RANGE)
    # The same key with another request is refused, and the generator likes to repeat itself.
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    if case.operation.path == "/v1/token" and isinstance(case.body, dict):
        # The key and its id, in one place: here, not in the header as well.
        case.body.update(client_id=API_KEY_ID, client_secret=DEMO["platform"]["api_key"])
        case.body["grant_type"] = "client_credentials"
        case.body.pop("scope", None)
        case.headers.pop("Authorization", None)
    elif path == "/v1/statements/check":
        case.query = {"account": ACCOUNT["id"], "day": QUERY["day"]}
        case.body = STATEMENT.format(uuid.uuid4().hex)
    elif case.media_type == "text/csv":
        lines = IMPORT if case.operation.path.endswith("/imports") else CSV
        case.body = lines.format(uuid.uuid4().hex[:20])
    elif case.operation.path == "/v1/signature/diagnose":
        case.body = {"document": "{}"}  # one of three ways to say which
    elif case.operation.path == "/v1/selfcheck":
        case.body = {}  # a made-up address is refused: that of an order is taken
    elif path.startswith("/v1/endpoints") and isinstance(case.body, dict):
        for name in OF_SOME_ENDPOINTS:
            case.body.pop(name, None)
        if "url" in case.body:
            case.body["url"] = "http://shop.example/events"  # an address is judged at once, a name when it is called
        if "merchantId" in case.body or case.body.get("format") == "scanforpay":
            case.body["merchantId"] = MERCHANT_ID
    elif path == "/v1/replays" and isinstance(case.body, dict):
        case.body = {"filter": {"kinds": ["order.paid"]}, "reason": "generated"}  # one of three ways to say which
    elif path == "/v1/recover" and isinstance(case.body, dict):
        case.body.pop("endpointId", None)  # a made-up one is refused: there is none
        name_in(case.body)
    elif case.operation.path == "/v1/orders" and isinstance(case.body, dict):
        case.body.update(OF_STORE, number=uuid.uuid4().hex)
        for name in OF_SOME_PRODUCTS:
            case.body.pop(name, None)
        case.body["product"] = "qrcode"
    else:
        name_in(case.body)


def name_in(part):
    """In objects of any depth."""
    if isinstance(part, list):
        for one in part:
            name_in(one)
    if not isinstance(part, dict):
        return
    if "upstreamStoreNo" in part:  # a store has an account by its id or by its credentials, and not by both
        part.setdefault("accountId", "")
        part.pop("account", None)
    for name, value in part.items():
        if name in NAMED and value is not None:
            part[name] = NAMED[name]()
        else:
            name_in(value)
    if "merchantId" in part and isinstance(part.get("scopes"), list):
        part["scopes"] = [one for one in part["scopes"] if one not in PLATFORMS_ONLY] or ["orders:read"]


@schemathesis.check
def wrong_rows_are_refused(context, response, case):
    """Many rows are answered 200 with a result each, so that a wrong row is not a wrong request. Its result says so."""
    if not case.operation.path.endswith(("/onboarding", "/imports")) or response.status_code != 200:
        return
    if case.meta is not None and any(
        location == ParameterLocation.BODY and component.mode.is_negative
        for location, component in case.meta.components.items()
    ):
        refused = [row for row in response.json()["results"] if row["status"] == "refused"]
        assert refused, "a request with a wrong row was taken whole"
