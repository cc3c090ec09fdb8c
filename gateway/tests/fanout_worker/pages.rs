//! Deliveries as they are listed: what few are in is found however many others there are, and no page looks at all of
//! them.

use gateway::deliveries::list;
use gateway::deliveries::select::{Filter, Scope};
use gateway::entity::delivery::State;
use gateway::orders::list::SCANNED;
use ulid::Ulid;

use crate::harness::Stage;
use crate::on_both;

/// So many that were acknowledged, the first of which are as `mark` says, each a millisecond younger than the one
/// before.
async fn acknowledged(
    stage: &Stage,
    count: usize,
    mark: impl Fn(usize, &mut gateway::entity::delivery::Model),
) {
    let owner = stage.merchant_id();
    let first = stage.app().clock.now_ms() - i64::try_from(count).expect("few");
    let rows: Vec<_> = (0..count)
        .zip(first..)
        .map(|(n, at)| {
            let number = format!("n{n}");
            let (event, mut delivery) = stage.told("e", &owner, &number, &number, (1, at));
            delivery.id = Ulid::from_parts(u64::try_from(at).expect("after 1970"), 7).to_string();
            (delivery.state, delivery.ended_at) = (State::Delivered, Some(at));
            mark(n, &mut delivery);
            (event, delivery)
        })
        .collect();
    stage.write_told(&rows).await;
}

/// All pages: whose subjects are on them, and how many pages there are.
async fn all(stage: &Stage, filter: &Filter) -> (Vec<String>, usize) {
    let (mut found, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let read = &stage.app().store.read;
        let page = list::page(read, &Scope::default(), filter, 20, after.as_deref()).await;
        let page = page.expect("the store is read");
        found.extend(page.rows.into_iter().map(|row| row.subject_id));
        pages += 1;
        after = page.next;
        if after.is_none() {
            return (found, pages);
        }
    }
}

on_both!(what_is_rare_is_on_the_first_page_and_all_else_is_looked_for_so_far, async |stage: &mut Stage| {
    let count = usize::try_from(SCANNED).expect("small") + 500;
    acknowledged(stage, count, |n, row| match n {
        3 => (row.state, row.outcome) = (State::Exhausted, Some("timed_out".to_owned())),
        5 => (row.state, row.ended_at) = (State::Due, None),
        7 => (row.state, row.ended_at) = (State::Waiting, None),
        9 => row.state = State::Superseded,
        _ => {}
    })
    .await;
    let in_states = |states: &[&str]| Filter {
        states: states.iter().map(|&state| state.to_owned()).collect(),
        ..Filter::default()
    };
    let found = |numbers: &[&str], pages| (numbers.iter().map(|&number| number.to_owned()).collect(), pages);
    assert_eq!(all(stage, &in_states(&["due"])).await, found(&["n5"], 1));
    assert_eq!(all(stage, &in_states(&["due", "waiting", "exhausted"])).await, found(&["n7", "n5", "n3"], 1));
    assert_eq!(all(stage, &in_states(&["exhausted"])).await, found(&["n3"], 1));
    let merchants = Filter { merchant_id: Some(stage.merchant_id()), ..in_states(&["exhausted"]) };
    assert_eq!(all(stage, &merchants).await, found(&["n3"], 1));
    let elsewhere = Filter { merchant_id: Some("another".to_owned()), ..in_states(&["exhausted"]) };
    assert_eq!(all(stage, &elsewhere).await, found(&[], 1));
    assert_eq!(all(stage, &in_states(&["superseded"])).await, found(&["n9"], 2));
    let outcome = Filter { outcomes: vec!["timed_out".to_owned()], ..Filter::default() };
    assert_eq!(all(stage, &outcome).await, found(&["n3"], 2));
    let (every, _) = all(stage, &Filter::default()).await;
    assert_eq!(every.len(), count);
    assert!(
        every.is_sorted_by_key(|number| std::cmp::Reverse(number[1..].parse::<usize>().expect("a number")))
    );
});

on_both!(more_of_a_rare_state_than_a_page_sorts_is_walked_through, async |stage: &mut Stage| {
    let count = usize::try_from(SCANNED).expect("small") + 100;
    for state in [State::Due, State::Exhausted] {
        acknowledged(stage, count, |n, row| {
            row.id.replace_range(24.., if state == State::Due { "0D" } else { "0E" });
            row.endpoint_id = format!("{state:?}");
            row.state = state;
            row.ended_at = (state == State::Exhausted).then_some(row.created_at);
            if n == 0 {
                row.outcome = Some("timed_out".to_owned());
            }
        })
        .await;
    }
    for state in ["due", "exhausted"] {
        let of_state = Filter { states: vec![state.to_owned()], ..Filter::default() };
        let (found, _) = all(stage, &of_state).await;
        assert_eq!(found.len(), count, "{state}");
        let timed_out = Filter { outcomes: vec!["timed_out".to_owned()], ..of_state };
        // Of what was given up nothing else lies in between.
        let pages = if state == "due" { 3 } else { 2 };
        assert_eq!(all(stage, &timed_out).await, (vec!["n0".to_owned()], pages), "{state}");
    }
});
