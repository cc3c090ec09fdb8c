//! Notices of orders that were opened before the clock starts: each signed ahead, sent once, and looked for at the
//! receivers by the upstream's number of its order.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use shared::envelope::{Side, response_header, seal};
use time::macros::offset;

use crate::http1::{self, Head};
use crate::load::Requests;
use crate::tally::Outcome;
use crate::{cast, now, stub};

/// Amount of every order that is placed, in minor units (`order`).
const AMOUNT: i64 = 2100;

/// Orders that can be paid, as the upstream knows them.
#[derive(Default)]
pub struct Orders(RefCell<Vec<Opened>>);

struct Opened {
    id: u64,
    number: String,
    /// Of the URL under which the gateway wants its notice.
    path: String,
}

impl Orders {
    /// `create` asked for it.
    pub fn opened(&self, id: u64, create: &[u8]) {
        let Some(number) = http1::quoted(create, b"\"partnerOrderNo\":\"") else { return };
        let Some(url) = http1::quoted(create, b"\"notifyUrl\":\"") else { return };
        let path = url.splitn(4, '/').nth(3).map_or_else(|| "/".to_owned(), |path| format!("/{path}"));
        self.0.borrow_mut().push(Opened { id, number: number.to_owned(), path });
    }

    pub fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// The notices that they were paid; they are payable no more.
    pub fn notices(&self) -> Notices {
        let mut orders = self.0.take();
        orders.sort_by_key(|order| order.id);
        let first = orders.first().map_or(0, |order| order.id);
        let requests: Vec<Vec<u8>> = orders.iter().map(request).collect();
        let sent = RefCell::new(vec![None; orders.last().map_or(0, |last| place(last.id - first) + 1)]);
        let ids = orders.into_iter().map(|order| order.id).collect();
        Notices { first, ids, requests, next: Cell::new(0), sent }
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).expect("as many orders as fit into memory")
}

fn request(order: &Opened) -> Vec<u8> {
    let order_no = stub::order_no(order.id);
    let header = response_header(cast::ACCOUNT, &order_no, now().to_offset(offset!(+8)));
    let body = format!(
        "{{\"code\":1,\"msg\":\"success\",\"orderNo\":\"{order_no}\",\"partnerOrderNo\":\"{}\",\
         \"orderAmount\":{AMOUNT},\"wallet\":\"Alipay\",\"status\":1,\"payTime\":\"2026-01-02T03:04:05+08:00\",\
         \"currency\":\"HKD\"}}",
        order.number
    );
    let document = seal(Side::Response, &header, &body, &cast::sign_key(cast::ACCOUNT));
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        order.path,
        document.len()
    );
    [head, document].concat().into_bytes()
}

pub struct Notices {
    first: u64,
    ids: Vec<u64>,
    requests: Vec<Vec<u8>>,
    next: Cell<usize>,
    /// When each was sent, by its order's distance from the first.
    sent: RefCell<Vec<Option<Instant>>>,
}

impl Notices {
    pub fn count(&self) -> usize {
        self.requests.len()
    }

    /// When the notice of the upstream's order of this number was sent; `None`: it is none of these.
    pub fn sent_at(&self, order_no: &str) -> Option<Instant> {
        let id: u64 = order_no.trim_start_matches('s').parse().ok()?;
        *self.sent.borrow().get(place(id.checked_sub(self.first)?))?
    }
}

impl Requests for Notices {
    fn write_next(&self, out: &mut Vec<u8>) -> Option<u64> {
        let next = self.next.get();
        let request = self.requests.get(next)?;
        self.next.set(next + 1);
        out.extend_from_slice(request);
        self.sent.borrow_mut()[place(self.ids[next] - self.first)] = Some(Instant::now());
        Some(self.ids[next])
    }

    fn judge(&self, _: u64, answer: &[u8], head: Head) -> Outcome {
        match http1::status(answer) {
            200 if &answer[head.length..] == b"success" => Outcome::Accepted,
            200 => Outcome::Unreadable,
            status => Outcome::Status(status),
        }
    }
}
