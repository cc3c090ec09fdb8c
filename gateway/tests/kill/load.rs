//! The load: shops' systems that order, order again where they got no answer, and payers that pay.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use gateway::clock::Clock;
use gateway::outgoing::{Outgoing, SendError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sandbox::{Control, ControlError, Fault, Operation, Payer, PaymentState, Times};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::harness::merchant::{signed, try_post};
use crate::harness::{Answer, HKD_STORE, MERCHANT_KEY, PARTNER_NO, PLATFORM};

/// Shops' systems ordering at the same time.
const CLIENTS: u64 = 8;

pub struct Load {
    pub base_url: String,
    pub notify_url: String,
    pub return_url: String,
    pub upstream: Control,
    pub lives: watch::Receiver<u64>,
    pub outgoing: Outgoing,
    pub clock: Clock,
    /// What was answered with code 1, by number.
    pub told: Mutex<BTreeMap<String, Told>>,
    /// How many these are.
    pub acknowledged: watch::Sender<u64>,
    pub enough: CancellationToken,
    /// Orders whose create was cut off, being placed again.
    again: Mutex<JoinSet<()>>,
}

/// A create and the answer that promised it was opened.
pub struct Told {
    pub body: Value,
    pub pay_url: String,
    pub order_no: String,
}

impl Load {
    pub fn new(
        base_url: String,
        shop: &sandbox::shop::Shop,
        upstream: Control,
        lives: watch::Receiver<u64>,
    ) -> Arc<Self> {
        Arc::new(Self {
            base_url,
            notify_url: shop.notify_url(),
            return_url: shop.return_url(),
            upstream,
            lives,
            outgoing: Outgoing::for_upstream(),
            clock: Clock::system(),
            told: Mutex::default(),
            acknowledged: watch::Sender::new(0),
            enough: CancellationToken::new(),
            again: Mutex::default(),
        })
    }

    pub fn begin(self: &Arc<Self>, seed: u64) -> JoinSet<()> {
        (0..CLIENTS)
            .map(|client| Arc::clone(self).run(client, StdRng::seed_from_u64(seed ^ (client + 1))))
            .collect()
    }

    /// One client: order after order until it is enough.
    async fn run(self: Arc<Self>, client: u64, mut chance: StdRng) {
        for count in 0.. {
            if self.enough.is_cancelled() {
                return;
            }
            let number = format!("c{client}-{count}");
            let body = self.body(&number, chance.random_range(1..=99_999));
            // Some payers are faster than the answer to the create, and some shops fail now and then.
            if chance.random_ratio(1, 8) {
                self.upstream
                    .fault(Operation::Create, Fault::PayBeforeAnswer, Times::Next(1))
                    .expect("few wait");
            }
            let pays = chance.random_ratio(3, 4);
            let life = *self.lives.borrow();
            if let Ok(answer) = self.create(&body).await {
                if !self.take(&number, &body, &answer, pays) {
                    self.place_again(number, body, pays, life);
                }
                continue;
            }
            // It is gone. This order is placed again by somebody with more time, when it is back.
            self.place_again(number, body, pays, life + 1);
            self.lives.clone().wait_for(|now| *now > life).await.expect("the test lives");
        }
    }

    fn place_again(self: &Arc<Self>, number: String, body: Value, pays: bool, mut life: u64) {
        let load = Arc::clone(self);
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        again.spawn(async move {
            loop {
                life = *load.lives.clone().wait_for(|now| *now >= life).await.expect("the test lives");
                match load.create(&body).await {
                    Ok(answer) if load.take(&number, &body, &answer, pays) => return,
                    Ok(_) => {}
                    Err(_) => life += 1,
                }
            }
        });
    }

    /// Everything that was begun, finished.
    pub async fn finish(&self, mut clients: JoinSet<()>) {
        self.enough.cancel();
        while let Some(client) = clients.join_next().await {
            client.expect("a client comes to its end");
        }
        let mut again = std::mem::take(&mut *self.again.lock().unwrap_or_else(PoisonError::into_inner));
        while let Some(placed) = again.join_next().await {
            placed.expect("every order comes to its end");
        }
    }

    /// Note an answer, and pay. Whether the order has come to its end.
    fn take(&self, number: &str, body: &Value, answer: &Answer, pays: bool) -> bool {
        assert!(answer.genuine, "signed with our key: {}", answer.document);
        match answer.code {
            1 => {}
            // In doubt, or too busy: to be placed again.
            21 | 9 => return false,
            // Its payer was faster than every answer that came through.
            32 => {
                let paid = self.upstream.orders().into_iter().any(|order| {
                    order.state == PaymentState::Paid && order.content.title.as_deref() == Some(number)
                });
                assert!(paid, "{number} is not paid: {}", answer.body);
                return true;
            }
            _ => panic!("{number}: {}", answer.body),
        }
        let order_no = answer.body["orderNo"].as_str().expect("the sandbox gives one").to_owned();
        let told =
            Told { body: body.clone(), pay_url: answer.pay_url().to_owned(), order_no: order_no.clone() };
        let before = self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(number.to_owned(), told);
        assert!(before.is_none(), "each number is answered once here");
        self.acknowledged.send_modify(|count| *count += 1);
        if pays {
            match self.upstream.pay(&order_no, Payer::default()) {
                Ok(_) | Err(ControlError::WrongState(PaymentState::Paid)) => {}
                Err(error) => panic!("{number} cannot be paid: {error}"),
            }
        }
        true
    }

    fn body(&self, number: &str, amount: i64) -> Value {
        json!({
            "storeNo": HKD_STORE, "partnerOrderNo": number, "wallet": "Alipay", "currency": "HKD",
            // By the title the sandbox's orders are told apart: our number is not shown there.
            "orderAmount": amount, "orderTitle": number,
            "notifyUrl": self.notify_url, "returnUrl": self.return_url,
        })
    }

    pub async fn create(&self, body: &Value) -> Result<Answer, SendError> {
        self.call("/api/offline/qrcode", body).await
    }

    pub async fn query(&self, number: &str) -> Result<Answer, SendError> {
        self.call("/api/common/payQuery", &json!({ "partnerOrderNo": number })).await
    }

    async fn call(&self, path: &str, body: &Value) -> Result<Answer, SendError> {
        let document = signed(PARTNER_NO, MERCHANT_KEY, "", body, self.clock.now());
        try_post(&self.outgoing, &format!("{}/{PLATFORM}{path}", self.base_url), document, MERCHANT_KEY).await
    }
}
