//! How the gateway fares: series over an hour or a day.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Borders, Chart, Dataset, GraphType, Paragraph, Sparkline};
use shared::ops::{CurrencySeries, Overview, Point};

use crate::app::App;
use crate::text;
use crate::theme::Meaning;

/// Currencies that are drawn at most; of the others only the sums are told.
const MAX_DRAWN: usize = 3;

pub fn draw(app: &App, frame: &mut Frame, area: Rect) {
    let Some(overview) = &app.overview else {
        let said = app.lost.as_ref().map_or("Reading…".to_owned(), |why| {
            format!("The gateway cannot be reached: {}", text::clean(why))
        });
        frame.render_widget(Paragraph::new(format!("\n {said}")), area);
        return;
    };
    let summary = summary(app, overview);
    let height = u16::try_from(summary.len()).unwrap_or(u16::MAX);
    let [above, orders, times] =
        Layout::vertical([Constraint::Length(height), Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Paragraph::new(summary), above);
    series(app, overview, frame, orders);
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(times);
    latency(app, "ScanForPay's answer, ms", &overview.upstream, frame, left);
    latency(app, "notice to acknowledgement, ms", &overview.notice_to_acknowledgement, frame, right);
}

fn summary(app: &App, overview: &Overview) -> Vec<Line<'static>> {
    let style = |meaning| app.colours.style(meaning);
    let count = |count: u64, bad: Meaning| style(if count > 0 { bad } else { Meaning::Good });
    let span = if app.is_day { "24 hours" } else { "hour" };
    let oldest = overview
        .oldest_due_at
        .map_or(String::new(), |at| format!(", the oldest for {}", text::age(at.ms(), app.now_ms)));
    let since = overview
        .since
        .filter(|since| app.now_ms - since.ms() < if app.is_day { 86_400_000 } else { 3_600_000 })
        .map_or(String::new(), |since| format!(" (counted for {})", text::age(since.ms(), app.now_ms)));
    let span = Span::styled(format!(" Last {span}{since}"), style(Meaning::Title));
    let now = Line::from(vec![
        Span::raw("  deliveries due "),
        Span::raw(format!("{}{oldest}", overview.deliveries_due)),
        Span::raw("  endpoints failing "),
        Span::styled(overview.endpoints_failing.to_string(), count(overview.endpoints_failing, Meaning::Bad)),
        Span::raw("  limit hits "),
        Span::styled(overview.limit_hits.to_string(), count(overview.limit_hits, Meaning::Warning)),
    ]);
    let person = overview.matters_waiting.map(|waiting| {
        [
            Span::raw("  waiting for a person "),
            Span::styled(waiting.to_string(), count(waiting, Meaning::Bad)),
        ]
    });
    let person = Line::from(person.into_iter().flatten().collect::<Vec<_>>());
    let mut lines = if span.width() + person.width() + now.width() <= usize::from(app.size.0) {
        vec![Line::from([vec![span], person.spans, now.spans].concat())]
    } else {
        vec![Line::from([vec![span], person.spans].concat()), now]
    };
    for one in &overview.currencies {
        let (placed, paid) = (one.placed.iter().sum::<u64>(), one.paid.iter().sum::<u64>());
        let share = (paid * 100).checked_div(placed).map_or(String::new(), |share| format!(" ({share}%)"));
        let amount = text::money(one.paid_amount.iter().sum(), &one.currency);
        lines.push(Line::from(vec![
            Span::styled(format!(" {}", text::clean(&one.currency)), style(Meaning::Title)),
            Span::raw(format!("  {placed} placed, {paid} paid{share}, {amount}")),
        ]));
    }
    let paid: u64 = overview.wallets.iter().map(|share| share.paid).sum();
    if paid > 0 {
        let shares = overview.wallets.iter().map(|share| {
            format!("  {} {} ({}%)", text::clean(&share.wallet), share.paid, share.paid * 100 / paid)
        });
        let mut spans = vec![Span::styled(" Wallets", style(Meaning::Title))];
        spans.extend(shares.map(Span::raw));
        lines.push(Line::from(spans));
    }
    lines
}

