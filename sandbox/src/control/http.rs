//! The control for scripts: JSON over HTTP under `/control/`.

use std::sync::Arc;

use poem::http::{Method, StatusCode};
use poem::{Request, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Control, ControlError, Payer};
use crate::faults::{Fault, Gate, NoticeFault, Operation, PayerAct, Times};
use crate::notices::Twist;
use crate::orders::RefundState;
use crate::serve;
use crate::state::State;
use crate::style::Style;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultOrder {
    operation: Operation,
    fault: FaultName,
    /// The next so many calls; left out or null: until cleared.
    times: Option<u32>,
    #[serde(default)]
    took_effect: bool,
    /// For `code`.
    code: Option<i32>,
    /// For `http_status`.
    status: Option<u16>,
    /// For `fields`.
    #[serde(default)]
    fields: Map<String, Value>,
    /// For `refund` and `refund_ends`.
    state: Option<RefundState>,
    /// For `notice`.
    notice: Option<NoticeFault>,
    /// For `payer`.
    payer: Option<PayerAct>,
}

/// A fault of the catalogue.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedFault {
    name: String,
    times: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FaultName {
    DelayAnswer,
    Slow,
    HangUp,
    HttpStatus,
    Garbage,
    WrongSignature,
    Code,
    Fields,
    Refund,
    RefundEnds,
    Notice,
    Payer,
    PayBeforeAnswer,
}

