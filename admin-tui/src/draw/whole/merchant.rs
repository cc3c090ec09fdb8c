//! A merchant, and an endpoint.

use shared::ops::{Endpoint, MerchantWhole, Service};

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
    let limit = whole.limit.as_ref();
    let limit =
        limit.map_or("its platform's".to_owned(), |limit| format!("{} in {}", limit.count, limit.window));
    lines.named("limit", &limit, Meaning::Plain);
    served(&whole.service, lines);

    lines.heading("Stores");
    let rows = whole.stores.iter().map(|store| {
        let is = match (store.credentials_fail, store.disabled) {
            (true, _) => cell("ScanForPay refuses its credentials", Meaning::Bad),
            (_, true) => cell("disabled", Meaning::Warning),
            _ => cell("open", Meaning::Good),
        };
        vec![
            cell(&store.store_no, Meaning::Plain),
            cell(&store.currency, Meaning::Plain),
            cell(store.wallets.join(" "), Meaning::Plain),
            is,
            cell(&store.account_id, Meaning::Dim),
        ]
    });
    lines.table(&Table {
        columns: vec!["store", "currency", "wallets", "is", "account"],
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
