//! Rows as cells: the same for the screen, for plain text and for CSV.

mod traffic;

use shared::ops::{
    Change, FactField, FactInFull, Health, Matter, Moment, Operator, OrderWhole, Overview, Platform,
    TimelineEntry,
};

pub use self::traffic::{
    Sort, deliveries, delivery_meaning, delivery_state, endpoints, merchants, orders, replay_meaning,
    replays, standing, status_meaning,
};
use crate::text::{self, Zone};
use crate::theme::Meaning;

/// By which clock times are told.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub now_ms: i64,
    pub zone: Zone,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub meaning: Meaning,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

pub fn attention(rows: &[Matter], look: Look) -> Table {
    let row = |matter: &Matter| {
        vec![
            plain(text::age(matter.raised_at.ms(), look.now_ms)),
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

pub fn platforms(rows: &[Platform], look: Look) -> Table {
    let row =
        |platform: &Platform| {
            let limit = platform.limit.as_ref();
            vec![
                plain(&platform.slug),
                plain(&platform.name),
                plain(limit.map_or("the gateway's".to_owned(), |limit| {
                    format!("{} in {}", limit.count, limit.window)
                })),
                plain(text::time(platform.created_at, look.zone)),
                meant(&platform.id, Meaning::Dim),
            ]
        };
    Table { columns: vec!["platform", "name", "limit", "made", "id"], rows: rows.iter().map(row).collect() }
}

pub fn operators(rows: &[Operator], look: Look) -> Table {
    let row = |operator: &Operator| {
        let state = match operator.disabled_at {
            Some(at) => meant(format!("disabled {}", text::time(at, look.zone)), Meaning::Warning),
            None => meant("let in", Meaning::Good),
        };
        vec![
            plain(&operator.name),
            plain(operator.role.as_str()),
            plain(operator.platform.as_deref().unwrap_or("all")),
            state,
            plain(text::time(operator.created_at, look.zone)),
        ]
    };
    Table {
        columns: vec!["name", "role", "platform", "state", "added"],
        rows: rows.iter().map(row).collect(),
    }
}

pub fn audit(rows: &[Change], look: Look) -> Table {
    let row = |change: &Change| {
        let said = change.after.as_ref().or(change.before.as_ref()).map(text::value);
        vec![
            plain(text::time(change.at, look.zone)),
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

pub fn health(health: &Health, look: Look) -> Table {
    let count =
        |count: u64, meaning| meant(count.to_string(), if count > 0 { meaning } else { Meaning::Good });
    let oldest = match health.oldest_due_since {
        Some(since) => plain(text::age(since, look.now_ms)),
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

/// A row for each figure that the overview sums up.
pub fn overview(overview: &Overview, look: Look) -> Table {
    let mut rows = vec![
        vec![plain("deliveries due"), plain(overview.deliveries_due.to_string())],
        vec![
            plain("oldest delivery due for"),
            plain(overview.oldest_due_at.map_or("-".to_owned(), |at| text::age(at.ms(), look.now_ms))),
        ],
        vec![plain("endpoints failing"), plain(overview.endpoints_failing.to_string())],
        vec![plain("limit hits"), plain(overview.limit_hits.to_string())],
    ];
    if let Some(waiting) = overview.matters_waiting {
        rows.push(vec![plain("waiting for a person"), plain(waiting.to_string())]);
    }
    for one in &overview.currencies {
        let name = |what: &str| plain(format!("{} {what}", one.currency));
        rows.push(vec![name("placed"), plain(one.placed.iter().sum::<u64>().to_string())]);
        rows.push(vec![name("paid"), plain(one.paid.iter().sum::<u64>().to_string())]);
        rows.push(vec![name("amount"), plain(text::money(one.paid_amount.iter().sum(), &one.currency))]);
    }
    for share in &overview.wallets {
        rows.push(vec![plain(format!("paid with {}", share.wallet)), plain(share.paid.to_string())]);
    }
    Table { columns: vec!["what", "is"], rows }
}

/// What happened to an order, oldest first.
pub fn timeline(order: &OrderWhole, look: Look) -> Table {
    let row = |entry: &TimelineEntry| {
        let time = format!("{} {}", text::time(entry.at, look.zone), entry.kind);
        let id = entry.id.as_deref().filter(|_| entry.has_bytes).unwrap_or("-");
        vec![plain(time), plain(entry.by.as_deref().unwrap_or("-")), plain(id), plain(&entry.text)]
    };
    Table { columns: vec!["when", "by", "came", "what"], rows: order.timeline.iter().map(row).collect() }
}

/// When something was, if it was.
pub fn at(moment: Option<Moment>, zone: Zone) -> String {
    moment.map_or("-".to_owned(), |moment| text::time(moment, zone))
}
