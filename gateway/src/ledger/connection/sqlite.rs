//! Writing to a SQLite file.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{OpenFlags, Row, Statement};
use sea_orm::{ActiveModelTrait, DbErr, Iterable, TryIntoModel, Value};

use super::super::each::{Each, Kind, Parameters, Told};
use super::{Readable, StoreError};

/// Statements that stay prepared. There are not as many.
const PREPARED: usize = 64;

/// Where the store lies. It is there: whoever opened the store has made it.
#[derive(Debug, Clone)]
pub struct SqliteFile {
    path: PathBuf,
    busy_timeout: Duration,
}

impl SqliteFile {
    pub fn new(path: PathBuf) -> Self {
        Self { path, busy_timeout: Duration::from_secs(5) }
    }

    /// How long to wait for another process that writes.
    #[must_use]
    pub fn busy_timeout(self, busy_timeout: Duration) -> Self {
        Self { busy_timeout, ..self }
    }

    pub(super) fn open(&self) -> Result<rusqlite::Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.busy_timeout)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        // In WAL mode, which the file remembers, FULL is one fsync per COMMIT. Statement journals go to memory, else
        // a statement of several rows makes and removes a file.
        for (name, value) in [
            ("synchronous", "FULL"),
            ("foreign_keys", "ON"),
            ("temp_store", "MEMORY"),
            ("cache_size", "-32000"),
        ] {
            connection.pragma_update(None, name, value)?;
        }
        Ok(connection)
    }
}

pub(super) fn plain(connection: &rusqlite::Connection, sql: &str) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(())
}

pub(super) fn each(
    connection: &rusqlite::Connection,
    each: &Each,
    rows: &[Parameters],
) -> Result<Vec<String>, StoreError> {
    let mut told = Vec::with_capacity(rows.len());
    let mut statement = connection.prepare_cached(&each.sqlite)?;
    for parameters in rows {
        bind(&mut statement, parameters)?;
        if let Told::ByCount(place) = each.told {
            if statement.raw_execute()? > 0
                && let Value::String(Some(id)) = &parameters[place]
            {
                told.push(id.clone());
            }
            continue;
        }
        let mut yielded = statement.raw_query();
        while let Some(row) = yielded.next()? {
            told.push(row.get(0)?);
        }
    }
    Ok(told)
}

pub(super) fn select<E: Readable>(
    connection: &rusqlite::Connection,
    each: &Each,
    rows: &[Parameters],
) -> Result<Vec<E::Model>, StoreError> {
    let mut models = Vec::with_capacity(rows.len());
    let mut statement = connection.prepare_cached(&each.sqlite)?;
    for parameters in rows {
        bind(&mut statement, parameters)?;
        read_all::<E>(&mut statement, &mut models)?;
    }
    Ok(models)
}

pub(super) fn execute(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[Value],
) -> Result<u64, StoreError> {
    let mut statement = connection.prepare(sql)?;
    bind(&mut statement, values)?;
    Ok(statement.raw_execute()? as u64)
}

pub(super) fn fetch<E: Readable>(
    connection: &rusqlite::Connection,
    sql: &str,
    values: &[Value],
) -> Result<Vec<E::Model>, StoreError> {
    let mut models = Vec::new();
    let mut statement = connection.prepare(sql)?;
    bind(&mut statement, values)?;
    read_all::<E>(&mut statement, &mut models)?;
    Ok(models)
}

fn read_all<E: Readable>(
    statement: &mut Statement<'_>,
    models: &mut Vec<E::Model>,
) -> Result<(), StoreError> {
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        models.push(model::<E>(row)?);
    }
    Ok(())
}

fn bind(statement: &mut Statement<'_>, values: &[Value]) -> Result<(), StoreError> {
    for (place, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(place + 1, parameter(value)?)?;
    }
    Ok(())
}

fn parameter(value: &Value) -> Result<ToSqlOutput<'_>, StoreError> {
    let borrowed = match value {
        Value::String(Some(text)) => ValueRef::Text(text.as_bytes()),
        Value::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
        Value::BigInt(Some(number)) => ValueRef::Integer(*number),
        Value::Int(Some(number)) => ValueRef::Integer(i64::from(*number)),
        Value::BigUnsigned(Some(number)) => ValueRef::Integer(
            i64::try_from(*number).map_err(|_| DbErr::Type(format!("{number} is more than SQLite holds")))?,
        ),
        Value::Bool(Some(truth)) => ValueRef::Integer(i64::from(*truth)),
        Value::String(None)
        | Value::Bytes(None)
        | Value::BigInt(None)
        | Value::Int(None)
        | Value::BigUnsigned(None)
        | Value::Bool(None) => ValueRef::Null,
        other => return Err(DbErr::Type(format!("the schema holds no {:?}", other.as_null())).into()),
    };
    Ok(ToSqlOutput::Borrowed(borrowed))
}

/// A row whose columns are in the entity's order.
fn model<E: Readable>(row: &Row<'_>) -> Result<E::Model, StoreError> {
    let mut active = <E::ActiveModel as ActiveModelTrait>::default();
    for (place, column) in E::Column::iter().enumerate() {
        let value = match Kind::of(column) {
            Kind::Text => Value::String(row.get(place)?),
            Kind::Int => Value::BigInt(row.get(place)?),
            Kind::Bytes => Value::Bytes(row.get(place)?),
            Kind::Bool => Value::Bool(row.get(place)?),
        };
        active.try_set(column, value)?;
    }
    Ok(active.try_into_model()?)
}
