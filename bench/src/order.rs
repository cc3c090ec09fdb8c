//! The orders that are sent: unique, properly signed, ready ahead of time. An order differs from the next by its
//! number and its signature alone, so a signed order is kept as its 64 signature bytes and put together when it
//! is sent; the driver's own SHA-256 stays out of the measured time.

use std::cell::Cell;
use std::rc::Rc;

use serde::Serialize;
use shared::envelope::request_header;
use shared::signature;
use time::OffsetDateTime;
use time::macros::offset;

use crate::cast::{Merchant, PLATFORM};

/// Digits of an order's serial number.
const DIGITS: usize = 12;
/// Stands where the serial will be; nothing else in an order looks like it.
const SERIAL: &str = "############";
const SIGNATURE: usize = 64;
/// The most signatures kept ready: 128 MiB.
const MOST_READY: usize = 2 << 20;

/// Serial numbers, unique over a whole run of the bench and, by its start, over several.
pub struct Serials {
    prefix: String,
    next: Cell<u64>,
}

impl Serials {
    pub fn starting(now: OffsetDateTime) -> Self {
        Self { prefix: format!("b{:x}", now.unix_timestamp()), next: Cell::new(0) }
    }
}

/// Orders of one leg, signed ahead.
pub struct Batch {
    serials: Rc<Serials>,
    templates: Vec<Template>,
    first: u64,
    ready: Vec<[u8; SIGNATURE]>,
    /// Orders that were not ready and had to be signed while the clock ran.
    late: Cell<u64>,
}

impl Batch {
    /// Have the next `count` orders ready.
    pub fn sign(serials: &Rc<Serials>, merchants: &[Merchant], count: usize, now: OffsetDateTime) -> Self {
        let templates: Vec<_> =
            merchants.iter().map(|merchant| Template::new(merchant, &serials.prefix, now)).collect();
        let first = serials.next.get();
        let mut batch =
            Self { serials: Rc::clone(serials), templates, first, ready: Vec::new(), late: Cell::new(0) };
        let count = count.min(MOST_READY);
        batch.ready.reserve_exact(count);
        for serial in first..first + count as u64 {
            let signature = batch.template(serial).signature(serial);
            batch.ready.push(signature);
        }
        batch
    }

    /// Put the next order's whole HTTP request into `out`, and give its serial.
    pub fn write_next_order(&self, out: &mut Vec<u8>) -> u64 {
        let serial = self.serials.next.get();
        self.serials.next.set(serial + 1);
        let template = self.template(serial);
        let ready = usize::try_from(serial - self.first).ok().and_then(|index| self.ready.get(index));
        let signature = ready.copied().unwrap_or_else(|| {
            self.late.set(self.late.get() + 1);
            template.signature(serial)
        });
        template.write(serial, &signature, out);
        serial
    }

    /// The key under which the answer to this order is signed.
    pub fn sign_key(&self, serial: u64) -> &str {
        &self.template(serial).sign_key
    }

    pub fn late(&self) -> u64 {
        self.late.get()
    }

    fn template(&self, serial: u64) -> &Template {
        let count = self.templates.len() as u64;
        &self.templates[usize::try_from(serial % count).expect("less than the number of templates")]
    }
}

/// Of a batch, the orders that were made ready, and no more.
pub struct OnlyReady(pub Batch);

impl OnlyReady {
    pub fn is_left(&self) -> bool {
        self.0.serials.next.get() < self.0.first + self.0.ready.len() as u64
    }
}

/// A merchant's order with its serial left open in two places.
struct Template {
    sign_key: String,
    /// The signed value.
    value: String,
    /// The whole HTTP request around it.
    request: Vec<u8>,
    /// Where in `request` the value begins.
    value_at: usize,
    /// Where in `value` the serials are.
    serials_at: Vec<usize>,
}

impl Template {
    fn new(merchant: &Merchant, prefix: &str, now: OffsetDateTime) -> Self {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            store_no: &'a str,
            partner_order_no: &'a str,
            wallet: &'a str,
            currency: &'a str,
            order_amount: i64,
            order_title: &'a str,
            operator_id: &'a str,
            terminal_no: &'a str,
            notify_url: &'a str,
            return_url: &'a str,
        }
        let number = format!("{prefix}{SERIAL}");
        let body = Body {
            store_no: &merchant.store_no,
            partner_order_no: &number,
            wallet: "Alipay",
            currency: "HKD",
            order_amount: 2100,
            order_title: "Consume",
            operator_id: "211918",
            terminal_no: "123456",
            notify_url: &merchant.notify_url,
            return_url: "https://shop.example.com/ScanForPay/return",
        };
        let body = serde_json::to_string(&body).expect("strings and an integer serialise");
        let header = request_header(&merchant.partner_no, &number, now.to_offset(offset!(+8)));
        let value = format!("{{\"header\":{header},\"body\":{body}}}");
        let document = format!("{{\"request\":{value},\"signature\":\"{}\"}}", "0".repeat(SIGNATURE));
        let head = format!(
            "POST /{PLATFORM}/api/offline/qrcode HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            document.len()
        );
        let value_at = head.len() + "{\"request\":".len();
        let serials_at = value.match_indices(SERIAL).map(|(at, _)| at).collect();
        let request = [head, document].concat().into_bytes();
        Self { sign_key: merchant.sign_key.clone(), value, request, value_at, serials_at }
    }

    fn signature(&self, serial: u64) -> [u8; SIGNATURE] {
        let value = self.value.replace(SERIAL, &digits(serial));
        let signature = signature::sign(&value, &self.sign_key);
        signature.as_bytes().try_into().expect("64 hex digits")
    }

    fn write(&self, serial: u64, signature: &[u8; SIGNATURE], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.request);
        let request = &mut out[start..];
        let digits = digits(serial);
        for at in &self.serials_at {
            let at = self.value_at + at;
            request[at..at + DIGITS].copy_from_slice(digits.as_bytes());
        }
        let end = request.len() - "\"}".len();
        request[end - SIGNATURE..end].copy_from_slice(signature);
    }
}

fn digits(serial: u64) -> String {
    format!("{serial:0DIGITS$}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use shared::envelope::{Envelope, Side};
    use shared::json::Member;
    use time::macros::datetime;

    use super::*;
    use crate::{cast, http1};

    #[test]
    fn every_order_is_unique_and_verifies_under_its_merchants_key_signed_ahead_or_late() {
        let merchants = cast::merchants(3);
        let serials = Rc::new(Serials::starting(datetime!(2018-07-25 18:06:05 UTC)));
        let mut numbers = HashSet::new();
        for (leg, ready) in [(1, 4), (2, 0)] {
            let batch = Batch::sign(&serials, &merchants, ready, datetime!(2018-07-25 18:06:05 UTC));
            for _ in 0..8 {
                let mut request = Vec::new();
                let serial = batch.write_next_order(&mut request);
                let head = http1::head(&request).expect("a head").expect("the whole of it");
                assert_eq!(head.length + head.body, request.len());
                let envelope = Envelope::read(&request[head.length..], Side::Request).expect("an envelope");
                assert!(envelope.verifies(batch.sign_key(serial)));
                let number = envelope.body.get("partnerOrderNo").and_then(Member::string).expect("a number");
                assert!(number.len() <= 32 && number.ends_with(&digits(serial)), "{number}");
                assert_eq!(envelope.header_text(&["reqMsgId"]).as_deref(), Some(&*number));
                assert!(numbers.insert(number.into_owned()));
            }
            assert_eq!(batch.late(), 8 - ready as u64, "leg {leg}");
        }
    }
}
