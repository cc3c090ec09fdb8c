//! One statement for many rows, written once per table from its entity. SQLite runs it row by row, prepared, without
//! leaving the thread; PostgreSQL takes all rows at once, an array per parameter. Its text never depends on how many
//! rows there are, so neither store reads it twice.

use std::sync::Arc;

use sea_orm::sea_query::ColumnType;
use sea_orm::{ColumnTrait, EntityTrait, IdenStatic, Iterable, Value};

/// A row's parameters.
pub type Parameters = Vec<Value>;

/// What a column holds, as far as the stores tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Int,
    Bytes,
    Bool,
}

impl Kind {
    pub(super) fn of(column: impl ColumnTrait) -> Self {
        match column.def().get_column_type() {
            ColumnType::String(_) | ColumnType::Text => Self::Text,
            ColumnType::BigInteger => Self::Int,
            ColumnType::Binary(_) | ColumnType::VarBinary(_) | ColumnType::Blob => Self::Bytes,
            ColumnType::Boolean => Self::Bool,
            other => unreachable!("no column of the ledger's tables is {other:?}"),
        }
    }

    fn array(self) -> &'static str {
        match self {
            Self::Text => "text[]",
            Self::Int => "bigint[]",
            Self::Bytes => "bytea[]",
            Self::Bool => "boolean[]",
        }
    }
}

/// What an insert does with a row that any unique rule says is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Fails,
    IsLeft,
}

/// How SQLite tells which rows were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// By how many were: the id is this parameter, counted from 0. `RETURNING` would gather what it yields in a table
    /// of its own, made and dropped for each row, which costs about as much as the row.
    ByCount(usize),
    /// By what the statement yields.
    ByRows,
}

#[derive(Debug)]
pub(super) struct Each {
    /// For one row; its parameters are `?1`, `?2`, ….
    pub sqlite: String,
    pub told: Told,
    /// For all rows; its parameters are arrays, one for each of `kinds`.
    pub postgres: Arc<str>,
    pub kinds: Vec<Kind>,
}

impl Each {
    /// Insert whole rows; yields the ids of those that went in.
    pub(super) fn insert<E: EntityTrait>(standing: Standing) -> Self {
        Self::insert_computed::<E>(standing, &[])
    }

    /// The same, with columns that PostgreSQL makes from the parameter: column, and an expression of `{}`.
    pub(super) fn insert_computed<E: EntityTrait>(
        standing: Standing,
        computed: &[(E::Column, &str)],
    ) -> Self {
        let kinds: Vec<Kind> = E::Column::iter().map(Kind::of).collect();
        let table = format!("\"{}\"", E::default().table_name());
        let columns = names(E::Column::iter());
        let conflict = match standing {
            Standing::Fails => "",
            Standing::IsLeft => " ON CONFLICT DO NOTHING",
        };
        let values = E::Column::iter().enumerate().map(|(place, column)| {
            let value = format!("v.p{}", place + 1);
            computed
                .iter()
                .find(|(name, _)| name.as_str() == column.as_str())
                .map_or(value.clone(), |(_, expression)| expression.replace("{}", &value))
        });
        let values: Vec<String> = values.collect();
        Self {
            sqlite: format!("INSERT INTO {table} ({columns}) VALUES ({}){conflict}", marks(1, kinds.len())),
            told: Told::ByCount(id_among(E::Column::iter()).expect("every table of the ledger's has ids")),
            postgres: format!(
                "INSERT INTO {table} ({columns}) SELECT {} FROM {}{conflict} RETURNING id",
                values.join(", "),
                arrays(&kinds)
            )
            .into(),
            kinds,
        }
    }

    /// Set `columns` of the row whose `keys` are as given, and make `nulls` null; yields the ids of the rows changed.
    /// A row's parameters are its keys and then the columns' new values.
    pub(super) fn update<E: EntityTrait>(
        keys: &[E::Column],
        columns: &[E::Column],
        nulls: &[E::Column],
    ) -> Self {
        let table = format!("\"{}\"", E::default().table_name());
        let kinds: Vec<Kind> = keys.iter().chain(columns).map(|column| Kind::of(*column)).collect();
        let set = |mark: &str| {
            let columns = columns.iter().zip(keys.len() + 1..);
            let valued = columns.map(|(column, place)| format!("\"{}\" = {mark}{place}", column.as_str()));
            let nulled = nulls.iter().map(|column| format!("\"{}\" = NULL", column.as_str()));
            valued.chain(nulled).collect::<Vec<_>>().join(", ")
        };
        let id = id_among(keys.iter().copied());
        let yielded = if id.is_some() { "" } else { " RETURNING id" };
        Self {
            sqlite: format!("UPDATE {table} AS t SET {} WHERE {}{yielded}", set("?"), matches(keys, "?")),
            told: id.map_or(Told::ByRows, Told::ByCount),
            postgres: format!(
                "UPDATE {table} AS t SET {} FROM {} WHERE {} RETURNING t.id",
                set("v.p"),
                arrays(&kinds),
                matches(keys, "v.p")
            )
            .into(),
            kinds,
        }
    }

