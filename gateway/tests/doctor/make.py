#!/usr/bin/env python3
"""Makes python.json: requests as their senders get them wrong, one usual mistake (or two) each.

Nothing here may use the code under test: texts come from `json.dumps` or are spelled out, signatures from `hashlib`,
`hmac` and `base64`. `make.py` writes the file, `make.py --check` fails if it would change.
"""

import base64
import hashlib
import hmac
import json
import sys
from pathlib import Path

FILE = Path(__file__).with_name("python.json")
KEY = "9f3c1e5a7b2d4f60819a0b3c5d7e9f11223344556677889900aabbccddeeff01"
PREVIOUS = "1111111111111111aaaaaaaaaaaaaaaa2222222222222222bbbbbbbbbbbbbbbb"
EXPIRED = "3333333333333333cccccccccccccccc4444444444444444dddddddddddddddd"
OTHER_MODE = "5555555555555555eeeeeeeeeeeeeeee6666666666666666ffffffffffffffff"
KEYS = [
    {"role": "current", "text": KEY},
    {"role": "previous", "text": PREVIOUS},
    {"role": "expired", "text": EXPIRED},
    {"role": "other_mode", "text": OTHER_MODE},
]
HEADER = {"version": "1.0", "partnerNo": "10001", "reqMsgId": "m1", "reqTime": "2018-07-25T18:06:05+08:00"}
ORDER = {
    "storeNo": "100010000000002",
    "partnerOrderNo": "p20180725180605466813",
    "wallet": "Alipay",
    "currency": "HKD",
    "orderAmount": 2100,
    "orderTitle": "咖啡 & cake <café>",
    "notifyUrl": "http://shop.example/ScanForPay/notify",
}
PLAIN_ORDER = {**ORDER, "orderTitle": "Consume"}
VALUE = {"header": HEADER, "body": ORDER}
PLAIN = {"header": HEADER, "body": PLAIN_ORDER}

VECTORS = []


def compact(value, **options):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, **options)


