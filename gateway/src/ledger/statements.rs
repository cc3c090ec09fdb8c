//! The statements a batch is made of: whole sets of rows at a time, the same text on both stores.

use sea_orm::sea_query::{
    Expr, ExprTrait, InsertStatement, IntoIden, LockBehavior, LockType, OnConflict, Query, SelectStatement,
    TableRef, UpdateStatement, Value, ValueTuple,
};
use sea_orm::{
    ColumnTrait, DbBackend, EntityTrait, IdenStatic, Iterable, ModelTrait, QueryFilter, QueryTrait,
};

use super::{Claim, DeliveryMove};
use crate::entity::{attempt, delivery, journal, order, submission};

/// Insert whole rows.
pub(super) fn insert<E>(rows: &[E::Model]) -> InsertStatement
where
    E: EntityTrait,
    E::Model: ModelTrait<Entity = E>,
{
    // Columns that are null in every row are left out: a new order has a third of them.
    let columns: Vec<E::Column> =
        E::Column::iter().filter(|column| rows.iter().any(|row| !is_null(&row.get(*column)))).collect();
    let mut insert = Query::insert();
    insert.into_table(E::default().table_ref()).columns(columns.iter().copied());
    for row in rows {
        insert.values_panic(columns.iter().map(|column| Expr::val(row.get(*column))));
    }
    insert
}

fn is_null(value: &Value) -> bool {
    *value == value.as_null()
}

/// Insert whole rows but those that any unique rule says are there.
pub(super) fn insert_new<E>(rows: &[E::Model]) -> InsertStatement
where
    E: EntityTrait,
    E::Model: ModelTrait<Entity = E>,
{
    let mut insert = insert::<E>(rows);
    insert.on_conflict(OnConflict::new().do_nothing().to_owned());
    insert
}

/// New orders but those whose number is taken; returns the ids that went in.
pub(super) fn insert_orders(orders: &[order::Model]) -> InsertStatement {
    let mut insert = insert_new::<order::Entity>(orders);
    insert.returning_col(order::Column::Id);
    insert
}

/// The orders of these ids in the order of their ids, locked where the store locks rows.
pub(super) fn orders_for_change(ids: &[&str], backend: DbBackend) -> SelectStatement {
    use sea_orm::QueryOrder;
    let mut select = order::Entity::find()
        .filter(order::Column::Id.is_in(ids.iter().copied()))
        .order_by_asc(order::Column::Id)
        .into_query();
    if backend == DbBackend::Postgres {
        select.lock(LockType::Update);
    }
    select
}

pub(super) fn order_of_number(order: &order::Model) -> SelectStatement {
    order::Entity::of(&order.merchant_id, &order.number).into_query()
}

pub(super) fn submissions(ids: &[&str]) -> SelectStatement {
    submission::Entity::find().filter(submission::Column::Id.is_in(ids.iter().copied())).into_query()
}

/// Which of these notices were kept before: (submission, digest).
pub(super) fn notices_kept(notices: &[(&str, &[u8])]) -> SelectStatement {
    Query::select()
        .columns([journal::Column::SubmissionId, journal::Column::Digest])
        .from(journal::Entity)
        .and_where(
            Expr::tuple([Expr::col(journal::Column::SubmissionId), Expr::col(journal::Column::Digest)])
                .in_tuples(
                    notices.iter().map(|(submission, digest)| ((*submission).to_owned(), digest.to_vec())),
                ),
        )
        .to_owned()
}

/// Which of these journal entries stand: (order, entry).
pub(super) fn entries_standing(keys: &[(&str, &str)]) -> SelectStatement {
    Query::select()
        .columns([journal::Column::OrderId, journal::Column::Id])
        .from(journal::Entity)
        .and_where(
            Expr::tuple([Expr::col(journal::Column::OrderId), Expr::col(journal::Column::Id)])
                .in_tuples(keys.iter().map(|(order, id)| ((*order).to_owned(), (*id).to_owned()))),
        )
        .to_owned()
}

