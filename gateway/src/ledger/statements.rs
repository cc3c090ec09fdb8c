//! The statements a batch is made of.

use std::sync::LazyLock;

use sea_orm::sea_query::{Expr, InsertStatement, OnConflict, Query, Value};
use sea_orm::{EntityTrait, Iterable, ModelTrait};

use super::DeliveryMove;
use super::change::Calmed;
use super::each::{Each, Kind, Parameters, Standing};
use crate::entity::{
    attempt, attention, audit_entry, delivery, endpoint, event, journal, operator_act, order, purchase_check,
    quarantine, refund, submission,
};

type Prepared = LazyLock<Each>;

/// New orders; yields the ids of those whose number was free.
pub(super) static INSERT_ORDERS: Prepared = LazyLock::new(|| Each::insert::<order::Entity>(Standing::IsLeft));
pub(super) static INSERT_SUBMISSIONS: Prepared =
    LazyLock::new(|| Each::insert::<submission::Entity>(Standing::Fails));
pub(super) static INSERT_JOURNAL: Prepared =
    LazyLock::new(|| Each::insert::<journal::Entity>(Standing::Fails));
pub(super) static INSERT_QUARANTINE: Prepared =
    LazyLock::new(|| Each::insert::<quarantine::Entity>(Standing::Fails));
pub(super) static INSERT_REFUNDS: Prepared =
    LazyLock::new(|| Each::insert::<refund::Entity>(Standing::Fails));
/// One open matter of a kind for each subject.
pub(super) static INSERT_ATTENTION: Prepared =
    LazyLock::new(|| Each::insert::<attention::Entity>(Standing::IsLeft));
pub(super) static INSERT_ENDPOINTS: Prepared =
    LazyLock::new(|| Each::insert::<endpoint::Entity>(Standing::IsLeft));
/// PostgreSQL numbers its transactions; the writer of a SQLite file does so itself (`told`).
pub(super) static INSERT_EVENTS: Prepared = LazyLock::new(|| {
    let position = "pg_current_xact_id()::text::bigint + COALESCE((SELECT base FROM event_numbers), 0)";
    let computed = [(event::Column::Position, position)];
    Each::insert_computed::<event::Entity>(Standing::Fails, &computed)
});
/// What PostgreSQL's transactions are numbered from. In a cluster that a dump was loaded into they begin low: beyond the last
/// event there is, with room for those that were written in another order than that of their ids.
pub(super) const GO_ON_NUMBERING: &str = "UPDATE event_numbers AS n \
    SET base = e.last + 1000000 - pg_current_xact_id()::text::bigint \
    FROM (SELECT max(position) AS last FROM (SELECT position FROM events ORDER BY id DESC LIMIT 1000) AS newest) AS e \
    WHERE e.last >= n.base + pg_current_xact_id()::text::bigint";
/// The last event of a SQLite file was written last.
pub(super) static LAST_POSITION: Prepared = LazyLock::new(|| {
    Each::of_texts(&[], "SELECT CAST(position AS TEXT) FROM events ORDER BY rowid DESC LIMIT 1", "")
});
pub(super) static EVENTS: Prepared =
    LazyLock::new(|| Each::rows::<event::Entity>(&[event::Column::Id], false));
pub(super) static EVENTS_STANDING: Prepared =
    LazyLock::new(|| Each::find::<event::Entity>(event::Column::Id, &[event::Column::Id]));
pub(super) static MATTERS_STANDING: Prepared =
    LazyLock::new(|| Each::find::<attention::Entity>(attention::Column::Id, &[attention::Column::Id]));
/// A new delivery names in `leased_until` how long its lease is. On PostgreSQL it ends by the database's clock.
pub(super) static INSERT_DELIVERIES: Prepared = LazyLock::new(|| {
    let until = "{} + (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT";
    let computed = [(delivery::Column::LeasedUntil, until)];
    Each::insert_computed::<delivery::Entity>(Standing::IsLeft, &computed)
});
pub(super) static INSERT_AUDIT: Prepared =
    LazyLock::new(|| Each::insert::<audit_entry::Entity>(Standing::Fails));
pub(super) static INSERT_ACTS: Prepared =
    LazyLock::new(|| Each::insert::<operator_act::Entity>(Standing::Fails));
pub(super) static INSERT_PURCHASE_CHECKS: Prepared =
    LazyLock::new(|| Each::insert::<purchase_check::Entity>(Standing::IsLeft));
pub(super) static INSERT_ATTEMPTS: Prepared =
    LazyLock::new(|| Each::insert::<attempt::Entity>(Standing::IsLeft));

