//! Requests that are signed as they should be and wrong, or odd, in what they say.

use gateway::clock::Clock;
use rand::RngExt;
use rand::rngs::StdRng;
use shared::envelope::rfc3339;
use shared::signature::sign;

use crate::harness::{MERCHANT_KEY, PARTNER_NO};

/// Who asks for what, and with which words.
#[derive(Clone)]
pub struct Author {
    pub clock: Clock,
    pub partner_no: String,
    pub key: String,
    pub store_no: String,
    pub notify_url: String,
    /// What makes this author's own order numbers.
    pub name: String,
    pub written: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    Query,
}

impl Operation {
    pub fn path(self) -> &'static str {
        match self {
            Self::Create => "/api/offline/qrcode",
            Self::Query => "/api/common/payQuery",
        }
    }
}

/// Members as they are written: the key's literal and the value's text.
type Members = Vec<(String, String)>;

impl Author {
    pub fn new(clock: Clock, store_no: &str, notify_url: &str, name: &str) -> Self {
        Self {
            clock,
            partner_no: PARTNER_NO.to_owned(),
            key: MERCHANT_KEY.to_owned(),
            store_no: store_no.to_owned(),
            notify_url: notify_url.to_owned(),
            name: name.to_owned(),
            written: 0,
        }
    }

    /// A signed document with up to three things odd about it.
    pub fn odd(&mut self, chance: &mut StdRng) -> (Operation, String) {
        let operation = if chance.random_ratio(2, 3) { Operation::Create } else { Operation::Query };
        let (mut header, mut body) = (self.header(), self.body(operation, chance));
        for _ in 0..chance.random_range(0..=3) {
            twist(&mut body, chance);
        }
        if chance.random_ratio(1, 6) {
            twist_header(&mut header, chance);
        }
        (operation, self.signed(&written(&header, chance), &written(&body, chance)))
    }

    /// A signed document that is right.
    pub fn plain(&mut self, chance: &mut StdRng) -> (Operation, String) {
        let operation = if chance.random() { Operation::Create } else { Operation::Query };
        let (header, body) = (self.header(), self.body(operation, chance));
        (operation, self.signed(&object(&header), &object(&body)))
    }

    fn signed(&self, header: &str, body: &str) -> String {
        let text = format!("{{\"header\":{header},\"body\":{body}}}");
        format!("{{\"request\":{text},\"signature\":\"{}\"}}", sign(&text, &self.key))
    }

    fn header(&self) -> Members {
        let time = rfc3339(self.clock.now());
        members(&[("version", "1.0"), ("partnerNo", &self.partner_no), ("reqMsgId", ""), ("reqTime", &time)])
    }

    fn body(&mut self, operation: Operation, chance: &mut StdRng) -> Members {
        self.written += 1;
        // Half of the orders are their own, half share few numbers.
        let number = match chance.random_range(0..10) {
            shared @ 0..5 => format!("shared{shared}"),
            _ => format!("{}-{}", self.name, self.written),
        };
        if operation == Operation::Query {
            return members(&[("storeNo", &self.store_no), ("partnerOrderNo", &number)]);
        }
        let mut body = members(&[
            ("storeNo", &self.store_no),
            ("partnerOrderNo", &number),
            ("wallet", "Alipay"),
            ("currency", "HKD"),
            ("orderTitle", "Consume"),
            ("notifyUrl", &self.notify_url),
        ]);
        body.push((quoted("orderAmount"), chance.random_range(1..5000).to_string()));
        body
    }
}

fn members(fields: &[(&str, &str)]) -> Members {
    fields.iter().map(|(key, value)| (quoted(key), quoted(value))).collect()
}

pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("any text is a JSON string")
}

