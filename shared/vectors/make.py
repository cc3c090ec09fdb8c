#!/usr/bin/env python3
"""Makes python.json: envelopes and their signatures as Python's standard library writes them.

Nothing here may use the code under test: the texts come from `json.dumps` or are spelled out, the signatures from
`hashlib`. `make.py` writes the file, `make.py --check` fails if it would change.
"""

import hashlib
import hmac
import json
import sys
from pathlib import Path

FILE = Path(__file__).with_name("python.json")
KEY = "123456"
LONG_KEY = "9f3c1e5a7b2d4f60819a0b3c5d7e9f11223344556677889900aabbccddeeff01"

HEADER = {
    "version": "1.0",
    "partnerNo": "10001",
    "reqMsgId": "m1",
    "reqTime": "2018-07-25T18:06:05+08:00",
    "signType": "SHA256",
}
RESPONSE_HEADER = {
    "version": "1.0",
    "partnerNo": "10001",
    "respMsgId": "m2",
    "respTime": "2018-07-25T18:06:12+08:00",
    "signType": "SHA256",
}
ORDER = {
    "storeNo": "100010000000002",
    "partnerOrderNo": "p20180725180605466813",
    "wallet": "Alipay",
    "currency": "HKD",
    "orderAmount": 2100,
    "orderTitle": "Consume",
    "notifyUrl": "http://shop.example/ScanForPay/notify",
}
OPENED = {"code": 1, "msg": "success", "payUrl": "https://www.scanforpay.example/api/online/pay/5a421395"}

VECTORS = []


def sign(text, key=KEY):
    return hashlib.sha256((text + key).encode()).hexdigest()


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def request(body=None, header=None, **extra):
    return {"header": HEADER if header is None else header, "body": {**(ORDER if body is None else body), **extra}}


def response(body=None, **extra):
    return {"header": RESPONSE_HEADER, "body": {**(OPENED if body is None else body), **extra}}


def in_body(member):
    """A compact request whose body ends with a member spelled by hand."""
    return compact(request())[:-2] + "," + member + "}}"


def add(name, why, text, *, valid=True, side="request", key=KEY, signature=None, document=None):
    """One vector. `document` has %T for the text and %S for the signature; both joints are compact without it."""
    signature = sign(text, key) if signature is None else signature
    document = document or '{"%N":%T,"signature":"%S"}'
    whole = document.replace("%N", side).replace("%S", signature).replace("%T", text)
    VECTORS.append(
        dict(name=name, side=side, sign_key=key, document=whole, text=text, signature=signature, valid=valid, why=why)
    )


def refuse(name, why, text, **options):
    add(name, why, text, valid=False, **options)


def formatting():
    plain = compact(request())
    add(
        "worked_example",
        "the example of the protocol's description",
        '{"header":{"version":"1.0","partnerNo":"10001","reqMsgId":"m1","reqTime":"2018-07-25T18:06:05+08:00",'
        '"signType":"SHA256"},"body":{"storeNo":"100010000000002","partnerOrderNo":"p1"}}',
    )
    assert VECTORS[-1]["signature"] == "ebd49f26dcefb62cf444daeeed4c464c9021ef2d407eecd74157f823fb1a60f4"
    add("compact_request", "json.dumps without blanks", plain)
    add("compact_response", "the same towards the partner", compact(response()), side="response")
    add("long_key", "a key of 256 bits", plain, key=LONG_KEY)
    add("default_separators", "json.dumps as it comes: a blank after each comma and colon", json.dumps(request()))
    add(
        "pretty_printed",
        "the whole document indented by four: the value's text holds its line breaks",
        json.dumps(request(), indent=4).replace("\n", "\n    "),
        document='{\n    "%N": %T,\n    "signature": "%S"\n}',
    )
    add(
        "pretty_printed_response_with_crlf",
        "line ends of Windows and tabs inside the value",
        json.dumps(response(), indent="\t").replace("\n", "\r\n"),
        side="response",
        document='{\r\n"%N": %T,\r\n"signature": "%S"\r\n}\r\n',
    )
    add("sorted_keys", "body before header, keys in alphabetical order", json.dumps(request(), sort_keys=True))
    add("signature_first", "the signature before the value", plain, document='{"signature":"%S","%N":%T}')
    add(
        "signature_first_pretty_response",
        "the signature before an indented value that ends at the closing brace",
        json.dumps(response(), indent=2),
        side="response",
        document='{\n"signature": "%S",\n"%N": %T\n}',
    )
    add("newline_after_the_document", "white space may follow", plain, document='{"%N":%T,"signature":"%S"}\n')
    add("blanks_before_the_document", "white space may come first", plain, document='\r\n \t{"%N":%T,"signature":"%S"}')


