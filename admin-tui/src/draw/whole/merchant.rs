//! A merchant, and an endpoint.

use shared::ops::{Endpoint, LimitUse, MerchantWhole, Service};

use crate::app::App;
use crate::draw::detail::Lines;
use crate::tables::{self, Cell, Table};
use crate::text;
use crate::theme::Meaning;

pub fn merchant(app: &App, whole: &MerchantWhole, lines: &mut Lines) {
    let one = &whole.merchant;
    lines.named("merchant", &format!("{} {}", one.partner_no, one.name), Meaning::Title);
    if one.suspended {
        lines.named("is", "suspended", Meaning::Warning);
    } else {
        lines.named("is", "served", Meaning::Good);
    }
    lines.named("platform", &format!("{}, {}", one.platform, one.mode), Meaning::Plain);
    let own = whole.limit.as_ref().map(|limit| format!("{} in {}", limit.count, limit.window));
    let (limit, meaning) = match &whole.limit_use {
        Some(in_use) => {
            let whose = if own.is_some() { "" } else { ", its platform's" };
            (format!("{}{whose}", used(in_use)), use_meaning(in_use))
        }
        None => (own.unwrap_or_else(|| "its platform's".to_owned()), Meaning::Plain),
    };
    lines.named("limit", &limit, meaning);
    served(&whole.service, lines);

    lines.heading("Stores");
    let rows = whole.stores.iter().map(|store| {
        let is = match (store.credentials_fail, store.disabled) {
            (true, _) => cell("credentials refused", Meaning::Bad),
            (_, true) => cell("disabled", Meaning::Warning),
            _ => cell("open", Meaning::Good),
        };
        vec![
            cell(&store.store_no, Meaning::Plain),
            cell(&store.currency, Meaning::Plain),
            cell(store.wallets.join(" "), Meaning::Plain),
            is,
            store
                .limit_use
                .as_ref()
                .map_or_else(|| cell("-", Meaning::Dim), |in_use| cell(used(in_use), use_meaning(in_use))),
            cell(&store.account_id, Meaning::Dim),
        ]
    });
    lines.table(&Table {
        columns: vec!["store", "currency", "wallets", "is", "limit", "account"],
        rows: rows.collect(),
    });

    lines.heading("Keys");
    for key in &whole.keys {
        let used = key.last_used_at.map_or("never used".to_owned(), |at| {
            format!("last used {} ago", text::age(at.ms(), app.now_ms))
        });
        let age = text::age(key.created_at.ms(), app.now_ms);
        let ends =
            key.ends_at.map_or(String::new(), |at| format!(", good until {}", text::time(at, app.zone)));
        let name = if key.ends_at.is_some() { "previous" } else { "current" };
        lines.named(name, &format!("{age} old, {used}{ends} ({})", key.id), Meaning::Plain);
    }
    lines.heading("Endpoints");
    if whole.endpoints.is_empty() {
        lines.wide("None is registered.", Meaning::Dim);
    }
    lines.table(&tables::endpoints(&whole.endpoints, app.look()));
}

/// A limit and its use.
fn used(in_use: &LimitUse) -> String {
    let refused = match in_use.refused {
        0 => String::new(),
        refused => format!(", {refused} refused"),
    };
    format!("{} in {}, {} used{refused}", in_use.limit.count, in_use.limit.window, in_use.used)
}

fn use_meaning(in_use: &LimitUse) -> Meaning {
    let is_full = u64::from(in_use.used) * 10 >= u64::from(in_use.limit.count) * 9;
    if is_full || in_use.refused > 0 { Meaning::Warning } else { Meaning::Plain }
}

/// How events arrive.
fn served(service: &Service, lines: &mut Lines) {
    let ms = |value: Option<u64>| value.map_or("-".to_owned(), |value| format!("{value} ms"));
    let told = format!(
        "{} of {} attempts acknowledged in the last hour; p50 {}, p95 {}, p99 {}; {} not ended, {} exhausted",
        service.acknowledged,
        service.attempts,
        ms(service.p50_ms),
        ms(service.p95_ms),
        ms(service.p99_ms),
        service.backlog,
        service.exhausted
    );
    lines.named("deliveries", &told, if service.exhausted > 0 { Meaning::Warning } else { Meaning::Plain });
}

pub fn endpoint(app: &App, endpoint: &Endpoint, lines: &mut Lines) {
    lines.named("endpoint", &endpoint.url, Meaning::Title);
    let is = tables::standing(endpoint);
    lines.named("is", &is.text, is.meaning);
    if let Some(reason) = &endpoint.status_reason {
        lines.named("because", reason, Meaning::Plain);
    }
    if let Some(until) = endpoint.left_alone_until {
        let told = format!(
            "until {}: it fails, or asked for it; resume it to try at once",
            text::time(until, app.zone)
        );
        lines.named("left alone", &told, Meaning::Bad);
    }
    if let Some(since) = endpoint.failing_since {
        let told = format!("nothing was acknowledged since {}", text::time(since, app.zone));
        lines.named("failing", &told, Meaning::Bad);
    }
    served(&endpoint.service, lines);
    if let Some(oldest) = endpoint.service.oldest_at {
        lines.named(
            "oldest",
            &format!("promised {} ago", text::age(oldest.ms(), app.now_ms)),
            Meaning::Plain,
        );
    }
    let whose = match &endpoint.merchant_id {
        Some(merchant) => format!("merchant {merchant} of {}", endpoint.platform),
        None => format!("{} itself: it hears of all its merchants", endpoint.platform),
    };
    lines.named("whose", &whose, Meaning::Plain);
    let kind = match endpoint.kind.as_str() {
        "implicit" => "of orders' notifyUrls",
        other => other,
    };
    lines.named("kind", &format!("{kind}, told in the form {}", endpoint.format), Meaning::Plain);
    if let Some(description) = &endpoint.description {
        lines.named("described as", description, Meaning::Plain);
    }
    lines.named("made", &text::time(endpoint.created_at, app.zone), Meaning::Plain);
    lines.named("id", &endpoint.id, Meaning::Dim);
}

fn cell(text: impl AsRef<str>, meaning: Meaning) -> Cell {
    Cell { text: text::clean(text.as_ref()), meaning }
}
