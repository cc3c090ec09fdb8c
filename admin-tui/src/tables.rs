//! Rows as cells: the same for the screen, for plain text and for CSV.

use shared::ops::{Change, FactField, FactInFull, Health, Matter, Moment, Operator, Platform};

use crate::text;
use crate::theme::Meaning;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub meaning: Meaning,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<&'static str>,
    pub rows: Vec<Vec<Cell>>,
}

fn plain(text: impl AsRef<str>) -> Cell {
    Cell { text: text::clean(text.as_ref()), meaning: Meaning::Plain }
}

fn meant(text: impl AsRef<str>, meaning: Meaning) -> Cell {
    Cell { meaning, ..plain(text) }
}

pub fn attention(rows: &[Matter], now_ms: i64) -> Table {
    let row = |matter: &Matter| {
        vec![
            plain(text::age(matter.raised_at.ms(), now_ms)),
            meant(&matter.kind, urgency(matter)),
            plain(format!(
                "{} {}",
                matter.subject.kind,
                matter.subject.number.as_ref().unwrap_or(&matter.subject.id)
            )),
            plain(matter.count.to_string()),
            plain(&matter.cause),
        ]
    };
    Table {
        columns: vec!["age", "matter", "about", "seen", "likely cause"],
        rows: rows.iter().map(row).collect(),
    }
}

/// Money may be wrong, or something only has to be decided.
pub fn urgency(matter: &Matter) -> Meaning {
    if matter.kind == "refund.proposed" { Meaning::Warning } else { Meaning::Bad }
}

pub fn platforms(rows: &[Platform]) -> Table {
    let row =
        |platform: &Platform| {
            let limit = platform.limit.as_ref();
            vec![
                plain(&platform.slug),
                plain(&platform.name),
                plain(limit.map_or("the gateway's".to_owned(), |limit| {
                    format!("{} in {}", limit.count, limit.window)
                })),
                plain(text::time(platform.created_at)),
                meant(&platform.id, Meaning::Dim),
            ]
        };
    Table { columns: vec!["platform", "name", "limit", "made", "id"], rows: rows.iter().map(row).collect() }
}

pub fn operators(rows: &[Operator]) -> Table {
    let row = |operator: &Operator| {
        let state = match operator.disabled_at {
            Some(at) => meant(format!("disabled {}", text::time(at)), Meaning::Warning),
            None => meant("let in", Meaning::Good),
        };
        vec![
            plain(&operator.name),
            plain(operator.role.as_str()),
            plain(operator.platform.as_deref().unwrap_or("all")),
            state,
            plain(text::time(operator.created_at)),
        ]
    };
    Table {
        columns: vec!["name", "role", "platform", "state", "added"],
        rows: rows.iter().map(row).collect(),
    }
}

pub fn audit(rows: &[Change]) -> Table {
    let row = |change: &Change| {
        let said = change.after.as_ref().or(change.before.as_ref()).map(text::value);
        vec![
            plain(text::time(change.at)),
            plain(&change.action),
            plain(change.operator_id.as_deref().unwrap_or("command")),
            plain(change.address.as_deref().unwrap_or("-")),
            plain(change.subject_id.as_deref().unwrap_or("-")),
            plain(said.unwrap_or_default()),
        ]
    };
    let columns = vec!["when", "change", "operator", "from", "subject", "said"];
    Table { columns, rows: rows.iter().map(row).collect() }
}

pub fn health(health: &Health, now_ms: i64) -> Table {
    let count =
        |count: u64, meaning| meant(count.to_string(), if count > 0 { meaning } else { Meaning::Good });
    let oldest = match health.oldest_due_since {
        Some(since) => plain(text::age(since, now_ms)),
        None => meant("none waits", Meaning::Good),
    };
    let disk = if health.disk_is_low { meant("low", Meaning::Bad) } else { meant("enough", Meaning::Good) };
    let rows = [
        ("version", plain(&health.version)),
        ("store", plain(&health.store)),
        ("disk", disk),
        ("limits are counted", plain(&health.limits_count)),
        ("accounts barred", count(health.accounts_barred, Meaning::Bad)),
        ("deliveries due", plain(health.deliveries_due.to_string())),
        ("oldest delivery due for", oldest),
        ("orders overdue", count(health.orders_overdue, Meaning::Warning)),
        ("facts held", count(health.facts_held, Meaning::Warning)),
        ("matters waiting", count(health.attention, Meaning::Warning)),
        ("previous master keys", plain(health.master_keys_previous.to_string())),
        ("secrets under them", count(health.sealed_under_previous, Meaning::Warning)),
    ];
    let rows = rows.into_iter().map(|(name, cell)| vec![plain(name), cell]).collect();
    Table { columns: vec!["what", "is"], rows }
}

/// What was asked beside what came; a field that differs is marked `≠`.
pub fn fact(fact: &FactInFull) -> Table {
    let row = |field: &FactField| {
        let shown = |value: &Option<serde_json::Value>| value.as_ref().map_or("-".to_owned(), text::value);
        let meaning = if field.differs { Meaning::Bad } else { Meaning::Plain };
        vec![
            meant(if field.differs { "≠" } else { " " }, meaning),
            meant(&field.field, meaning),
            meant(shown(&field.asked), meaning),
            meant(shown(&field.told), meaning),
        ]
    };
    Table { columns: vec![" ", "field", "asked", "came"], rows: fact.fields.iter().map(row).collect() }
}

/// When something was, if it was.
pub fn at(moment: Option<Moment>) -> String {
    moment.map_or("-".to_owned(), text::time)
}