def blanks_around():
    plain = compact(request())
    spaced = '{ "%N" :\t \n%T\r\n , "signature" : "%S" }'
    add("blanks_around_signed_trimmed", "blanks around the value are not in the signed text", plain, document=spaced)
    add(
        "blanks_around_signed_untrimmed",
        "blanks around the value are in the signed text",
        "\t \n" + plain + "\r\n ",
        document='{ "%N" :%T, "signature" : "%S" }',
    )
    add(
        "blank_in_front_signed_untrimmed",
        "as a pretty printer leaves it that hashes from the colon",
        " " + plain,
        document='{"%N":%T,"signature":"%S"}',
    )
    add(
        "last_member_signed_untrimmed",
        "the value comes last: its blanks reach to the closing brace",
        " " + plain + "\n",
        document='{"signature":"%S","%N":%T}',
    )
    refuse(
        "half_trimmed",
        "trimmed or as sent, nothing between: here only the blanks behind were kept",
        plain + " ",
        document='{"%N": %T,"signature":"%S"}',
    )
    refuse("blank_signed_that_was_not_sent", "the text is what was sent",
        " " + plain, document='{"%N":' + plain + ',"signature":"%S"}')
    refuse("no_break_space_around", "U+00A0 is no white space of JSON", plain, document='{"%N":\u00a0%T,"signature":"%S"}')
    refuse("vertical_tab_around", "U+000B is no white space of JSON", plain, document='{"%N":\u000b%T,"signature":"%S"}')


def characters():
    title = {"orderTitle": "拉麵 🍜 café"}
    add("chinese_and_emoji", "characters beyond ASCII as they are", compact(request(**title)))
    add("unicode_escapes", "json.dumps escapes them, the emoji as two surrogates", json.dumps(request(**title)))
    add(
        "unicode_escapes_in_capitals",
        "the same characters in another spelling are another text",
        in_body('"title":"\\u62C9\\u9EB5 \\uD83C\\uDF5C caf\\u00E9"'),
    )
    add("escaped_slashes", "http:\\/\\/, as PHP and some Java libraries write", compact(request()).replace("/", "\\/"))
    add("some_slashes_escaped", "both spellings in one text", in_body('"returnUrl":"http:\\/\\/shop.example/return"'))
    add("control_characters", "escapes of control characters", compact(request(orderTitle="a\0b\b\f\n\r\t\x1f")))
    add("backslash_at_the_end", "a string that ends in a backslash", compact(request(orderTitle="C:\\", terminalNo='\\"')))
    add("structure_inside_a_string", "brackets, commas, colons and quotes in values", compact(request(orderTitle='}{][,:"')))
    add("separators_and_delete", "U+2028, U+007F and U+FEFF may stand in a string",
        compact(request(orderTitle="\u2028\x7f\ufeff")))
    add("empty_strings_and_keys", "an empty key is a key", compact(request(operatorId="", **{"": ""})))


def words():
    add(
        "words_in_values",
        "the three words as values",
        compact(request(orderTitle="request", operatorId="response", terminalNo="signature")),
    )
    add(
        "words_in_nested_keys",
        "the three words as keys further in",
        compact(request(request=1, response={"request": {}}, signature="0" * 64)),
    )
    add(
        "an_envelope_inside_the_body",
        "a whole signed document as a value of the body",
        compact(request(inner={"request": request(), "signature": "ab" * 32})),
    )
    add(
        "an_envelope_inside_a_string",
        "a value that looks like the end of the document",
        compact(response(msg='"},"signature":"' + "0" * 64 + '"}')),
        side="response",
    )
    add("response_words_inside_a_response", "a client that cuts at the words cuts this one wrongly",
        compact(response(response="signature", msg="response,signature")), side="response")
    add(
        "words_in_nested_keys_spelled_with_escapes",
        "keys further in that decode to the three words",
        in_body('"\\u0072equest":1,"respons\\u0065":2,"sign\\u0061ture":3'),
    )
    plain = compact(request())
    add("signature_key_spelled_with_an_escape", "the key decodes to signature", plain,
        document='{"%N":%T,"\\u0073ignature":"%S"}')
    add("value_key_spelled_with_an_escape", "the key decodes to request", plain,
        document='{"\\u0072equest":%T,"signature":"%S"}')
    spelled = "".join(f"\\u{ord(letter):04X}" for letter in "response")
    add("value_key_spelled_wholly_with_escapes", "the key decodes to response", compact(response()), side="response",
        document='{"signature":"%S","' + spelled + '":%T}')
    digits = sign(plain)
    add("signature_spelled_with_an_escape", "the same signature after decoding", plain,
        document='{"%N":%T,"signature":"' + f"\\u{ord(digits[0]):04x}" + digits[1:] + '"}')


