//! After how many wrong passwords a name is locked, and for how long. Kept in the store, so that a restart forgives
//! nothing and several nodes count together; for names that nobody has, too, so that a lock tells nothing.

use std::time::Duration;

use data_encoding::HEXLOWER;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};

use crate::entity::login_failure::{Column, Entity};
use crate::ledger::RowStatement;

/// Wrong passwords in a row before the first lock.
pub const FREE_FAILURES: i64 = 5;
/// The first lock; each further wrong password doubles it…
pub const FIRST_LOCK: Duration = Duration::from_secs(30);
/// …up to this.
pub const LONGEST_LOCK: Duration = Duration::from_mins(15);
/// Failures are forgotten after so long without another.
pub const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// Failures under one name, as they stand at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    count: i64,
    failed_at: i64,
}

impl Failures {
    /// Of `name` at `now`.
    pub async fn of(read: &DatabaseConnection, name: &str, now: i64) -> Result<Self, sea_orm::DbErr> {
        let row = Entity::find_by_id(subject(name)).one(read).await?;
        Ok(row.map_or(Self::none(now), |row| Self::at(row.failures, row.failed_at, now)))
    }

    fn none(now: i64) -> Self {
        Self { count: 0, failed_at: now }
    }

    fn at(count: i64, failed_at: i64, now: i64) -> Self {
        if now.saturating_sub(failed_at) >= ms(FORGOTTEN_AFTER) {
            return Self::none(now);
        }
        Self { count, failed_at }
    }

    /// How long the name is locked yet.
    pub fn locked(self, now: i64) -> Option<Duration> {
        let until = self.failed_at.saturating_add(ms(lock(self.count)));
        (now < until).then(|| Duration::from_millis(until.saturating_sub(now).unsigned_abs()))
    }

    /// What there is to forget after a right password.
    pub fn forgive(self, name: &str, now: i64) -> Option<RowStatement> {
        (self.count > 0).then(|| write(name, 0, now, 0.into()))
    }
}

/// How long a name is locked after so many failures in a row.
pub fn lock(failures: i64) -> Duration {
    if failures < FREE_FAILURES {
        return Duration::ZERO;
    }
    let doublings = u32::try_from(failures - FREE_FAILURES).unwrap_or(u32::MAX);
    let factor = 1_u32.checked_shl(doublings).filter(|factor| *factor > 0).unwrap_or(u32::MAX);
    FIRST_LOCK.saturating_mul(factor).min(LONGEST_LOCK)
}

/// One more failure, of `name` at `now`. Counted in the store: guesses made side by side each add theirs. One whose
/// COMMIT was in doubt may count twice.
pub fn one_more(name: &str, now: i64) -> RowStatement {
    let is_forgotten = Expr::col((Entity, Column::FailedAt)).lte(long_ago(now));
    let counted = Expr::case(is_forgotten, 1).finally(Expr::col((Entity, Column::Failures)).add(1));
    write(name, 1, now, counted.into())
}

/// `failures` where there were none yet, else `counted`.
fn write(name: &str, failures: i64, now: i64, counted: Expr) -> RowStatement {
    let mut taken = OnConflict::column(Column::Subject);
    taken.update_column(Column::FailedAt).value(Column::Failures, counted);
    let insert = Query::insert()
        .into_table(Entity)
        .columns([Column::Subject, Column::Failures, Column::FailedAt])
        .values_panic([subject(name).into(), failures.into(), now.into()])
        .on_conflict(taken)
        .to_owned();
    RowStatement::Insert(insert)
}

/// Whether there is something to [`forget`].
pub async fn any_to_forget(read: &DatabaseConnection, now: i64) -> Result<bool, sea_orm::DbErr> {
    let row = Entity::find().filter(Column::FailedAt.lte(long_ago(now))).one(read).await?;
    Ok(row.is_some())
}

/// Removes what is too long ago to count.
pub fn forget(now: i64) -> RowStatement {
    let delete = Query::delete()
        .from_table(Entity)
        .and_where(Expr::col(Column::FailedAt).lte(long_ago(now)))
        .to_owned();
    RowStatement::Delete(delete)
}

fn long_ago(now: i64) -> i64 {
    now.saturating_sub(ms(FORGOTTEN_AFTER))
}

/// A name as it is kept: somebody may have typed a password there.
fn subject(name: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(name))
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("hours")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wrong_passwords_are_free_and_each_after_them_doubles_the_lock_up_to_the_longest() {
        let seconds: Vec<u64> = (0..=12).map(|failures| lock(failures).as_secs()).collect();
        assert_eq!(seconds, [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(lock(i64::MAX), LONGEST_LOCK);
        assert_eq!(lock(-1), Duration::ZERO);
    }

    #[test]
    fn a_lock_ends_on_time_and_failures_are_forgotten_after_a_day() {
        let failures = Failures::at(FREE_FAILURES, 0, 1);
        assert_eq!(failures.locked(0), Some(FIRST_LOCK));
        assert_eq!(failures.locked(29_999), Some(Duration::from_millis(1)));
        assert_eq!(failures.locked(30_000), None);
        assert_eq!(Failures::at(FREE_FAILURES, 0, ms(FORGOTTEN_AFTER) - 1).count, FREE_FAILURES);
        assert_eq!(Failures::at(FREE_FAILURES, 0, ms(FORGOTTEN_AFTER)).count, 0);
    }
}
