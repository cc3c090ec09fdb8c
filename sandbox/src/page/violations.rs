//! The list of what was wrong with what the sandbox was sent.

use std::fmt::Write;
use std::sync::Arc;

use poem::http::StatusCode;
use poem::{Request, Response};

use crate::html::{Page, escape};
use crate::state::State;

/// Every breach of the protocol, newest first.
pub(crate) async fn show(state: Arc<State>, _request: Request) -> Response {
    let list = state.violations.list();
    let mut rows = String::new();
    for violation in list.iter().rev() {
        let code = violation.code.map_or_else(|| "listed only".to_owned(), |code| code.to_string());
        let _ = writeln!(
            rows,
            "<tr><td class=\"number\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td><strong>{}</strong> {}</td><td>{}</td></tr>",
            violation.number,
            escape(&violation.at),
            escape(&violation.place),
            escape(&violation.partner_no),
            escape(&violation.partner_order_no),
            escape(&violation.about),
            escape(&violation.problem),
            code
        );
    }
    let body = if list.is_empty() {
        "<h1>Violations of the protocol</h1>\n<p class=\"good\">None. Everything sent here was right.</p>\n"
            .to_owned()
    } else {
        format!(
            "<h1>Violations of the protocol</h1>\n<p class=\"soft\">{} in all, the newest {} first.</p>\n\
             <div class=\"scroll\"><table><tr><th>#</th><th>When</th><th>Where</th><th>Partner</th>\
             <th>Order</th><th>What</th><th>Code</th></tr>\n{rows}</table></div>\n",
            state.violations.total(),
            list.len()
        )
    };
    Page { title: "Violations", body: &body, is_wide: true, ..Page::default() }.respond(StatusCode::OK)
}
