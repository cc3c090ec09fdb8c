//! The life of every case side by side: placed, asked about, looked after, paid, told, refunded, looked after until
//! nobody looks any more. What went wrong on the way is the fault's doing.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use gateway::orders::{reconcile, refund::follow};
use sandbox::{Payer, PaymentState};
use serde_json::json;

use crate::harness::acts::soon;
use crate::harness::merchant::{PIN_TOLD, post, signed};
use crate::harness::{Answer, MERCHANT_KEY, PARTNER_NO, PLATFORM, Stage};

/// Calls of the merchant's under way at a time.
const TOGETHER: usize = 8;

#[derive(Debug, Clone)]
pub struct Case {
    pub fault: String,
    /// The operation.
    pub strikes: String,
    pub amount: i64,
    pub product: &'static str,
    pub path: &'static str,
}

impl Case {
    /// The merchant's order number.
    fn number(&self) -> String {
        format!("{}-{}", self.amount, self.product)
    }

    fn is_of(&self, operation: &str) -> bool {
        self.strikes == operation
    }

    /// A store whose credentials are refused three times in a row is left alone (`troubles.rs`), which would be all
    /// that the others here come to, too.
    fn is_refused_credentials(&self) -> bool {
        ["query-code-3", "query-code-8"].contains(&&*self.fault)
    }

    fn is_never_paid(&self) -> bool {
        ["payer-cancels", "payer-fails", "payer-lets-it-expire"].contains(&&*self.fault)
    }
}

/// What a case came to.
pub struct Lived {
    case: Case,
    /// For people.
    pub name: String,
    /// In the words of the table.
    pub line: String,
}

impl Lived {
    pub fn fault(&self) -> &str {
        &self.case.fault
    }

    pub fn product(&self) -> &str {
        self.case.product
    }
}

pub struct Life {
    stage: Stage,
    cases: Vec<Case>,
    /// What the merchant was answered to each.
    answers: Vec<Vec<String>>,
}

impl Life {
    pub fn begin(stage: Stage, cases: Vec<Case>) -> Self {
        let answers = vec![Vec::new(); cases.len()];
        Self { stage, cases, answers }
    }

    pub async fn end(self) {
        self.stage.strike().await;
    }

    pub async fn is_lived(&mut self) {
        self.each(|_| true, "create", |stage, case| Box::pin(create(stage, case))).await;
        self.credentials_are_good("good-1").await;
        self.each(|case| case.is_of("query"), "query", |stage, case| Box::pin(query(stage, case))).await;
        self.credentials_are_good("good-2").await;
        self.pay(Case::is_refused_credentials).await;
        // Every doubt about a create ends here; the sandbox's barcodes can be paid for a few minutes only.
        for seconds in [6, 10, 15, 30, 60] {
            self.look(Duration::from_secs(seconds)).await;
        }
        self.pay(|case| !case.is_refused_credentials()).await;
        // The notices that are missing are not waited for, and what comes late comes after what was found meanwhile.
        for hours in [1, 1, 12, 12, 3] {
            self.look(Duration::from_hours(hours)).await;
        }
        self.notify_late().await;
        self.stage.deliver_due().await;
        self.each(|case| case.is_of("refund"), "refund", |stage, case| Box::pin(refund(stage, case))).await;
        for seconds in [5, 15, 15, 30] {
            self.follow(Duration::from_secs(seconds)).await;
        }
        for _ in 0..32 {
            self.follow(Duration::from_hours(1)).await;
        }
        self.look(Duration::from_hours(30)).await;
        while self.stage.deliver_due().await > 0 {}
    }

    /// Let the merchant do something with each of these, some at a time.
    async fn each(
        &mut self,
        which: impl Fn(&Case) -> bool,
        what: &str,
        act: impl for<'a> Fn(&'a Stage, &'a Case) -> Acting<'a>,
    ) {
        let picked = self.cases.iter().enumerate().filter(|(_, case)| which(case));
        let acting = picked.map(|(place, case)| {
            let acting = act(&self.stage, case);
            async move { (place, acting.await) }
        });
        let acted: Vec<_> = stream::iter(acting).buffer_unordered(TOGETHER).collect().await;
        self.stage.idle().await;
        for (place, answer) in acted {
            assert!(answer.genuine && answer.status == 200, "{}", answer.document);
            let status = answer.body["status"].as_i64();
            let is_barcode = self.cases[place].product == "barcode";
            self.answers[place].push(match (what, answer.code, status) {
                ("create", 1, None) if !is_barcode => "create opened".to_owned(),
                ("create", 1, Some(0)) if is_barcode => "create opened".to_owned(),
                (what, code, None) => format!("{what} {code}"),
                (what, code, Some(status)) => format!("{what} {code}/{status}"),
            });
        }
    }

    /// Ends what codes 3 and 8 have begun.
    async fn credentials_are_good(&self, number: &str) {
        self.stage.open(number).await;
        self.stage.idle().await;
    }