/// The orders of these ids in the order of their ids, locked where the store locks rows.
pub(super) static ORDERS_FOR_CHANGE: Prepared =
    LazyLock::new(|| Each::rows::<order::Entity>(&[order::Column::Id], true));
/// The orders that have these (merchant, number).
pub(super) static ORDERS_OF_NUMBERS: Prepared =
    LazyLock::new(|| Each::rows::<order::Entity>(&[order::Column::MerchantId, order::Column::Number], false));
pub(super) static SUBMISSIONS: Prepared =
    LazyLock::new(|| Each::rows::<submission::Entity>(&[submission::Column::Id], false));

/// The refunds of these orders.
pub(super) static REFUNDS_OF_ORDERS: Prepared =
    LazyLock::new(|| Each::rows::<refund::Entity>(&[refund::Column::OrderId], false));

/// The facts that are held of these (order, state).
pub(super) static FACTS_OF_ORDERS: Prepared = LazyLock::new(|| {
    use quarantine::Column::{OrderId, State};
    Each::rows::<quarantine::Entity>(&[OrderId, State], false)
});

/// Which of these (submission, digest) were kept before: their submissions.
pub(super) static NOTICES_KEPT: Prepared = LazyLock::new(|| {
    use journal::Column::{Digest, SubmissionId};
    Each::find::<journal::Entity>(SubmissionId, &[SubmissionId, Digest])
});
/// Which of these (order, journal entry) stand: their entries.
pub(super) static ENTRIES_STANDING: Prepared = LazyLock::new(|| {
    Each::find::<journal::Entity>(journal::Column::Id, &[journal::Column::OrderId, journal::Column::Id])
});
/// Which of these (delivery, attempt) stand: their attempts.
pub(super) static ATTEMPTS_STANDING: Prepared = LazyLock::new(|| {
    Each::find::<attempt::Entity>(attempt::Column::Id, &[attempt::Column::DeliveryId, attempt::Column::Id])
});

/// How an order must stand to be moved. The status alone would not do: with another submission it may have come
/// back to the same one; and what was told of it meanwhile must not be forgotten.
const STOOD: [order::Column; 4] =
    [order::Column::Id, order::Column::Status, order::Column::SubmissionId, order::Column::Events];

/// What a fact can change of an order.
const SETTLED: [order::Column; 21] = {
    use order::Column::{
        AnswerExtra, Buyer, BuyerId, Code, Events, Late, LookAt, Looks, NoticeDueAt, Paid, PaidTwice,
        PaidWallet, PayTime, PayUrl, RefundReserved, Refunded, RefundedElsewhere, SecondPayments, Status,
        UpdatedAt, UpstreamOrderNo,
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
        LookAt,
        Looks,
        PaidTwice,
        RefundedElsewhere,
        SecondPayments,
        NoticeDueAt,
        UpdatedAt,
    ]
};

/// What a new submission changes besides: the content may be another after a refusal.
const RESUBMITTED: [order::Column; 15] = {
    use order::Column::{
        Amount, AnswerDueAt, ContentHash, Currency, ExpiresAt, NotifyUrl, Product, Reference, ReturnUrl,
        SignKeyId, StoreId, SubmissionId, Submissions, Title, Wallet,
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
        Reference,
    ]
};

/// Move orders from how they were seen; yields the ids that moved.
pub(super) static SETTLE_ORDERS: Prepared =
    LazyLock::new(|| Each::update::<order::Entity>(&STOOD, &SETTLED, &[]));
pub(super) static RESUBMIT_ORDERS: Prepared = LazyLock::new(|| {
    let columns: Vec<order::Column> = SETTLED.into_iter().chain(RESUBMITTED).collect();
    Each::update::<order::Entity>(&STOOD, &columns, &[])
});

/// What a fact, or a refund of a second payment, can change of a submission.
const ANSWERED: [submission::Column; 11] = {
    use submission::Column::{
        AnsweredAt, Code, MissedAt, PayUrl, SecondElsewhere, SecondPaid, SecondPayTime, SecondRefunded,
        SecondReserved, State, UpstreamOrderNo,
    };
    [
        State,
        AnsweredAt,
        Code,
        PayUrl,
        UpstreamOrderNo,
        MissedAt,
        SecondPaid,
        SecondReserved,
        SecondRefunded,
        SecondElsewhere,
        SecondPayTime,
    ]
};

pub(super) static UPDATE_SUBMISSIONS: Prepared =
    LazyLock::new(|| Each::update::<submission::Entity>(&[submission::Column::Id], &ANSWERED, &[]));

/// What following a refund can change of it.
const FOLLOWED: [refund::Column; 8] = {
    use refund::Column::{AnswerDueAt, ApprovedBy, Calls, Code, LookAt, Looks, State, UpdatedAt};
    [State, ApprovedBy, Code, Calls, AnswerDueAt, LookAt, Looks, UpdatedAt]
};

