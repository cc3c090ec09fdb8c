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


#: The first merchant, for bodies that name one.
MERCHANT_ID = get("/v1/merchants?limit=1")["data"][0]["id"]
#: Addresses and networks of both kinds; no schema can say what one is.
ADDRESSES = ["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"]
#: Scopes that a merchant's own key cannot have.
PLATFORMS_ONLY = {"accounts:read", "accounts:write", "merchants:write", "stores:write"}
#: For times that have to come.
NEXT_YEAR = (datetime.now(timezone.utc) + timedelta(days=365)).isoformat(timespec="seconds")


def name_what_exists(case):
    # A cursor is what a page gave; with any other there is no page.
    (case.query or {}).pop("cursor", None)
    # The same key with another request is refused, and the generator likes to repeat itself.
    if case.headers and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = uuid.uuid4().hex
    if isinstance(case.body, dict):
        found = {"merchantId": MERCHANT_ID, "expiresAt": NEXT_YEAR, "allowAddresses": ADDRESSES}
        case.body.update({name: value for name, value in found.items() if case.body.get(name) is not None})
        if "merchantId" in case.body and isinstance(case.body.get("scopes"), list):
            case.body["scopes"] = [scope for scope in case.body["scopes"] if scope not in PLATFORMS_ONLY] or [
                "orders:read"
            ]