    /// The payers pay, whoever does, and are notified of as the fault has it.
    async fn pay(&self, which: impl Fn(&Case) -> bool) {
        let upstream = self.stage.upstream();
        upstream.automatic_notices(true);
        for case in self.cases.iter().filter(|case| which(case) && !case.is_never_paid()) {
            let submission = self.stage.submission_no(&case.number()).await;
            let Some(order) = upstream.order(&submission) else { continue };
            if order.state == PaymentState::Paid {
                // By himself, before notices were sent.
                if order.notices == 0 {
                    self.stage.notify(&submission).await;
                }
                continue;
            }
            let before = upstream.counts().notices;
            upstream.pay(&submission, Payer::default()).expect("it can be paid");
            let notices = match &*case.fault {
                "notice-never" | "notice-late" => 0,
                "notice-twice" | "notice-out-of-order" => 2,
                _ => 1,
            };
            soon(upstream.seen_notices(before + notices)).await;
        }
        upstream.automatic_notices(false);
        self.stage.idle().await;
    }

    async fn notify_late(&self) {
        for case in self.cases.iter().filter(|case| case.fault == "notice-late") {
            self.stage.notify(&self.stage.submission_no(&case.number()).await).await;
        }
    }

    async fn look(&self, after: Duration) {
        self.stage.advance(after);
        reconcile::sweep(self.stage.app()).await.expect("the store is read");
        self.stage.idle().await;
    }

    async fn follow(&self, after: Duration) {
        self.stage.advance(after);
        while follow::sweep(self.stage.app()).await.expect("due refunds are looked for") > 0 {
            self.stage.idle().await;
        }
    }

    /// What all of them have come to; and that it is right.
    pub async fn lived(&self) -> Vec<Lived> {
        let mut all = Vec::new();
        for (case, answers) in self.cases.iter().zip(&self.answers) {
            let line = self.came_to(case, answers).await;
            all.push(Lived { case: case.clone(), name: format!("{} by {}", case.fault, case.product), line });
        }
        all
    }

    async fn came_to(&self, case: &Case, answers: &[String]) -> String {
        let number = case.number();
        let order = self.stage.row(&number).await;
        let events: Vec<String> =
            self.stage.events(&order.id).await.into_iter().map(|event| event.kind).collect();
        let journal = self.stage.journal_kinds(&order.id).await;
        let received = self.stage.shop().received_now();
        let told: Vec<_> = received.iter().filter(|message| message.partner_order_no == number).collect();
        let about = format!("{} by {}", case.fault, case.product);

        // Whatever the fault: the merchant hears of money that is there, of all of it, and of no other.
        let upstream = self.stage.upstream().order(&order.submission_id);
        let paid = upstream
            .as_ref()
            .is_some_and(|order| matches!(order.state, PaymentState::Paid | PaymentState::Refunded));
        assert_eq!(
            (order.status().has_money(), order.paid),
            (paid, if paid { case.amount } else { 0 }),
            "{about}"
        );
        assert_eq!(told.len(), usize::from(paid), "{about}: its notifyUrl hears of the payment once");
        assert!(
            told.iter().all(|message| message.verified && message.amount == Some(case.amount)),
            "{about}"
        );
        let back: i64 = upstream.iter().flat_map(|order| &order.refunds).filter_map(made).sum();
        let known = order.refunded + order.refund_reserved;
        let is_lied_about = case.fault.ends_with("-made");
        assert!(
            back <= known || is_lied_about,
            "{about}: {back} went back, {known} is given back or kept back"
        );
        assert!(known <= order.paid && order.refunded <= back, "{about}");

        let told = if paid { "once" } else { "never" };
        let kept_back = if order.refund_reserved > 0 { " kept back" } else { "" };
        let late = if order.late { " late" } else { "" };
        format!(
            "{} | {}{late}{kept_back} | {told} | {} | {}",
            answers.join(", "),
            order.status,
            events.join(" "),
            journal.join(" ")
        )
    }
}

fn made(refund: &sandbox::Refund) -> Option<i64> {
    (refund.state == sandbox::RefundState::Refunded).then_some(refund.amount)
}

type Acting<'a> = std::pin::Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

async fn create(stage: &Stage, case: &Case) -> Answer {
    let mut order = stage.order_of(case.path, &case.number());
    order.body["orderAmount"] = json!(case.amount);
    match case.product {
        "barcode" => order.body["barcode"] = json!(PIN_TOLD),
        "transaction_qr" => order.body["it_b_pay"] = json!("1d"),
        _ => {}
    }
    stage.create(&order).await
}

async fn query(stage: &Stage, case: &Case) -> Answer {
    stage.query(&case.number()).await
}

/// All of it.
async fn refund(stage: &Stage, case: &Case) -> Answer {
    let number = case.number();
    let body = json!({ "partnerOrderNo": number, "refundNo": "r1", "orderAmount": case.amount });
    let document = signed(PARTNER_NO, MERCHANT_KEY, "", &body, stage.app().clock.now());
    post(&stage.node().url(&format!("/{PLATFORM}/api/common/refund")), document, MERCHANT_KEY).await
}