pub(super) static UPDATE_REFUNDS: Prepared =
    LazyLock::new(|| Each::update::<refund::Entity>(&[refund::Column::Id], &FOLLOWED, &[]));

const LET_GO: [quarantine::Column; 4] = {
    use quarantine::Column::{EndedAt, EndedBy, Reason, State};
    [State, EndedAt, EndedBy, Reason]
};

pub(super) static END_QUARANTINE: Prepared =
    LazyLock::new(|| Each::update::<quarantine::Entity>(&[quarantine::Column::Id], &LET_GO, &[]));

/// Of the rows of a matter only one is open; those that ended before keep how.
pub(super) static CALM_ATTENTION: Prepared = LazyLock::new(|| {
    use attention::Column::{EndedAt, EndedBy, Kind, Reason, SubjectId};
    Each::update::<attention::Entity>(&[Kind, SubjectId], &[EndedAt, EndedBy, Reason], &[])
        .where_null(EndedAt)
});

/// Move deliveries that are still under the lease they were sent under; yields the ids that moved.
pub(super) static MOVE_DELIVERIES: Prepared = LazyLock::new(|| {
    use delivery::Column::{Attempts, DueAt, EndedAt, Id, Lease, LeasedUntil, Outcome, SignKeyId, State};
    let columns = [State, Attempts, DueAt, EndedAt, SignKeyId, Outcome];
    Each::update::<delivery::Entity>(&[Id, Lease], &columns, &[Lease, LeasedUntil])
});

/// What has not ended of a subject to an endpoint, before the one at hand, as a promise of the same kind: the first
/// one, or that of one replay. Of `t`, and of the row or delivery that `at` stands for.
const EARLIER: &str = "d.subject_id = {at}.subject_id AND d.endpoint_id = {at}.endpoint_id \
     AND d.sequence < {at}.sequence AND coalesce(d.replay_id, '') = coalesce({at}.replay_id, '') \
     AND d.state IN ('due', 'waiting', 'parked')";

/// Keep the deliveries before these (subject, endpoint, replay or nothing, sequence) from ending until we have
/// committed. SQLite has one writer.
pub(super) static LOCK_EARLIER_DELIVERIES: Prepared = LazyLock::new(|| {
    let postgres = "SELECT d.id FROM deliveries AS d JOIN {rows} ON d.subject_id = v.p1 AND d.endpoint_id = v.p2 \
         AND coalesce(d.replay_id, '') = v.p3 AND d.sequence < v.p4 WHERE d.state IN ('due', 'waiting', 'parked') \
         ORDER BY d.id FOR UPDATE OF d";
    Each::of_texts(
        &[Kind::Text, Kind::Text, Kind::Text, Kind::Int],
        "SELECT ?1 WHERE FALSE AND ?2 = ?3 AND ?4 = 1",
        postgres,
    )
});

/// Of these new deliveries, those that have one before them wait for it.
pub(super) static HOLD_BACK_DELIVERIES: Prepared = LazyLock::new(|| {
    let earlier = format!("EXISTS (SELECT 1 FROM deliveries AS d WHERE {})", EARLIER.replace("{at}", "t"));
    let set = "UPDATE deliveries AS t SET state = 'waiting'";
    Each::of_texts(
        &[Kind::Text],
        &format!("{set} WHERE t.id = ?1 AND t.state = 'due' AND {earlier}"),
        &format!("{set} FROM {{rows}} WHERE t.id = v.p1 AND t.state = 'due' AND {earlier} RETURNING t.id"),
    )
});

/// For each of these deliveries, which have ended: what waits next for the same subject and endpoint is due. Yields
/// those of these that something waited for.
pub(super) static RELEASE_DELIVERIES: Prepared = LazyLock::new(|| {
    let next = "SELECT n.id FROM deliveries AS n WHERE n.subject_id = e.subject_id AND n.endpoint_id = e.endpoint_id \
         AND n.state = 'waiting' AND coalesce(n.replay_id, '') = coalesce(e.replay_id, '') \
         ORDER BY n.sequence LIMIT 1";
    let first = format!("NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE {})", EARLIER.replace("{at}", "t"));
    let set = "UPDATE deliveries AS t SET state = 'due'";
    Each::of_texts(
        &[Kind::Text],
        &format!("{set} WHERE t.id = (SELECT ({next}) FROM deliveries AS e WHERE e.id = ?1) AND {first}"),
        &format!(
            "{set} FROM {{rows}} JOIN deliveries AS e ON e.id = v.p1 \
             WHERE t.id = ({next}) AND {first} RETURNING v.p1"
        ),
    )
    .by_count(0)
});

