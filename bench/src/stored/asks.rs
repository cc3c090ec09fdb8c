//! What a console asks for, and how long the answers take: one connection each, over loopback, from sending to the
//! whole answer.

use std::time::Instant;

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::call;
use crate::servers::gateway::Gateway;

/// Pages of the operators' API.
const PAGES: [(&str, &str); 20] = [
    ("overview", "/overview"),
    ("orders", "/orders?limit=100"),
    ("orders, the middle ones", "/orders?limit=100&filter=before:15d"),
    ("orders, the oldest", "/orders?limit=100&filter=before:29d"),
    ("status:awaiting", "/orders?limit=100&filter=status:awaiting"),
    ("status:unknown (none)", "/orders?limit=100&filter=status:unknown"),
    ("status:paid before:10d", "/orders?limit=100&filter=status:paid%20before:10d"),
    ("merchant:20003", "/orders?limit=100&filter=merchant:20003"),
    ("merchant:20003 status:awaiting", "/orders?limit=100&filter=merchant:20003%20status:awaiting"),
    ("wallet:alipay", "/orders?limit=100&filter=wallet:alipay"),
    ("amount>=100000 (none)", "/orders?limit=100&filter=amount%3E%3D100000"),
    ("\"a text\" (none)", "/orders?limit=100&filter=%22a%20text%22"),
    ("a number of nobody's", "/find?number=nobody"),
    ("deliveries", "/deliveries?limit=100"),
    ("deliveries that are due", "/deliveries?limit=100&state=due"),
    ("deliveries that were given up", "/deliveries?limit=100&state=exhausted"),
    ("endpoints", "/endpoints?limit=100"),
    ("merchants", "/merchants?limit=100"),
    ("attention", "/attention?limit=100"),
    ("audit", "/audit?limit=100"),
];

/// How long one page took.
#[derive(Debug, Serialize)]
pub struct Asked {
    page: &'static str,
    rows: Option<usize>,
    first_ms: f64,
    median_ms: f64,
    longest_ms: f64,
}

/// `middle`: the number of an order that was stored (`fill`).
pub async fn ask(gateway: &Gateway, middle: u64, times: u32) -> anyhow::Result<Vec<Asked>> {
    let token = gateway.log_in().await?;
    let mut asked = Vec::new();
    let by_number = format!("/ops/v1/find?number=n{middle}");
    let found = call::get(gateway.home.ops, &by_number, &token).await?;
    let order = found["data"][0]["id"].as_str().context("a stored order that is not found")?;
    let mut pages: Vec<(&'static str, String)> =
        PAGES.iter().map(|(page, path)| (*page, format!("/ops/v1{path}"))).collect();
    pages.push(("one order", format!("/ops/v1/orders/{order}")));
    pages.push(("a number of the merchant's", by_number));
    pages.push(("a number of ScanForPay's", format!("/ops/v1/find?number=u{middle}")));
    for (page, path) in pages {
        let (mut took, mut rows) = (Vec::new(), None);
        for _ in 0..times {
            let began = Instant::now();
            let answer = call::get(gateway.home.ops, &path, &token).await?;
            took.push(began.elapsed().as_secs_f64() * 1_000.0);
            rows = answer["data"].as_array().map(Vec::len);
        }
        let first_ms = took[0];
        took.sort_by(f64::total_cmp);
        let (median_ms, longest_ms) = (took[took.len() / 2], took[took.len() - 1]);
        asked.push(Asked { page, rows, first_ms, median_ms, longest_ms });
    }
    Ok(asked)
}

pub fn table(pages: &[Asked]) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(["page", "rows", "first, ms", "median, ms", "longest, ms"]);
    for asked in pages {
        let rows = asked.rows.map_or(String::new(), |rows| rows.to_string());
        let ms = |ms: f64| format!("{ms:.1}");
        table.add_row([
            asked.page.to_owned(),
            rows,
            ms(asked.first_ms),
            ms(asked.median_ms),
            ms(asked.longest_ms),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}
