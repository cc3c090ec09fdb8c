"""ScanGate from Python 3.8 or newer, with nothing but its standard library.

    python3 scangate.py order p1      place an order of 21.00 HKD and print where it is paid
    python3 scangate.py query p1      how it stands
    python3 scangate.py notice 9000   take notices at http://127.0.0.1:9000/notify
    python3 scangate.py sign FILE…    the signature of each file's bytes

Who you are is in the environment: SHOP_BASE_URL, SHOP_PARTNER_NO, SHOP_STORE_NO, SHOP_SIGN_KEY and, for orders
whose payment is to be told, SHOP_NOTIFY_URL.
"""

import hashlib
import hmac
import json
import os
import re
import sys
import uuid
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.request import Request, urlopen


# region sign
def sign(text: bytes) -> str:
    """Lower-case hex of SHA-256 over the text and, behind it, the sign key."""
    return hashlib.sha256(text + os.environ["SHOP_SIGN_KEY"].encode()).hexdigest()


def seal(body: dict) -> bytes:
    """A request as it travels. What is signed are the very bytes that are sent."""
    header = {
        "version": "1.0",
        "partnerNo": os.environ["SHOP_PARTNER_NO"],
        "reqMsgId": uuid.uuid4().hex,
        "reqTime": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "signType": "SHA256",
    }
    text = json.dumps({"header": header, "body": body}).encode()
    return b'{"request":%s,"signature":"%s"}' % (text, sign(text).encode())
# endregion


# region verify
FORM = re.compile(rb'\{"response":(.*),"signature":"([0-9a-f]{64})"\}', re.DOTALL)


def unseal(document: bytes) -> dict:
    """The body of an answer or a notice, if it is signed with our key."""
    found = FORM.fullmatch(document)
    if not found or not hmac.compare_digest(sign(found[1]).encode(), found[2]):
        raise ValueError("this is not signed with our key")
    return json.loads(found[1])["body"]
# endregion


# region call
def call(path: str, body: dict) -> dict:
    """Send one request; the answer's body, whatever its code says.

    An exception means that there is no answer: query the order before anything else.
    """
    url = os.environ["SHOP_BASE_URL"] + path
    request = Request(url, data=seal(body), headers={"Content-Type": "application/json"})
    with urlopen(request, timeout=45) as answer:
        return unseal(answer.read())
# endregion


# region order
def order(number: str) -> dict:
    content = {
        "storeNo": os.environ["SHOP_STORE_NO"],
        "partnerOrderNo": number,
        "wallet": "Alipay",
        "currency": "HKD",
        "orderAmount": 2100,  # 21.00 HKD
        "orderTitle": "拉麵 & café",
    }
    if "SHOP_NOTIFY_URL" in os.environ:
        content["notifyUrl"] = os.environ["SHOP_NOTIFY_URL"]
    return call("/api/offline/qrcode", content)


def query(number: str) -> dict:
    return call("/api/common/payQuery", {"partnerOrderNo": number})
# endregion


# region notice
class Notices(BaseHTTPRequestHandler):
    def do_POST(self):
        document = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            paid = unseal(document)
        except ValueError:
            return self.reply(400, b"not ours")
        # Compare amount and currency with the order in your books, and mark it paid once: the same notice may
        # come again. Say `success` only when that is stored.
        print("paid", paid["partnerOrderNo"], paid["orderAmount"], paid["currency"], flush=True)
        self.reply(200, b"success")

    def reply(self, status: int, text: bytes):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
# endregion


def show(body: dict, field: str):
    if body["code"] != 1:
        sys.exit(f"code {body['code']}: {body['msg']}")
    print(field, body[field])


def main(command="", *rest):
    if command == "order" and len(rest) == 1:
        show(order(rest[0]), "payUrl")
    elif command == "query" and len(rest) == 1:
        show(query(rest[0]), "status")
    elif command == "notice" and len(rest) == 1:
        HTTPServer(("127.0.0.1", int(rest[0])), Notices).serve_forever()
    elif command == "sign" and rest:
        for file in rest:
            with open(file, "rb") as text:
                print(sign(text.read()))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