/// Which of these attempts stand: (delivery, attempt).
pub(super) fn attempts_standing(keys: &[(&str, &str)]) -> SelectStatement {
    Query::select()
        .columns([attempt::Column::DeliveryId, attempt::Column::Id])
        .from(attempt::Entity)
        .and_where(
            Expr::tuple([Expr::col(attempt::Column::DeliveryId), Expr::col(attempt::Column::Id)])
                .in_tuples(keys.iter().map(|(delivery, id)| ((*delivery).to_owned(), (*id).to_owned()))),
        )
        .to_owned()
}

/// What a fact can change of an order.
const SETTLED: [order::Column; 15] = {
    use order::Column::{
        AnswerExtra, Buyer, BuyerId, Code, Events, Late, Paid, PaidWallet, PayTime, PayUrl, RefundReserved,
        Refunded, Status, UpdatedAt, UpstreamOrderNo,
    };
    [
        Status,
        Late,
        Paid,
        RefundReserved,
        Refunded,
        PayUrl,
        AnswerExtra,
        Code,
        UpstreamOrderNo,
        PaidWallet,
        Buyer,
        BuyerId,
        PayTime,
        Events,
        UpdatedAt,
    ]
};

/// What a new submission changes besides: the content may be another after a refusal.
const RESUBMITTED: [order::Column; 14] = {
    use order::Column::{
        Amount, AnswerDueAt, ContentHash, Currency, ExpiresAt, NotifyUrl, Product, ReturnUrl, SignKeyId,
        StoreId, SubmissionId, Submissions, Title, Wallet,
    };
    [
        StoreId,
        Product,
        Wallet,
        Currency,
        Amount,
        Title,
        NotifyUrl,
        ReturnUrl,
        ContentHash,
        SubmissionId,
        Submissions,
        AnswerDueAt,
        SignKeyId,
        ExpiresAt,
    ]
};

/// How an order must stand to be moved. The status alone would not do: with another submission it may have come
/// back to the same one.
#[derive(Debug, Clone)]
pub(super) struct Stood {
    pub status: String,
    pub submission_id: String,
}

/// Move orders from how they were seen; returns the ids that moved.
pub(super) fn update_orders(rows: &[(Stood, order::Model)], resubmitted: bool) -> UpdateStatement {
    let more: &[order::Column] = if resubmitted { &RESUBMITTED } else { &[] };
    let columns: Vec<order::Column> = SETTLED.iter().chain(more).copied().collect();
    let tuples = rows.iter().map(|(before, row)| {
        let mut tuple = vec![
            Value::from(row.id.clone()),
            Value::from(before.status.clone()),
            Value::from(before.submission_id.clone()),
        ];
        tuple.extend(columns.iter().map(|column| row.get(*column)));
        tuple
    });
    let mut update = update_from(order::Entity, &columns, 4, tuples.collect());
    update
        .and_where(Expr::col((order::Entity, order::Column::Id)).equals(("v", "column1")))
        .and_where(Expr::col((order::Entity, order::Column::Status)).equals(("v", "column2")))
        .and_where(Expr::col((order::Entity, order::Column::SubmissionId)).equals(("v", "column3")))
        .returning(Query::returning().column((order::Entity, order::Column::Id)));
    update
}

pub(super) fn update_submissions(rows: &[submission::Model]) -> UpdateStatement {
    use submission::Column::{AnsweredAt, Code, MissedAt, PayUrl, State, UpstreamOrderNo};
    let columns = [State, AnsweredAt, Code, PayUrl, UpstreamOrderNo, MissedAt];
    let tuples = rows.iter().map(|row| {
        let mut tuple = vec![Value::from(row.id.clone())];
        tuple.extend(columns.iter().map(|column| row.get(*column)));
        tuple
    });
    let mut update = update_from(submission::Entity, &columns, 2, tuples.collect());
    update.and_where(Expr::col((submission::Entity, submission::Column::Id)).equals(("v", "column1")));
    update
}

