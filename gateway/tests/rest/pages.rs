//! Lists come in pages that miss nothing and show nothing twice.

use serde_json::json;

use crate::harness::{Backend, Stage};
use crate::on_both;

on_both!(following_the_links_shows_everything_once_newest_first, async |stage: &mut Stage| {
    for number in 0..7 {
        stage.post("/v1/merchants", json!({ "name": format!("House {number}") })).await;
    }
    let mut path = "/v1/merchants?limit=3&q=house".to_owned();
    let mut names = Vec::new();
    loop {
        let page = stage.get(&path).await;
        let rows = page.json()["data"].as_array().expect("a list").clone();
        names.extend(rows.iter().map(|row| row["name"].as_str().expect("a name").to_owned()));
        let Some(link) = page.header("link") else {
            assert_eq!(page.json().get("next"), None);
            break;
        };
        assert!(link.contains(page.json()["next"].as_str().expect("both say it")));
        path = link.trim_start_matches('<').split('>').next().expect("an address").to_owned();
        // What comes meanwhile is newer than what was shown, and shifts nothing.
        stage.post("/v1/merchants", json!({ "name": "A newer house" })).await;
    }
    let expected: Vec<String> = (0..7).rev().map(|number| format!("House {number}")).collect();
    assert_eq!(names, expected);
});

#[tokio::test]
async fn a_page_that_cannot_be_is_refused_by_the_name_of_the_parameter() {
    let stage = Stage::set(Backend::Sqlite).await;
    for query in ["cursor=nonsense", "cursor=", "limit=0", "limit=101", "limit=many"] {
        let reply = stage.get(&format!("/v1/merchants?{query}")).await;
        assert!([400, 422].contains(&reply.status), "{query}: {}", reply.text());
    }
    let reply = stage.get("/v1/merchants?cursor=nonsense").await.json();
    assert_eq!(reply["errors"][0]["parameter"], "cursor");
    stage.strike().await;
}
