//! The contract's longer texts, in Markdown.

// Macros, because `concat!` takes no constants.
macro_rules! worked_text {
    () => {
        r#"{"header":{"version":"1.0","partnerNo":"10001","reqMsgId":"m1","reqTime":"2018-07-25T18:06:05+08:00","signType":"SHA256"},"body":{"storeNo":"100010000000002","partnerOrderNo":"p1"}}"#
    };
}

macro_rules! worked_signature {
    () => {
        "ebd49f26dcefb62cf444daeeed4c464c9021ef2d407eecd74157f823fb1a60f4"
    };
}

macro_rules! codes {
    () => {
        "| code | meaning | what to do |
| ---: | --- | --- |
| 1 | success | |
| 2 | failure | Query the order before anything else |
| 3 | not authorised | The merchant or the store may not do this; nothing was changed |
| 4 | parameter empty | `msg` names the field; correct it and send again |
| 5 | parameter invalid | `msg` names the field and the reason; correct it and send again |
| 6 | not JSON | Not of this gateway's: what it cannot read has no signature to verify, and is answered with code 8 |
| 7 | neither order number given | Give `partnerOrderNo` or `orderNo` |
| 8 | bad signature | See above; also the answer to an unknown `partnerNo`, and to what is not a document of the form above |
| 9 | unknown system error, try later | Wait as long as `Retry-After` says, then send the same again |
| 20 | the wallet's signature did not verify | Query the order |
| 21 | result not in time, state unknown | The payment may still succeed: query the order, do not place another |
| 22 | wallet request failed, try again | Query the order, then send the same again |
| 30 | no such order | This merchant has no order of this number |
| 31 | order created twice | The order number belongs to an order with other content; take a new number |
| 32 | wrong order state | The order's state does not allow this; query it |
| 33 | order closed | The order can no longer be paid; place a new one |
| 34 | may not be cancelled | |
| 35 | more than is refundable | Ask for less |
| 40 | open in Alipay or WeChat | The payer has to open the page in a wallet |
| 41 | pay with Alipay | The payer has to use Alipay |
| 42 | pay with WeChat | The payer has to use WeChat |
| 43 | no account for this wallet | The store has no account with this wallet; take another wallet |
| 44 | payment type not opened | The store may not use this kind of payment |
"
    };
}

/// Every `code` of the signed API: ScanForPay's numbers, and what they mean for the one who asked.
pub const CODES: &str = codes!();

/// What a developer must know before the first call; opens the contract.
pub const INTRODUCTION: &str = concat!(
    "One gateway in front of ScanForPay. Its signed API speaks ScanForPay's own protocol: a client that works \
with ScanForPay works here after a change of base URL and sign key. The base URL is this server's followed by \
the platform's name, `https://…/{platform}`; for the one platform its operator has chosen the name may be left out.

## Envelope

Every request is a `POST` of JSON in UTF-8 with two members, `request` and `signature`; every answer has \
`response` and `signature`. Both hold a `header` and a `body`:

```json
{\"request\":{\"header\":{…},\"body\":{…}},\"signature\":\"…\"}
```

The HTTP status is 200 for every answer that could be formed; what came of the request says `code` in the \
answer's body. Amounts are integers in the currency's smallest unit, times are RFC 3339 with offset. `String(n)` \
holds up to n characters (code points).

## Signature

The signature is the lower-case hex of SHA-256 over the text of the `request` (or `response`) value followed by \
the sign key. The text is *exactly the bytes as sent*, from the brace that opens the value to the brace that \
closes it: white space, the order of keys and every escape count. So sign the text you send, and verify the text \
you received: parsing and writing it again may change it.

With the sign key `123456` the text

```json
",
    worked_text!(),
    "
```

has the signature `",
    worked_signature!(),
    "`. The examples on this page are signed with the same key, over their compact form (no white space between \
tokens).

Until a signature has verified, the answer is code 8 and says no more. Then check, in this order: the platform's \
name in the URL, `partnerNo`, the sign key, and that the signed bytes are the sent bytes.

## Response codes

",
    codes!()
);

/// Of the request body.
pub const REQUEST: &str = "The signed request.";

/// Of HTTP status 200.
pub const ANSWERED: &str = "Every answer, good or bad: `code` in the body says which. Signed with the merchant's \
key once the request's signature has verified.";

/// Of every other status.
pub const UNANSWERED: &str = "No answer could be formed, or something in between failed. Whether the request \
took effect is not known: query the order.";

#[cfg(test)]
mod tests {
    use shared::code::Code;
    use shared::signature;

    use super::*;

    #[test]
    fn the_table_has_every_code_with_its_documented_meaning_and_no_other() {
        let rows: Vec<(i32, &str)> = CODES
            .lines()
            .skip(2)
            .map(|row| {
                let cells: Vec<&str> = row.split('|').map(str::trim).collect();
                (cells[1].parse().expect("the first cell is the code"), cells[2])
            })
            .collect();
        assert_eq!(rows, Code::TABLE.map(|(code, meaning)| (code.0, meaning)));
    }

    #[test]
    fn the_worked_signature_is_right() {
        assert_eq!(signature::sign(worked_text!(), "123456"), worked_signature!());
        assert!(INTRODUCTION.contains(worked_text!()) && INTRODUCTION.contains(worked_signature!()));
    }
}