def php(value):
    """json_encode with no flags: no blanks, ASCII only, slashes escaped."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


def sha256(text, key=KEY):
    return hashlib.sha256((text + key).encode()).hexdigest()


def add(name, text, signature, *mistakes, key="current", document='{"request":%T,"signature":"%S"}'):
    """`text` is what is sent as the value."""
    whole = document.replace("%S", signature).replace("%T", text)
    VECTORS.append(dict(name=name, document=whole, keys=KEYS, mistakes=list(mistakes), key=key))


def other_texts():
    sent = compact(VALUE)
    add("right", sent, sha256(sent))
    add("right under the previous key", sent, sha256(sent, PREVIOUS), key="previous")
    add("compact signed, default separators sent", json.dumps(PLAIN), sha256(compact(PLAIN)), "compact_json_signed")
    add("default separators signed, compact sent", compact(PLAIN), sha256(json.dumps(PLAIN)), "spaced_json_signed")
    for indent in (2, 4, "\t"):
        pretty = json.dumps(PLAIN, indent=indent)
        add(f"indented by {indent!r} signed, compact sent", compact(PLAIN), sha256(pretty), "pretty_json_signed")
        add(f"compact signed, indented by {indent!r} sent", pretty, sha256(compact(PLAIN)), "compact_json_signed")
    jackson = json.dumps({"header": {"a": 1}, "body": {}}, indent=2, separators=(",", " : "))
    jackson_sent = '{"header":{"a":1},"body":{}}'
    add("Jackson's printer signed", jackson_sent, sha256(jackson), "pretty_json_signed")
    add(
        "sorted keys signed, others sent",
        compact(PLAIN),
        sha256(compact(PLAIN, sort_keys=True)),
        "sorted_keys_signed",
    )
    add(
        "sorted and compact signed, default separators sent",
        json.dumps(PLAIN),
        sha256(compact(PLAIN, sort_keys=True)),
        "compact_json_signed",
        "sorted_keys_signed",
    )
    pretty = json.dumps(PLAIN, indent=2)
    add("LF signed, CR LF sent", pretty.replace("\n", "\r\n"), sha256(pretty), "unix_line_ends_signed")
    add("CR LF signed, LF sent", pretty, sha256(pretty.replace("\n", "\r\n")), "windows_line_ends_signed")
    add("newline signed", sent, sha256(sent + "\n"), "trailing_newline_signed")
    add("CR LF behind the text signed", sent, sha256(sent + "\r\n"), "trailing_newline_signed")
    add("byte order mark signed", sent, hashlib.sha256((sent + KEY).encode("utf-8-sig")).hexdigest(), "byte_order_mark_signed")


def escapes():
    sent, ascii_only = compact(VALUE), json.dumps(VALUE, separators=(",", ":"))
    add("escaped slashes signed", compact(PLAIN), sha256(compact(PLAIN).replace("/", "\\/")), "slashes_escaped_when_signed")
    add("plain slashes signed", compact(PLAIN).replace("/", "\\/"), sha256(compact(PLAIN)), "slashes_unescaped_when_signed")
    add("ASCII only signed", sent, sha256(ascii_only), "non_ascii_escaped_when_signed")
    add("UTF-8 signed, ASCII only sent", ascii_only, sha256(sent), "non_ascii_unescaped_when_signed")
    capitals = sent
    for character in sorted({c for c in sent if ord(c) > 127}):
        capitals = capitals.replace(character, f"\\u{ord(character):04X}")
    add("ASCII only with capitals signed", sent, sha256(capitals), "non_ascii_escaped_when_signed")
    astral = {"header": HEADER, "body": {**ORDER, "orderTitle": "🍰"}}
    add("a pair of escapes signed", compact(astral), sha256(json.dumps(astral, separators=(",", ":"))), "non_ascii_escaped_when_signed")
    add(
        "PHP's defaults signed, UTF-8 sent",
        sent,
        sha256(php(VALUE)),
        "slashes_escaped_when_signed",
        "non_ascii_escaped_when_signed",
    )
    add(
        "PHP's defaults signed, json.dumps sent",
        json.dumps(VALUE),
        sha256(php(VALUE)),
        "compact_json_signed",
        "slashes_escaped_when_signed",
    )
    go = sent.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    add("Go's escapes signed", sent, sha256(go), "html_escaped_when_signed")
    add("Go's escapes sent", go, sha256(sent), "html_unescaped_when_signed")


def other_parts():
    sent = compact(VALUE)
    add("whole document", sent, sha256(compact({"request": VALUE})), "whole_document_signed")
    empty = compact({"request": VALUE, "signature": ""})
    add("whole document with an empty signature", sent, sha256(empty), "whole_document_with_empty_signature_signed")
    add(
        "whole document, indented",
        compact(PLAIN),
        sha256(json.dumps({"request": PLAIN}, indent=4)),
        "whole_document_signed",
        "pretty_json_signed",
    )
    add("value with its name", sent, sha256('"request":' + sent), "value_signed_with_its_name")
    add("body only", sent, sha256(compact(ORDER)), "body_only_signed")
    add("header only", sent, sha256(compact(HEADER)), "header_only_signed")


def hashes():
    sent = compact(VALUE)
    both = (sent + KEY).encode()
    add("capitals", sent, sha256(sent).upper(), "upper_case_hex")
    add("base64", sent, base64.b64encode(hashlib.sha256(both).digest()).decode(), "base64")
    add("base64 for URLs", sent, base64.urlsafe_b64encode(hashlib.sha256(both).digest()).decode().rstrip("="), "base64")
    add("base64 of hex", sent, base64.b64encode(sha256(sent).encode()).decode(), "base64_of_hex")
    add("MD5", sent, hashlib.md5(both).hexdigest(), "md5")
    add("MD5 in capitals with &key=", sent, hashlib.md5((sent + "&key=" + KEY).encode()).hexdigest().upper(), "key_as_parameter", "md5", "upper_case_hex")
    add("SHA-1", sent, hashlib.sha1(both).hexdigest(), "sha1")
    add("SHA-512", sent, hashlib.sha512(both).hexdigest(), "sha512")
    add("HMAC", sent, hmac.new(KEY.encode(), sent.encode(), "sha256").hexdigest(), "hmac")
    add("HMAC, base64", sent, base64.b64encode(hmac.new(KEY.encode(), sent.encode(), "sha256").digest()).decode(), "hmac", "base64")
    add("HMAC with MD5", sent, hmac.new(KEY.encode(), sent.encode(), "md5").hexdigest(), "hmac", "md5")
    add("HMAC the wrong way round", sent, hmac.new(sent.encode(), KEY.encode(), "sha256").hexdigest(), "hmac_arguments_swapped")
    add("key before text", sent, hashlib.sha256((KEY + sent).encode()).hexdigest(), "key_before_text")
    add("key as a parameter", sent, sha256(sent + "&key="), "key_as_parameter")
    add("no key", sent, hashlib.sha256(sent.encode()).hexdigest(), "no_key", key=None)
    add("a line end in the signature", sent, sha256(sent) + "\\n", "blanks_around_signature")


def keys():
    sent = compact(VALUE)
    for name, before, behind in (("newline", "", "\n"), ("CR LF", "", "\r\n"), ("blank behind", "", " "), ("blank before", " ", "")):
        add(f"key with {name}", sent, sha256(sent, before + KEY + behind), "blanks_around_key")
    add("key in quotation marks", sent, sha256(sent, f'"{KEY}"'), "quoted_key")
    add("key in capitals", sent, sha256(sent, KEY.upper()), "key_in_other_case")
    add("key's bytes", sent, hashlib.sha256(sent.encode() + bytes.fromhex(KEY)).hexdigest(), "decoded_key")
    add("HMAC with the key's bytes", sent, hmac.new(bytes.fromhex(KEY), sent.encode(), "sha256").hexdigest(), "hmac", "decoded_key")
    add("expired key", sent, sha256(sent, EXPIRED), "expired_key", key="expired")
    add("test key on live", sent, sha256(sent, OTHER_MODE), "key_of_other_mode", key="other_mode")
    add("test key with a newline, HMAC", sent, hmac.new((OTHER_MODE + "\n").encode(), sent.encode(), "sha256").hexdigest(), "hmac", "key_of_other_mode", "blanks_around_key", key="other_mode")


def documents():
    sent = compact(VALUE)
    add("document with a byte order mark", sent, sha256(sent), "document_starts_with_bom", document='\ufeff{"request":%T,"signature":"%S"}')
    add("byte order mark and HMAC", sent, hmac.new(KEY.encode(), sent.encode(), "sha256").hexdigest(), "document_starts_with_bom", "hmac", document='\ufeff{"request":%T,"signature":"%S"}')
    add("the signature first", sent, sha256(compact(ORDER)), "body_only_signed", document='{ "signature" : "%S",\n "request" : %T }')
    add("our own message to a shop", sent, hmac.new(KEY.encode(), sent.encode(), "sha256").hexdigest(), "hmac", document='{"response":%T,"signature":"%S"}')


other_texts()
escapes()
other_parts()
hashes()
keys()
documents()
text = json.dumps(VECTORS, indent=1, ensure_ascii=True) + "\n"
if sys.argv[1:] == ["--check"]:
    sys.exit(None if FILE.read_text() == text else f"{FILE} would change")
FILE.write_text(text)
