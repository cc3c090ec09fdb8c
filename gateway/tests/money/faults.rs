//! Every fault of the sandbox's catalogue with every product, from the create to the time when nobody looks any more:
//! how the order ends, what its merchant was told and what its journal says. What is expected is written in [`table`];
//! a fault that it lacks fails the test.

mod life;
mod table;

use std::collections::BTreeSet;
use std::time::Duration;

use sandbox::Pace;

use self::life::{Case, Life};
use crate::harness::{Backend, Stage, World, new_database};

const PRODUCTS: [(&str, &str); 5] = [
    ("qrcode", "/api/offline/qrcode"),
    ("online", "/api/online/create"),
    ("transaction_qr", "/api/offline/create"),
    ("barcode", "/api/offline/pay"),
    ("jspay", "/api/jspay/create"),
];

/// Longer than any test runs: what the sandbox would do after it, the test does when its own clock says so.
const NEVER: Duration = Duration::from_hours(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_comes_to_what_the_table_says_on_sqlite() {
    Box::pin(every_fault(Backend::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_comes_to_what_the_table_says_on_postgres() {
    Box::pin(every_fault(Backend::Postgres)).await;
}

async fn every_fault(backend: Backend) {
    let rows = table::rows();
    let mut life = Life::begin(stage(backend).await, cases());
    life.is_lived().await;
    let (mut wrong, mut used) = (Vec::new(), BTreeSet::new());
    for lived in life.lived().await {
        let (name, came_to) = (&lived.name, &lived.line);
        let fitting = rows.iter().filter_map(|row| Some((row, row.expects(lived.fault(), lived.product())?)));
        match &fitting.collect::<Vec<_>>()[..] {
            [(row, expected)] => {
                used.insert(row.line);
                if expected != came_to {
                    wrong.push(format!("{name}\n  expected {expected}\n  came to  {came_to}"));
                }
            }
            [] => wrong.push(format!("{name}: not in the table\n  came to  {came_to}")),
            several => wrong.push(format!("{name}: in the table {} times", several.len())),
        }
    }
    let unused = rows.iter().filter(|row| !used.contains(row.line));
    wrong.extend(unused.map(|row| format!("the catalogue has no such fault: {}", row.line)));
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    life.end().await;
}

/// Every fault of the catalogue, with the amount that asks for it, by every product.
fn cases() -> Vec<Case> {
    let catalogue = sandbox::faults::catalogue::markdown();
    let lines = catalogue.lines().skip(2).map(|line| {
        let mut cells = line.split('|').map(|cell| cell.trim().trim_matches('`'));
        let mut cell = || cells.next().expect("four cells").to_owned();
        cell();
        [cell(), cell(), cell()]
    });
    let codes = shared::code::Code::TABLE.iter().map(|(code, _)| code.0).filter(|code| *code != 1);
    let codes: Vec<i32> = codes.collect();
    let faults: Vec<[String; 3]> = lines
        .flat_map(|[amount, name, strikes]| match amount.strip_suffix("NN") {
            None => vec![[amount, name, strikes]],
            Some(first) => {
                let each = |code: &i32| {
                    [format!("{first}{code:02}"), name.replace("NN", &code.to_string()), strikes.clone()]
                };
                codes.iter().map(each).collect()
            }
        })
        .collect();
    assert!(
        faults.iter().all(|[_, name, _]| sandbox::faults::catalogue::is_known(name)),
        "read as it is written"
    );
    let of = |(product, path): (&'static str, &'static str)| {
        faults.iter().map(move |[amount, name, strikes]| Case {
            fault: name.clone(),
            strikes: strikes.clone(),
            amount: amount.parse().expect("an amount"),
            product,
            path,
        })
    };
    PRODUCTS.into_iter().flat_map(of).collect()
}

async fn stage(backend: Backend) -> Stage {
    let database = match backend {
        Backend::Sqlite => None,
        Backend::Postgres => Some(new_database().await),
    };
    let world = World::make_tuned(database, |sandbox| {
        let slow = Duration::from_millis(50);
        sandbox.pace = Pace { slow, late: NEVER, moment: NEVER, ..Pace::default() };
        sandbox.notice_schedule = Vec::new();
    });
    let settings = [
        ("orders.query_min_interval", "0s"),
        ("orders.refund_wait", "1s"),
        ("orders.pay_window_barcode", "24h"),
        ("upstream.timeout", "3s"),
        ("upstream.query_timeout", "1s"),
    ];
    Stage::over(world.await, &settings).await
}
