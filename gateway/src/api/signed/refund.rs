//! `/api/common/refund`: reading what is asked for, and telling how the refund stands.

use std::sync::Arc;

use shared::code::Code;
use shared::json::Object;

use super::{Answered, Caller, Signed, in_time, verify};
use crate::app::App;
use crate::entity::order;
use crate::entity::refund::State;
use crate::orders::content::{BodyText, FieldError, required_amount, required_text, text_if_present};
use crate::orders::query::{Locator, find};
use crate::orders::refund::{self, Ask, Payment, Refunding, Standing};

pub(super) async fn answer<T>(app: &Arc<App>, platform: &str, request: &Signed<T>) -> Answered {
    let (mut caller, envelope) = match verify(app, platform, &request.document, request.address) {
        Ok(verified) => verified,
        Err(answered) => return answered,
    };
    // Suspended merchants may give money back.
    let merchant = caller.merchant.clone();
    if let Err(answered) = caller.admit(app, app.limits.request(&merchant.platform, Some(&merchant))).await {
        return answered;
    }
    let (number, ask) = match read(&envelope.body) {
        Ok(read) => read,
        Err(error) => return caller.refuse(app, &error),
    };
    let order = match find(app, &merchant, &Locator::Number(number)).await {
        Ok(Some(order)) => order,
        Ok(None) => return caller.say(app, Code::NO_SUCH_ORDER, "no such order"),
        Err(error) => {
            tracing::error!(%error, "a refund's order could not be looked up");
            return caller.busy(app);
        }
    };
    refunded(app, &caller, order, ask).await
}

async fn refunded(app: &Arc<App>, caller: &Caller, order: order::Model, ask: Ask) -> Answered {
    match in_time(app, refund::refund(app, order, ask)).await.unwrap_or(Refunding::Doubt) {
        Refunding::Stands(standing) => {
            let (code, body) = state_body(&standing);
            caller.answer(app, code, &body)
        }
        Refunding::Refused(refused) => caller.say(app, refused.code(), &refused.text()),
        Refunding::Over(refusal) => caller.over(app, refusal),
        Refunding::Doubt => caller.doubt(app),
        Refunding::Busy => caller.busy(app),
    }
}

/// The order's number and what is asked for.
fn read(body: &Object<'_>) -> Result<(String, Ask), FieldError> {
    let number = required_text(body, "partnerOrderNo", 32)?;
    let ask = Ask {
        refund_no: required_text(body, "refundNo", 32)?,
        amount: required_amount(body, "orderAmount")?,
        payment: Payment::Counted,
        asked_by: "merchant".to_owned(),
        reason: None,
        operator_id: text_if_present(body, "operatorId", 20)?,
        terminal_no: text_if_present(body, "terminalNo", 20)?,
        force: false,
        alone_up_to: None,
    };
    Ok((number, ask))
}

/// The merchant's own number, and only that.
fn state_body(standing: &Standing) -> (Code, String) {
    let refund = &standing.refund;
    let (code, status, msg) = match refund.state {
        State::Refunded => (Code::SUCCESS, 1, success(standing)),
        State::Proposed => (Code::SUCCESS, 0, "waits for a second operator".to_owned()),
        State::Submitting | State::Unknown | State::InProgress => {
            (Code::SUCCESS, 0, "in progress; send the same again to learn how it ended".to_owned())
        }
        State::Failed | State::Declined => {
            let (code, msg) = failure(refund.code);
            (code, 2, msg)
        }
    };
    let mut body = BodyText::default();
    body.number("code", i64::from(code.0));
    body.text("msg", &msg);
    body.number("orderAmount", refund.amount);
    body.number("status", status);
    body.text("currency", &refund.currency);
    body.text("refundNo", &refund.refund_no);
    (code, body.finish())
}

fn success(standing: &Standing) -> String {
    match standing.remainder() {
        None => "success".to_owned(),
        Some(left) => format!("success; {left} is left of the payment, the smallest unit: rounded?"),
    }
}

/// The code and the words for a refund that ScanForPay has refused or that has failed with it. Where it refused *our*
/// signature or credentials, the merchant must not take it for a word on its own.
pub fn failure(code: Option<i64>) -> (Code, String) {
    let code = code.and_then(|code| i32::try_from(code).ok()).map(Code);
    match code {
        Some(Code::NOT_AUTHORISED | Code::NOT_JSON | Code::NO_NUMBER | Code::BAD_SIGNATURE) => {
            (Code::NOT_AUTHORISED, "ScanForPay refused this store's account; ask the platform".to_owned())
        }
        None | Some(Code::SUCCESS) => {
            (Code::SUCCESS, "the refund has failed; nothing was given back".to_owned())
        }
        Some(code) => {
            let meaning = code.meaning().unwrap_or("refused");
            (code, format!("ScanForPay refused the refund: {meaning}"))
        }
    }
}
