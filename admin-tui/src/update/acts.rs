//! Changes at the gateway: each waits for a reason or a yes.

use shared::money::Currency;
use shared::ops::{RefundOutcome, Replay, ReplayToMake};

use crate::app::{App, Dialog, KeyForm, MoneyForm, Tab};
use crate::commands::Command;
use crate::effects::{Act, Effect, EndpointMove, ReplayMove};
use crate::event::Whole;
use crate::theme::Meaning;

/// Above so many the count has to be typed.
const COUNT_IS_TYPED_ABOVE: i64 = 20;

pub fn confirm(app: &mut App, command: Command) {
    if command == Command::StartReplay {
        app.dialog = app.replay().cloned().map(ask_to_start);
        return;
    }
    if command == Command::Refund {
        app.dialog = refund(app);
        return;
    }
    if command == Command::Rotate {
        app.dialog = rotate(app);
        return;
    }
    if let Some(act) = about_a_matter(app, command).or_else(|| about_traffic(app, command)) {
        app.dialog = Some(Dialog::Confirm { act, reason: String::new() });
    }
}

fn about_a_matter(app: &App, command: Command) -> Option<Act> {
    let subject = app.matter().map(|matter| matter.subject.id.clone());
    let operator = app.operator().map(|operator| operator.name.clone());
    Some(match command {
        Command::End => Act::EndMatter { id: app.matter()?.id.clone() },
        Command::Release => Act::ReleaseFact { id: subject? },
        Command::Reject => Act::RejectFact { id: subject? },
        Command::Approve => Act::ApproveRefund { id: subject? },
        Command::Decline => Act::DeclineRefund { id: subject? },
        Command::WasRefunded => Act::ResolveRefund { id: subject?, outcome: RefundOutcome::Refunded },
        Command::WasNotRefunded => Act::ResolveRefund { id: subject?, outcome: RefundOutcome::Failed },
        Command::Disable => Act::SetOperator { name: operator?, is_enabled: false },
        Command::Enable => Act::SetOperator { name: operator?, is_enabled: true },
        _ => return None,
    })
}

fn about_traffic(app: &App, command: Command) -> Option<Act> {
    let replay = |how| Some(Act::MoveReplay { id: app.replay()?.id.clone(), how });
    let endpoint = |how| {
        let endpoint = app.endpoint()?;
        Some(Act::MoveEndpoint { id: endpoint.id.clone(), url: endpoint.url.clone(), how })
    };
    let merchant = |is_suspension| {
        let merchant = app.merchant()?;
        Some(Act::MoveMerchant { id: merchant.id.clone(), name: merchant.name.clone(), is_suspension })
    };
    let pace = |of: fn(u32) -> u32| {
        let replay = app.replay()?;
        Some(Act::PaceReplay { id: replay.id.clone(), rate: of(replay.rate) })
    };
    match command {
        Command::Query => {
            let order = app.order()?;
            Some(Act::QueryOrder { id: order.id.clone(), number: order.number.clone() })
        }
        Command::Replay => again(app),
        Command::ReplayFiltered => {
            let filter = app.narrowed.deliveries.to_replay(app.now_ms);
            let what =
                ReplayToMake { filter: Some(filter), skip_acknowledged: true, ..ReplayToMake::default() };
            Some(Act::Preview { what: Box::new(what), told: app.narrowed.deliveries.text.clone() })
        }
        Command::ResumeReplay => replay(ReplayMove::Resume),
        Command::PauseReplay => replay(ReplayMove::Pause),
        Command::CancelReplay => replay(ReplayMove::Cancel),
        Command::Faster => pace(|rate| rate.saturating_mul(2)),
        Command::Slower => pace(|rate| (rate / 2).max(1)),
        Command::PauseEndpoint => endpoint(EndpointMove::Pause),
        Command::ResumeEndpoint => endpoint(EndpointMove::Resume),
        Command::DisableEndpoint => endpoint(EndpointMove::Disable),
        Command::SuspendMerchant => merchant(true),
        Command::ResumeMerchant => merchant(false),
        _ => None,
    }
}

/// The marked ones; without any, the one that is open or selected.
fn again(app: &App) -> Option<Act> {
    if app.tab == Tab::Orders {
        let order = app.order()?;
        let what = ReplayToMake { order_id: Some(order.id.clone()), ..ReplayToMake::default() };
        return Some(Act::Preview { what: Box::new(what), told: format!("order {}", order.number) });
    }
    let (delivery_ids, told) = if app.marked.is_empty() || app.is_open() {
        (vec![app.current_id()?], "this delivery".to_owned())
    } else {
        (app.marked.iter().cloned().collect(), format!("{} marked deliveries", app.marked.len()))
    };
    let what = ReplayToMake { delivery_ids, ..ReplayToMake::default() };
    Some(Act::Preview { what: Box::new(what), told })
}

fn refund(app: &App) -> Option<Dialog> {
    let order = app.order()?;
    let currency = Currency::parse(&order.currency)?;
    let left = order.paid_amount - order.refunded_amount;
    Some(Dialog::Refund(MoneyForm {
        order_id: order.id.clone(),
        number: order.number.clone(),
        currency,
        left,
        amount: currency.format(left),
        reason: String::new(),
        is_at_reason: false,
    }))
}

/// What the version before is good for still, unless somebody says otherwise: a week.
const USUAL_OVERLAP_HOURS: &str = "168";

fn rotate(app: &App) -> Option<Dialog> {
    let Whole::Merchant(whole) = &app.opened.as_ref()?.whole else { return None };
    // The one that is current now stays good; one before it would end.
    let earlier = whole.keys.iter().filter_map(|key| key.ends_at).filter(|end| end.ms() > app.now_ms);
    Some(Dialog::Rotate(KeyForm {
        merchant_id: whole.merchant.id.clone(),
        partner_no: whole.merchant.partner_no.clone(),
        name: whole.merchant.name.clone(),
        earlier_ends_at: earlier.max_by_key(|end| end.ms()),
        hours: USUAL_OVERLAP_HOURS.to_owned(),
        reason: String::new(),
        is_at_reason: false,
    }))
}

pub fn ask_to_start(replay: Replay) -> Dialog {
    Dialog::Start { replay: Box::new(replay), typed: String::new() }
}

/// Whether what was typed is enough to start it.
pub fn may_start(replay: &Replay, typed: &str) -> bool {
    replay.total > 0 && (!must_type(replay) || typed == replay.total.to_string())
}

pub fn must_type(replay: &Replay) -> bool {
    replay.total > COUNT_IS_TYPED_ABOVE
}

/// Ask the gateway for it. A preview is counted first.
pub fn ask(app: &mut App, act: Act, reason: &str) -> Vec<Effect> {
    app.say("Asking the gateway…", Meaning::Dim);
    let reason = reason.trim().to_owned();
    vec![match act {
        Act::Preview { mut what, .. } => {
            what.reason = reason;
            Effect::Preview(what)
        }
        act => Effect::Do { act, reason },
    }]
}