def numbers_and_depth():
    add("integral_float", "json.dumps writes a float's zero", compact(request(orderAmount=2100.0)))
    add("number_spellings", "numbers are text to the signature",
        in_body('"a":2100.0,"b":21e2,"c":2.1E+3,"d":-0.0,"e":1e400,"f":9007199254740993,"g":0'))
    add("other_types", "null, booleans, arrays and empty containers",
        in_body('"tradeSummary":true,"a":null,"b":[],"c":{},"d":[1,[{"e":false}]]'))
    add("sixteen_deep", "nesting within reason", in_body('"deep":' + "[" * 12 + "{}" + "]" * 12))
    refuse("a_thousand_deep", "nesting beyond any reason", in_body('"deep":' + "[" * 1000 + "]" * 1000))
    for name, number in [("leading_zero", "0123"), ("plus_sign", "+1"), ("bare_point", "1."), ("not_a_number", "NaN"),
                         ("infinity", "-Infinity"), ("hexadecimal", "0x10"), ("bare_minus", "-")]:
        refuse(f"number_{name}", f"{number} is no number of JSON", in_body(f'"n":{number}'))


def wrong_signatures():
    plain = compact(request())
    refuse("upper_case_hex", "the signature is lower-case hex", plain, signature=sign(plain).upper())
    refuse("wrong_key", "signed with another key", plain, signature=sign(plain, "1234567"))
    refuse("key_before_text", "the key comes after the text",
        plain, signature=hashlib.sha256((KEY + plain).encode()).hexdigest())
    refuse("no_key", "the text alone was hashed", plain, signature=sign(plain, ""))
    refuse("hmac", "HMAC-SHA256 is another function", plain,
           signature=hmac.new(KEY.encode(), plain.encode(), hashlib.sha256).hexdigest())
    refuse("cut_short", "a signature has 64 digits", plain, signature=sign(plain)[:-1])
    refuse("one_digit_too_many", "a signature has 64 digits", plain, signature=sign(plain) + "0")
    refuse("blank_in_the_signature", "a signature holds nothing but digits", plain, signature=sign(plain) + " ")
    refuse("empty_signature", "an empty signature is none", plain, signature="")
    refuse("whole_document_signed", "the value is signed, not the document",
        plain, signature=sign('{"request":' + plain + "}"))
    sent = json.dumps(request(orderTitle="拉麵"))
    refuse("re_serialised", "signed over an equal value in another spelling",
        sent, signature=sign(compact(json.loads(sent))))
    refuse("one_byte_changed", "the amount was raised on the way", plain.replace("2100", "2101"), signature=sign(plain))
    refuse("one_blank_added", "white space inside the value counts", plain.replace(":2100", ": 2100"), signature=sign(plain))
    refuse("header_and_body_swapped", "order inside the value counts",
        compact(dict(reversed(request().items()))), signature=sign(plain))