fn series(app: &App, overview: &Overview, frame: &mut Frame, area: Rect) {
    let drawn = &overview.currencies[..overview.currencies.len().min(MAX_DRAWN)];
    if drawn.is_empty() {
        let said = Line::styled(" No orders in this time.", app.colours.style(Meaning::Dim));
        frame.render_widget(Paragraph::new(said), area);
        return;
    }
    let rows = Layout::vertical(drawn.iter().map(|_| Constraint::Fill(1))).split(area);
    for (one, row) in drawn.iter().zip(rows.iter()) {
        let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(*row);
        spark(app, overview, (one, "placed", &one.placed, Meaning::Key), frame, left);
        spark(app, overview, (one, "paid", &one.paid, Meaning::Good), frame, right);
    }
}

fn spark(
    app: &App,
    overview: &Overview,
    (one, what, counts, meaning): (&CurrencySeries, &str, &[u64], Meaning),
    frame: &mut Frame,
    area: Rect,
) {
    let step = text::lasting(u64::from(overview.step_seconds));
    let most = counts.iter().max().copied().unwrap_or_default();
    let title = format!(" {} {what} per {step}, up to {most} ", text::clean(&one.currency));
    let block = Block::new().borders(Borders::TOP).title(title);
    let room = usize::from(area.width).saturating_sub(1).max(1);
    let fitted = fitted(counts, room);
    let line = Sparkline::default().data(fitted).style(app.colours.style(meaning)).block(block);
    frame.render_widget(line, area);
}

/// Bars over the whole width: where there are more steps than columns, the highest of those that share one.
fn fitted(counts: &[u64], room: usize) -> Vec<u64> {
    let first = |column: usize| column * counts.len() / room;
    let highest =
        |column| counts[first(column)..].iter().take((first(column + 1) - first(column)).max(1)).max();
    (0..room).filter_map(|column| highest(column).copied()).collect()
}

fn latency(app: &App, title: &'static str, points: &[Point], frame: &mut Frame, area: Rect) {
    let of = |which: fn(&Point) -> Option<u32>| -> Vec<(f64, f64)> {
        let known = points.iter().enumerate();
        known
            .filter_map(|(at, point)| Some((f64::from(u32::try_from(at).ok()?), f64::from(which(point)?))))
            .collect()
    };
    let (p50, p99) = (of(|point| point.p50_ms), of(|point| point.p99_ms));
    let most = p50.iter().chain(&p99).map(|(_, y)| *y).fold(1.0, f64::max);
    let set = |name, data, meaning| {
        Dataset::default()
            .name(name)
            .marker(Marker::Braille)
            .graph_type(GraphType::Line)
            .style(app.colours.style(meaning))
            .data(data)
    };
    let sets = vec![set("p50", &p50, Meaning::Good), set("p99", &p99, Meaning::Warning)];
    let last = points.iter().rev().find_map(|point| Some((point.p50_ms?, point.p99_ms?)));
    let last = last.map_or("none".to_owned(), |(p50, p99)| format!("now {p50}/{p99}"));
    let length = f64::from(u32::try_from(points.len().max(2)).unwrap_or(u32::MAX));
    let chart = Chart::new(sets)
        .block(Block::new().borders(Borders::TOP).title(format!(" {title}: {last} ")))
        .x_axis(Axis::default().bounds([0.0, length - 1.0]))
        .y_axis(Axis::default().bounds([0.0, most]).labels(["0".to_owned(), format!("{most:.0}")]));
    frame.render_widget(chart, area);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_fill_the_width_and_lose_no_peak() {
        assert_eq!(fitted(&[1, 9, 2, 3, 4], 3), [1, 9, 4]);
        assert_eq!(fitted(&[1, 2], 4), [1, 1, 2, 2]);
        assert_eq!(fitted(&[1, 2, 3], 3), [1, 2, 3]);
        assert!(fitted(&[], 3).is_empty());
    }
}
