//! The load: orders that are placed, paid and given back in two parts, at whichever gateway answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gateway::clock::Clock;
use gateway::outgoing::Outgoing;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sandbox::{Control, ControlError, Payer, PaymentState};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::harness::merchant::{signed, try_post};
use crate::harness::{Answer, HKD_STORE, MERCHANT_KEY, PARTNER_NO, PLATFORM};

/// Shops' systems at work at the same time.
const CLIENTS: u64 = 4;
/// Before what is in doubt, or found nobody, is asked for again.
const PAUSE: Duration = Duration::from_millis(100);

pub struct Load {
    bases: Vec<String>,
    notify_url: String,
    upstream: Control,
    lives: watch::Receiver<u64>,
    outgoing: Outgoing,
    clock: Clock,
    enough: CancellationToken,
    /// Orders that came to their end.
    placed: Mutex<Vec<String>>,
}

impl Load {
    pub fn new(
        bases: Vec<String>,
        notify_url: &str,
        upstream: Control,
        lives: watch::Receiver<u64>,
    ) -> Arc<Self> {
        Arc::new(Self {
            bases,
            notify_url: notify_url.to_owned(),
            upstream,
            lives,
            outgoing: Outgoing::for_upstream(),
            clock: Clock::system(),
            enough: CancellationToken::new(),
            placed: Mutex::default(),
        })
    }

    pub fn begin(self: &Arc<Self>, seed: u64) -> JoinSet<()> {
        (0..CLIENTS)
            .map(|client| Arc::clone(self).run(client, StdRng::seed_from_u64(seed ^ (client + 1))))
            .collect()
    }

    /// Every order that was begun, finished.
    pub async fn finish(&self, mut clients: JoinSet<()>) {
        self.enough.cancel();
        while let Some(client) = clients.join_next().await {
            client.expect("a client comes to its end");
        }
    }

    pub fn placed(&self) -> Vec<String> {
        self.placed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn run(self: Arc<Self>, client: u64, mut chance: StdRng) {
        for count in 0.. {
            if self.enough.is_cancelled() {
                return;
            }
            let number = format!("c{client}-{count}");
            let node = chance.random_range(0..self.bases.len());
            let opened = self.insist(node, "/api/offline/qrcode", &self.order(&number)).await;
            self.pay(opened.body["orderNo"].as_str().expect("the sandbox gives one"));
            for (part, amount) in [("a", 700), ("b", 300)] {
                let refund = json!({
                    "partnerOrderNo": number, "refundNo": format!("{number}{part}"), "orderAmount": amount,
                });
                let refunded = self.insist(node, "/api/common/refund", &refund).await;
                assert_eq!(refunded.body["status"], 1, "{}", refunded.body);
            }
            self.placed.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        }
    }

    fn order(&self, number: &str) -> Value {
        json!({
            "storeNo": HKD_STORE, "partnerOrderNo": number, "wallet": "Alipay", "currency": "HKD",
            "orderAmount": 2100, "orderTitle": "拉麵 🍜", "notifyUrl": self.notify_url,
            "returnUrl": "http://127.0.0.1/return",
        })
    }

    fn pay(&self, order_no: &str) {
        match self.upstream.pay(order_no, Payer::default()) {
            Ok(_) | Err(ControlError::WrongState(PaymentState::Paid)) => {}
            Err(error) => panic!("{order_no} cannot be paid: {error}"),
        }
    }

    /// The same request again, at one gateway after the other, until it is done.
    async fn insist(&self, mut node: usize, path: &str, body: &Value) -> Answer {
        loop {
            let mut lives = self.lives.clone();
            lives.mark_unchanged();
            let document = signed(PARTNER_NO, MERCHANT_KEY, "", body, self.clock.now());
            let url = format!("{}/{PLATFORM}{path}", self.bases[node % self.bases.len()]);
            if let Ok(answer) = try_post(&self.outgoing, &url, document, MERCHANT_KEY).await {
                match (answer.code, answer.body["status"].as_i64()) {
                    // A refund that is under way.
                    (1, Some(0)) if path.ends_with("refund") => {}
                    (1, _) => return answer,
                    // Too busy, or in doubt.
                    (9 | 21, _) => {}
                    _ => panic!("{path} {body}: {}", answer.body),
                }
            }
            node += 1;
            // At once if one has come back meanwhile.
            let _ = timeout(PAUSE, lives.changed()).await;
        }
    }
}
