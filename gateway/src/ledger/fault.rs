//! What a database error means for the batch it hit. The cases were tried on real servers; see
//! `docs/decisions/0001` and the fault tests.

use super::connection::StoreError;

/// What to do about a batch that did not get through.
#[derive(Debug)]
pub(super) enum Fault {
    /// One of its rows breaks a rule: write it in halves, so that this row fails alone.
    Row(String),
    /// It met another transaction: write it again.
    Again(String),
    /// The connection is gone before COMMIT was sent: nothing was written.
    Lost(String),
    /// COMMIT was sent and its outcome is not known.
    InDoubt(String),
    /// No room to write, or no permission. Nothing was written.
    NoSpace(String),
    /// The store itself failed. Nothing may be acknowledged any more.
    Fatal(String),
}

/// What an error of a statement means.
pub(super) fn of_statement(error: StoreError) -> Fault {
    match error {
        StoreError::Sqlite(error) => of_sqlite(&error),
        StoreError::Postgres(sqlx::Error::Database(error)) => {
            let code = error.code().unwrap_or_default();
            of_postgres(&code, format!("{} (code {code})", error.message()))
        }
        StoreError::Postgres(
            error @ (sqlx::Error::Io(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::PoolClosed
            | sqlx::Error::PoolTimedOut),
        ) => Fault::Lost(error.to_string()),
        StoreError::Postgres(error) => Fault::Row(error.to_string()),
        StoreError::Row(error) => Fault::Row(error.to_string()),
    }
}

/// What an error of COMMIT means. Only a plain refusal is sure to have written nothing.
pub(super) fn of_commit(error: StoreError) -> Fault {
    match of_statement(error) {
        Fault::Lost(why) => Fault::InDoubt(why),
        fault => fault,
    }
}

fn of_sqlite(error: &rusqlite::Error) -> Fault {
    const IOERR_SHMSIZE: i32 = 4874; // the shared-memory file could not grow: a full disk, too
    let rusqlite::Error::SqliteFailure(failure, message) = error else {
        return Fault::Row(error.to_string());
    };
    let code = failure.extended_code;
    let why = format!("{} (code {code})", message.clone().unwrap_or_else(|| failure.to_string()));
    match (code, code & 0xff) {
        (IOERR_SHMSIZE, _) | (_, 8 | 13 | 14) => Fault::NoSpace(why), // read-only, full, cannot open
        (_, 5 | 6) => Fault::Again(why),                              // busy, locked
        (_, 7 | 10 | 11 | 26) => Fault::Fatal(why),                   // memory, I/O, corrupt, not a database
        _ => Fault::Row(why),
    }
}

fn of_postgres(code: &str, why: String) -> Fault {
    match code {
        "40001" | "40P01" | "55P03" => Fault::Again(why),
        "40003" => Fault::InDoubt(why),
        "25006" | "53100" => Fault::NoSpace(why), // read-only, disk full
        _ if code.starts_with("08") || code.starts_with("57") || code.starts_with("53") => Fault::Lost(why),
        "XX001" | "XX002" | "58030" => Fault::Fatal(why), // corrupt, I/O error
        _ => Fault::Row(why),
    }
}
