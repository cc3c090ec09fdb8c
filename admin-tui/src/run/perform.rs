//! Changes, made at the gateway.

use shared::ops::{
    Because, Decision, MatterToEnd, Refund, RefundApproval, RefundReason, RefundResolution, RefundState,
    RefundToMake, ReplayPace, ReplayStart,
};

use super::effect::segment;
use crate::client::{Client, Failure};
use crate::effects::Act;
use crate::event::Told;
use crate::theme::Meaning;

/// Do it at the gateway. Gives what came of it, where that is to be told.
pub async fn perform(client: &Client, act: &Act, reason: &str) -> Result<Option<Told>, Failure> {
    let reason = reason.to_owned();
    let done = match act {
        Act::EndMatter { id } => {
            let path = format!("/ops/v1/attention/{}/end", segment(id));
            client.post(&path, Some(&MatterToEnd { reason })).await
        }
        Act::ReleaseFact { id } => {
            let path = format!("/ops/v1/quarantine/{}/release", segment(id));
            client.post(&path, Some(&Decision { reason })).await
        }
        Act::RejectFact { id } => {
            let path = format!("/ops/v1/quarantine/{}/reject", segment(id));
            client.post(&path, Some(&Decision { reason })).await
        }
        Act::ApproveRefund { id } => {
            let path = format!("/ops/v1/refunds/{}/approve", segment(id));
            return client
                .ask(&path, Some(&RefundApproval::default()))
                .await
                .map(|refund| Some(told(&refund)));
        }
        Act::DeclineRefund { id } => {
            let path = format!("/ops/v1/refunds/{}/decline", segment(id));
            client.post(&path, Some(&RefundReason { reason })).await
        }
        Act::ResolveRefund { id, outcome } => {
            let path = format!("/ops/v1/refunds/{}/resolve", segment(id));
            client.post(&path, Some(&RefundResolution { outcome: *outcome, reason })).await
        }
        Act::SetOperator { name, is_enabled } => {
            let how = if *is_enabled { "enable" } else { "disable" };
            client.post(&format!("/ops/v1/operators/{}/{how}", segment(name)), None::<&()>).await
        }
        Act::QueryOrder { id, .. } => {
            let path = format!("/ops/v1/orders/{}/query", segment(id));
            client.post(&path, Some(&Because { reason })).await
        }
        Act::Refund { order_id, amount } => {
            let path = format!("/ops/v1/orders/{}/refunds", segment(order_id));
            let refund = RefundToMake { refund_no: None, amount: *amount, reason, force: None };
            return client.ask(&path, Some(&refund)).await.map(|refund| Some(told(&refund)));
        }
        Act::Preview { what, .. } => client.post("/ops/v1/replays", Some(what)).await,
        Act::StartReplay { id, total } => {
            let path = format!("/ops/v1/replays/{}/start", segment(id));
            client.post(&path, Some(&ReplayStart { total: *total })).await
        }
        Act::MoveReplay { id, how } => {
            let path = format!("/ops/v1/replays/{}/{}", segment(id), how.as_str());
            client.post(&path, None::<&()>).await
        }
        Act::PaceReplay { id, rate } => {
            client.patch(&format!("/ops/v1/replays/{}", segment(id)), &ReplayPace { rate: *rate }).await
        }
        Act::MoveEndpoint { id, how, .. } => {
            let path = format!("/ops/v1/endpoints/{}/{}", segment(id), how.as_str());
            client.post(&path, Some(&Because { reason })).await
        }
        Act::MoveMerchant { id, is_suspension, .. } => {
            let how = if *is_suspension { "suspend" } else { "resume" };
            let path = format!("/ops/v1/merchants/{}/{how}", segment(id));
            client.post(&path, Some(&Because { reason })).await
        }
    };
    done.map(|()| None)
}

/// How far a refund has come at once.
fn told(refund: &Refund) -> Told {
    let (text, meaning) = match refund.state {
        RefundState::Proposed => {
            ("It is above what one operator refunds alone: it waits for a second one.", Meaning::Warning)
        }
        RefundState::Refunded => ("The money is given back.", Meaning::Good),
        RefundState::Submitting | RefundState::InProgress => ("The refund is under way.", Meaning::Good),
        RefundState::Unknown => {
            ("Whether the money is given back is not known yet; ScanForPay is asked on.", Meaning::Warning)
        }
        RefundState::Failed => ("ScanForPay did not refund it; see the order.", Meaning::Bad),
        RefundState::Declined => ("The refund was declined.", Meaning::Warning),
    };
    Told { text, meaning }
}
