//! The faults: what an order's amount can ask for, and what waits for the next calls.

use std::fmt::Write;
use std::sync::Arc;

use poem::http::StatusCode;
use poem::{Request, Response};

use crate::faults::catalogue;
use crate::html::{Page, escape};
use crate::state::State;

pub(crate) async fn show(state: Arc<State>, _request: Request) -> Response {
    let mut rows = String::new();
    for [name, amount, operation, says] in catalogue::lines() {
        let _ = writeln!(
            rows,
            "<tr><td class=\"number\">{amount}</td><td>{name}</td><td>{operation}</td><td>{says}</td></tr>"
        );
    }
    let mut waiting = String::new();
    for fault in state.faults.waiting() {
        let times = fault.times.map_or_else(|| "until cleared".to_owned(), |times| times.to_string());
        let _ = writeln!(
            waiting,
            "<tr><td>{}</td><td>{}</td><td>{times}</td></tr>",
            fault.operation.as_str(),
            escape(&fault.fault)
        );
    }
    let waiting = if waiting.is_empty() {
        "<p class=\"good\">None: calls go wrong only as their order's amount wants it.</p>\n".to_owned()
    } else {
        format!(
            "<div class=\"scroll\"><table><tr><th>Strikes</th><th>Fault</th><th>Times</th></tr>\n\
             {waiting}</table></div>\n"
        )
    };
    let body = format!(
        "<h1>Faults on demand</h1>\n\
         <p>An order of one of these amounts, in its currency's smallest unit, goes wrong in that way. \
         <b>NN</b> stands for the two digits of a code, such as 09 or 21.</p>\n\
         <div class=\"scroll\"><table><tr><th class=\"number\">Amount</th><th>Name</th><th>Strikes</th>\
         <th>What happens</th></tr>\n{rows}</table></div>\n\
         <h2>Waiting for the next calls</h2>\n\
         <p class=\"soft\">Ordered by name: <code>POST /control/faults {{\"name\":\"notice-twice\",\"times\":1}}</code>, \
         or <code>scangate sandbox --fault notice-twice:1</code>.</p>\n{waiting}"
    );
    Page { title: "Faults", body: &body, is_wide: true, ..Page::default() }.respond(StatusCode::OK)
}
