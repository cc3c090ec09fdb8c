//! The operations' one way in and out: read, judge, list what is wrong, let a fault do its worst, answer.
//! HTTP 200 for every answer that can be formed; the outcome is `body.code`.

mod create;
mod query;
mod refund;
mod reply;

use std::sync::Arc;

use poem::http::{Method, StatusCode, header};
use poem::{Request, Response};
use serde_json::{Map, Value, json};
use shared::code::Code;
use shared::envelope;
use shared::json::{Member, Object};

use crate::faults::{Fault, Operation};
use crate::fields::Problem;
use crate::orders::Order;
use crate::products::Product;
use crate::request::{self, Admitted};
use crate::serve::{self, Unread};
use crate::state::State;
use crate::style::Signer;
use crate::traffic::SeenRequest;
use crate::violations::Violation;

pub use query::order_body;

/// Longest `msg`.
const MAX_MESSAGE: usize = 100;

#[derive(Clone, Copy)]
enum Route {
    Create(Product),
    Query,
    Refund,
}

impl Route {
    fn of(path: &str) -> Option<Self> {
        match path {
            "/api/common/payQuery" => Some(Self::Query),
            "/api/common/refund" => Some(Self::Refund),
            _ => Product::at(path).map(Self::Create),
        }
    }

    fn operation(self) -> Operation {
        match self {
            Self::Create(_) => Operation::Create,
            Self::Query => Operation::Query,
            Self::Refund => Operation::Refund,
        }
    }
}

/// What an operation says to a call that was admitted.
#[derive(Default)]
struct Said {
    /// Fields of the answer's body behind `code` and `msg`.
    fields: Map<String, Value>,
    /// Not success: the code and its message.
    outcome: Option<(Code, String)>,
    problems: Vec<Problem>,
    /// The order that was opened.
    opened: Option<Order>,
}

impl Said {
    fn no(code: Code, message: impl Into<String>) -> Self {
        Self { outcome: Some((code, message.into())), ..Self::default() }
    }

    fn refused(problems: Vec<Problem>) -> Self {
        Self { problems, ..Self::default() }
    }
}

/// An answer before it is written.
pub(crate) struct Answer {
    signer: Signer,
    body: Map<String, Value>,
    opened: Option<Order>,
}

/// Answer one call to an operation.
pub(crate) async fn answer(state: Arc<State>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let Some(route) = Route::of(&path) else {
        return Response::builder().status(StatusCode::NOT_FOUND).body("no such operation\n");
    };
    let mut fault = state.faults.take(route.operation());
    let (parts, body) = request.into_parts();
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let transport = transport_problem(&parts.method, content_type);
    let raw = serve::read_body(body).await;
    let answer = judge(&state, &path, route, transport, raw.as_deref(), &mut fault);
    if let Ok(raw) = &raw {
        keep(&state, &path, raw, &answer.body);
    }
    state.traffic.count(|counts| match route.operation() {
        Operation::Create => counts.creates += 1,
        Operation::Query => counts.queries += 1,
        _ => counts.refunds += 1,
    });
    reply::send(&state, answer, fault).await
}

/// What a server's framework would refuse by itself.
fn transport_problem(method: &Method, content_type: Option<&str>) -> Option<Problem> {
    if method != Method::POST {
        return Some(Problem::refused(Code::INVALID, "method", format!("is {method}, must be POST")));
    }
    let (kind, parameters) =
        content_type.unwrap_or_default().split_once(';').unwrap_or((content_type.unwrap_or_default(), ""));
    if !kind.trim().eq_ignore_ascii_case("application/json") {
        return Some(Problem::refused(Code::NOT_JSON, "Content-Type", "must be application/json"));
    }
    let charset = parameters.trim().to_ascii_lowercase();
    let is_utf8 = charset.is_empty() || charset.replace('"', "") == "charset=utf-8";
    (!is_utf8).then(|| Problem::refused(Code::NOT_JSON, "Content-Type", "may name no charset but utf-8"))
}

