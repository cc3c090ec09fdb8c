//! Writing an answer, and what a fault makes of it.

use std::sync::Arc;
use std::time::Duration;

use poem::Response;
use poem::http::StatusCode;
use serde_json::Map;
use shared::code::Code;

use super::{Answer, body};
use crate::faults::Fault;
use crate::notices;
use crate::orders::Order;
use crate::serve::HangUp;
use crate::state::{State, some_payer};
use crate::style;

/// Longest time an answer is held.
const MAX_HOLD: Duration = Duration::from_mins(10);

/// Write the answer, through the fault if there is one.
pub(super) async fn send(state: &Arc<State>, mut answer: Answer, fault: Option<Fault>) -> Response {
    match fault {
        // What became of the refund is in the answer already.
        None | Some(Fault::Refund(_) | Fault::RefundEnds(_) | Fault::Notice(_) | Fault::Payer(_)) => {}
        Some(Fault::DelayAnswer(gate)) => {
            if tokio::time::timeout(MAX_HOLD, gate.passed()).await.is_err() {
                return hang_up();
            }
        }
        Some(Fault::Slow) => tokio::time::sleep(state.pace.slow).await,
        Some(Fault::HangUp { .. }) => return hang_up(),
        Some(Fault::HttpStatus { status, .. }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            return Response::builder()
                .status(status)
                .content_type("text/html")
                .body(format!("<html><body><h1>{status}</h1></body></html>\n"));
        }
        Some(Fault::Garbage { .. }) => {
            let document = document(state, &answer);
            return signed(document.chars().take(document.chars().count() / 2).collect());
        }
        Some(Fault::WrongSignature) => answer.signer.sign_key.push('x'),
        Some(Fault::Code { code, .. }) => {
            let meaning = Code(code).meaning().unwrap_or("undocumented code");
            answer.body = body(Code(code), meaning, Map::new());
        }
        Some(Fault::Fields(fields)) => {
            answer.body.extend(fields);
            answer.body.retain(|_, value| !value.is_null());
        }
        Some(Fault::PayBeforeAnswer) => pay_first(state, answer.opened.take()).await,
    }
    signed(document(state, &answer))
}

fn hang_up() -> Response {
    let mut response = Response::default();
    response.extensions_mut().insert(HangUp);
    response
}

fn document(state: &State, answer: &Answer) -> String {
    let header = state.header(&answer.signer.partner_no);
    style::seal(state.style(), &answer.signer, &header, answer.body.clone())
}

fn signed(document: String) -> Response {
    Response::builder().content_type("application/json").body(document)
}

/// In a task of its own, so that a caller who hangs up does not stop the notice.
async fn pay_first(state: &Arc<State>, opened: Option<Order>) {
    let Some(order) = opened else { return };
    let Ok(order) = state.pay_quietly(order.id, some_payer(order.content.wallet)) else { return };
    let notice = {
        let state = Arc::clone(state);
        state.clone().tasks.spawn(async move { notices::first(&state, &order).await })
    };
    // Ends early only if the sandbox stops, and then so does this.
    let _ = notice.await;
}
