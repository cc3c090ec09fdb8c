//! What lies there for one endpoint is not walked through to find what is due to another.

use gateway::deliveries::due;
use gateway::entity::endpoint::Status;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::kit::numbers;
use crate::harness::Stage;
use crate::on_both;

async fn plan(stage: &Stage) -> String {
    let read = &stage.app().store.read;
    let (explain, column) = if read.get_database_backend() == DbBackend::Sqlite {
        ("EXPLAIN QUERY PLAN ", 3)
    } else {
        read.execute_unprepared("ANALYZE deliveries").await.expect("statistics are made");
        ("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ", 0)
    };
    let statement =
        Statement::from_string(read.get_database_backend(), format!("{explain}{}", due::EACH_ENDPOINT));
    let rows = read.query_all_raw(statement).await.expect("a plan");
    let line = |row: &sea_orm::QueryResult| row.try_get_by_index::<String>(column).expect("a line of it");
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

on_both!(a_look_reads_one_row_for_each_endpoint_and_never_the_table, async |stage: &mut Stage| {
    let owner = stage.merchant_id();
    let now = stage.app().clock.now_ms();
    stage.due("parked", &owner, &numbers("parked", 3_000)).await;
    stage.due("other", &owner, &numbers("other", 2)).await;
    let found = due::by_endpoint(&stage.app().store.read).await.expect("the store is read");
    let told: Vec<_> = found.iter().map(|found| (found.endpoint_id.as_str(), found.due_at)).collect();
    assert_eq!(told, [("other", Some(now - 2)), ("parked", Some(now - 3_000))]);

    let plan = plan(stage).await;
    let of_table: Vec<&str> =
        plan.lines().filter(|line| line.contains("deliveries") || line.contains(" d ")).collect();
    assert!(of_table.len() >= 5, "{plan}");
    for line in of_table {
        assert!(line.contains("deliveries_due") && !line.contains("Bitmap"), "{line} in\n{plan}");
        let is_walk = line.contains("actual rows=") && !line.contains("rows=1 ") && !line.contains("rows=0 ");
        assert!(!is_walk, "{line} in\n{plan}");
    }
    for walk in ["Sort", "TEMP B-TREE", "Seq Scan"] {
        assert!(!plan.contains(walk), "{plan}");
    }
});

on_both!(what_a_restart_finds_parked_stays_there_and_what_is_due_goes_out, async |stage: &mut Stage| {
    let owner = stage.merchant_id();
    stage.endpoint("parked", |row| row.status = Status::Disabled).await;
    stage.due("parked", &owner, &numbers("parked", 1_000)).await;
    stage.due("other", &owner, &numbers("other", 2)).await;
    stage.restart().await;
    assert_eq!(stage.deliver_due().await, 2);
    assert_eq!(stage.heard().len(), 2);
    assert_eq!(due::by_endpoint(&stage.app().store.read).await.expect("the store is read").len(), 1);
});
