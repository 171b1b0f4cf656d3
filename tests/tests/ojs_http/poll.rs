//! Workers that wait for jobs.

use std::time::{Duration, Instant};

use carillon_tests::redis::Server;
use carillon_tests::wait::until;
use serde_json::{Value, json};

use crate::client::Api;

/// What a waiting fetch may take to hear of a job.
const WOKEN_WITHIN: Duration = Duration::from_millis(50);
const ROUNDS: usize = 5;

fn waiting(queues: &[&str]) -> Value {
    json!({"queues": queues, "wait_ms": 30_000})
}

/// Waits until somebody listens to a bell; the server is the test's own.
async fn until_listening(server: &Server) {
    let connection = server.connection().await;
    until("a fetch to wait", async || {
        let clients: String =
            redis::cmd("CLIENT").arg("LIST").query_async(&mut connection.clone()).await.expect("a list");
        clients.contains("cmd=blpop")
    })
    .await;
}

#[tokio::test]
async fn a_waiting_worker_is_woken_by_the_next_job() {
    let server = Server::start(&["--appendonly", "no"]);
    let api = Api::with(&server.url(), &[]).await;
    let mut fastest = Duration::MAX;
    for round in 0..ROUNDS {
        let wish = waiting(&["idle", "mail"]);
        let fetch = async { (api.post("/ojs/v1/workers/fetch", &wish).await, Instant::now()) };
        let enqueue = async {
            until_listening(&server).await;
            let sent = Instant::now();
            api.job(&json!({"type": "echo", "args": [round], "queue": "mail"})).await;
            sent
        };
        let ((answer, woken), sent) = tokio::join!(fetch, enqueue);
        assert_eq!(answer.json()["jobs"][0]["args"], json!([round]));
        fastest = fastest.min(woken.duration_since(sent));
    }
    assert!(fastest < WOKEN_WITHIN, "the fastest of {ROUNDS} took {fastest:?}");
}

#[tokio::test]
async fn a_waiting_worker_is_woken_by_a_job_that_becomes_due() {
    let server = Server::start(&["--appendonly", "no"]);
    let api = Api::with(&server.url(), &[]).await;
    let wish = waiting(&["default"]);
    let enqueue = async {
        until_listening(&server).await;
        api.job(&json!({"type": "echo", "args": [], "delay": "PT0.3S"})).await
    };
    let (answer, id) = tokio::join!(api.post("/ojs/v1/workers/fetch", &wish), enqueue);
    assert_eq!(answer.json()["jobs"][0]["id"].as_str(), Some(id.as_str()));
}

#[tokio::test]
async fn who_does_not_say_that_it_waits_is_answered_at_once() {
    let api = Api::start().await;
    let started = Instant::now();
    let answer = api.post("/ojs/v1/workers/fetch", &json!({"queues": ["default"]})).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"jobs": []})));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_wait_ends_with_its_time_and_then_says_that_there_is_nothing() {
    let api = Api::start().await;
    let started = Instant::now();
    let answer = api.post("/ojs/v1/workers/fetch", &json!({"queues": ["default"], "wait_ms": 300})).await;
    assert_eq!(answer.json(), json!({"jobs": []}));
    assert!((Duration::from_millis(300)..Duration::from_secs(10)).contains(&started.elapsed()));
}

#[tokio::test]
async fn a_wait_ends_when_the_server_stops() {
    let server = Server::start(&["--appendonly", "no"]);
    let api = Api::with(&server.url(), &[]).await;
    let request = api.request("POST", "/ojs/v1/workers/fetch").json(&waiting(&["default"]));
    let stop = async {
        until_listening(&server).await;
        api.app.stop().await;
    };
    let started = Instant::now();
    let (answer, ()) = tokio::join!(crate::client::answer(request), stop);
    assert_eq!(answer.json(), json!({"jobs": []}));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn one_job_goes_to_one_of_many_that_wait() {
    let api = Api::start().await;
    let wish = json!({"queues": ["default"], "wait_ms": 700});
    let fetches = futures::future::join_all((0..10).map(|_| api.post("/ojs/v1/workers/fetch", &wish)));
    let echo = json!({"type": "echo", "args": []});
    let (answers, _) = tokio::join!(fetches, api.job(&echo));
    let handed: usize = answers.iter().map(|answer| answer.json()["jobs"].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(handed, 1);
}