/// Move deliveries that are still under the lease they were sent under; returns the ids that moved.
pub(super) fn move_deliveries(steps: &[&DeliveryMove]) -> UpdateStatement {
    use delivery::Column::{Attempts, DueAt, EndedAt, Id, Lease, LeasedUntil, SignKeyId, State};
    let columns = [State, Attempts, DueAt, EndedAt, SignKeyId];
    let tuples = steps.iter().map(|step| {
        vec![
            Value::from(step.delivery_id.clone()),
            Value::from(step.lease.clone()),
            Value::from(sea_orm::ActiveEnum::to_value(&step.state)),
            Value::from(step.attempts),
            Value::from(step.due_at),
            Value::from(step.ended_at),
            Value::from(step.sign_key_id.clone()),
        ]
    });
    let mut update = update_from(delivery::Entity, &columns, 3, tuples.collect());
    update
        .value(Lease, Option::<String>::None)
        .value(LeasedUntil, Option::<i64>::None)
        .and_where(Expr::col((delivery::Entity, Id)).equals(("v", "column1")))
        .and_where(Expr::col((delivery::Entity, Lease)).equals(("v", "column2")))
        .returning(Query::returning().column((delivery::Entity, Id)));
    update
}

/// Due deliveries that nobody holds, oldest due first, under our lease; returns them whole.
pub(super) fn claim_deliveries(claim: &Claim, lease_now: Expr) -> UpdateStatement {
    use delivery::Column::{DueAt, EndpointId, Id, Lease, LeasedUntil, State};
    let due = sea_orm::ActiveEnum::to_value(&delivery::State::Due);
    let mut free = Query::select();
    free.column(Id)
        .from(delivery::Entity)
        .and_where(Expr::col(State).eq(due))
        .and_where(Expr::col(DueAt).lte(claim.now))
        .and_where(Expr::col(LeasedUntil).is_null().or(Expr::col(LeasedUntil).lt(lease_now.clone())))
        .order_by(DueAt, sea_orm::Order::Asc)
        .limit(claim.limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    if !claim.except_endpoints.is_empty() {
        free.and_where(Expr::col(EndpointId).is_not_in(claim.except_endpoints.clone()));
    }
    Query::update()
        .table(delivery::Entity)
        .value(Lease, claim.lease.clone())
        .value(LeasedUntil, lease_now.add(claim.lease_ms))
        .and_where(Expr::col(Id).in_subquery(free))
        .returning(Query::returning().columns(delivery::Column::iter()))
        .to_owned()
}

/// Of deliveries that were claimed before, those that are under that lease still, for its whole time again.
pub(super) fn renew_leases(claim: &Claim, claimed: &[delivery::Model], lease_now: Expr) -> UpdateStatement {
    use delivery::Column::{Id, Lease, LeasedUntil};
    Query::update()
        .table(delivery::Entity)
        .value(LeasedUntil, lease_now.add(claim.lease_ms))
        .and_where(Expr::col(Id).is_in(claimed.iter().map(|delivery| delivery.id.clone())))
        .and_where(Expr::col(Lease).eq(claim.lease.clone()))
        .returning(Query::returning().columns(delivery::Column::iter()))
        .to_owned()
}

/// `UPDATE table SET column = v.columnN … FROM (VALUES …) AS v`, the values of `columns` starting at `first`.
fn update_from<E: EntityTrait>(
    table: E,
    columns: &[E::Column],
    first: usize,
    tuples: Vec<Vec<Value>>,
) -> UpdateStatement {
    let tuples = tuples.into_iter().map(ValueTuple::Many).collect();
    let mut update = Query::update();
    update.table(table).from(TableRef::ValuesList(tuples, "v".into_iden()));
    for (place, column) in columns.iter().enumerate() {
        debug_assert!(!column.as_str().is_empty());
        update.value(*column, Expr::col(("v", format!("column{}", place + first))));
    }
    update
}

/// New deliveries carry the length of their lease; make it the time it ends, by the database's clock.
pub(super) fn start_leases(ids: Vec<String>) -> UpdateStatement {
    Query::update()
        .table(delivery::Entity)
        .value(
            delivery::Column::LeasedUntil,
            Expr::cust("leased_until + (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT"),
        )
        .and_where(Expr::col(delivery::Column::Id).is_in(ids))
        .to_owned()
}
