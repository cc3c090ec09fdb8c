//! Changes, made at the gateway.

use shared::ops::{
    Because, Decision, MatterToEnd, RefundApproval, RefundReason, RefundResolution, RefundToMake, ReplayPace,
    ReplayStart,
};

use super::effect::segment;
use crate::client::{Client, Failure};
use crate::effects::Act;

/// Do it at the gateway.
pub async fn perform(client: &Client, act: &Act, reason: &str) -> Result<(), Failure> {
    let reason = reason.to_owned();
    match act {
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
            client.post(&path, Some(&RefundApproval::default())).await
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
            client.post(&path, Some(&refund)).await
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
    }
}