def duplicates():
    plain = compact(request())
    other = compact(request(orderAmount=1))
    refuse("value_twice", "which of the two was signed?", plain, document='{"%N":' + other + ',"%N":%T,"signature":"%S"}')
    refuse("value_twice_signed_first", "which of the two was signed?",
        plain, document='{"%N":%T,"%N":' + other + ',"signature":"%S"}')
    refuse("value_twice_spelled_with_an_escape", "the same key after decoding", plain,
           document='{"%N":%T,"r\\u0065quest":' + other + ',"signature":"%S"}')
    refuse("signature_twice", "even the same signature", plain, document='{"%N":%T,"signature":"%S","signature":"%S"}')
    refuse("signature_twice_spelled_with_an_escape", "the same key after decoding", plain,
           document='{"%N":%T,"signature":"%S","\\u0073ignature":"%S"}')
    refuse("header_twice", "duplicate inside the value", plain[:-1] + ',"header":' + compact(HEADER) + "}")
    refuse("partner_twice", "duplicate inside the header", plain.replace('"version"', '"partnerNo":"10002","version"', 1))
    refuse("amount_twice", "duplicate inside the body", in_body('"orderAmount":1'))
    refuse("amount_twice_spelled_with_an_escape", "the same key after decoding", in_body('"order\\u0041mount":1'))
    refuse("nested_twice", "duplicate deeper inside the body", in_body('"extra":{"a":{"b":1,"c":2,"b":1}}'))
    refuse("nested_twice_in_an_array", "duplicate in an object of an array", in_body('"extra":[1,[{"b":1,"b":2}]]'))
    add("same_key_in_two_objects", "no duplicate: the objects differ",
        in_body('"extra":[{"b":1},{"b":1}],"header":{"body":{}}'))
    add("keys_that_differ_in_case_or_blanks", "no duplicate: the keys differ", in_body('"OrderAmount":1,"orderAmount ":1'))


def not_an_envelope():
    plain = compact(request())
    refuse("byte_order_mark", "a JSON text does not begin with U+FEFF", plain, document='\ufeff{"%N":%T,"signature":"%S"}')
    refuse("trailing_comma", "no JSON", plain, document='{"%N":%T,"signature":"%S",}')
    refuse("trailing_comma_in_the_body", "no JSON, as in one printed sample", plain[:-2] + ",}}")
    refuse("comma_missing", "no JSON, as in one printed sample", plain.replace('2100,"', '2100 "'))
    refuse("text_after_the_document", "one document only", plain, document='{"%N":%T,"signature":"%S"}x')
    refuse("two_documents", "one document only", plain, document='{"%N":%T,"signature":"%S"}\n{"%N":%T,"signature":"%S"}')
    refuse("comment", "JSON has no comments", plain, document='{"%N":%T,/* ok */"signature":"%S"}')
    refuse("single_quotes", "JSON has one kind of quotes", plain, document="{'%N':%T,'signature':'%S'}")
    refuse("line_break_in_a_string", "control characters must be escaped", in_body('"t":"a\nb"'))
    refuse("unknown_escape", "\\x is no escape of JSON", in_body('"t":"\\x41"'))
    refuse("short_unicode_escape", "\\u takes four digits", in_body('"t":"\\u41"'))
    refuse("capital_true", "literals are lower case", in_body('"t":True'))
    refuse("not_closed", "the document ends too early", plain, document='{"%N":%T,"signature":"%S"')
    refuse("empty_document", "nothing was sent", "", document=" ")
    refuse("an_array", "the document is an object", plain, document='[{"%N":%T,"signature":"%S"}]')
    refuse("signature_missing", "not signed", plain, document='{"%N":%T}')
    refuse("signature_null", "not signed", plain, document='{"%N":%T,"signature":null}')
    refuse("signature_in_a_list", "a signature is a string", plain, document='{"%N":%T,"signature":["%S"]}')
    refuse("signature_inside_the_value", "the signature stands beside the value",
        in_body('"signature":"0"'), document='{"%N":%T}')
    refuse("value_missing", "nothing was signed", "", document='{"signature":"%S"}')
    refuse("value_in_a_string", "the value is an object, not its text", json.dumps(plain))
    refuse("the_other_side", "a response where a request is due",
        compact(response()), document='{"response":%T,"signature":"%S"}')
    refuse("keys_in_capitals", "keys are told apart by case", plain, document='{"Request":%T,"Signature":"%S"}')
    refuse("header_missing", "an envelope has a header", compact({"body": ORDER}))
    refuse("body_missing", "an envelope has a body", compact({"header": HEADER}))
    refuse("body_null", "the body is an object", compact({"header": HEADER, "body": None}))


def main():
    for part in (formatting, blanks_around, characters, words, numbers_and_depth, wrong_signatures, duplicates, not_an_envelope):
        part()
    names = [vector["name"] for vector in VECTORS]
    assert len(set(names)) == len(names), "names must differ"
    made = json.dumps(VECTORS, indent=2) + "\n"
    if "--check" in sys.argv[1:]:
        if FILE.read_text() != made:
            sys.exit(f"{FILE.name} is not what make.py makes: run it again")
        return
    FILE.write_text(made)
    print(f"{FILE.name}: {len(VECTORS)} vectors")


if __name__ == "__main__":
    main()
