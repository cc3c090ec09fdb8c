//! Every screen as it is drawn, at the smallest size, at a usual one, and where it matters at a large one.

use admin_tui::app::Tab;
use admin_tui::event::{Answer, Event};
use admin_tui::update::update;
use crossterm::event::KeyCode;
use shared::ops::Role;

use crate::kit::*;
use crate::told::*;

#[test]
fn every_screen_at_both_sizes() {
    for size in SIZES {
        let name = |what: &str| format!("{what}-{}x{}", size.0, size.1);
        let mut login = fresh(size, false);
        type_in(&mut login, "anna");
        press(&mut login, KeyCode::Tab);
        type_in(&mut login, "correct horse battery");
        insta::assert_snapshot!(name("login"), drawn(&login));
        for tab in Tab::ALL {
            let mut app = console(Role::Admin, size, false);
            go_to(&mut app, tab);
            insta::assert_snapshot!(name(tab.title()), drawn(&app));
        }
        let mut app = console(Role::Operator, size, false);
        press(&mut app, KeyCode::Enter);
        update(&mut app, Event::Answer(Answer::Fact(Ok(Box::new(fact())))));
        insta::assert_snapshot!(name("fact"), drawn(&app));
        press(&mut app, KeyCode::Char('x'));
        type_in(&mut app, "ScanForPay wrote: a test");
        insta::assert_snapshot!(name("reason"), drawn(&app));
        press(&mut app, KeyCode::Esc);
        press(&mut app, KeyCode::Char(':'));
        insta::assert_snapshot!(name("palette"), drawn(&app));
        press(&mut app, KeyCode::Esc);
        press(&mut app, KeyCode::Char('?'));
        insta::assert_snapshot!(name("help"), drawn(&app));
    }
}

#[test]
fn rows_with_everything_about_them() {
    for size in [SIZES[0], SIZES[1], WIDE] {
        let name = |what: &str| format!("{what}-{}x{}", size.0, size.1);
        let mut app = console(Role::Operator, size, false);
        go_to(&mut app, Tab::Orders);
        press(&mut app, KeyCode::Char('G'));
        press(&mut app, KeyCode::Enter);
        answer_whole(&mut app, order_whole());
        insta::assert_snapshot!(name("order"), drawn(&app));
        type_in(&mut app, "nnn");
        insta::assert_snapshot!(name("order-chosen"), drawn(&app));
        press(&mut app, KeyCode::Enter);
        let read = Answer::Bytes { entry_id: "J3".to_owned(), result: Ok(bytes()) };
        update(&mut app, Event::Answer(read));
        insta::assert_snapshot!(name("entry"), drawn(&app));
        press(&mut app, KeyCode::Char('J'));
        insta::assert_snapshot!(name("entry-exact"), drawn(&app));
        press(&mut app, KeyCode::Esc);
        press(&mut app, KeyCode::Char('J'));
        insta::assert_snapshot!(name("order-json"), drawn(&app));
        press(&mut app, KeyCode::Char('Q'));
        insta::assert_snapshot!(name("order-code"), drawn(&app));
        press(&mut app, KeyCode::Char('m'));
        insta::assert_snapshot!(name("refund"), drawn(&app));

        let mut app = console(Role::Operator, size, false);
        go_to(&mut app, Tab::Deliveries);
        press(&mut app, KeyCode::Enter);
        answer_whole(&mut app, delivery_whole());
        insta::assert_snapshot!(name("delivery"), drawn(&app));

        let mut app = console(Role::Admin, size, false);
        go_to(&mut app, Tab::Merchants);
        press(&mut app, KeyCode::Enter);
        answer_whole(&mut app, merchant_whole());
        insta::assert_snapshot!(name("merchant"), drawn(&app));
        press(&mut app, KeyCode::Char('K'));
        insta::assert_snapshot!(name("rotate"), drawn(&app));
    }
}

#[test]
fn what_is_typed_over_a_screen() {
    for size in SIZES {
        let name = |what: &str| format!("{what}-{}x{}", size.0, size.1);
        let mut app = console(Role::Operator, size, false);
        go_to(&mut app, Tab::Orders);
        press(&mut app, KeyCode::Char('/'));
        type_in(&mut app, "merchant:10001 sta");
        insta::assert_snapshot!(name("filter-completed"), drawn(&app));
        type_in(&mut app, "tus:payed");
        insta::assert_snapshot!(name("filter-wrong"), drawn(&app));
        press(&mut app, KeyCode::Esc);
        press(&mut app, KeyCode::Char('g'));
        insta::assert_snapshot!(name("go-to"), drawn(&app));
        press(&mut app, KeyCode::Esc);
        go_to(&mut app, Tab::Replays);
        press(&mut app, KeyCode::Char('a'));
        type_in(&mut app, "2");
        insta::assert_snapshot!(name("start"), drawn(&app));
    }
}

#[test]
fn lists_at_a_large_size() {
    for tab in [Tab::Overview, Tab::Orders, Tab::Deliveries, Tab::Endpoints, Tab::Replays] {
        let mut app = console(Role::Admin, WIDE, false);
        go_to(&mut app, tab);
        insta::assert_snapshot!(format!("{}-200x50", tab.title()), drawn(&app));
    }
}
