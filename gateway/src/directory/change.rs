//! A change of the directory: its rows, its entry in the audit log, and the answer that is kept for repeats, all in
//! one transaction or not at all.
//!
//! Changes of one platform are written one after the other, because each begins by counting itself in the
//! platform's row. Then the audit entry is inserted, if all conditions still hold that were found when the change was
//! planned, and everything else only where that entry stands. So a change that came too late writes nothing, and
//! one that is written twice (a COMMIT may have to be repeated, `docs/MONEY.md`) does so once.

use sea_orm::sea_query::{
    Expr, ExprTrait, InsertStatement, OnConflict, Query, SelectStatement, UpdateStatement,
};
use sea_orm::{EntityTrait, IdenStatic, Iterable, ModelTrait};

use super::versions;
use crate::app::App;
use crate::entity::{audit_entry, kept_answer, platform};
use crate::error::Error;
use crate::ledger::{Lane, LedgerError, RowStatement};

/// What has to be looked at again after a change: at once by the node that makes it, within seconds by all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refresh {
    Merchant(String),
    Account(String),
    /// One that is registered.
    Endpoint(String),
    ApiKey(String),
    /// All of a merchant's.
    ApiKeysOf(String),
    /// The keys that sign tokens, and what was revoked.
    Tokens,
    Everybody,
}

/// A change that is ready to be written.
pub struct Plan {
    entry: audit_entry::Model,
    conditions: Vec<Expr>,
    statements: Vec<RowStatement>,
    refresh: Vec<Refresh>,
}

/// What became of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    Done,
    /// Things have changed since it was planned, and nothing was written. Plan again.
    Stale,
}

impl Plan {
    pub fn new(entry: audit_entry::Model) -> Self {
        Self { entry, conditions: Vec::new(), statements: Vec::new(), refresh: Vec::new() }
    }

    /// Write only if there is such a row.
    pub fn while_there_is(&mut self, row: SelectStatement) {
        self.conditions.push(Expr::exists(row));
    }

    /// Write only if there is no such row.
    pub fn unless_there_is(&mut self, row: SelectStatement) {
        self.conditions.push(Expr::exists(row).not());
    }

    pub fn insert<E>(&mut self, row: &E::Model)
    where
        E: EntityTrait,
        E::Model: ModelTrait<Entity = E>,
    {
        let statement = insert_if::<E>(row, [self.entry_stands()]);
        self.statements.push(RowStatement::Insert(statement));
    }

    /// One more entry of the audit log.
    pub fn log(&mut self, entry: &audit_entry::Model) {
        self.insert::<audit_entry::Entity>(entry);
    }

    /// Make another change with this one.
    pub fn absorb(&mut self, other: Self) {
        self.log(&other.entry);
        self.conditions.extend(other.conditions);
        self.statements.extend(other.statements);
        for what in other.refresh {
            self.refresh(what);
        }
    }

    /// The update must name the state it starts from, so that doing it twice does it once.
    pub fn update(&mut self, mut update: UpdateStatement) {
        update.and_where(self.entry_stands());
        self.statements.push(RowStatement::Update(update));
    }

    pub fn refresh(&mut self, what: Refresh) {
        if !self.refresh.contains(&what) {
            self.refresh.push(what);
        }
    }

    /// Keep `answer`, unless there is one under its key already.
    pub fn keep(&mut self, mut answer: kept_answer::Model) {
        self.entry.id.clone_into(&mut answer.entry_id);
        let taken = Query::select()
            .expr(Expr::val(1))
            .from(kept_answer::Entity)
            .and_where(Expr::col(kept_answer::Column::Owner).eq(answer.owner.as_str()))
            .and_where(Expr::col(kept_answer::Column::Key).eq(answer.key.as_str()))
            .to_owned();
        self.unless_there_is(taken);
        self.insert::<kept_answer::Entity>(&answer);
    }

    pub async fn commit(mut self, app: &App) -> Result<Committed, Error> {
        let room = app.ledger.room(Lane::Bulk, &self.entry.platform_id)?;
        let entry = insert_if::<audit_entry::Entity>(&self.entry, std::mem::take(&mut self.conditions));
        let mut statements = vec![count(&self.entry.platform_id), RowStatement::Insert(entry)];
        statements.append(&mut self.statements);
        let written = room.rows(versions::counted(statements, &self.refresh)).await;
        if matches!(written, Ok(_) | Err(LedgerError::InDoubt)) {
            self.take_effect(app).await;
        }
        written?;
        let stands = audit_entry::Entity::find_by_id(&self.entry.id).one(&app.store.read).await;
        match stands {
            Ok(Some(_)) => Ok(Committed::Done),
            Ok(None) => Ok(Committed::Stale),
            Err(_) => Err(Error::InDoubt),
        }
    }

    async fn take_effect(&self, app: &App) {
        // Accounts first: a merchant's new store may be of a new account.
        let (accounts, others): (Vec<_>, Vec<_>) =
            self.refresh.iter().partition(|what| matches!(what, Refresh::Account(_)));
        for what in accounts.into_iter().chain(others.iter().copied()) {
            if let Err(error) = app.directory.refresh(&app.store.read, &app.vault, what).await {
                tracing::error!(?what, error = %format!("{error:#}"), "a change is written and could not be loaded");
            }
        }
        if others.iter().any(|what| matches!(what, Refresh::Endpoint(_))) {
            // It may take now what it did not before.
            app.deliveries.wake();
        }
        versions::announce(app);
    }

    fn entry_stands(&self) -> Expr {
        let entry = Query::select()
            .expr(Expr::val(1))
            .from(audit_entry::Entity)
            .and_where(Expr::col((audit_entry::Entity, audit_entry::Column::Id)).eq(self.entry.id.as_str()))
            .to_owned();
        Expr::exists(entry)
    }
}

/// Count a change of the platform. Holds back other changes of it until this one is committed.
pub fn count(platform_id: &str) -> RowStatement {
    let update = Query::update()
        .table(platform::Entity)
        .value(platform::Column::Changes, Expr::col(platform::Column::Changes).add(1))
        .and_where(Expr::col(platform::Column::Id).eq(platform_id))
        .to_owned();
    RowStatement::Update(update)
}

/// Insert a row if all conditions hold and no unique rule says that it is there.
pub fn insert_if<E>(row: &E::Model, conditions: impl IntoIterator<Item = Expr>) -> InsertStatement
where
    E: EntityTrait,
    E::Model: ModelTrait<Entity = E>,
{
    let columns = E::Column::iter().filter(|column| {
        let value = row.get(*column);
        debug_assert!(!column.as_str().is_empty());
        value != value.as_null()
    });
    let columns: Vec<E::Column> = columns.collect();
    let mut values = Query::select();
    values.exprs(columns.iter().map(|column| Expr::val(row.get(*column))));
    // SQLite takes `ON CONFLICT` for a part of the SELECT where that has no WHERE.
    values.and_where(Expr::val(1).eq(1));
    for condition in conditions {
        values.and_where(condition);
    }
    let mut insert = Query::insert();
    insert
        .into_table(E::default().table_ref())
        .columns(columns)
        .select_from(values)
        .expect("as many values as columns")
        .on_conflict(OnConflict::new().do_nothing().to_owned());
    insert
}
