//! A store as full as one of years: the orders that are in it, multiplied, with their submissions, events, deliveries
//! and attempts. Journal entries are left out: nothing that is measured reads those of more than one order.

use anyhow::ensure;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};

/// One order in so many waits for its payment; the others were paid.
const AWAITING: u64 = 50;
/// Over so long they came, the last of them just before those that are multiplied: 30 days, in milliseconds.
const SPAN: u64 = 30 * 24 * 3_600 * 1_000;
/// Marks the ids of those that were stored: no ULID has this letter.
const ORDER: &str = "O";
/// No worker looks at them.
const NEVER: &str = "4102444800000";

/// A table, how its rows belong to an order `o`, and what is not as in the row multiplied.
struct Copied {
    table: &'static str,
    belongs: &'static str,
    changed: Vec<(&'static str, String)>,
}

/// `count` orders more in the store at this URL.
pub async fn fill(url: &str, count: u64) -> anyhow::Result<()> {
    let store = Database::connect(url).await?;
    let backend = store.get_database_backend();
    for copied in tables(backend, count) {
        let columns = columns(&store, copied.table).await?;
        ensure!(!columns.is_empty(), "no table {}", copied.table);
        store.execute_unprepared(&statement(&copied, &columns, count)).await?;
    }
    if backend == DbBackend::Postgres {
        store.execute_unprepared("VACUUM ANALYZE").await?; // as autovacuum does in time
    }
    Ok(store.close().await?)
}

/// Rows of a table that the store has.
pub async fn count(url: &str, of: &str) -> anyhow::Result<i64> {
    let store = Database::connect(url).await?;
    let statement =
        Statement::from_string(store.get_database_backend(), format!("SELECT count(*) AS n FROM {of}"));
    let row = store.query_one_raw(statement).await?;
    Ok(row.map_or(Ok(0), |row| row.try_get("", "n"))?)
}

fn tables(backend: DbBackend, count: u64) -> Vec<Copied> {
    let step = (SPAN / count.max(1)).max(1);
    // ULIDs of the order's time, so that they sort as those of a gateway do.
    let moment = moment(&format!("(o.created_at - ({count} - n.i) * {step})"));
    let id = |letter: &str, tail: &str| match backend {
        DbBackend::Postgres => {
            format!("{moment} || '{letter}' || lpad(CAST(n.i AS TEXT), 12, '0') || {tail}")
        }
        _ => format!("{moment} || printf('{letter}%012d', n.i) || {tail}"),
    };
    // Several deliveries of one event differ in their endpoints.
    let delivery = |row: &str| id("D", &format!("substr({row}.endpoint_id, 24)"));
    let id = |letter: &str| id(letter, "'000'");
    let at = |column: &str| format!("t.{column} - ({count} - n.i) * {step}");
    let by_state = |awaiting: &str, paid: &str| {
        format!("CASE WHEN n.i % {AWAITING} = 0 THEN {awaiting} ELSE {paid} END")
    };
    let numbered = |letter: &str| format!("'{letter}' || CAST(n.i AS TEXT)");
    vec![
        Copied {
            table: "orders",
            belongs: "t.id = o.id",
            changed: vec![
                ("id", id(ORDER)),
                ("number", numbered("n")),
                ("submission_id", id("S")),
                ("upstream_order_no", numbered("u")),
                ("status", by_state("'awaiting'", "'paid'")),
                ("paid", by_state("0", "t.amount")),
                ("paid_wallet", by_state("NULL", "t.wallet")),
                ("created_at", at("created_at")),
                ("updated_at", at("updated_at")),
                ("answer_due_at", at("answer_due_at")),
                ("expires_at", at("expires_at")),
                ("look_at", by_state(NEVER, "NULL")),
                ("notice_due_at", "NULL".to_owned()),
            ],
        },
        Copied {
            table: "submissions",
            belongs: "t.order_id = o.id",
            changed: vec![
                ("id", id("S")),
                ("order_id", id(ORDER)),
                ("upstream_order_no", numbered("u")),
                ("created_at", at("created_at")),
                ("answer_due_at", at("answer_due_at")),
            ],
        },
        Copied {
            table: "events",
            belongs: "t.subject_id = o.id",
            changed: vec![("id", id("E")), ("subject_id", id(ORDER)), ("created_at", at("created_at"))],
        },
        Copied {
            table: "deliveries",
            belongs: "t.subject_id = o.id",
            changed: vec![
                ("id", delivery("t")),
                ("event_id", id("E")),
                ("subject_id", id(ORDER)),
                ("created_at", at("created_at")),
                ("due_at", at("due_at")),
            ],
        },
        Copied {
            table: "attempts",
            belongs: "EXISTS (SELECT 1 FROM deliveries AS d WHERE d.id = t.delivery_id AND d.subject_id = o.id)",
            changed: vec![
                ("id", id("A")),
                (
                    "delivery_id",
                    format!("(SELECT {} FROM deliveries AS d WHERE d.id = t.delivery_id)", delivery("d")),
                ),
                ("started_at", at("started_at")),
            ],
        },
    ]
}

/// The first ten characters of a ULID of that moment.
fn moment(ms: &str) -> String {
    let digit = |place: u32| {
        format!("substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', CAST(({ms} >> {place}) & 31 AS INTEGER) + 1, 1)")
    };
    (0..10).rev().map(|place| digit(place * 5)).collect::<Vec<_>>().join(" || ")
}

/// The orders that are there take turns. What is told of an order, it is only where it was paid.
fn statement(copied: &Copied, columns: &[String], count: u64) -> String {
    let Copied { table, belongs, changed } = copied;
    let value = |column: &String| {
        let found = changed.iter().find(|(name, _)| name == column);
        found.map_or_else(|| format!("t.\"{column}\""), |(_, value)| value.clone())
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    let names: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
    let told = match *table {
        "orders" | "submissions" => String::new(),
        _ => format!(" AND n.i % {AWAITING} <> 0"),
    };
    format!(
        "INSERT INTO {table} ({}) WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {count}), \
         o AS (SELECT id, created_at, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS all_of_them FROM orders \
         WHERE substr(id, 11, 1) <> '{ORDER}') SELECT {} FROM n CROSS JOIN o CROSS JOIN {table} AS t \
         WHERE o.place = n.i % o.all_of_them AND {belongs}{told}",
        names.join(", "),
        values.join(", ")
    )
}

async fn columns(store: &DatabaseConnection, table: &str) -> anyhow::Result<Vec<String>> {
    let backend = store.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            format!(
                "SELECT CAST(column_name AS TEXT) AS name FROM information_schema.columns WHERE table_name = '{table}'"
            )
        }
        _ => format!("SELECT name FROM pragma_table_info('{table}')"),
    };
    let rows = store.query_all_raw(Statement::from_string(backend, sql)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "name")?)).collect()
}
