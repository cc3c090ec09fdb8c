//! What can be done to what is selected.

use shared::ops::{EndpointStatus, FactState, Mend, OrderRow, ReplayState};

use super::Command;
use crate::app::{App, Tab};

/// Whether what is selected leads there.
pub fn leads_on(app: &App, command: Command) -> bool {
    match command {
        Command::Copy => app.known_by().is_some(),
        Command::ItsDeliveries => {
            app.has(Tab::Deliveries.path()) && (app.endpoint().is_some() || app.merchant().is_some())
        }
        _ => {
            let leads = match app.tab {
                Tab::Deliveries => app.current_id().is_some(),
                Tab::Replays => app.replay().is_some_and(|replay| replay.order_id.is_some()),
                Tab::Attention => app.matter().is_some_and(|matter| matter.subject.kind != "store"),
                _ => false,
            };
            leads && app.has("/ops/v1/find") && app.has(Tab::Orders.path())
        }
    }
}

/// What can be done about the selected matter.
pub fn mends(app: &App, command: Command) -> bool {
    let mends = app.matter().map(shared::ops::Matter::mends).unwrap_or_default();
    // A fact that was decided meanwhile is shown, and no more to be decided.
    let is_decided = app.fact.as_ref().is_some_and(|fact| fact.fact.state != FactState::Held);
    match command {
        Command::End => mends.contains(&Mend::End),
        Command::Release | Command::Reject => {
            mends.contains(&Mend::DecideFact) && app.is_open() && !is_decided
        }
        Command::Approve | Command::Decline => mends.contains(&Mend::DecideRefund),
        Command::WasRefunded | Command::WasNotRefunded => mends.contains(&Mend::ResolveRefund),
        _ => false,
    }
}

/// What can be done to the selected order, delivery, replay, endpoint or merchant.
pub fn moves(app: &App, command: Command) -> bool {
    let replay = app.replay().map(|replay| replay.state);
    // Those of orders' `notifyUrl`s are their orders' own.
    let endpoint = app.endpoint().filter(|one| one.kind == "registered").map(|one| one.status);
    match command {
        Command::Query => app.order().is_some() && app.has("/ops/v1/orders/{id}/query"),
        Command::Refund => {
            let has_money =
                |order: &OrderRow| order.status.has_money() && order.paid_amount > order.refunded_amount;
            app.order().is_some_and(has_money) && app.has("/ops/v1/orders/{id}/refunds")
        }
        Command::Replay => {
            let is_there = match app.tab {
                Tab::Deliveries => app.current_id().is_some(),
                _ => app.order().is_some(),
            };
            is_there && app.has(Tab::Replays.path())
        }
        Command::ReplayFiltered => {
            let is_narrowed = !app.narrowed.deliveries.is_empty();
            app.tab == Tab::Deliveries && !app.is_open() && is_narrowed && app.has(Tab::Replays.path())
        }
        Command::StartReplay => replay == Some(ReplayState::Preview),
        Command::ResumeReplay => replay == Some(ReplayState::Paused),
        Command::PauseReplay => replay == Some(ReplayState::Running),
        Command::CancelReplay => {
            matches!(replay, Some(ReplayState::Preview | ReplayState::Running | ReplayState::Paused))
        }
        Command::Faster | Command::Slower => {
            matches!(replay, Some(ReplayState::Preview | ReplayState::Running | ReplayState::Paused))
        }
        Command::PauseEndpoint => endpoint == Some(EndpointStatus::Active),
        Command::ResumeEndpoint => {
            matches!(endpoint, Some(EndpointStatus::Paused | EndpointStatus::Disabled))
        }
        Command::DisableEndpoint => matches!(endpoint, Some(EndpointStatus::Active | EndpointStatus::Paused)),
        // Where its keys are seen, and with them whether the shop may be signing with one that would end.
        Command::Rotate => {
            app.merchant().is_some() && app.is_open() && app.has("/ops/v1/merchants/{id}/sign-keys")
        }
        Command::SuspendMerchant => app.merchant().is_some_and(|merchant| !merchant.suspended),
        Command::ResumeMerchant => app.merchant().is_some_and(|merchant| merchant.suspended),
        _ => false,
    }
}
