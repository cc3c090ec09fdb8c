"""What docs/PROTOCOL.md asks of a partner's request, checked strictly: the upstream of this folder lists every breach."""

import re

# name → (longest in code points or None for a whole number, required)
HEADER = {
    "version": (6, True),
    "partnerNo": (15, True),
    "reqMsgId": (32, True),
    "reqTime": (25, False),
    "requestTime": (25, False),
    "signType": (10, True),
}
# The create table: name → longest, and what each product makes of it, in the order of PRODUCTS.
# Y: required, N: not required, -: not a field of it.
PRODUCTS = ("/api/offline/qrcode", "/api/online/create", "/api/offline/create", "/api/offline/pay", "/api/jspay/create")
CREATE = {
    "storeNo": (15, "YYYYY"),
    "partnerOrderNo": (32, "YYYYY"),
    "wallet": (10, "YYY-Y"),
    "barcode": (20, "---Y-"),
    "currency": (10, "YY---"),
    "orderAmount": (None, "YYYYY"),
    "goodsAmount": (None, "NN---"),
    "goodsExtraAmount": (None, "NN---"),
    "orderTitle": (100, "NNNNN"),
    "operatorId": (20, "NNNNN"),
    "terminalNo": (20, "NNNNN"),
    "notifyUrl": (200, "NNNNN"),
    "returnUrl": (200, "NN--N"),
    "it_b_pay": (10, "--N--"),
}
TIME_TO_PAY = re.compile(r"[1-9]\d*[mhd]|1c")
QUERY = {"storeNo": (15, True), "partnerOrderNo": (32, False), "orderNo": (32, False)}
REFUND = {
    "partnerOrderNo": (32, True),
    "refundNo": (32, True),
    "orderAmount": (None, True),
    "operatorId": (20, False),
    "terminalNo": (20, False),
}
WALLETS = ("Wechat", "Alipay", "AlipayHK")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def breaches(members, table):
    """What is wrong with the known members, in words."""
    found = []
    for name, (longest, required) in table.items():
        if name not in members:
            if required:
                found.append(f"{name} is missing")
            continue
        value = members[name]
        if longest is None:
            if type(value) is not int or value < 0:
                found.append(f"{name} is not a whole number: {value!r}")
        elif type(value) is not str:
            found.append(f"{name} is not a string: {value!r}")
        elif len(value) > longest:
            found.append(f"{name} has {len(value)} characters, {longest} are allowed")
        elif required and not value:
            found.append(f"{name} is empty")
    return found


def header_breaches(header):
    found = breaches(header, HEADER)
    if header.get("version") != "1.0":
        found.append(f"version {header.get('version')!r}")
    if header.get("signType") != "SHA256":
        found.append(f"signType {header.get('signType')!r}")
    time = str(header.get("reqTime", header.get("requestTime")))
    if not RFC3339.fullmatch(time):
        found.append(f"reqTime {time!r} is not RFC 3339 with an offset")
    return found


def doubts(header):
    """What is no ground to refuse, but unwise: the sources disagree on the key, so both are to be sent."""
    times = [header.get("reqTime"), header.get("requestTime")]
    return [] if times[0] == times[1] else [f"reqTime and requestTime are not the same: {times}"]


def create_breaches(path, body):
    column = PRODUCTS.index(path)
    table = {name: (longest, needs[column] == "Y") for name, (longest, needs) in CREATE.items() if needs[column] != "-"}
    found = breaches(body, table)
    found += [f"{name} is no field of {path}" for name in CREATE if name in body and name not in table]
    wallets = WALLETS[1:] if path == "/api/online/create" else WALLETS
    if "wallet" in table and body.get("wallet") not in wallets:
        found.append(f"wallet {body.get('wallet')!r}")
    if body.get("orderAmount") == 0:
        found.append("orderAmount is 0")
    if "it_b_pay" in body and not TIME_TO_PAY.fullmatch(str(body["it_b_pay"])):
        found.append(f"it_b_pay {body['it_b_pay']!r}")
    return found


def refund_breaches(body):
    found = breaches(body, REFUND)
    if body.get("orderAmount") == 0:
        found.append("orderAmount is nothing")
    found.extend(f"{name} is no member of a refund" for name in body if name not in REFUND)
    return found


def query_breaches(body):
    found = breaches(body, QUERY)
    if extra := set(body) - set(QUERY):
        found.append(f"a query passes on {sorted(extra)}")
    return found
