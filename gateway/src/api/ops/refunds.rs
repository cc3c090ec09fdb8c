//! Operators and refunds: asking for one, agreeing to another's, saying how one in doubt ended. All of it names the
//! operator and the reason in the journal, and is in the log of operators' changes before it is done.

use std::sync::Arc;

use poem::Request;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use super::Group;
use super::auth::LoggedIn;
use super::refund_shapes::{Approval, Reason, RefundEntry, RefundToMake, Resolution};
use crate::api::merchant::refund::refusal;
use crate::api::rest::{Body, ChangeError, Found, Page, PageQuery};
use crate::api::signed::in_time;
use crate::app::App;
use crate::directory::acts::{self, Act};
use crate::directory::operators::Role;
use crate::entity::{order, refund, submission};
use crate::error::Error;
use crate::ledger::Lane;
use crate::orders::refund::operator::{self, Decided, asked_by};
use crate::orders::refund::{Ask, Payment, Refunding, Standing, refund as begin, standing};

pub struct RefundsApi;

#[OpenApi(prefix_path = "/ops/v1", tag = "Group::Refunds")]
impl RefundsApi {
    /// List an order's refunds
    ///
    /// Newest first.
    #[oai(path = "/orders/:id/refunds", method = "get", operation_id = "listOrderRefunds")]
    async fn of_order(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        request: &Request,
        /// The order's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        /// Entries in one answer at most.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u32>>,
        /// From the `Link` of the page before.
        #[oai(validator(max_length = 64))]
        cursor: Query<Option<String>>,
    ) -> Result<Page<RefundEntry>, Error> {
        let page = PageQuery::new(request.original_uri(), limit.0, cursor.0.as_deref())?;
        let order = order_of(app.0, &caller, &id.0).await?;
        let calls = submission::Entity::of_order(&order.id).all(&app.store.read).await?;
        let rows = refund::Entity::find().filter(refund::Column::OrderId.eq(order.id.as_str()));
        let show = |row: refund::Model| (row.id.clone(), RefundEntry::of(&order, &calls, row));
        page.rows(&app.store.read, rows, refund::Column::Id, show).await
    }

    /// Refund an order
    ///
    /// For operators. More than one operator may refund alone of one order (`orders.refund_second_operator_above`) is
    /// only proposed: `state` is `proposed`, and a second operator has to approve it. The second payment of an order is
    /// given back by what its matter `order.paid_again` has in `refund`, and a reason.
    #[oai(path = "/orders/:id/refunds", method = "post", operation_id = "refundOrder")]
    async fn refund(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The order's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<RefundToMake>,
    ) -> Result<Found<RefundEntry>, ChangeError> {
        caller.must_be(Role::Operator)?;
        let order = order_of(app.0, &caller, &id.0).await?;
        let RefundToMake { refund_no, amount, payment, reason, force } = body.value;
        let refund_no = refund_no.unwrap_or_else(|| app.chance.id());
        let said = json!({"refundNo": refund_no, "amount": amount, "payment": payment, "reason": reason});
        note(app.0, &caller, "refund.asked", &order.id, &order.platform_id, said).await?;
        let bounds = &app.config.orders.refund_second_operator_above;
        let bound = bounds.iter().find(|bound| bound.currency.as_str() == order.currency);
        let ask = Ask {
            refund_no,
            amount,
            payment: Payment::of(payment),
            asked_by: asked_by(&caller.operator.name),
            reason: Some(reason),
            operator_id: None,
            terminal_no: None,
            force: force.unwrap_or_default(),
            alone_up_to: bound.map(|bound| bound.minor),
        };
        Ok(shown(in_time(app.0, begin(app.0, order, ask)).await.unwrap_or(Refunding::Doubt))?)
    }

    /// Approve a proposed refund
    ///
    /// For operators other than the one who proposed it. It is made then.
    #[oai(path = "/refunds/:id/approve", method = "post", operation_id = "approveRefund")]
    async fn approve(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The refund's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<Approval>,
    ) -> Result<Found<RefundEntry>, ChangeError> {
        caller.must_be(Role::Operator)?;
        let refund = refund_of(app.0, &caller, &id.0).await?;
        note(app.0, &caller, "refund.approved", &refund.id, &refund.platform_id, json!({})).await?;
        let (by, force) = (asked_by(&caller.operator.name), body.value.force.unwrap_or_default());
        let decided = in_time(app.0, operator::approve(app.0, &refund, by, force)).await;
        Ok(told(decided.unwrap_or(Decided::Done(Refunding::Doubt)))?)
    }

