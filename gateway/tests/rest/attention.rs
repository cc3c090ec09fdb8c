//! What waits for a person, as its platform sees it.

use serde_json::{Value, json};

use crate::harness::Stage;
use crate::on_both;

on_both!(
    a_platform_sees_what_waits_oldest_first_and_nobody_elses,
    [("orders.query_min_interval", "0s")],
    async |stage: &mut Stage| {
        stage.others_move_in().await;
        let mut ids = Vec::new();
        for number in ["p1", "p2", "p3"] {
            ids.push(stage.give_up(number).await);
        }
        let page = stage.get("/v1/attention?limit=2").await.json();
        let shown = |page: &Value| -> Vec<String> {
            let rows = page["data"].as_array().expect("a list").iter();
            rows.map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
        };
        assert_eq!(shown(&page), ids[..2]);
        let first = &page["data"][0];
        assert_eq!((&first["kind"], &first["count"]), (&json!("order.unknown"), &json!(1)));
        assert_eq!(first["subject"]["number"], "p1");
        assert_eq!(first["detail"]["status"], "unknown");
        assert!(first["cause"].is_string() && first["nextStep"].is_string(), "{first}");
        let next = page["next"].as_str().expect("there is more");
        let page = stage.get(&format!("/v1/attention?limit=2&cursor={next}")).await.json();
        assert_eq!((shown(&page), page.get("next")), (ids[2..].to_vec(), None));

        for key in [&stage.world.keys.other, &stage.world.keys.live] {
            assert_eq!(stage.get_as(key, "/v1/attention").await.json()["data"], json!([]));
        }
        // What comes to pass ends it.
        assert_eq!(stage.query("p1").await.body["status"], 2);
        assert_eq!(shown(&stage.get("/v1/attention").await.json()), ids[1..]);
    }
);
