//! Taking what is due under a lease, endpoint by endpoint: the longest due first, and what is bulk after all else.

use std::sync::LazyLock;

use sea_orm::sea_query::{Expr, ExprTrait, Query, UpdateStatement};
use sea_orm::{IdenStatic, Iterable};

use super::each::{Each, Kind, Parameters};
use super::{Claim, Claimed};
use crate::entity::delivery;

/// The database's time on PostgreSQL.
const DATABASE_NOW: &str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT";

/// Of each of these (endpoint, how many at most, now, lease, how long it lasts, the leases' own now on SQLite): due
/// deliveries that nobody holds, under our lease; yields them whole.
pub(super) static CLAIM_DELIVERIES: LazyLock<Each> = LazyLock::new(|| {
    let free = |bulk: &str, mark: &str, now: &str| {
        format!(
            "d.state = 'due' AND d.endpoint_id = {mark}1 AND d.bulk = {bulk} AND d.due_at <= {mark}3 \
             AND (d.leased_until IS NULL OR d.leased_until < {now}) ORDER BY d.due_at LIMIT {mark}2"
        )
    };
    let arm = |bulk: &str| {
        format!("SELECT id FROM (SELECT d.id FROM deliveries AS d WHERE {})", free(bulk, "?", "?6"))
    };
    let locked = |bulk: &str| {
        format!(
            "SELECT x.id FROM (SELECT d.id FROM deliveries AS d WHERE {} FOR UPDATE SKIP LOCKED) AS x",
            free(bulk, "v.p", DATABASE_NOW)
        )
    };
    let columns = |table: &str| {
        let columns = delivery::Column::iter().map(|column| format!("{table}\"{}\"", column.as_str()));
        columns.collect::<Vec<_>>().join(", ")
    };
    Each::of_texts(
        &[Kind::Text, Kind::Int, Kind::Int, Kind::Text, Kind::Int, Kind::Int],
        &format!(
            "UPDATE deliveries SET lease = ?4, leased_until = ?6 + ?5 \
             WHERE id IN ({} UNION ALL {} LIMIT ?2) RETURNING {}",
            arm("FALSE"),
            arm("TRUE"),
            columns("")
        ),
        &format!(
            "WITH taken AS MATERIALIZED (SELECT f.id, v.p4 AS lease, v.p5 AS lasts FROM {{rows}} \
             CROSS JOIN LATERAL ({} UNION ALL {} LIMIT v.p2) AS f) \
             UPDATE deliveries AS t SET lease = taken.lease, leased_until = {DATABASE_NOW} + taken.lasts \
             FROM taken WHERE t.id = taken.id RETURNING {}",
            locked("FALSE"),
            locked("TRUE"),
            columns("t.")
        ),
    )
});

/// A row for each endpoint, in the order of their ids.
pub(super) fn rows(claim: &Claim, lease_now: i64) -> Vec<Parameters> {
    let mut shares: Vec<_> = claim.shares.iter().collect();
    shares.sort();
    let row = |(endpoint_id, most): &(String, u32)| -> Parameters {
        vec![
            endpoint_id.as_str().into(),
            i64::from(*most).into(),
            claim.now.into(),
            claim.lease.as_str().into(),
            claim.lease_ms.into(),
            lease_now.into(),
        ]
    };
    shares.into_iter().map(row).collect()
}

/// Of deliveries that were claimed before, those that are under that lease still, for its whole time again.
pub(super) fn renew(claim: &Claim, claimed: &[Claimed], lease_now: Expr) -> UpdateStatement {
    use delivery::Column::{Id, Lease, LeasedUntil};
    Query::update()
        .table(delivery::Entity)
        .value(LeasedUntil, lease_now.add(claim.lease_ms))
        .and_where(Expr::col(Id).is_in(claimed.iter().map(|claimed| claimed.delivery.id.clone())))
        .and_where(Expr::col(Lease).eq(claim.lease.clone()))
        .returning(Query::returning().columns(delivery::Column::iter()))
        .to_owned()
}
