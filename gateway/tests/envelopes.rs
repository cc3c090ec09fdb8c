//! Ten thousand mutated envelopes against the running gateway, over real connections: always an envelope, or a clean
//! close where the request cannot be read to its end; never a 5xx, a panic, or growth in memory. And nobody who has
//! not proven who they are gets a document that a merchant's key has signed.

mod harness;

#[path = "envelopes/fields.rs"]
mod fields;
#[path = "envelopes/mutations.rs"]
mod mutations;
#[path = "envelopes/process.rs"]
mod process;
#[path = "envelopes/trouble.rs"]
mod trouble;
#[path = "envelopes/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use fields::Author;
use gateway::clock::Clock;
use harness::acts::soon;
use harness::{HKD_STORE, Stage};
use mutations::{Case, MAX_BODY, Mutator};
use process::Demo;
use sandbox::{Fault, Gate, Operation, Times};
use shared::code::Code;
use shared::envelope::{Envelope, Side};
use tokio::task::JoinSet;
use wire::{Answer, Outcome, Wire};

/// Clients that send at the same time, each over a connection that it keeps open.
const CLIENTS: u64 = 8;

/// Before memory is measured for the first time: buffers and pools have their size by then.
const WARM_UP: u64 = 2_000;
const MEASURED: u64 = 10_000;

/// What the process may have grown by, in bytes. It moves by one or two MiB by itself, as connections and their
/// buffers come and go; half a KiB kept of each request would be 5 MiB.
const MARGIN: u64 = 4 * 1024 * 1024;

/// How often each code was the answer; `None` are connections that were closed instead.
type Tally = BTreeMap<Option<i32>, u64>;

/// What an answer is judged by.
struct Judge {
    partner_no: String,
    key: String,
    /// The one body that strangers get.
    to_strangers: String,
}

impl Judge {
    async fn of(address: SocketAddr, author: &Author) -> Self {
        let nobody = Author { key: "0".repeat(64), ..author.clone() };
        let request = Mutator::new(0, nobody).plain().request;
        let Outcome::Answered(answer) = Wire::to(address).exchange(&request).await else {
            panic!("no answer")
        };
        Self {
            partner_no: author.partner_no.clone(),
            key: author.key.clone(),
            to_strangers: body(&answer).to_owned(),
        }
    }

    /// The code of an answer that is as it must be.
    fn code(&self, case: &Case, outcome: &Outcome) -> Result<Option<i32>, String> {
        let answer = match outcome {
            Outcome::Closed if case.request.framing.is_sound() => return Err("no answer".to_owned()),
            Outcome::Closed => return Ok(None),
            Outcome::Answered(answer) => answer,
        };
        if answer.status != 200 || answer.content_type.as_deref() != Some("application/json") {
            return Err(format!("status {}, {:?}", answer.status, answer.content_type));
        }
        if case.request.method == "HEAD" {
            return Ok(Some(Code::BAD_SIGNATURE.0));
        }
        let envelope = Envelope::read(&answer.body, Side::Response).map_err(|error| error.to_string())?;
        let code = envelope.body.get("code").and_then(|code| code.integer().ok()).ok_or("no code")?;
        let code = Code(i32::try_from(code).map_err(|error| error.to_string())?);
        code.meaning().ok_or("an undocumented code")?;
        match (self.proves(case), envelope.verifies(&self.key)) {
            (true, true) if code != Code::BAD_SIGNATURE => Ok(Some(code.0)),
            (false, false) if body(answer) == self.to_strangers => Ok(Some(code.0)),
            (proven, genuine) => {
                Err(format!("code {}; proven: {proven}, signed with the key: {genuine}", code.0))
            }
        }
    }

    /// Whether the caller has proven to be the merchant.
    fn proves(&self, case: &Case) -> bool {
        let request = &case.request;
        let is_taken = request.method == "POST"
            && request.framing.is_sound()
            && case.is_routed
            && request.body.len() <= MAX_BODY;
        is_taken
            && Envelope::read(&request.body, Side::Request).is_ok_and(|envelope| {
                envelope.verifies(&self.key)
                    && envelope.header_text(&["partnerNo"]).as_deref() == Some(&self.partner_no)
            })
    }
}

/// The text of an answer's body.
fn body(answer: &Answer) -> &str {
    let document = std::str::from_utf8(&answer.body).expect("an envelope is text");
    let from = document.find("\"body\":").expect("an envelope has a body") + "\"body\":".len();
    &document[from..document.rfind("},\"signature\"").expect("an envelope is signed")]
}

/// Send so many cases over each client's connection, judge every answer, and count.
async fn send(
    address: SocketAddr,
    mutators: Vec<Mutator>,
    next: fn(&mut Mutator) -> Case,
    each: u64,
    judge: &Arc<Judge>,
) -> (Vec<Mutator>, Tally) {
    let mut running = JoinSet::new();
    for mut mutator in mutators {
        let judge = Arc::clone(judge);
        running.spawn(async move {
            let (mut wire, mut tally) = (Wire::to(address), Tally::new());
            for count in 0..each {
                let case = next(&mut mutator);
                let outcome = wire.exchange(&case.request).await;
                match judge.code(&case, &outcome) {
                    Ok(code) => *tally.entry(code).or_default() += 1,
                    Err(complaint) => panic!("{}", told(&case, count, &outcome, &complaint)),
                }
            }
            assert!(wire.connections <= usize::try_from(each).expect("few") / 2, "connections are kept open");
            (mutator, tally)
        });
    }
    let (mut mutators, mut all) = (Vec::new(), Tally::new());
    while let Some(client) = running.join_next().await {
        let (mutator, tally) = client.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        mutators.push(mutator);
        for (code, count) in tally {
            *all.entry(code).or_default() += count;
        }
    }
    (mutators, all)
}

