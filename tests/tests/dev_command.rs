//! `carillon-scheduler dev`: everything in one command, and nothing left of it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use carillon_tests::process::{Process, alive, scheduler};
use carillon_tests::redis::{namespace, shared};
use carillon_tests::wait::{until, until_some};
use serde_json::{Value, json};
use tempfile::TempDir;

fn dev(directory: &Path, flags: &[&str]) -> Command {
    let mut command = scheduler();
    // Ports that other tests may want are left to them.
    command.arg("dev").args(["--port", "0"]).args(flags).current_dir(directory).env("CARILLON_METRICS_ADDR", "off");
    // A machine that stands still for a moment is no Redis that is away.
    command.env("CARILLON_REDIS_TIMEOUT", "20s");
    command
}

fn directory() -> TempDir {
    tempfile::Builder::new().prefix("carillon-dev-").tempdir().expect("a temporary directory")
}

/// What the banner says under a name.
async fn said(process: &Process, name: &str) -> String {
    let line = process.printed(&format!("  {name} ")).await;
    line.trim_start().trim_start_matches(name).split_whitespace().next().expect("a value").to_owned()
}

async fn get(url: &str) -> Value {
    let answer = reqwest::get(url).await.expect("an answer").text().await.expect("text");
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error} in {answer}"))
}

fn pid_in(path: &Path) -> u32 {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.split_whitespace().next().expect("a number").parse().expect("a number")
}

fn runs(pid: u32) -> bool {
    // One that nobody has waited for yet has ended all the same.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    alive(pid) && !stat.contains(") Z ")
}

/// Whether somebody has the port of this address.
fn is_taken(url: &str) -> bool {
    TcpListener::bind(url.trim_start_matches("redis://")).is_err()
}

/// The processes beside the scheduler: the worker and Redis.
fn others(directory: &Path, redis: &str) -> [u32; 2] {
    let data = directory.join(".carillon");
    let port = redis.rsplit(':').next().expect("a port");
    [pid_in(&data.join("worker.pid")), pid_in(&data.join(format!("redis/node-{port}/redis.pid")))]
}

#[tokio::test]
async fn it_rings_stops_in_order_and_finds_its_data_again() {
    let directory = directory();
    let mut first = Process::start(&dev(directory.path(), &[]));
    let (api, redis) = (said(&first, "HTTP API").await, said(&first, "Redis").await);
    first.printed("job.completed").await;
    let entries = get(&format!("{api}/ojs/v1/cron")).await;
    assert_eq!(entries["count"], 6, "{entries}");
    let pause =
        reqwest::Client::new().post(format!("{api}/ojs/v1/cron/cache-cleanup/pause")).send().await.expect("an answer");
    assert_eq!(pause.status(), 200);
    let runs_before = get(&format!("{api}/ojs/v1/cron/heartbeat-tick")).await["run_count"].as_u64().expect("a number");
    let others = others(directory.path(), &redis);
    assert!(others.iter().all(|pid| runs(*pid)));

    first.interrupt();
    assert!(first.ended().await.success(), "{}", first.output());
    let output = first.output();
    let steps =
        ["the worker finishes", "the scheduler hands over", "Redis writes its data"].map(|step| output.find(step));
    assert!(steps.iter().all(Option::is_some) && steps.is_sorted(), "{output}");
    assert!(!others.iter().any(|pid| runs(*pid)), "{output}");
    drop(first);

    let mut second = Process::start(&dev(directory.path(), &[]));
    let (api, again) = (said(&second, "HTTP API").await, said(&second, "Redis").await);
    assert!(again == redis || is_taken(&redis), "the port is the same while it is free: {redis}, then {again}");
    assert_eq!(get(&format!("{api}/ojs/v1/cron/cache-cleanup")).await["paused"], true, "what was paused stays so");
    assert!(get(&format!("{api}/ojs/v1/cron/heartbeat-tick")).await["run_count"].as_u64() >= Some(runs_before));
    second.terminate();
    assert!(second.ended().await.success(), "{}", second.output());
}

