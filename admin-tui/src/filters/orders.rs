//! Orders that the stream brings, held against the filter.

use shared::filter::{Filter, Term};
use shared::ops::OrderRow;

/// All have to hold; of the same name given twice, either may.
pub fn matches(filter: &Filter, row: &OrderRow, now_ms: i64) -> bool {
    let is_alike = |one: &Term, other: &Term| {
        // Bounds and texts narrow further each time they are given.
        let narrows = matches!(one, Term::Amount(..) | Term::Since(_) | Term::Before(_) | Term::Text(_));
        !narrows && std::mem::discriminant(one) == std::mem::discriminant(other)
    };
    filter.terms.iter().all(|term| {
        holds(term, row, now_ms)
            || filter.terms.iter().any(|other| is_alike(term, other) && holds(other, row, now_ms))
    })
}

/// The part of it that a change of the order cannot change.
pub fn standing(filter: &Filter) -> Filter {
    let changes =
        |term: &Term| matches!(term, Term::Status(_) | Term::Wallet(_) | Term::Since(_) | Term::Before(_));
    Filter { terms: filter.terms.iter().filter(|term| !changes(term)).cloned().collect() }
}

fn holds(term: &Term, row: &OrderRow, now_ms: i64) -> bool {
    let age_ms = now_ms - row.created_at.ms();
    let ms = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    match term {
        Term::Status(status) => row.status == *status,
        Term::Wallet(wallet) => {
            row.wallet.as_ref().is_some_and(|one| one.eq_ignore_ascii_case(wallet.as_str()))
        }
        Term::Currency(currency) => row.currency == currency.as_str(),
        Term::Platform(slug) => row.platform == *slug,
        Term::Merchant(number) => row.partner_no == *number,
        Term::Store(number) => row.store_no.as_ref() == Some(number),
        Term::Amount(comparison, minor) => comparison.holds(row.amount, *minor),
        Term::Since(span) => age_ms <= ms(span.seconds()),
        Term::Before(span) => age_ms >= ms(span.seconds()),
        Term::Text(text) => {
            let text = text.to_lowercase();
            let is_in = |place: &str| place.to_lowercase().contains(&text);
            is_in(&row.number) || is_in(&row.id) || row.title.as_deref().is_some_and(is_in)
        }
    }
}
