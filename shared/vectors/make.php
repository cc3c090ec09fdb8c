#!/usr/bin/env php
<?php
/**
 * Makes php.json: envelopes and their signatures as PHP's own json_encode writes them, the language most merchants'
 * shops speak. By default it escapes slashes and everything beyond ASCII.
 *
 * Nothing here may use the code under test: the texts come from json_encode or are spelled out, the signatures from
 * hash(). `php make.php` writes the file.
 */

declare(strict_types=1);

const KEY = '123456';
const LONG_KEY = 'b7e151628aed2a6abf7158809cf4f3c762e7160f38b4da56a784d9045190cfef';
const PLAIN = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE;

$vectors = [];

function signed(string $text, string $key = KEY): string
{
    return hash('sha256', $text . $key);
}

/** A request: the header and the body of an order, with more or other members in the body. */
function request(array $more = []): array
{
    return [
        'header' => [
            'version' => '1.0',
            'partnerNo' => '10001',
            'reqMsgId' => 'fd03f269-3180-4575-8af0-8f6cf324fb0f',
            'requestTime' => '2018-07-25T18:06:05+08:00',
            'signType' => 'SHA256',
        ],
        'body' => $more + [
            'storeNo' => '100010000000002',
            'partnerOrderNo' => 'p20180725180605466813',
            'wallet' => 'Alipay',
            'currency' => 'HKD',
            'orderAmount' => 2100,
            'orderTitle' => 'Consume',
            'operatorId' => '',
            'notifyUrl' => 'http://shop.example/?wc-api=scanforpay&step=notify',
        ],
    ];
}

function response(array $body): array
{
    return [
        'header' => [
            'partnerNo' => '10001',
            'respTime' => '2018-07-25T18:06:12+08:00',
            'signType' => 'SHA256',
            'version' => '1.0',
            'reqMsgId' => '213ca19e-c75f-450d-9acf-46e860570bb9',
        ],
        'body' => $body,
    ];
}

/** A request text whose body ends with a member spelled by hand. */
function inBody(string $member): string
{
    return substr(json_encode(request()), 0, -2) . ',' . $member . '}}';
}

/** One vector. In `document` %T is the text, %S the signature, %N the side. */
function vector(string $name, string $why, string $text, array $with = []): void
{
    global $vectors;
    $with += ['side' => 'request', 'key' => KEY, 'valid' => true, 'document' => '{"%N":%T,"signature":"%S"}'];
    $signature = $with['signature'] ?? signed($text, $with['key']);
    $vectors[] = [
        'name' => $name,
        'side' => $with['side'],
        'sign_key' => $with['key'],
        'document' => strtr($with['document'], ['%N' => $with['side'], '%T' => $text, '%S' => $signature]),
        'text' => $text,
        'signature' => $signature,
        'valid' => $with['valid'],
        'why' => $why,
    ];
}

function refused(string $name, string $why, string $text, array $with = []): void
{
    vector($name, $why, $text, ['valid' => false] + $with);
}

/** What json_encode indents, moved in by one step as it stands inside a larger document. */
function nested(array $value, int $flags = 0): string
{
    return str_replace("\n", "\n    ", json_encode($value, JSON_PRETTY_PRINT | $flags));
}

$plain = json_encode(request());
$title = ['orderTitle' => '拉麵 🍜 café <b>"&\''];
$opened = ['code' => 1, 'msg' => '成功', 'payUrl' => 'https://www.scanforpay.example/api/online/pay/5a42'];

