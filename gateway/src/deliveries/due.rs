//! Which endpoints have something due, and when: read from the index of what is due, endpoint by endpoint. However much
//! lies there for one of them, no more of it is read than its first delivery.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};

/// An endpoint with something due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub endpoint_id: String,
    pub owner_id: String,
    /// Unix milliseconds of the first that nobody is at; `None`: somebody is at all of it.
    pub due_at: Option<i64>,
}

/// From each endpoint to the next one, and of each the first fresh and the first bulk delivery that nobody is at. What
/// is under a lease is passed by: never more than the nodes send at one time.
pub const EACH_ENDPOINT: &str = "\
WITH RECURSIVE e(id) AS (
    SELECT min(d.endpoint_id) FROM deliveries AS d WHERE d.state = 'due'
    UNION ALL
    SELECT (SELECT min(d.endpoint_id) FROM deliveries AS d WHERE d.state = 'due' AND d.endpoint_id > e.id)
    FROM e WHERE e.id IS NOT NULL
)
SELECT e.id,
       (SELECT d.owner_id FROM deliveries AS d WHERE d.state = 'due' AND d.endpoint_id = e.id
        ORDER BY d.bulk, d.due_at LIMIT 1),
       (SELECT d.due_at FROM deliveries AS d WHERE d.state = 'due' AND d.endpoint_id = e.id AND d.bulk = FALSE
        AND d.lease IS NULL ORDER BY d.due_at LIMIT 1),
       (SELECT d.due_at FROM deliveries AS d WHERE d.state = 'due' AND d.endpoint_id = e.id AND d.bulk = TRUE
        AND d.lease IS NULL ORDER BY d.due_at LIMIT 1)
FROM e WHERE e.id IS NOT NULL";

/// Where a lease may have run out. By which clock leases go on SQLite only the ledger knows: it looks again.
const LEASES_SQLITE: &str = "\
SELECT DISTINCT d.endpoint_id, d.owner_id FROM deliveries AS d WHERE d.lease IS NOT NULL";
const LEASES_POSTGRES: &str = "\
SELECT DISTINCT d.endpoint_id, d.owner_id FROM deliveries AS d WHERE d.lease IS NOT NULL
AND d.leased_until < (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT";

/// Of all tenants: the worker is everybody's.
pub async fn by_endpoint(read: &DatabaseConnection) -> Result<Vec<Found>, DbErr> {
    let backend = read.get_database_backend();
    let rows = read.query_all_raw(Statement::from_string(backend, EACH_ENDPOINT)).await?;
    let found = rows.iter().map(|row| -> Result<Found, DbErr> {
        let fresh: Option<i64> = row.try_get_by_index(2)?;
        let bulk: Option<i64> = row.try_get_by_index(3)?;
        Ok(Found {
            endpoint_id: row.try_get_by_index(0)?,
            // Gone in between: then there is nothing to be had.
            owner_id: row.try_get_by_index::<Option<String>>(1)?.unwrap_or_default(),
            due_at: fresh.into_iter().chain(bulk).min(),
        })
    });
    found.filter(|found| !matches!(found, Ok(found) if found.owner_id.is_empty())).collect()
}

/// Endpoints to which something is under a lease that may have run out, and their owners.
pub async fn abandoned(read: &DatabaseConnection) -> Result<Vec<(String, String)>, DbErr> {
    let backend = read.get_database_backend();
    let text = if backend == DbBackend::Postgres { LEASES_POSTGRES } else { LEASES_SQLITE };
    let rows = read.query_all_raw(Statement::from_string(backend, text)).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

/// When something is due to one endpoint that nobody is at. The state is no parameter: an index of some rows is of use
/// only where the statement itself says that it is about those.
pub async fn next_of(read: &DatabaseConnection, endpoint_id: &str) -> Result<Option<i64>, DbErr> {
    let mut next: Option<i64> = None;
    for bulk in ["FALSE", "TRUE"] {
        let text = format!(
            "SELECT d.due_at FROM deliveries AS d WHERE d.state = 'due' AND d.endpoint_id = $1 AND d.bulk = {bulk} \
             AND d.lease IS NULL ORDER BY d.due_at LIMIT 1"
        );
        let statement =
            Statement::from_sql_and_values(read.get_database_backend(), text, [endpoint_id.into()]);
        let row = read.query_one_raw(statement).await?;
        let first: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?;
        next = next.into_iter().chain(first).min();
    }
    Ok(next)
}
