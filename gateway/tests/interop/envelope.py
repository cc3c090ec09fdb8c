"""Signed envelopes as docs/PROTOCOL.md describes them: reading, verifying, and writing in every style that partners use.

Written from that description alone and with nothing but the standard library, so that client, upstream and shop of this
folder are a second opinion on the Rust code.
"""

import hashlib
import hmac
import json
import re
from datetime import datetime, timedelta, timezone

WHITE = " \t\r\n"
MAX_NESTING = 100
HONG_KONG = timezone(timedelta(hours=8))


class NotAnEnvelope(Exception):
    """The document cannot be read as an envelope of the side asked for."""


class Envelope:
    """A document as read: the header and body decoded, and the raw text of the value."""

    def __init__(self, header, body, padded, signature):
        self.header, self.body, self.padded, self.signature = header, body, padded, signature
        self.text = padded.strip(WHITE)

    def verifies(self, key):
        """Whether the signature fits the raw text, without the blanks around it or with them."""
        return any(hmac.compare_digest(sign(text, key), self.signature) for text in (self.text, self.padded))


def sign(text, key):
    return hashlib.sha256((text + key).encode()).hexdigest()


def now():
    return datetime.now(HONG_KONG).isoformat(timespec="seconds")


def _object(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise NotAnEnvelope("a key stands twice in one object")
    return dict(pairs)


def _refuse_constant(name):
    raise NotAnEnvelope(f"{name} is not JSON")


# `parse_float` keeps the spelling: 2100.0 and 1e400 must not silently become something else.
DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=lambda text: Number(text))


class Number(str):
    """A number with a point or an exponent, as spelled."""


def _members(document):
    """The members of the outermost object: key → (value, raw text between the colon and the comma)."""
    at = _skip(document, 0)
    if document[at : at + 1] != "{":
        raise NotAnEnvelope("the document is not an object")
    members, at = {}, _skip(document, at + 1)
    while True:
        if document[at : at + 1] != '"':
            raise NotAnEnvelope("a key was expected")
        key, at = DECODER.raw_decode(document, at)
        at = _skip(document, at)
        if document[at : at + 1] != ":":
            raise NotAnEnvelope("a colon was expected")
        start = at + 1
        value, at = DECODER.raw_decode(document, _skip(document, start))
        at = _skip(document, at)
        if key in members:
            raise NotAnEnvelope(f"{key} stands twice")
        members[key] = (value, document[start:at])
        separator, at = document[at : at + 1], _skip(document, at + 1)
        if separator == "}":
            break
        if separator != ",":
            raise NotAnEnvelope("a comma or the end was expected")
    if at != len(document):
        raise NotAnEnvelope("something follows the document")
    return members


def _skip(document, at):
    while at < len(document) and document[at] in WHITE:
        at += 1
    return at


def _nesting(document):
    depth = deepest = 0
    for mark in re.findall(r"[\[{}\]]", re.sub(r'"(?:[^"\\]|\\.)*"', "", document)):
        depth += 1 if mark in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def read(raw, side):
    """The envelope in `raw` (bytes), or `NotAnEnvelope` saying why not."""
    try:
        document = raw.decode("utf-8")
        if _nesting(document) > MAX_NESTING:
            raise NotAnEnvelope("nested too deeply")
        members = _members(document)
    except ValueError as error:  # of UTF-8 and of JSON
        raise NotAnEnvelope(str(error)) from error
    value, padded = members.get(side, (None, ""))
    signature, _ = members.get("signature", (None, ""))
    if not isinstance(value, dict):
        raise NotAnEnvelope(f"no object named {side}")
    if type(signature) is not str:
        raise NotAnEnvelope("no signature")
    header, body = value.get("header"), value.get("body")
    if not isinstance(header, dict) or not isinstance(body, dict):
        raise NotAnEnvelope("no header or no body")
    return Envelope(header, body, padded, signature)


def cut_by_words(raw, side, key):
    """Whether a client verifies this that cuts the text at the first occurrences of the two words, as many do."""
    document = raw.decode("utf-8")
    start = document.index(side) + len(side) + len('":')
    text = document[start : document.index("signature") - len(',"')]
    end = document.index("signature") + len('signature":"')
    return sign(text, key) == document[end : end + 64] and document[end + 64 :] == '"}'


# Writing ------------------------------------------------------------------------------------------------------------


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def escaped(value):
    """As PHP's `json_encode` writes: `\\/` for slashes and `\\uXXXX` for everything beyond ASCII."""
    return json.dumps(value, separators=(",", ":")).replace("/", "\\/")


def spelled(text):
    """JSON text with every character of every string written as `\\uXXXX`."""

    def units(match):
        code = json.loads(match.group(0)).encode("utf-16-be")
        return '"' + "".join(f"\\u{code[i]:02X}{code[i + 1]:02x}" for i in range(0, len(code), 2)) + '"'

    return re.sub(r'"(?:[^"\\]|\\.)*"', units, text)


def _backwards(value):
    if isinstance(value, dict):
        return {key: _backwards(value[key]) for key in reversed(value)}
    return value


def _as_sampled(side, header, body):
    """The keys as the upstream's printed samples have them, against its own reference."""
    header, body = dict(header), dict(body)
    for reference, sample in (("reqTime", "requestTime"), ("respMsgId", "reqMsgId")):
        if reference in header:
            header.setdefault(sample, header[reference])
            del header[reference]
    if side == "response" and "payUrl" in body:
        body = {key: body[key] for key in ("code", "msg") if key in body} | {"payUrl ": body["payUrl"]}
    return header, body


def _pretty(side, header, body, key):
    text = json.dumps({"header": header, "body": body}, indent=4, ensure_ascii=False).replace("\n", "\n    ")
    return f'{{\n    "{side}": {text},\n    "signature": "{sign(text, key)}"\n}}\n'


def _sampled(side, header, body, key):
    return _pretty(side, *_as_sampled(side, header, body), key)


def _reordered(side, header, body, key):
    text = json.dumps({"body": _backwards(body), "header": _backwards(header)}, ensure_ascii=False)
    return f'{{"signature": "{sign(text, key)}", "{side}": {text}}}'


def _spelled(side, header, body, key):
    text = spelled(compact({"header": header, "body": body}))
    return f'{{{spelled(compact(side))}:{text},{spelled(compact("signature"))}:"{sign(text, key)}"}}'


def _padded(side, header, body, key):
    text = compact({"header": header, "body": body})
    return f'{{"{side}" :\t {text} \r\n, "signature" : "{sign(text, key)}" }}'


def _padded_signed(side, header, body, key):
    text = "\t " + compact({"header": header, "body": body}) + " \r\n"
    return f'{{"{side}" :{text}, "signature" : "{sign(text, key)}" }}'


def seal_text(side, text, key):
    """A document around a value that is text already."""
    return f'{{"{side}":{text},"signature":"{sign(text, key)}"}}'


# name → how (side, header, body, key) becomes a document
STYLES = {
    "compact": lambda side, header, body, key: seal_text(side, compact({"header": header, "body": body}), key),
    "pretty": _pretty,
    "escaped": lambda side, header, body, key: seal_text(side, escaped({"header": header, "body": body}), key),
    "spelled": _spelled,
    "reordered": _reordered,
    "padded": _padded,
    "padded-signed": _padded_signed,
    "sampled": _sampled,
}


def seal(style, side, header, body, key):
    """The finished document as bytes."""
    return STYLES[style](side, header, body, key).encode()
