//! The front page, for whoever opens the sandbox's address.

use std::fmt::Write;
use std::sync::Arc;

use poem::http::StatusCode;
use poem::{Request, Response};

use crate::html::{Page, escape};
use crate::orders::{Order, PaymentState};
use crate::state::State;

/// How many orders the front page shows.
const ORDERS_SHOWN: usize = 50;

pub(crate) async fn show(state: Arc<State>, _request: Request) -> Response {
    let mut partners = String::new();
    for partner in state.directory.all() {
        for store in &partner.stores {
            let wallets: Vec<_> = store.wallets.iter().map(|wallet| wallet.as_str()).collect();
            let _ = writeln!(
                partners,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                escape(&partner.partner_no),
                escape(&store.store_no),
                store.currency,
                wallets.join(", ")
            );
        }
    }
    let mut orders = String::new();
    for order in state.orders.newest(ORDERS_SHOWN) {
        let token = order.token();
        let _ = writeln!(
            orders,
            "<tr><td><a href=\"pay/{}\"><bdi>{}</bdi></a></td><td>{}</td><td>{}</td>\
             <td class=\"number\">{} {}</td><td>{}</td><td>{}</td></tr>",
            escape(token),
            escape(&order.content.partner_order_no),
            escape(&order.order_no),
            order.content.product.row().title,
            order.content.currency.format(order.content.amount),
            order.content.currency,
            order.content.wallet.as_str(),
            standing(&order)
        );
    }
    let body = format!(
        "<h1>ScanForPay sandbox</h1>\n<p>Speaks ScanForPay's protocol; no money moves. \
         <a href=\"violations\">Violations of the protocol: {}</a> · <a href=\"faults\">Faults on demand</a></p>\n\
         <h2>Partners and stores</h2>\n<div class=\"scroll\"><table><tr><th>partnerNo</th><th>storeNo</th>\
         <th>Currency</th><th>Wallets</th></tr>\n{partners}</table></div>\n\
         <h2>Newest orders</h2>\n<div class=\"scroll\"><table><tr><th>partnerOrderNo</th><th>orderNo</th>\
         <th>Product</th><th class=\"number\">Amount</th><th>Wallet</th><th>State</th></tr>\n{orders}</table></div>\n",
        state.violations.total()
    );
    Page { title: "ScanForPay sandbox", body: &body, is_wide: true, ..Page::default() }
        .respond(StatusCode::OK)
}

fn standing(order: &Order) -> String {
    let state = order.state.as_str();
    match order.refunded() {
        part if part > 0 && order.state == PaymentState::Paid => {
            format!("{state}, {} refunded", order.content.currency.format(part))
        }
        _ => state.to_owned(),
    }
}
