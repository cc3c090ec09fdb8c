//! What has not been acknowledged, from the store. Never more than so many rows are looked at, however many there are.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, QuerySelect, Statement};

use crate::entity::endpoint;

/// Counted up to here.
pub const MOST: u64 = 10_000;
/// Where more than that are due, the oldest of so many that are due the longest is told.
const MOST_LOOKED_AT: u64 = 1_000;
/// Origins of a merchant's notifyUrls that are looked at.
const MOST_IMPLICIT: u64 = 100;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Due, or waiting behind what is due about the same subject.
    pub open: u64,
    /// Of those that are counted, when the oldest was promised.
    pub oldest_at: Option<i64>,
    /// Given up, and not sent again since.
    pub exhausted: u64,
}

/// By the index alone.
const DUE_TO_ENDPOINT: &str = "\
SELECT count(*) FROM (SELECT 1 FROM deliveries AS d WHERE d.state = 'due' AND d.endpoint_id = $1 LIMIT $2) AS counted";

/// The state is no parameter: an index of some rows is of use only where the statement says that it is about those.
/// What waits is found by what it waits for.
const OPEN_OF_ENDPOINT: &str = "\
WITH due AS (SELECT d.subject_id, d.endpoint_id, d.created_at FROM deliveries AS d
             WHERE d.state = 'due' AND d.endpoint_id = $1 LIMIT $2)
SELECT count(*), min(due.created_at),
       CAST(sum((SELECT count(*) FROM deliveries AS w WHERE w.state = 'waiting' AND w.subject_id = due.subject_id
                 AND w.endpoint_id = due.endpoint_id)) AS BIGINT)
FROM due";

const EXHAUSTED_OF_ENDPOINT: &str = "\
SELECT count(*) FROM (
    SELECT 1 FROM deliveries AS d WHERE d.state = 'exhausted' AND d.endpoint_id = $1
    AND NOT EXISTS (SELECT 1 FROM deliveries AS r WHERE r.subject_id = d.subject_id AND r.event_id = d.event_id
                    AND r.endpoint_id = d.endpoint_id AND r.replay_id IS NOT NULL AND r.id > d.id)
    LIMIT $2) AS counted";

pub async fn of_endpoint(read: &DatabaseConnection, endpoint_id: &str) -> Result<Backlog, DbErr> {
    let (due, oldest_at, waiting) = open(read, endpoint_id).await?;
    let exhausted = count(read, EXHAUSTED_OF_ENDPOINT, endpoint_id).await?;
    Ok(Backlog { open: (due + waiting).min(MOST), oldest_at, exhausted })
}

/// Over the merchant's own endpoints, and those of its orders' notifyUrls.
pub async fn of_merchant(read: &DatabaseConnection, merchant_id: &str) -> Result<Backlog, DbErr> {
    let mut sum = Backlog::default();
    for endpoint_id in endpoints_of(read, merchant_id).await? {
        let one = of_endpoint(read, &endpoint_id).await?;
        sum.open = (sum.open + one.open).min(MOST);
        sum.exhausted = (sum.exhausted + one.exhausted).min(MOST);
        sum.oldest_at = sum.oldest_at.into_iter().chain(one.oldest_at).min();
    }
    Ok(sum)
}

/// Of the rows that are looked at: how many are due, since when, and how many wait behind them.
async fn open(read: &DatabaseConnection, endpoint_id: &str) -> Result<(u64, Option<i64>, u64), DbErr> {
    let due = count(read, DUE_TO_ENDPOINT, endpoint_id).await?;
    let most = match due {
        0 => return Ok((0, None, 0)),
        MOST => MOST_LOOKED_AT,
        _ => MOST,
    };
    let row = read.query_one_raw(counting(read, OPEN_OF_ENDPOINT, endpoint_id, most)).await?;
    let Some(row) = row else { return Ok((0, None, 0)) };
    // The sum of nothing is null.
    let waiting: Option<i64> = row.try_get_by_index(2)?;
    Ok((due, row.try_get_by_index(1)?, whole(waiting.unwrap_or(0))))
}

async fn count(read: &DatabaseConnection, text: &str, endpoint_id: &str) -> Result<u64, DbErr> {
    let row = read.query_one_raw(counting(read, text, endpoint_id, MOST)).await?;
    let count: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
    Ok(whole(count.unwrap_or(0)))
}

async fn endpoints_of(read: &DatabaseConnection, merchant_id: &str) -> Result<Vec<String>, DbErr> {
    let implicit = endpoint::Entity::implicit_of(merchant_id).limit(MOST_IMPLICIT);
    let mut ids: Vec<String> =
        implicit.select_only().column(endpoint::Column::Id).into_tuple().all(read).await?;
    let registered = endpoint::Entity::of_merchant(merchant_id);
    ids.extend(registered.select_only().column(endpoint::Column::Id).into_tuple::<String>().all(read).await?);
    Ok(ids)
}

fn counting(read: &DatabaseConnection, text: &str, endpoint_id: &str, most: u64) -> Statement {
    let most = i64::try_from(most).expect("small");
    Statement::from_sql_and_values(read.get_database_backend(), text, [endpoint_id.into(), most.into()])
}

fn whole(count: i64) -> u64 {
    count.unsigned_abs()
}