    /// Only the rows of which `column` is null.
    pub(super) fn where_null<C: IdenStatic>(self, column: C) -> Self {
        let only = |text: &str| {
            let (before, yielded) = text.split_once(" RETURNING").map_or((text, None), |(a, b)| (a, Some(b)));
            let yielded = yielded.map_or(String::new(), |yielded| format!(" RETURNING{yielded}"));
            format!("{before} AND t.\"{}\" IS NULL{yielded}", column.as_str())
        };
        Self { sqlite: only(&self.sqlite), postgres: only(&self.postgres).into(), ..self }
    }

    /// A statement that is no row's: `?1`, `?2`, … are the row's parameters in the one text, `v.p1`, `v.p2`, … in the
    /// other, whose `{rows}` is the table of them.
    pub(super) fn of_texts(kinds: &[Kind], sqlite: &str, postgres: &str) -> Self {
        Self {
            sqlite: sqlite.to_owned(),
            told: Told::ByRows,
            postgres: postgres.replace("{rows}", &arrays(kinds)).into(),
            kinds: kinds.to_vec(),
        }
    }

    /// What it yields is this parameter, counted from 0, of those that wrote anything; SQLite's text returns nothing.
    pub(super) fn by_count(self, place: usize) -> Self {
        Self { told: Told::ByCount(place), ..self }
    }

    /// The whole rows whose `keys` are as given, in the order of their ids; locked where the store locks rows and
    /// `lock` says so.
    pub(super) fn rows<E: EntityTrait>(keys: &[E::Column], lock: bool) -> Self {
        let columns: Vec<String> =
            E::Column::iter().map(|column| format!("t.\"{}\"", column.as_str())).collect();
        let lock = if lock { " FOR UPDATE OF t" } else { "" };
        Self::select::<E>(&columns.join(", "), keys, &format!(" ORDER BY t.id{lock}"))
    }

    /// The `told` of the rows whose `keys` are as given.
    pub(super) fn find<E: EntityTrait>(told: E::Column, keys: &[E::Column]) -> Self {
        Self::select::<E>(&format!("t.\"{}\"", told.as_str()), keys, "")
    }

    fn select<E: EntityTrait>(what: &str, keys: &[E::Column], on_all: &str) -> Self {
        let table = format!("\"{}\"", E::default().table_name());
        let kinds: Vec<Kind> = keys.iter().map(|key| Kind::of(*key)).collect();
        Self {
            sqlite: format!("SELECT {what} FROM {table} AS t WHERE {}", matches(keys, "?")),
            told: Told::ByRows,
            postgres: format!(
                "SELECT {what} FROM {table} AS t JOIN {} ON {}{on_all}",
                arrays(&kinds),
                matches(keys, "v.p")
            )
            .into(),
            kinds,
        }
    }
}

fn id_among<C: IdenStatic>(mut columns: impl Iterator<Item = C>) -> Option<usize> {
    columns.position(|column| column.as_str() == "id")
}

/// `t.key = <mark>1 AND …`
fn matches<C: IdenStatic>(keys: &[C], mark: &str) -> String {
    let keys = keys.iter().enumerate();
    let keys = keys.map(|(place, key)| format!("t.\"{}\" = {mark}{}", key.as_str(), place + 1));
    keys.collect::<Vec<_>>().join(" AND ")
}

fn names<C: IdenStatic>(columns: impl Iterator<Item = C>) -> String {
    columns.map(|column| format!("\"{}\"", column.as_str())).collect::<Vec<_>>().join(", ")
}

fn marks(first: usize, count: usize) -> String {
    (first..first + count).map(|place| format!("?{place}")).collect::<Vec<_>>().join(", ")
}

/// The rows as a table `v` with columns `p1`, `p2`, ….
fn arrays(kinds: &[Kind]) -> String {
    let places = 1..=kinds.len();
    let arrays: Vec<String> =
        places.clone().zip(kinds).map(|(place, kind)| format!("${place}::{}", kind.array())).collect();
    let names: Vec<String> = places.map(|place| format!("p{place}")).collect();
    format!("unnest({}) AS v({})", arrays.join(", "), names.join(", "))
}
