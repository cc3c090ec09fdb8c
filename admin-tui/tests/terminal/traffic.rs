//! Orders as they come, a shop that is not told, and a line that breaks.

use serde_json::Value;

use super::demo::Demo;
use super::is_restored;
use super::pty::Terminal;
use super::relay::Relay;
use super::shop::Shop;

/// As a person does it.
fn log_in(demo: &Demo, url: &str) -> Terminal {
    let mut terminal = Terminal::with(&["--url", url], &demo.state());
    terminal.sees("Password");
    terminal.types(&format!("{}\r{}", demo.told("/operator/name"), demo.told("/operator/password")));
    terminal.sees("••••••••");
    terminal.types("\r");
    terminal.sees("connected");
    terminal
}

#[test]
fn a_paid_order_appears_and_its_failing_delivery_is_replayed_until_the_shop_knows() {
    let demo = Demo::start();
    let shop = Shop::broken();
    let mut terminal = log_in(&demo, demo.told("/gateway/ops_url"));
    terminal.types("2");
    terminal.sees("live");
    terminal.sees("There is nothing here.");
    let number = demo.order("A-17", &["--notify-url", &shop.url]);
    terminal.sees_line(&["A-17", "awaiting", "21.00 HKD"]);
    demo.pay(&number);
    terminal.sees_line(&["A-17", "paid"]);
    let refused = shop.is_told();
    assert!(refused.contains("A-17"), "{refused}");

    terminal.types("\r");
    terminal.sees("the shop answered 500 once, next try in");
    terminal.types("3");
    terminal.sees_line(&["A-17", "retrying", "order.paid", "refused"]);
    terminal.types("\r");
    let screen = terminal.sees("HTTP 500");
    assert!(screen.contains("the till is closed"), "what the shop said is shown: {screen}");

    shop.recovers();
    terminal.types("R");
    terminal.sees("Why:");
    terminal.types("their till is open again\r");
    terminal.sees("1 delivery");
    terminal.types("\r");
    terminal.sees("The replay runs.");
    let taken = shop.is_told();
    assert!(taken.contains("A-17"), "{taken}");
    terminal.types("3");
    terminal.sees_line(&["A-17", "delivered"]);
    terminal.types("gA-17\r");
    terminal.sees("the shop was told");
    terminal.types("9");
    terminal.sees("replay.started");
    terminal.types("q");
    let (code, raw) = terminal.ends();
    assert_eq!(code, 0);
    is_restored(&raw);
    let audit = demo.plain(&["audit", "--json"]);
    assert!(String::from_utf8_lossy(&audit.stdout).contains("their till is open again"), "{audit:?}");
}

#[test]
fn a_line_that_was_cut_is_told_of_and_taken_up_without_a_gap() {
    let demo = Demo::start();
    let relay = Relay::to(demo.told("/gateway/ops_url"));
    let mut terminal = log_in(&demo, &relay.url);
    terminal.types("2");
    terminal.sees("live");
    demo.order("before", &[]);
    terminal.sees_line(&["before", "awaiting"]);

    relay.cut();
    let screen = terminal.sees("lost, last word");
    assert!(screen.contains("before"), "what was read stays, as old as it says: {screen}");
    let meanwhile = ["meanwhile-1", "meanwhile-2", "meanwhile-3"];
    let numbers = meanwhile.map(|number| demo.order(number, &[]));
    demo.pay(&numbers[1]);
    terminal.sees("lost, last word 2s ago");

    relay.mend();
    terminal.sees("live");
    demo.order("after", &[]);
    let screen = terminal.sees_line(&["after", "awaiting"]);
    let data = demo.folder.path().join("demo");
    let listed = demo.plain(&["orders", "--json", "--demo", "--data", data.to_str().expect("UTF-8")]);
    let rows = String::from_utf8_lossy(&listed.stdout).into_owned();
    let rows: Vec<Value> =
        rows.lines().map(|line| serde_json::from_str(line).expect("a JSON object on a line")).collect();
    assert_eq!(rows.len(), 5, "{rows:?}");
    for row in rows {
        let number = row["number"].as_str().expect("it has one");
        let status = row["status"].as_str().expect("it has one");
        let lines: Vec<&str> = screen.lines().filter(|line| line.contains(number)).collect();
        assert!(matches!(lines.as_slice(), [line] if line.contains(status)), "{number} {status}: {screen}");
    }
    terminal.types("q");
    assert_eq!(terminal.ends().0, 0);
}