vector(
    'worked_example',
    'the example of the protocol\'s description',
    '{"header":{"version":"1.0","partnerNo":"10001","reqMsgId":"m1","reqTime":"2018-07-25T18:06:05+08:00",'
    . '"signType":"SHA256"},"body":{"storeNo":"100010000000002","partnerOrderNo":"p1"}}',
);
vector('defaults', 'json_encode as it comes: slashes escaped', $plain);
vector('defaults_response', 'Chinese as \uXXXX, slashes escaped', json_encode(response($opened)), ['side' => 'response']);
vector('long_key', 'a key of 256 bits', $plain, ['key' => LONG_KEY]);
vector('unicode_escapes', 'characters beyond ASCII, the emoji as two surrogates', json_encode(request($title)));
vector('unescaped', 'slashes and characters as they are', json_encode(request($title), PLAIN));
vector('unescaped_slashes', 'characters escaped, slashes not', json_encode(request($title), JSON_UNESCAPED_SLASHES));
vector('unescaped_unicode', 'slashes escaped, characters not', json_encode(request($title), JSON_UNESCAPED_UNICODE));
vector(
    'hex_escapes',
    '<, >, &, \' and " as escapes with capital digits',
    json_encode(request($title), JSON_HEX_TAG | JSON_HEX_AMP | JSON_HEX_APOS | JSON_HEX_QUOT),
);
vector('pretty_printed', 'the value alone indented', json_encode(request($title), JSON_PRETTY_PRINT));
vector(
    'pretty_printed_document',
    'the whole document indented, blanks after the colons',
    nested(request($title)),
    ['document' => "{\n    \"%N\": %T,\n    \"signature\": \"%S\"\n}\n"],
);
vector(
    'pretty_printed_response_signature_first',
    'the value comes last in an indented document',
    nested(response($opened), PLAIN),
    ['side' => 'response', 'document' => "{\n    \"signature\": \"%S\",\n    \"%N\": %T\n}"],
);
vector('pay_url_key_with_a_blank', 'a key as one printed sample has it',
    json_encode(response(['code' => 1, 'msg' => 'success', 'payUrl ' => $opened['payUrl']])), ['side' => 'response']);
vector('zero_fraction', 'a float that keeps its zero: 2100.0',
    json_encode(request(['orderAmount' => 2100.0]), JSON_PRESERVE_ZERO_FRACTION));
vector('floats', 'floats in the spellings of PHP: 1.0e+25, 0.1, -0.0',
    json_encode(request(['a' => 1e25, 'b' => 0.1, 'c' => -0.0, 'd' => 1.5e-9])));
vector('number_strings', 'PHP takes them for numbers, the signature does not care',
    json_encode(request(['orderAmount' => '2100'])));
vector('numeric_check', 'JSON_NUMERIC_CHECK turns strings of digits to numbers', json_encode(request(), JSON_NUMERIC_CHECK));
vector('nulls_and_lists', 'null, booleans, an empty list where a map was meant',
    json_encode(request(['tradeSummary' => true, 'a' => null, 'b' => [], 'c' => (object) [], 'd' => [1, [2, ['e' => false]]]])));
vector('force_object', 'a list written as an object', json_encode(request(['list' => ['a', 'b']]), JSON_FORCE_OBJECT));
vector('control_characters', 'escapes of control characters',
    json_encode(request(['orderTitle' => "a\0b\x08\f\n\r\t\x1f\x7f"])));
vector('line_separators', 'U+2028 is escaped even with JSON_UNESCAPED_UNICODE',
    json_encode(request(['orderTitle' => "a\u{2028}b"]), PLAIN));
vector('backslash_at_the_end', 'strings that end in a backslash or a quote',
    json_encode(request(['orderTitle' => 'C:\\', 'terminalNo' => '\\"'])));
vector('structure_inside_a_string', 'what looks like the end of the document',
    json_encode(request(['orderTitle' => '"},"signature":"' . str_repeat('0', 64) . '"}'])));
vector('words_in_values', 'the three words as values',
    json_encode(request(['orderTitle' => 'request', 'operatorId' => 'response', 'terminalNo' => 'signature'])));
vector('words_in_nested_keys', 'the three words as keys further in',
    json_encode(response($opened + ['request' => 1, 'response' => ['request' => ['signature' => 2]], 'signature' => '3'])), ['side' => 'response']);
vector('an_envelope_inside_the_body', 'a whole signed document as a value',
    json_encode(request(['inner' => ['request' => request(), 'signature' => signed('')]])));
vector('nested_keys_spelled_with_escapes', 'keys further in that decode to the words',
    inBody('"\u0072equest":1,"respons\u0065":2,"sign\u0061ture":3'));
vector('signature_key_spelled_with_an_escape', 'the key decodes to signature',
    $plain, ['document' => '{"%N":%T,"\u0073ignature":"%S"}']);
vector('value_key_spelled_with_an_escape', 'the key decodes to request',
    $plain, ['document' => '{"req\u0075est":%T,"signature":"%S"}']);
vector('signature_first', 'the signature before the value', $plain, ['document' => '{"signature":"%S","%N":%T}']);
vector('blanks_signed_trimmed', 'blanks around the value, not signed',
    $plain, ['document' => "{ \"%N\" : \t%T\n , \"signature\" : \"%S\" }"]);
