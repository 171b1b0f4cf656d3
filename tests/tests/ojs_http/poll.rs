//! Workers that wait for jobs.

use std::time::{Duration, Instant};

use carillon_tests::redis::Server;
use carillon_tests::wait::until;
use futures::{Stream, StreamExt as _};
use serde_json::{Value, json};

use crate::client::Api;
use crate::stage::until_state;

/// What a waiting fetch may take to hear of a job: far less than until it looks by itself, which it does once a second.
const WOKEN_WITHIN: Duration = Duration::from_millis(500);
/// One of so many is in time, unless the machine stands still in each.
const ROUNDS: usize = 10;
/// What is answered at once, or when its time is over, and not after half a minute.
const SOON: Duration = Duration::from_secs(20);

fn waiting(queues: &[&str]) -> Value {
    json!({"queues": queues, "wait_ms": 30_000})
}

/// The commands that a server carries out from now on.
async fn commands(server: &Server) -> impl Stream<Item = String> + Unpin {
    let client = redis::Client::open(server.url()).expect("our own address is valid");
    let monitor = client.get_async_monitor().await.expect("the server answers");
    Box::pin(monitor.into_on_message())
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
    let mut waited = Vec::new();
    for round in 0..ROUNDS {
        let wish = waiting(&["idle", "mail"]);
        let mut commands = commands(&server).await;
        let fetch = async { (api.post("/ojs/v1/workers/fetch", &wish).await, Instant::now()) };
        let enqueue = async {
            // It has just looked, and begins to wait.
            while !commands.next().await.expect("the server goes on").contains("\"BLPOP\"") {}
            let sent = Instant::now();
            api.job(&json!({"type": "echo", "args": [round], "queue": "mail"})).await;
            sent
        };
        let ((answer, woken), sent) = tokio::join!(fetch, enqueue);
        assert_eq!(answer.json()["jobs"][0]["args"], json!([round]));
        waited.push(woken.duration_since(sent));
        if waited.last().is_some_and(|waited| *waited < WOKEN_WITHIN) {
            return;
        }
    }
    panic!("nobody was woken: {waited:?}");
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
    assert!(started.elapsed() < SOON);
}

#[tokio::test]
async fn a_wait_ends_with_its_time_and_then_says_that_there_is_nothing() {
    let api = Api::start().await;
    let started = Instant::now();
    let answer = api.post("/ojs/v1/workers/fetch", &json!({"queues": ["default"], "wait_ms": 300})).await;
    assert_eq!(answer.json(), json!({"jobs": []}));
    assert!((Duration::from_millis(300)..SOON).contains(&started.elapsed()));
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
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[tokio::test]
async fn one_job_goes_to_one_of_many_that_wait() {
    let api = Api::start().await;
    let wish = waiting(&["default"]);
    let fetch = || crate::client::answer(api.request("POST", "/ojs/v1/workers/fetch").json(&wish));
    let fetches = futures::future::join_all((0..10).map(|_| fetch()));
    let enqueue = async {
        let id = api.job(&json!({"type": "echo", "args": []})).await;
        until_state(&api, &id, "active").await;
        // The others wait for nothing more.
        api.app.stop().await;
    };
    let (answers, ()) = tokio::join!(fetches, enqueue);
    let handed: usize = answers.iter().map(|answer| answer.json()["jobs"].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(handed, 1);
}
