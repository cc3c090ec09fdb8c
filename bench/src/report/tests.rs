//! Medians, and pairs of the same run.

use std::time::Duration;

use super::*;
use crate::compare::Store;
use crate::compare::stage::Burden;
use crate::tally::Outcome;

fn measured(run: u32, through: Through, orders: u32, latency_ms: u64) -> Measured {
    let mut tally = Tally::new();
    for _ in 0..orders {
        tally.record(&Outcome::Accepted, Duration::from_millis(latency_ms));
    }
    tally.record(&Outcome::Code(9), Duration::ZERO);
    tally.elapsed = Duration::from_secs(1);
    let cpu = BTreeMap::from([("stub", 1.0), ("driver", 2.0), ("gateway", 0.5), ("postgres", 0.25)]);
    Measured::new(run, through, &tally, cpu, 3 << 20, 0)
}

fn report(runs: u32) -> Report {
    let settings = Settings {
        what: "orders",
        unit: "orders",
        store: Some(Store::Sqlite),
        connections: 64,
        rate: None,
        seconds: 1,
        warm_up_seconds: 1,
        runs,
        merchants: 10,
        each: 0,
        burden: Burden::default(),
        fault: None,
    };
    Report::new(settings, About::this_machine(None, None, false))
}

#[test]
fn a_median_lies_between_the_extremes() {
    let of = |values: &[f64]| Spread::of(values.to_vec()).map(|it| (it.median, it.least, it.most));
    assert_eq!(of(&[3.0, 1.0, 2.0]), Some((2.0, 1.0, 3.0)));
    assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), Some((2.5, 1.0, 4.0)));
    assert_eq!(of(&[]), None);
}

#[test]
fn the_ratio_is_taken_run_by_run_and_only_of_runs_that_have_both() {
    let mut report = report(3);
    for (run, nginx, gateway) in [(1, 100, 50), (2, 400, 100), (3, 100, 60)] {
        report.add(measured(run, Through::Nginx, nginx, 1));
        report.add(measured(run, Through::Gateway, gateway, 3));
    }
    let ratio = report.gateway_to_nginx.expect("both were measured");
    assert_eq!((ratio.median, ratio.least, ratio.most), (0.5, 0.25, 0.6));
    assert_eq!(report.added_p50_ms, None);
    assert_eq!(report.summary.iter().map(|it| it.failed).collect::<Vec<_>>(), [3, 3]);
}

#[test]
fn added_latency_is_the_gateways_less_the_stubs() {
    let mut report = report(1);
    report.add(measured(1, Through::Nothing, 10, 1));
    report.add(measured(1, Through::Gateway, 10, 3));
    let added = report.added_p50_ms.expect("both were measured").median;
    assert!((added - 2.0).abs() < 0.01, "{added}");
}

#[test]
fn processor_time_counts_the_gateway_with_its_database_and_not_the_driver() {
    let gateway = measured(1, Through::Gateway, 500, 1);
    assert!((gateway.cpu_seconds_per_1000 - 1.5).abs() < 1e-9);
    assert!((gateway.peak_memory_mib - 3.0).abs() < 1e-9);
    let stub = measured(1, Through::Nothing, 500, 1);
    assert!((stub.cpu_seconds_per_1000 - 2.0).abs() < 1e-9);
}

#[test]
fn the_table_names_every_kind_of_error() {
    let mut report = report(1);
    report.add(measured(1, Through::Gateway, 5, 1));
    let table = report.table().to_string();
    assert!(table.contains("code 9: 1") && table.contains("median"), "{table}");
    assert!(report.title().starts_with("orders, sqlite: closed loop, 64 connections"), "{}", report.title());
}