vector('blanks_signed_untrimmed', 'blanks around the value, signed',
    " \t" . $plain . "\r\n", ['document' => '{ "%N" :%T, "signature" : "%S" }']);
vector('newline_after_the_document', 'as echo with PHP_EOL leaves it',
    $plain, ['document' => "{\"%N\":%T,\"signature\":\"%S\"}\r\n"]);

refused('upper_case_hex', 'the signature is lower-case hex', $plain, ['signature' => strtoupper(signed($plain))]);
refused('wrong_key', 'signed with another key', $plain, ['signature' => signed($plain, '654321')]);
refused('key_before_text', 'the key comes after the text', $plain, ['signature' => hash('sha256', KEY . $plain)]);
refused('no_key', 'the text alone was hashed', $plain, ['signature' => signed($plain, '')]);
refused('hmac', 'HMAC is another function', $plain, ['signature' => hash_hmac('sha256', $plain, KEY)]);
refused('base64', 'the signature is hex', $plain, ['signature' => base64_encode(hash('sha256', $plain . KEY, true))]);
refused('signed_without_escapes', 'signed over an equal value in another spelling', json_encode(request($title)),
    ['signature' => signed(json_encode(request($title), PLAIN))]);
refused('signed_with_escapes', 'signed over an equal value in another spelling', json_encode(request($title), PLAIN),
    ['signature' => signed(json_encode(request($title)))]);
refused('signed_compact_sent_pretty', 'white space inside the value counts',
    json_encode(request(), JSON_PRETTY_PRINT), ['signature' => signed($plain)]);
refused('half_trimmed', 'trimmed or as sent, nothing between', ' ' . $plain, ['document' => '{"%N":%T ,"signature":"%S"}']);
refused('byte_order_mark', 'as a PHP file saved with one sends it',
    $plain, ['document' => "\u{feff}{\"%N\":%T,\"signature\":\"%S\"}"]);
refused('warning_before_the_document', 'as display_errors leaves it',
    $plain, ['document' => "<br />\nWarning: x\n{\"%N\":%T,\"signature\":\"%S\"}"]);
refused('text_after_the_document', 'one document only', $plain, ['document' => '{"%N":%T,"signature":"%S"}1']);
refused('empty_body', 'an empty PHP array is a list, no object', json_encode(response([])), ['side' => 'response']);
refused('body_false', 'json_encode of a failed call', json_encode(['header' => request()['header'], 'body' => false]));
refused('twice_encoded', 'the value is an object, not its text', json_encode($plain));
refused('document_twice_encoded', 'the document is an object, not its text', $plain,
    ['document' => json_encode('{"request":' . $plain . ',"signature":"' . signed($plain) . '"}')]);
refused('value_twice', 'which of the two was signed?', $plain, ['document' => '{"%N":%T,"%N":%T,"signature":"%S"}']);
refused('signature_twice', 'even the same signature', $plain, ['document' => '{"signature":"%S","%N":%T,"signature":"%S"}']);
refused('signature_twice_spelled_with_an_escape', 'the same key after decoding', $plain,
    ['document' => '{"%N":%T,"signature":"%S","signatur\u0065":"%S"}']);
refused('body_twice', 'duplicate inside the value', substr($plain, 0, -1) . ',"body":{}}');
refused('signing_type_twice', 'duplicate inside the header',
    preg_replace('/"signType"/', '"signType":"MD5","signType"', $plain, 1));
refused('amount_twice', 'duplicate inside the body', inBody('"orderAmount":1'));
refused('notify_url_twice_spelled_with_an_escape', 'the same key after decoding',
    inBody('"notifyU\u0072l":"http:\/\/else.example"'));
refused('nested_twice', 'duplicate deeper inside the body', inBody('"extra":[{"a":{"\u4e2d":1,"中":2}}]'));
refused('the_other_side', 'a request where a response is due',
    $plain, ['side' => 'response', 'document' => '{"request":%T,"signature":"%S"}']);

$made = json_encode($vectors, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR);
// Two blanks a step, as everywhere in this repository; strings hold no line breaks of their own here.
$made = preg_replace('/^( +)\1(?! )/m', '$1', $made);
file_put_contents(__DIR__ . '/php.json', $made . "\n");
echo 'php.json: ', count($vectors), " vectors\n";