impl FaultOrder {
    fn fault(&self) -> Fault {
        let took_effect = self.took_effect;
        match self.fault {
            FaultName::DelayAnswer => Fault::DelayAnswer(Gate::new()),
            FaultName::Slow => Fault::Slow,
            FaultName::HangUp => Fault::HangUp { took_effect },
            FaultName::HttpStatus => Fault::HttpStatus { status: self.status.unwrap_or(502), took_effect },
            FaultName::Garbage => Fault::Garbage { took_effect },
            FaultName::WrongSignature => Fault::WrongSignature,
            FaultName::Code => Fault::Code { code: self.code.unwrap_or(9), took_effect },
            FaultName::Fields => Fault::Fields(self.fields.clone()),
            FaultName::Refund => Fault::Refund(self.state.unwrap_or(RefundState::InProgress)),
            FaultName::RefundEnds => Fault::RefundEnds(self.state.unwrap_or(RefundState::Refunded)),
            FaultName::Notice => Fault::Notice(self.notice.unwrap_or(NoticeFault::Never)),
            FaultName::Payer => Fault::Payer(self.payer.unwrap_or(PayerAct::Cancels)),
            FaultName::PayBeforeAnswer => Fault::PayBeforeAnswer,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct NoticeOrder {
    twist: Option<Twist>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct RefundOrder {
    /// Left out: all that is left.
    amount: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundEnd {
    state: RefundState,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Scan {
    qr_code: String,
    #[serde(default)]
    payer: Payer,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoticesSwitch {
    automatic: bool,
}

/// Why a control call was not carried out.
enum Wrong {
    Control(ControlError),
    Body(String),
    NoSuchCall,
    FromBrowser,
}

impl From<ControlError> for Wrong {
    fn from(error: ControlError) -> Self {
        Self::Control(error)
    }
}

/// Answer one control call.
pub(crate) async fn answer(state: Arc<State>, request: Request) -> Response {
    match carry_out(&Control::new(state), request).await {
        Ok(response) => response,
        Err(wrong) => {
            let (status, text) = match wrong {
                Wrong::Control(error @ (ControlError::NoSuchOrder | ControlError::NoSuchFault)) => {
                    (StatusCode::NOT_FOUND, error.to_string())
                }
                Wrong::Control(error) => (StatusCode::CONFLICT, error.to_string()),
                Wrong::Body(text) => (StatusCode::BAD_REQUEST, text),
                Wrong::NoSuchCall => (StatusCode::NOT_FOUND, "no such control call".to_owned()),
                Wrong::FromBrowser => (StatusCode::FORBIDDEN, "not for web pages".to_owned()),
            };
            json_response(status, &json!({ "error": text }))
        }
    }
}

async fn carry_out(control: &Control, request: Request) -> Result<Response, Wrong> {
    // A page of another site, open in the developer's browser, must not steer the sandbox.
    if request.method() != Method::GET && request.headers().contains_key("origin") {
        return Err(Wrong::FromBrowser);
    }
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_start_matches("/control/").trim_end_matches('/').to_owned();
    let body = serve::read_body(body).await.map_err(|_| Wrong::Body("the body cannot be read".to_owned()))?;
    let segments: Vec<&str> = path.split('/').collect();
    match (parts.method.as_str(), segments.as_slice()) {
        ("GET", ["orders"]) => Ok(ok(&control.orders())),
        ("GET", ["orders", number]) => Ok(ok(&control.known(&decoded(number))?)),
        ("POST", ["orders", number, verb]) => verb_of(control, &decoded(number), verb, &body).await,
        ("POST", ["orders", number, "refunds", refund_no]) => {
            let end: RefundEnd = parsed(&body)?;
            Ok(ok(&control.end_refund(&decoded(number), &decoded(refund_no), end.state)?))
        }
        ("POST", ["scan"]) => {
            let scan: Scan = parsed(&body)?;
            Ok(ok(&control.scan(&scan.qr_code, scan.payer)?))
        }
        ("GET", ["violations"]) => Ok(ok(&control.violations())),
        ("DELETE", ["violations"]) => Ok(done(|| control.clear_violations())),
        ("GET", ["requests"]) => Ok(ok(&control.requests())),
        ("GET", ["counts"]) => Ok(ok(&control.counts())),
        ("GET", ["faults"]) => Ok(ok(&control.waiting_faults())),
        ("POST", ["faults"]) => add_fault(control, &body),
        ("DELETE", ["faults"]) => Ok(done(|| control.clear_faults())),
        ("POST", ["faults", "release"]) => Ok(done(|| control.release())),
        ("GET", ["style"]) => Ok(ok(&control.style())),
        ("PUT", ["style"]) => {
            let style: Style = parsed(&body)?;
            Ok(done(|| control.set_style(style)))
        }
        ("PUT", ["notices"]) => {
            let switch: NoticesSwitch = parsed(&body)?;
            Ok(done(|| control.automatic_notices(switch.automatic)))
        }
        _ => Err(Wrong::NoSuchCall),
    }
}

/// By its name in the catalogue, or built from its parts.
fn add_fault(control: &Control, body: &[u8]) -> Result<Response, Wrong> {
    let times = |times: Option<u32>| times.map_or(Times::UntilCleared, Times::Next);
    let has_name = parsed::<Map<String, Value>>(body)?.contains_key("name");
    if has_name {
        let named: NamedFault = parsed(body)?;
        control.fault_named(&named.name, times(named.times))?;
    } else {
        let order: FaultOrder = parsed(body)?;
        control.fault(order.operation, order.fault(), times(order.times))?;
    }
    Ok(done(|| ()))
}

async fn verb_of(control: &Control, number: &str, verb: &str, body: &[u8]) -> Result<Response, Wrong> {
    match verb {
        "pay" => Ok(ok(&control.pay(number, parsed_or_default::<Payer>(body)?)?)),
        "fail" => Ok(ok(&control.fail(number)?)),
        "close" => Ok(ok(&control.close(number)?)),
        "refund" => {
            let RefundOrder { amount } = parsed_or_default(body)?;
            let order =
                amount.map_or_else(|| control.refund(number), |amount| control.refund_some(number, amount));
            Ok(ok(&order?))
        }
        "notify" => {
            let order: NoticeOrder = parsed_or_default(body)?;
            Ok(ok(&control.notify(number, order.twist.as_ref()).await?))
        }
        _ => Err(Wrong::NoSuchCall),
    }
}

/// A path segment's text; order numbers may hold any character.
fn decoded(segment: &str) -> String {
    let keyed = format!("n={}", segment.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(keyed.as_bytes())
        .next()
        .map(|(_, text)| text.into_owned())
        .unwrap_or_default()
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Wrong> {
    serde_json::from_slice(body).map_err(|error| Wrong::Body(error.to_string()))
}

fn parsed_or_default<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, Wrong> {
    if body.is_empty() { Ok(T::default()) } else { parsed(body) }
}

fn done(act: impl FnOnce()) -> Response {
    act();
    Response::builder().status(StatusCode::NO_CONTENT).finish()
}

fn ok(value: &impl Serialize) -> Response {
    json_response(StatusCode::OK, value)
}

fn json_response(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).expect("our own types serialise");
    Response::builder().status(status).content_type("application/json").body(text)
}
