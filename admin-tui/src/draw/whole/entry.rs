//! One thing that happened to an order, with the bytes in which it came.

use shared::ops::EntryBytes;

use crate::app::{App, View};
use crate::draw::detail::Lines;
use crate::raw;
use crate::text;
use crate::theme::Meaning;

pub fn entry(app: &App, lines: &mut Lines) {
    let Some(entry) = app.entry() else {
        lines.wide("It is not among what is shown of the order any more.", Meaning::Dim);
        return;
    };
    lines.named("what", &format!("{}: {}", entry.kind.replace('_', " "), entry.text), Meaning::Title);
    lines.named("when", &text::time(entry.at, app.zone), Meaning::Plain);
    if let Some(by) = &entry.by {
        lines.named("by", by, Meaning::Plain);
    }
    match &app.bytes {
        Some(bytes) => {
            let (told, meaning) = told(bytes, app.view == View::EntryExact);
            lines.named("came", &told, meaning);
            if bytes.payer_withheld {
                lines.named("", "Who paid is left out: viewers do not see it.", Meaning::Dim);
            }
            lines.gap();
            let shown = match app.view {
                View::EntryExact => raw::exact(&bytes.text),
                _ => raw::pretty(&bytes.text),
            };
            lines.exactly(&shown);
        }
        None if entry.has_bytes => lines.named("came", "Reading…", Meaning::Dim),
        None => {
            lines.named("came", "nothing that is kept; this is noted of it", Meaning::Dim);
            lines.gap();
            let note = entry.detail.as_ref().map(ToString::to_string).unwrap_or_default();
            lines.exactly(&raw::pretty(&note));
        }
    }
}

fn told(bytes: &EntryBytes, is_exact: bool) -> (String, Meaning) {
    let size = text::counted(i64::try_from(bytes.size).unwrap_or(i64::MAX), "byte", "bytes");
    let how = if is_exact { "exactly as it came" } else { "indented" };
    if bytes.cut {
        (
            format!(
                "{size}, of which these are the first {}, {how}, without its signature",
                bytes.text.len()
            ),
            Meaning::Warning,
        )
    } else {
        (format!("{size}, {how}, without its signature"), Meaning::Plain)
    }
}
