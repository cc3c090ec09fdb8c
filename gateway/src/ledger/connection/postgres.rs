//! Writing to PostgreSQL.

use sea_orm::{DbErr, FromQueryResult, QueryResult, Value};
use sea_query_sqlx::SqlxValues;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Executor, Postgres, Row};

use super::super::each::{Each, Kind, Parameters};
use super::{Readable, StoreError};

pub(super) async fn plain(connection: &mut PgConnection, sql: &'static str) -> Result<(), StoreError> {
    Ok(connection.execute(sqlx::raw_sql(sql)).await.map(drop)?)
}

pub(super) async fn each(
    connection: &mut PgConnection,
    each: &Each,
    rows: Vec<Parameters>,
) -> Result<Vec<String>, StoreError> {
    let yielded = query(each, rows)?.fetch_all(connection).await?;
    yielded.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub(super) async fn select<E: Readable>(
    connection: &mut PgConnection,
    each: &Each,
    rows: Vec<Parameters>,
) -> Result<Vec<E::Model>, StoreError> {
    models::<E>(query(each, rows)?.fetch_all(connection).await?)
}

pub(super) async fn execute(
    connection: &mut PgConnection,
    sql: String,
    values: SqlxValues,
) -> Result<u64, StoreError> {
    let done = sqlx::query_with(AssertSqlSafe(sql), values).execute(connection).await?;
    Ok(done.rows_affected())
}

pub(super) async fn fetch<E: Readable>(
    connection: &mut PgConnection,
    sql: String,
    values: SqlxValues,
) -> Result<Vec<E::Model>, StoreError> {
    models::<E>(sqlx::query_with(AssertSqlSafe(sql), values).fetch_all(connection).await?)
}

fn models<E: Readable>(rows: Vec<PgRow>) -> Result<Vec<E::Model>, StoreError> {
    rows.into_iter().map(|row| Ok(E::Model::from_query_result(&QueryResult::from(row), "")?)).collect()
}

/// The rows turned to columns, an array each.
fn query(each: &Each, rows: Vec<Parameters>) -> Result<Query<'_, Postgres, PgArguments>, StoreError> {
    let count = rows.len();
    let mut rows: Vec<_> = rows.into_iter().map(Parameters::into_iter).collect();
    let mut query = sqlx::query(AssertSqlSafe(each.postgres.clone()));
    for kind in &each.kinds {
        let column = rows.iter_mut().filter_map(Iterator::next);
        query = match kind {
            Kind::Text => query.bind(array(column, count, |value| match value {
                Value::String(text) => Some(text),
                _ => None,
            })?),
            Kind::Int => query.bind(array(column, count, |value| match value {
                Value::BigInt(number) => Some(number),
                _ => None,
            })?),
            Kind::Bytes => query.bind(array(column, count, |value| match value {
                Value::Bytes(bytes) => Some(bytes),
                _ => None,
            })?),
            Kind::Bool => query.bind(array(column, count, |value| match value {
                Value::Bool(truth) => Some(truth),
                _ => None,
            })?),
        };
    }
    Ok(query)
}

fn array<T>(
    column: impl Iterator<Item = Value>,
    count: usize,
    read: impl Fn(Value) -> Option<Option<T>>,
) -> Result<Vec<Option<T>>, StoreError> {
    let mut array = Vec::with_capacity(count);
    for value in column {
        array.push(read(value).ok_or_else(|| DbErr::Type("a value of another kind than its column".into()))?);
    }
    Ok(array)
}
