//! Lists of jobs.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::client::Api;
use crate::stage::{ack, dead};

/// The ids of all pages of a list, each page of at most `limit`.
async fn listed(api: &Api, query: &str, limit: usize) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("/ojs/v1/jobs?limit={limit}{query}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let page = page.json();
        let jobs = page["jobs"].as_array().expect("jobs");
        assert!(jobs.len() <= limit);
        ids.extend(jobs.iter().map(|job| job["id"].as_str().expect("an id").to_owned()));
        match page["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

/// Jobs in every state, on the queues `a` and `b`.
async fn mixture(api: &Api) -> Vec<String> {
    let mut ids = Vec::new();
    for queue in ["a", "b"] {
        for n in 0..7 {
            // An hour: a retry that becomes due while the lists are read would change them.
            let retry = json!({"max_attempts": 3, "initial_interval": "PT1H"});
            let job = json!({"type": format!("t{}", n % 2), "args": [], "queue": queue, "retry": retry});
            ids.push(api.job(&job).await);
        }
        let fetch = json!({"queues": [queue], "count": 4});
        let jobs = api.post("/ojs/v1/workers/fetch", &fetch).await.json();
        let held = |i: usize| jobs["jobs"][i]["id"].clone();
        ack(api, &json!({"job_id": held(0)})).await;
        ack(api, &json!({"job_id": held(1)})).await;
        api.post("/ojs/v1/workers/nack", &json!({"job_id": held(2), "error": {"code": "c", "message": "m"}})).await;
        for options in
            [json!({"delay": "PT1H"}), json!({"pending": true}), json!({"expires_at": "2001-01-01T00:00:00Z"})]
        {
            ids.push(api.job(&json!({"type": "t9", "args": [], "queue": queue, "options": options})).await);
        }
        let cancelled = api.job(&json!({"type": "t9", "args": [], "queue": queue})).await;
        api.delete(&format!("/ojs/v1/jobs/{cancelled}")).await;
        ids.push(cancelled);
        ids.push(dead(api, &format!("{queue}.dead")).await);
    }
    ids
}

#[tokio::test]
async fn every_job_is_listed_once_whatever_the_size_of_the_pages() {
    let api = Api::start().await;
    let ids: HashSet<String> = mixture(&api).await.into_iter().collect();
    for limit in [1, 2, 3, 7, 1000] {
        let listed = listed(&api, "", limit).await;
        assert_eq!(
            (listed.len(), listed.into_iter().collect::<HashSet<_>>()),
            (ids.len(), ids.clone()),
            "limit {limit}"
        );
    }
}

#[tokio::test]
async fn filters_by_state_queue_and_type_can_be_combined() {
    let api = Api::start().await;
    mixture(&api).await;
    for (query, count) in [
        ("&state=available", 6),
        ("&state=active", 2),
        ("&state=completed", 4),
        ("&state=retryable", 2),
        ("&state=scheduled", 2),
        ("&state=pending", 2),
        ("&state=cancelled", 2),
        ("&state=discarded", 4),
        ("&queue=a", 11),
        ("&queue=b.dead", 1),
        ("&queue=nothing", 0),
        ("&type=t9", 8),
        ("&queue=a&type=t9", 4),
        ("&queue=a&state=available&type=t0", 2),
        ("&queue=b&state=discarded", 1),
    ] {
        assert_eq!(
            (listed(&api, query, 2).await.len(), listed(&api, query, 1000).await.len()),
            (count, count),
            "{query}"
        );
    }
}

#[tokio::test]
async fn waiting_jobs_are_listed_in_the_order_in_which_they_will_run() {
    let api = Api::start().await;
    for (n, priority) in [(0, 0), (1, 5), (2, 0), (3, 5)] {
        api.job(&json!({"type": "echo", "args": [n], "priority": priority})).await;
    }
    let jobs = api.get("/ojs/v1/jobs?state=available").await.json();
    let order: Vec<&Value> = jobs["jobs"].as_array().expect("jobs").iter().map(|job| &job["args"][0]).collect();
    assert_eq!(order, [1, 3, 0, 2]);
}

#[tokio::test]
async fn runs_that_wait_for_their_predecessor_are_listed_behind_what_can_be_claimed() {
    let api = Api::start().await;
    let entry = json!({"name": "e", "cron": "0 0 1 1 *", "type": "echo", "options": {"queue": "q"},
        "overlap_policy": "enqueue"});
    assert_eq!(api.post("/ojs/v1/cron", &entry).await.status, 201);
    let mut runs = Vec::new();
    for _ in 0..3 {
        let run = api.post("/ojs/v1/cron/e/trigger", &json!({})).await.json();
        runs.push(run["job_id"].as_str().expect("an id").to_owned());
    }
    for query in ["&state=available", "&queue=q", ""] {
        assert_eq!(listed(&api, query, 1).await, runs, "{query}");
    }
    assert_eq!(listed(&api, "&queue=other", 1).await, Vec::<String>::new());
    // The cancelled first lets the second go; the third still waits.
    api.delete(&format!("/ojs/v1/jobs/{}", runs[0])).await;
    assert_eq!(listed(&api, "&state=available", 1).await, runs[1..]);
    api.delete(&format!("/ojs/v1/jobs/{}", runs[2])).await;
    assert_eq!(listed(&api, "&state=available", 1).await, runs[1..2]);
}

#[tokio::test]
async fn whoever_asks_for_more_than_there_may_be_is_given_that() {
    let api = Api::start().await;
    for path in ["/ojs/v1/jobs", "/ojs/v1/dead-letter"] {
        let page = api.get(&format!("{path}?limit=99999")).await.json();
        assert_eq!(page["pagination"]["limit"], 1000, "{path}");
    }
    assert_eq!(api.get("/ojs/v1/events?limit=99999").await.status, 200);
}

#[tokio::test]
async fn what_is_wrong_with_a_list_is_named() {
    let api = Api::start().await;
    for (query, field) in [
        ("state=gone", "state"),
        ("queue=No%20Queue", "queue"),
        ("type=NO", "type"),
        ("limit=0", "limit"),
        ("cursor=nonsense", "cursor"),
    ] {
        api.get(&format!("/ojs/v1/jobs?{query}")).await.refused(400, "invalid_request", Some(field));
    }
}