fn object(members: &Members) -> String {
    let members: Vec<String> = members.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// The same, now and then with blanks between the tokens.
fn written(members: &Members, chance: &mut StdRng) -> String {
    let text = object(members);
    if chance.random_ratio(1, 4) { text.replace(',', "\r\n,\t").replace(":\"", " : \"") } else { text }
}

fn twist(body: &mut Members, chance: &mut StdRng) {
    let at = chance.random_range(0..body.len().max(1));
    match chance.random_range(0..10) {
        0 if !body.is_empty() => drop(body.remove(at)),
        1 if !body.is_empty() => {
            let member = body.remove(at);
            body.push(member);
        }
        2 if !body.is_empty() => {
            let (key, _) = &mut body[at];
            *key = disguised(key, chance);
        }
        3 => body.push((any_key(chance), any_value(chance))),
        // A key that is there already: no envelope at all.
        4 if chance.random_ratio(1, 4) && !body.is_empty() => {
            body.push((body[at].0.clone(), any_value(chance)));
        }
        _ if !body.is_empty() => body[at].1 = any_value(chance),
        _ => {}
    }
}

fn disguised(key: &str, chance: &mut StdRng) -> String {
    let name = &key[1..key.len() - 1];
    match chance.random_range(0..5) {
        0 => quoted(&name.to_uppercase()),
        1 => quoted(&format!(" {name}")),
        2 => format!("\"{name}\\u0000\""),
        // The same key in another spelling.
        3 => {
            let units: Vec<String> = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            format!("\"{}\"", units.concat())
        }
        _ => quoted(&format!("{name}2")),
    }
}

fn any_key(chance: &mut StdRng) -> String {
    const KEYS: [&str; 14] = [
        "orderNo",
        "goodsAmount",
        "goodsExtraAmount",
        "operatorId",
        "terminalNo",
        "returnUrl",
        "barcode",
        "it_b_pay",
        "refundNo",
        "tradeSummary",
        "response",
        "signature",
        "",
        "__proto__",
    ];
    match chance.random_range(0..20) {
        0 => quoted(&"k".repeat(5000)),
        1 => "\"\\ud83c\\udf5c\"".to_owned(),
        _ => quoted(pick(&KEYS, chance)),
    }
}

fn any_value(chance: &mut StdRng) -> String {
    const VALUES: [&str; 39] = [
        "null",
        "true",
        "false",
        "\"\"",
        "0",
        "-0",
        "-1",
        "1",
        "21.5",
        "2100.0",
        "21e2",
        "1e400",
        "1e-400",
        "-1e400",
        "9007199254740992",
        "9007199254740993",
        "9223372036854775808",
        "\"2100\"",
        "[]",
        "{}",
        "[[1,[2]],{\"a\":null}]",
        "\"\\u0000\"",
        "\"a\\u0000b\"",
        "\"\\ud800\"",
        "\"\\ud83c\\udf5c\"",
        "\"HKD\"",
        "\"JPY\"",
        "\"hkd\"",
        "\"XXX\"",
        "\"Wechat\"",
        "\"AlipayHK\"",
        "\"alipay\"",
        "\"100010000000003\"",
        "\"response\"",
        "\"\\\"},\\\"signature\\\":\\\"\"",
        "\"'; DROP TABLE orders; --\"",
        "\" \"",
        "\"\\u202e\\u2028\\ufeff\"",
        "1e99999999999999999999",
    ];
    const URLS: [&str; 14] = [
        "http://127.0.0.1:1/n",
        "http://[::1]/n",
        "http://[::ffff:10.0.0.1]/",
        "http://0x7f.1/",
        "http://169.254.169.254/",
        "ftp://shop.example/",
        "javascript:alert(1)",
        "http://u:p@shop.example/",
        "//shop.example/n",
        " http://shop.example ",
        "https://例え.テスト/注文?q=咖啡#x",
        "http://shop.example:99999/",
        "http://",
        "http://xn--zzzzzz.example/",
    ];
    match chance.random_range(0..12) {
        0..6 => pick(&VALUES, chance).to_owned(),
        6 => quoted(pick(&URLS, chance)),
        7 => quoted(&format!("http://shop.example/{}", "x".repeat(chance.random_range(150..250)))),
        8 => quoted(&"咖".repeat(chance.random_range(1..300))),
        9 => "9".repeat(chance.random_range(1..4000)),
        10 => format!("0.{}1e{}", "0".repeat(chance.random_range(0..400)), chance.random_range(0..400)),
        // Up to more than may be.
        _ => {
            let depth = chance.random_range(1..40);
            format!("{}{}", "[".repeat(depth), "]".repeat(depth))
        }
    }
}

fn twist_header(header: &mut Members, chance: &mut StdRng) {
    const TIMES: [&str; 9] = [
        "\"\"",
        "\"0000-01-01T00:00:00Z\"",
        "\"9999-12-31T23:59:59-23:59\"",
        "\"0000-01-01T00:00:00+23:59\"",
        "\"2018-07-25T18:06:05+08:00\"",
        "\"2018-07-25 18:06:05\"",
        "\"2018-02-30T00:00:00Z\"",
        "1532513165",
        "null",
    ];
    match chance.random_range(0..7) {
        0 => drop(header.remove(chance.random_range(0..header.len()))),
        1 => pick(&TIMES, chance).clone_into(&mut header[3].1),
        2 => header[3].0 = quoted("requestTime"),
        3 => header.push((quoted("signType"), pick(&["\"MD5\"", "\"sha256\"", "5"], chance).to_owned())),
        4 => pick(&["\"2.0\"", "\"1.0 \"", "1.0"], chance).clone_into(&mut header[0].1),
        // One id for all of them, and ids that are too long.
        5 => header[2].1 = quoted(&"i".repeat(pick(&[8, 64, 65, 5000], chance))),
        _ => pick(&["\"10002\"", "\"\"", "10001", "null", "\"1000100000000000\""], chance)
            .clone_into(&mut header[1].1),
    }
}

/// One of these.
pub fn pick<T: Copy>(from: &[T], chance: &mut StdRng) -> T {
    from[chance.random_range(0..from.len())]
}