fn told(case: &Case, count: u64, outcome: &Outcome, complaint: &str) -> String {
    let Case { what, request, .. } = case;
    let answered = match outcome {
        Outcome::Answered(answer) => String::from_utf8_lossy(&answer.body).into_owned(),
        Outcome::Closed => "closed".to_owned(),
    };
    let sent = &request.body[..request.body.len().min(4_000)];
    format!(
        "{what}, case {count}: {complaint}\n{} {} {:?} {:?}, {} bytes: {}\n{answered}",
        request.method,
        request.path,
        request.content_type,
        request.framing,
        request.body.len(),
        String::from_utf8_lossy(sent),
    )
}

fn mutators(seed: u64, author: impl Fn(u64) -> Author) -> Vec<Mutator> {
    (0..CLIENTS).map(|client| Mutator::new(seed ^ (client + 1), author(client))).collect()
}

/// On SQLite only: of what is sent here nothing comes as far as the store but look-ups of orders that are not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_mutated_envelopes_are_all_answered_and_leave_nothing_behind() {
    let demo = Demo::start().await;
    let merchant = &demo.file.merchant;
    let author = |client| Author {
        partner_no: merchant.partner_no.clone(),
        key: merchant.sign_key.clone(),
        ..Author::new(Clock::system(), "no-such-store", "https://shop.example/notify", &format!("c{client}"))
    };
    let judge = Arc::new(Judge::of(demo.address, &author(0)).await);

    let mutators = mutators(harness::seed(), author);
    let (mutators, _) = send(demo.address, mutators, Mutator::any, WARM_UP / CLIENTS, &judge).await;
    let before = demo.memory();
    let (_, tally) = send(demo.address, mutators, Mutator::any, MEASURED / CLIENTS, &judge).await;
    let after = demo.memory();

    eprintln!("codes: {tally:?}; memory: {} KiB, then {} KiB", before / 1024, after / 1024);
    assert!(after < before + MARGIN, "{before} bytes before, {after} after");
    assert_eq!(tally.values().sum::<u64>(), MEASURED);
    let strangers = tally[&Some(Code::BAD_SIGNATURE.0)];
    assert!(strangers > MEASURED / 2 && strangers < MEASURED, "most prove nothing, some do: {tally:?}");
    let log = demo.log();
    let trouble: Vec<&str> =
        log.lines().filter(|line| line.contains("ERROR") || line.contains("panic")).collect();
    assert!(trouble.is_empty(), "{}", trouble.join("\n"));
    assert!(log.lines().filter(|line| line.contains("status=200")).count() > 10_000, "the log was looked at");
}

// The parser behind the signature, and all that comes after it.
on_both!(
    a_proven_merchant_may_send_anything_and_is_answered_with_a_code_of_the_protocol,
    async |stage: &mut Stage| {
        const EACH: u64 = 200;
        trouble::watch();
        let author = |client| {
            Author::new(stage.world.clock(), HKD_STORE, &stage.shop().notify_url(), &format!("c{client}"))
        };
        let address = stage.node().address;
        let judge = Arc::new(Judge::of(address, &author(0)).await);

        let mutators = mutators(harness::seed(), author);
        let (_, tally) = send(address, mutators, Mutator::odd, EACH, &judge).await;

        eprintln!("codes: {tally:?}");
        assert_eq!(tally.values().sum::<u64>(), EACH * CLIENTS);
        for code in [1, 4, 5, 7, 8, 30, 31] {
            assert!(tally.contains_key(&Some(code)), "code {code} was among the answers: {tally:?}");
        }
        assert_eq!(stage.upstream().violations(), [], "what was let through was in order");
        trouble::assert_none();
    }
);

// Four questions to the upstream, one after the other, take longer than a caller is kept waiting.
on_both!(
    a_caller_who_cannot_be_answered_in_time_hears_of_doubt_in_an_answer_to_itself,
    [
        ("server.request_timeout", "4s"),
        ("server.body_timeout", "2s"),
        ("upstream.timeout", "1900ms"),
        ("upstream.query_timeout", "1900ms"),
        ("upstream.answer_grace", "50ms")
    ],
    async |stage: &mut Stage| {
        let refused = Fault::Code { code: 5, took_effect: false };
        stage.upstream().fault(Operation::Create, refused, Times::Next(3)).expect("room for a fault");
        for code in [5, 5, 5, 1] {
            assert_eq!(stage.create(&stage.order("p1")).await.code, code);
        }
        let gate = Gate::new();
        stage
            .upstream()
            .fault(Operation::Query, Fault::DelayAnswer(gate.clone()), Times::UntilCleared)
            .expect("room for a fault");

        let answer = soon(stage.query("p1")).await;
        assert_eq!((answer.status, answer.code), (200, 21));
        assert!(answer.genuine, "signed with the merchant's key: {}", answer.document);
        stage.upstream().clear_faults();
        gate.open();
    }
);
