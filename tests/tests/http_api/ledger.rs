//! The ledger over HTTP.

use std::time::Duration;

use carillon_shared::store::{AttemptEnd, Ending};
use carillon_tests::store::claim;
use carillon_tests::wait::until_some;
use serde_json::{Value, json};

use crate::client::Api;

async fn entry(api: &Api, policy: &str) {
    let body = json!({"name": "n", "cron": "0 0 1 1 *", "type": "echo", "overlap_policy": policy});
    assert_eq!(api.post("/ojs/v1/cron", &body).await.status, 201);
}

/// Claims a job and completes it.
async fn complete(api: &Api, result: Value) {
    let claimed =
        api.store().claim(&claim(1, Duration::from_secs(30))).await.expect("Redis is there").pop().expect("a job");
    let end = AttemptEnd { held: claimed.held, ending: Ending::Completed { result: Some(result) } };
    api.store().end(&[end]).await.expect("Redis is there");
}

#[tokio::test]
async fn every_run_is_in_the_ledger_with_how_it_ended() {
    let api = Api::start().await;
    entry(&api, "allow").await;
    for _ in 0..2 {
        api.poke("/ojs/v1/cron/n/trigger").await;
    }
    complete(&api, json!({"rows": 3})).await;
    let ledger = api.get("/ojs/v1/cron/n/ledger").await.json();
    assert_eq!((&ledger["count"], &ledger["name"]), (&json!(2), &json!("n")));
    assert_eq!(ledger["pagination"], json!({"limit": 50, "has_more": false, "next_cursor": null}));
    let (newest, oldest) = (&ledger["rows"][0], &ledger["rows"][1]);
    assert_eq!(
        (&newest["state"], &newest["decision"], &newest["kind"]),
        (&json!("available"), &json!("fired"), &json!("manual"))
    );
    assert_eq!(
        (&oldest["state"], &oldest["attempts"], &oldest["result_summary"]),
        (&json!("completed"), &json!(1), &json!("{\"rows\":3}"))
    );
    for name in ["started_at", "ended_at", "scheduled_at", "decided_at", "scheduled_time", "actual_time", "job_id"] {
        assert!(oldest[name].is_string(), "{name} in {oldest}");
    }
    assert!(oldest["duration_ms"].is_u64() && oldest["error_summary"].is_null() && oldest["lateness_ms"].is_u64());
    let history = api.get("/ojs/v1/cron/n/history").await.json();
    assert_eq!(history["runs"].as_array().map(Vec::len), Some(2));
}

/// The ids of all jobs in the ledger, read in pages of two.
async fn paged(api: &Api, filter: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/ojs/v1/cron/n/ledger?limit=2{filter}{cursor}")).await.json();
        ids.extend(page["rows"].as_array().expect("a list").iter().map(|row| row["job_id"].to_string()));
        if page["pagination"]["has_more"] == false {
            assert!(page["pagination"]["next_cursor"].is_null());
            return ids;
        }
        cursor = format!("&cursor={}", page["pagination"]["next_cursor"].as_str().expect("a place"));
    }
}

#[tokio::test]
async fn the_ledger_is_read_in_pages_until_its_end() {
    let api = Api::start().await;
    entry(&api, "allow").await;
    for _ in 0..5 {
        api.poke("/ojs/v1/cron/n/trigger").await;
    }
    let newest_first = paged(&api, "").await;
    let mut distinct = newest_first.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((newest_first.len(), distinct.len()), (5, 5));
    for same in ["&decision=fired", "&kind=manual", "&state=available", "&from=2020-01-01T00:00:00Z"] {
        assert_eq!(paged(&api, same).await, newest_first, "{same}");
    }
    let oldest_first: Vec<_> = newest_first.iter().rev().cloned().collect();
    assert_eq!(paged(&api, "&order=asc").await, oldest_first);
    for none in ["&decision=skipped", "&kind=catch_up", "&state=active", "&to=2020-01-01T00:00:00Z", "&reason=disabled"]
    {
        assert!(paged(&api, none).await.is_empty(), "{none}");
    }
}

#[tokio::test]
async fn skipped_instants_are_in_the_ledger_with_their_reason() {
    let api = Api::start().await;
    let body = json!({"name": "n", "cron": "* * * * * *", "type": "echo"});
    assert_eq!(api.post("/ojs/v1/cron", &body).await.status, 201);
    let skipped = until_some("a skipped instant", async || {
        let ledger = api.get("/ojs/v1/cron/n/ledger?decision=skipped").await.json();
        ledger["rows"].get(0).cloned()
    })
    .await;
    assert_eq!((&skipped["reason"], &skipped["job_id"]), (&json!("overlap_skip"), &Value::Null));
    assert!(skipped["active_job_id"].is_string());
    let fired = api.get("/ojs/v1/cron/n/ledger?decision=fired").await.json();
    // More instants than one may have come by then.
    let kind = if fired["rows"][0]["instants"] == 1 { "scheduled" } else { "catch_up" };
    assert_eq!((&fired["count"], &fired["rows"][0]["kind"]), (&json!(1), &json!(kind)));
}

#[tokio::test]
async fn the_ledger_of_a_removed_entry_can_still_be_read() {
    let api = Api::start().await;
    entry(&api, "skip").await;
    api.poke("/ojs/v1/cron/n/trigger").await;
    api.delete("/ojs/v1/cron/n").await;
    assert_eq!(api.get("/ojs/v1/cron/n/ledger").await.json()["count"], 1);
    api.get("/ojs/v1/cron/never/ledger").await.refused(404, "not_found", None);
}

#[tokio::test]
async fn mistaken_parameters_are_refused_by_name() {
    let api = Api::start().await;
    entry(&api, "skip").await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=asc.1-0", "cursor"),
        ("decision=maybe", "decision"),
        ("reason=No%20Reason", "reason"),
        ("kind=automatic", "kind"),
        ("state=happy", "state"),
        ("from=yesterday", "from"),
        ("to=09:00", "to"),
        ("order=up", "order"),
    ] {
        api.get(&format!("/ojs/v1/cron/n/ledger?{query}")).await.refused(400, "invalid_request", Some(field));
    }
}