    /// Decline a proposed refund
    ///
    /// For operators, also the one who proposed it.
    #[oai(path = "/refunds/:id/decline", method = "post", operation_id = "declineRefund")]
    async fn decline(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The refund's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<Reason>,
    ) -> Result<Found<RefundEntry>, ChangeError> {
        caller.must_be(Role::Operator)?;
        let (refund, reason) = (refund_of(app.0, &caller, &id.0).await?, body.value.reason);
        let said = json!({"reason": reason});
        note(app.0, &caller, "refund.declined", &refund.id, &refund.platform_id, said).await?;
        let by = asked_by(&caller.operator.name);
        Ok(told(operator::decline(app.0, &refund, by, reason).await.map_err(Error::from)?)?)
    }

    /// Say how a refund in doubt ended
    ///
    /// For operators who have looked at ScanForPay's own books. `refunded` gives the reserved amount back for good;
    /// `failed` lets it be refunded anew: say that only where ScanForPay shows that nothing was given back.
    #[oai(path = "/refunds/:id/resolve", method = "post", operation_id = "resolveRefund")]
    async fn resolve(
        &self,
        app: Data<&Arc<App>>,
        caller: LoggedIn,
        /// The refund's id.
        #[oai(validator(max_length = 64))]
        id: Path<String>,
        body: Body<Resolution>,
    ) -> Result<Found<RefundEntry>, ChangeError> {
        caller.must_be(Role::Operator)?;
        let refund = refund_of(app.0, &caller, &id.0).await?;
        let Resolution { outcome, reason } = body.value;
        let said = json!({"refunded": outcome.is_refunded(), "reason": reason});
        note(app.0, &caller, "refund.resolved", &refund.id, &refund.platform_id, said).await?;
        let by = asked_by(&caller.operator.name);
        let resolved = operator::resolve(app.0, &refund, by, outcome.is_refunded(), reason).await;
        Ok(told(resolved.map_err(Error::from)?)?)
    }
}

/// The order, if it is in the operator's scope.
pub async fn order_of(app: &App, caller: &LoggedIn, id: &str) -> Result<order::Model, Error> {
    let id = if id.contains('\0') { "" } else { id };
    let found = order::Entity::by_id_across_tenants(id).one(&app.store.read).await?;
    found.filter(|order| caller.sees(&order.platform_id)).ok_or(Error::NotFound)
}

async fn refund_of(app: &App, caller: &LoggedIn, id: &str) -> Result<refund::Model, Error> {
    let id = if id.contains('\0') { "" } else { id };
    let found = standing(app, id).await?.map(|standing| standing.refund);
    found.filter(|refund| caller.sees(&refund.platform_id)).ok_or(Error::NotFound)
}

/// Put it in the log of operators' changes.
pub async fn note(
    app: &App,
    caller: &LoggedIn,
    action: &'static str,
    subject_id: &str,
    platform_id: &str,
    said: Value,
) -> Result<(), Error> {
    let act = Act {
        action,
        subject_id: Some(subject_id),
        platform_id: Some(platform_id),
        before: None,
        after: Some(said),
    };
    let entry = acts::entry(&caller.actor(), act, &app.chance, app.clock.now_ms());
    app.ledger.room(Lane::Bulk, "operators")?.rows(vec![entry]).await?;
    Ok(())
}

fn told(decided: Decided) -> Result<Found<RefundEntry>, Error> {
    let conflict =
        |code, detail: &str| Err(Error::Conflict { code, detail: detail.to_owned(), pointer: None });
    match decided {
        Decided::Done(refunding) => shown(refunding),
        Decided::NotWaiting => conflict("refund_not_waiting", "this refund does not wait for that decision"),
        Decided::Own => conflict("own_refund", "whoever proposed a refund does not approve it, too"),
    }
}

fn shown(refunding: Refunding) -> Result<Found<RefundEntry>, Error> {
    match refunding {
        Refunding::Stands(standing) => {
            let Standing { order, call, refund } = *standing;
            Ok(Found(RefundEntry::of(&order, &[call], refund)))
        }
        Refunding::Refused(refused) => Err(refusal(&refused)),
        Refunding::Over(refusal) => Err(Error::Limited(refusal)),
        Refunding::Doubt => Err(Error::InDoubt),
        Refunding::Busy => Err(Error::Busy),
    }
}