/// Read the call, let it take effect if it may, and list its breaches of the protocol. Where no fault waits for the
/// call, the order's amount may ask for one.
fn judge(
    state: &Arc<State>,
    path: &str,
    route: Route,
    transport: Option<Problem>,
    raw: Result<&[u8], &Unread>,
    fault: &mut Option<Fault>,
) -> Answer {
    let (signer, said, number) = match (transport, raw) {
        (Some(problem), _) => (Signer::default(), Said::refused(vec![problem]), String::new()),
        (None, Err(unread)) => {
            (Signer::default(), Said::refused(vec![unread_problem(*unread)]), String::new())
        }
        (None, Ok(raw)) => match request::admit(&state.directory, raw) {
            Err(refusal) => (refusal.signer, Said::refused(refusal.problems), String::new()),
            Ok(call) => {
                let said = match route {
                    Route::Create(product) => create::create(state, &call, product, fault),
                    Route::Query => query::query(state, &call, fault),
                    Route::Refund => refund::refund(state, &call, fault),
                };
                (Signer::of(&call.partner), said, order_number(&call.body))
            }
        },
    };
    for problem in &said.problems {
        list(state, path, &signer.partner_no, &number, problem);
    }
    let (code, message) = said
        .problems
        .iter()
        .find_map(|problem| problem.code.map(|code| (code, format!("{} {}", problem.about, problem.reason))))
        .or(said.outcome)
        .unwrap_or((Code::SUCCESS, "success".to_owned()));
    Answer { signer, body: body(code, &message, said.fields), opened: said.opened }
}

fn unread_problem(unread: Unread) -> Problem {
    match unread {
        Unread::TooLarge => {
            Problem::refused(Code::INVALID, "body", format!("is larger than {} bytes", serve::MAX_BODY))
        }
        Unread::Broken => Problem::refused(Code::NOT_JSON, "body", "did not arrive whole"),
    }
}

fn order_number(body: &Object<'_>) -> String {
    let number = body.get("partnerOrderNo").and_then(Member::string).unwrap_or_default();
    number.chars().take(32).collect()
}

fn body(code: Code, message: &str, fields: Map<String, Value>) -> Map<String, Value> {
    let message: String = message.chars().take(MAX_MESSAGE).collect();
    let mut body = Map::new();
    body.insert("code".to_owned(), json!(code.0));
    body.insert("msg".to_owned(), json!(message));
    body.extend(fields);
    body
}

fn list(state: &State, path: &str, partner_no: &str, number: &str, problem: &Problem) {
    state.violation(Violation {
        number: 0,
        at: String::new(),
        place: path.to_owned(),
        partner_no: partner_no.to_owned(),
        partner_order_no: number.to_owned(),
        about: problem.about.clone(),
        problem: problem.reason.clone(),
        code: problem.code.map(|code| code.0),
    });
}

fn keep(state: &State, path: &str, raw: &[u8], body: &Map<String, Value>) {
    let code = body.get("code").and_then(Value::as_i64).and_then(|code| i32::try_from(code).ok());
    tracing::info!(path, code, "call");
    state.traffic.keep(SeenRequest {
        at: envelope::rfc3339(state.now()),
        path: path.to_owned(),
        body: String::from_utf8_lossy(raw).into_owned(),
        code: code.unwrap_or_default(),
    });
}

/// Whether a call may do its work.
fn takes_effect(fault: Option<&Fault>) -> bool {
    fault.is_none_or(Fault::took_effect)
}

/// What every operation starts with: the call's partner and store, where a store is named.
fn store_problem(call: &Admitted<'_>, store_no: Option<&str>) -> Option<Problem> {
    let store_no = store_no?;
    call.partner
        .store(store_no)
        .is_none()
        .then(|| Problem::refused(Code::NOT_AUTHORISED, "storeNo", "is not a store of this partner"))
}