#[tokio::test]
async fn a_second_one_on_the_same_data_is_refused() {
    let directory = directory();
    let mut first = Process::start(&dev(directory.path(), &[]));
    first.printed("Events as they happen").await;
    let mut second = Process::start(&dev(directory.path(), &[]));
    assert_eq!(second.ended().await.code(), Some(69));
    second.printed(&format!("(process {})", first.pid())).await;
    let elsewhere = directory.path().join("elsewhere");
    let mut third = Process::start(&dev(directory.path(), &["--data", elsewhere.to_str().expect("UTF-8")]));
    third.printed("Events as they happen").await;
    for process in [&mut first, &mut third] {
        process.interrupt();
        assert!(process.ended().await.success(), "{}", process.output());
    }
}

#[tokio::test]
async fn what_a_killed_one_left_behind_is_stopped_by_the_next() {
    let directory = directory();
    let mut first = Process::start(&dev(directory.path(), &[]));
    let redis = said(&first, "Redis").await;
    first.printed("job.completed").await;
    let left = others(directory.path(), &redis);
    first.kill();
    assert!(left.iter().all(|pid| runs(*pid)), "nobody told them");
    let mut second = Process::start(&dev(directory.path(), &[]));
    second.printed("job.completed").await;
    assert!(!left.iter().any(|pid| runs(*pid)), "{}", second.output());
    second.interrupt();
    assert!(second.ended().await.success(), "{}", second.output());
}

#[tokio::test]
async fn a_worker_that_dies_is_started_again_and_a_redis_that_dies_ends_it_all() {
    let directory = directory();
    let mut process = Process::start(&dev(directory.path(), &[]));
    let redis = said(&process, "Redis").await;
    process.printed("job.completed").await;
    let [worker, redis_pid] = others(directory.path(), &redis);
    kill(worker);
    process.printed("the worker ended").await;
    let line = process.printed("the worker runs again").await;
    assert!(!line.contains(&worker.to_string()), "{line}");
    let [worker, _] = others(directory.path(), &redis);
    kill(redis_pid);
    assert_eq!(process.ended().await.code(), Some(69), "{}", process.output());
    assert!(process.output().contains("Redis (process"), "{}", process.output());
    until("the worker to end", async || !runs(worker)).await;
}

#[tokio::test]
async fn a_redis_that_is_named_is_used_and_none_is_started() {
    let (directory, name) = (directory(), namespace().to_string());
    let mut command = dev(directory.path(), &["--namespace", &name]);
    command.env("REDIS_URL", shared().url());
    let mut process = Process::start(&command);
    let api = said(&process, "HTTP API").await;
    process.printed("job.completed").await;
    assert!(!directory.path().join(".carillon/redis").exists());
    let mut connection = shared().connection().await;
    let job = json!({"type": "echo", "args": ["from the inbox"]}).to_string();
    let _: i64 =
        redis::cmd("RPUSH").arg(format!("{name}:inbox")).arg(job).query_async(&mut connection).await.expect("a push");
    process.printed("from the inbox").await;
    until_some("the worker", async || (get(&format!("{api}/ojs/v1/workers")).await["count"] == 1).then_some(())).await;
    process.interrupt();
    assert!(process.ended().await.success(), "{}", process.output());
}

#[tokio::test]
async fn the_lines_to_try_work_as_they_are_printed() {
    let directory = directory();
    let mut process = Process::start(&dev(directory.path(), &[]));
    process.printed("Events as they happen").await;
    let output = process.output();
    let lines: Vec<_> = output
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("curl ") || line.starts_with("redis-cli "))
        .collect();
    assert_eq!(lines.len(), 5, "{output}");
    for line in lines {
        let ran = Command::new("sh").args(["-c", line]).output();
        let ran = ran.expect("a shell");
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(ran.status.success() && !said.contains("error\":"), "{line}: {said}");
    }
    process.printed("→ [\"hello\"]").await;
    process.printed("→ [\"from the inbox\"]").await;
    process.interrupt();
    assert!(process.ended().await.success(), "{}", process.output());
}

fn kill(pid: u32) {
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill exists");
    assert!(killed.success());
}