/// Before an `order.paid` to these (subject, endpoint, at): what it makes not worth telling and nobody is at. What
/// somebody is at ends with the attempt.
pub(super) static SUPERSEDE_DELIVERIES: Prepared = LazyLock::new(|| {
    let which = "AND t.replay_id IS NULL AND t.state IN ('due', 'waiting', 'parked') AND t.lease IS NULL \
         AND t.kind IN ('order.failed', 'order.closed')";
    Each::of_texts(
        &[Kind::Text, Kind::Text, Kind::Int],
        &format!(
            "UPDATE deliveries AS t SET state = 'superseded', ended_at = ?3 \
             WHERE t.subject_id = ?1 AND t.endpoint_id = ?2 {which}"
        ),
        &format!(
            "UPDATE deliveries AS t SET state = 'superseded', ended_at = v.p3 FROM {{rows}} \
             WHERE t.subject_id = v.p1 AND t.endpoint_id = v.p2 {which} RETURNING t.id"
        ),
    )
});

/// Of these (delivery, at), of which an attempt has failed: those behind which an `order.paid` waits.
pub(super) static SUPERSEDE_FAILED: Prepared = LazyLock::new(|| {
    let paid = "EXISTS (SELECT 1 FROM deliveries AS d WHERE d.subject_id = t.subject_id \
         AND d.endpoint_id = t.endpoint_id AND d.state = 'waiting' AND d.replay_id IS NULL AND d.kind = 'order.paid')";
    let which = format!("t.state = 'due' AND t.lease IS NULL AND t.replay_id IS NULL AND {paid}");
    Each::of_texts(
        &[Kind::Text, Kind::Int],
        &format!(
            "UPDATE deliveries AS t SET state = 'superseded', ended_at = ?2 WHERE t.id = ?1 AND {which} RETURNING id"
        ),
        &format!(
            "UPDATE deliveries AS t SET state = 'superseded', ended_at = v.p2 FROM {{rows}} \
             WHERE t.id = v.p1 AND {which} RETURNING t.id"
        ),
    )
});

/// A whole row, for an insert.
pub(super) fn whole<M: ModelTrait>(row: &M) -> Parameters {
    <M::Entity as EntityTrait>::Column::iter().map(|column| row.get(column)).collect()
}

/// An order as it stood, and as it is to be.
pub(super) fn order_move(before: &order::Model, after: &order::Model, resubmitted: bool) -> Parameters {
    let more: &[order::Column] = if resubmitted { &RESUBMITTED } else { &[] };
    let stood = STOOD.iter().map(|column| before.get(*column));
    stood.chain(SETTLED.iter().chain(more).map(|column| after.get(*column))).collect()
}

pub(super) fn answered(row: &submission::Model) -> Parameters {
    std::iter::once(row.get(submission::Column::Id))
        .chain(ANSWERED.iter().map(|column| row.get(*column)))
        .collect()
}

pub(super) fn refunded(row: &refund::Model) -> Parameters {
    std::iter::once(row.get(refund::Column::Id))
        .chain(FOLLOWED.iter().map(|column| row.get(*column)))
        .collect()
}

pub(super) fn let_go(row: &quarantine::Model) -> Parameters {
    std::iter::once(row.get(quarantine::Column::Id))
        .chain(LET_GO.iter().map(|column| row.get(*column)))
        .collect()
}

impl Calmed {
    pub(super) fn parameters(&self) -> Parameters {
        vec![
            self.kind.into(),
            self.subject_id.as_str().into(),
            self.at.into(),
            self.by.as_str().into(),
            self.reason.clone().into(),
        ]
    }
}

pub(super) fn delivery_move(step: &DeliveryMove) -> Parameters {
    vec![
        Value::from(step.delivery_id.clone()),
        Value::from(step.lease.clone()),
        sea_orm::ActiveEnum::to_value(&step.state).into(),
        Value::from(step.attempts),
        Value::from(step.due_at),
        Value::from(step.ended_at),
        Value::from(step.sign_key_id.clone()),
        Value::from(step.outcome.clone()),
    ]
}

/// Insert whole rows but those that any unique rule says are there. For tables that are written now and then.
pub(super) fn insert_new<E>(rows: &[E::Model]) -> InsertStatement
where
    E: EntityTrait,
    E::Model: ModelTrait<Entity = E>,
{
    let mut insert = Query::insert();
    insert.into_table(E::default().table_ref()).columns(E::Column::iter());
    for row in rows {
        insert.values_panic(E::Column::iter().map(|column| Expr::val(row.get(column))));
    }
    insert.on_conflict(OnConflict::new().do_nothing().to_owned());
    insert
}
