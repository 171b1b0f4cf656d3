//! Every metric of the table is emitted by the programs that say so.

use std::time::Duration;

use carillon_scheduler::grpc::proto::ManifestRequest;
use carillon_scheduler::grpc::proto::ojs_service_client::OjsServiceClient;
use carillon_shared::telemetry::METRICS;
use carillon_tests::process::{Process, on_a_free_port, scheduler, worker};
use carillon_tests::redis::{Server, namespace};
use carillon_tests::wait::{until, within};
use serde_json::{Value, json};
use tonic::transport::Endpoint;

/// The address that a program says it listens on, under this name.
async fn address(process: &Process, name: &str) -> String {
    let line = process.printed(name).await;
    let rest = line.split(&format!("{name}=")).nth(1).and_then(|rest| rest.split_whitespace().next());
    rest.expect("a value").trim_matches('"').to_owned()
}

/// Scrapes an endpoint; nothing while it does not answer.
async fn scrape(url: &str) -> String {
    match reqwest::get(url).await {
        Ok(answer) => answer.text().await.unwrap_or_default(),
        Err(_) => String::new(),
    }
}

fn has_sample(text: &str, name: &str) -> bool {
    let begins = |line: &str| {
        let rest = line.strip_prefix(name).unwrap_or_default();
        ["{", " ", "_bucket", "_count"].iter().any(|next| rest.starts_with(next))
    };
    text.lines().any(begins)
}

#[tokio::test]
async fn every_metric_is_emitted() {
    let mut redis = Server::dedicated();
    let namespace = namespace();
    let common = ["--redis-url".to_owned(), redis.url(), "--namespace".to_owned(), namespace.to_string()];
    let schedules = tempfile::tempdir().expect("a directory");
    let mut serve = scheduler();
    serve
        .args(["serve", "--leader-ttl", "3s", "--retention-completed", "1s", "--port", "0", "--grpc-port", "0"])
        .args(["--redis-timeout", "20s", "--schedules"])
        .arg(schedules.path())
        .args(&common);
    let scheduler = Process::start(&serve);
    let (worker, prometheus) = on_a_free_port("ready", |port| {
        let mut work = worker();
        work.args(["--lease", "2s", "--metrics-addr", &format!("127.0.0.1:{port}")]).args(&common);
        work
    })
    .await;
    scheduler.printed("leading").await;
    let (api, grpc) = (address(&scheduler, "http.address").await, address(&scheduler, "grpc.address").await);

    let endpoint = Endpoint::from_shared(format!("http://{grpc}")).expect("an address");
    let channel = endpoint.connect().await.expect("gRPC is served");
    OjsServiceClient::new(channel).manifest(ManifestRequest {}).await.expect("the scheduler answers");
    let (http, base) = (reqwest::Client::new(), format!("http://{api}/ojs/v1"));
    let post = async |path: &str, body: Value| {
        let answer = http.post(format!("{base}{path}")).json(&body).send().await.expect("the scheduler answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap_or_default());
        answer.json::<Value>().await.expect("JSON")
    };
    let following = http.get(format!("{base}/events/stream")).send().await.expect("events are streamed");
    post("/cron", json!({"name": "tick", "cron": "* * * * * *", "type": "sleep", "args": [1500]})).await;
    post("/jobs", json!({"type": "nobody.knows", "args": []})).await;
    let mut producer = redis.connection().await;
    for item in [r#"{"type":"echo","args":[1]}"#, "not a job"] {
        let push = redis::cmd("RPUSH").arg(format!("{namespace}:inbox")).arg(item).to_owned();
        push.query_async::<i64>(&mut producer).await.expect("Redis is there");
    }
    // What is no entry at all.
    let broken = redis::pipe()
        .cmd("SET")
        .arg(format!("{namespace}:{{p00}}:cron:broken"))
        .arg("{")
        .ignore()
        .cmd("ZADD")
        .arg(format!("{namespace}:{{p00}}:crons"))
        .arg(1)
        .arg("broken")
        .ignore()
        .to_owned();
    broken.exec_async(&mut producer).await.expect("Redis is there");
    // A worker that is frozen past its lease loses the job, and hears of it when it wakes.
    let id = post("/jobs", json!({"type": "sleep", "args": [20_000]})).await["job"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let state = async || {
        let answer = http.get(format!("{base}/jobs/{id}")).send().await.ok()?;
        answer.json::<Value>().await.ok()?["job"]["state"].as_str().map(str::to_owned)
    };
    until("the job to run", async || state().await.as_deref() == Some("active")).await;
    worker.freeze();
    until("the job to be taken back", async || state().await.as_deref() == Some("available")).await;
    worker.thaw();

    let missing = async || {
        let texts =
            [scrape(&format!("http://{api}/metrics")).await, scrape(&format!("http://127.0.0.1:{prometheus}/")).await];
        let absent = |name: &str| !texts.iter().any(|text| has_sample(text, name));
        METRICS.iter().map(|metric| metric.name).filter(|name| absent(name)).collect::<Vec<_>>()
    };
    // A freeze may count as a failure already.
    let all_but = |those: Vec<&str>| those.iter().all(|name| *name == "carillon_redis_errors_total");
    if within(Duration::from_secs(120), async || all_but(missing().await).then_some(())).await.is_none() {
        panic!("never emitted: {:?}", missing().await);
    }
    redis.kill();
    redis.restart();
    until("the failures to be counted", async || missing().await.is_empty()).await;
    drop(following);
}
