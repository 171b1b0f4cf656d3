//! Real Redis clients of other languages produce through the inbox and hear the events.

use std::path::{Path, PathBuf};
use std::process::Command;

use carillon_tests::process::{Process, scheduler};
use carillon_tests::redis::{namespace, shared};
use serde_json::{Value, json};

/// Where the clients' packages are installed, once.
fn packages(language: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(language)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name)
}

/// Runs a program; `None` when it is not there or fails, with what it said.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    if output.status.success() {
        return Some(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    eprintln!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    None
}

/// Pushes two good jobs, a bad one and a third, and checks what the client heard.
async fn produces_and_hears(client: &mut Command) {
    let namespace = namespace();
    let mut serve = scheduler();
    serve.args(["serve", "--port", "0", "--redis-url", &shared().url(), "--namespace", namespace.as_str()]);
    let scheduler = Process::start(&serve);
    let job = |n: i64| {
        json!({"type": "echo", "args": [n, {"big": 9_007_199_254_740_993_i64}], "queue": "polyglot"}).to_string()
    };
    let jobs = json!([job(1), job(2), "{\"type\": \"echo\"", job(3)]);
    client.args([shared().url(), namespace.to_string(), jobs.to_string()]);
    let heard = output(client).expect("the client hears an event for each job");
    let events: Vec<Value> = heard.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().expect("a type")).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["inbox.rejected", "job.enqueued", "job.enqueued", "job.enqueued"]);
    let rejected = events.iter().find(|event| event["type"] == "inbox.rejected").expect("told");
    assert!(rejected["data"]["reason"].as_str().is_some_and(|reason| reason.contains("JSON")), "{rejected}");
    let queue = events.iter().find(|event| event["type"] == "job.enqueued").expect("told");
    assert_eq!(queue["data"]["queue"], "polyglot");
    drop(scheduler);
}

#[tokio::test]
async fn a_python_program_produces_and_hears() {
    let home = packages("python");
    let mut install = Command::new("python3");
    install
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"])
        .arg(&home)
        .arg("redis");
    if !home.join("redis").exists() && output(&mut install).is_none() {
        eprintln!("SKIPPED: python3 with pip is not here, so the Python client is not tested");
        return;
    }
    produces_and_hears(Command::new("python3").env("PYTHONPATH", &home).arg(script("client.py"))).await;
}

#[tokio::test]
async fn a_node_program_produces_and_hears() {
    let home = packages("node");
    std::fs::create_dir_all(&home).expect("the target directory can be written");
    let mut install = Command::new("npm");
    install.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(&home).arg("ioredis");
    if !home.join("node_modules/ioredis").exists() && output(&mut install).is_none() {
        eprintln!("SKIPPED: node with npm is not here, so the Node client is not tested");
        return;
    }
    produces_and_hears(Command::new("node").env("NODE_PATH", home.join("node_modules")).arg(script("client.js"))).await;
}
