//! The program `carillon-worker`: killed, frozen, stopped, and running commands.

use std::path::{Path, PathBuf};
use std::process::Command;

use carillon_shared::job::JobState;
use carillon_tests::process::{Process, on_a_free_port, worker};
use carillon_tests::redis::shared;
use carillon_tests::wait::{until, until_some};
use serde_json::json;

use crate::stage::Stage;

/// The program on this stage, ready for more flags.
pub(crate) fn program(stage: &Stage, id: &str) -> Command {
    leasing(stage, id, "60s")
}

/// The same, with a lease so short that a test waits for its end.
fn doomed(stage: &Stage, id: &str) -> Command {
    leasing(stage, id, "2s")
}

fn leasing(stage: &Stage, id: &str, lease: &str) -> Command {
    let mut command = worker();
    command.args(["--redis-url", &shared().url(), "--namespace", stage.options.namespace.as_str()]);
    command.args(["--worker-id", id, "--metrics-addr", "off", "--poll-interval", "50ms", "--lease", lease]);
    command
}

/// A worker that ends every job of the type `wait` at once.
fn heir(stage: &Stage, directory: &Path) -> Process {
    let file = handlers(directory, "heir", "[handlers.wait]\nbuiltin = 'echo'\n");
    Process::start(program(stage, "heir").args(["--handlers", &file.to_string_lossy()]))
}

/// Handlers by which a job of the type `wait` runs until the file `go` is there; `go.begun` says that it runs.
fn waiting(directory: &Path, go: &Path) -> PathBuf {
    let script = r#": > "$GO.begun"; while [ ! -e "$GO" ]; do sleep 0.05; done"#;
    let text =
        format!("[handlers.wait]\ncommand = ['sh', '-c', '''{script}''']\nenv = {{ GO = '{}' }}\n", go.display());
    handlers(directory, "waiting", &text)
}

#[tokio::test]
async fn the_job_of_a_killed_worker_is_finished_by_another() {
    let (stage, directory) = (Stage::new().await, tempfile::tempdir().expect("a directory"));
    let file = handlers(directory.path(), "doomed", "[handlers.wait]\nbuiltin = 'sleep'\n");
    let mut doomed = Process::start(doomed(&stage, "doomed").args(["--handlers", &file.to_string_lossy()]));
    let id = stage.enqueue(&json!({"type": "wait", "args": [{"seconds": 3600}]})).await;
    stage.job_in(id, JobState::Active).await;
    doomed.kill();
    let _reclaimer = stage.reclaimer();
    let _heir = heir(&stage, directory.path());
    let job = stage.job_in(id, JobState::Completed).await;
    assert_eq!((job.record.worker.as_deref(), job.record.attempt, job.record.crashes), (Some("heir"), 2, 1));
}

#[tokio::test]
async fn a_frozen_worker_that_comes_back_late_ends_nothing() {
    let (stage, directory) = (Stage::new().await, tempfile::tempdir().expect("a directory"));
    let go = directory.path().join("go");
    let file = waiting(directory.path(), &go);
    let frozen = Process::start(doomed(&stage, "frozen").args(["--handlers", &file.to_string_lossy()]));
    let id = stage.enqueue(&json!({"type": "wait", "args": []})).await;
    stage.job_in(id, JobState::Active).await;
    frozen.freeze();
    let _reclaimer = stage.reclaimer();
    let _heir = heir(&stage, directory.path());
    let job = stage.job_in(id, JobState::Completed).await;
    std::fs::write(&go, "").expect("a temporary directory takes a file");
    frozen.thaw();
    // Its handler ends as it thaws. Either it notices first that the lease is over, or it reports an end that is refused.
    until("the frozen worker to notice", async || {
        let output = frozen.output();
        output.contains("nothing is reported") || output.contains("the end came too late")
    })
    .await;
    assert_eq!(job.record.worker.as_deref(), Some("heir"));
    assert_eq!(stage.job(id).await, job, "nothing has changed since");
}

#[tokio::test]
async fn sigterm_lets_running_jobs_end_and_the_program_ends_well() {
    let (stage, directory) = (Stage::new().await, tempfile::tempdir().expect("a directory"));
    let go = directory.path().join("go");
    let file = waiting(directory.path(), &go);
    let mut process = Process::start(program(&stage, "draining").args(["--handlers", &file.to_string_lossy()]));
    let id = stage.enqueue(&json!({"type": "wait", "args": []})).await;
    // A job that is claimed and has not begun is given back.
    until("the command to run", async || directory.path().join("go.begun").exists()).await;
    process.terminate();
    process.printed("no more jobs are claimed").await;
    std::fs::write(&go, "").expect("a temporary directory takes a file");
    assert_eq!(process.ended().await.code(), Some(0));
    assert_eq!(stage.job(id).await.record.state, JobState::Completed);
    for phase in ["the worker is ready", "received SIGTERM", "no more jobs are claimed", "stopped"] {
        assert!(process.output().contains(phase), "{phase} in {}", process.output());
    }
}

#[tokio::test]
async fn a_second_signal_gives_running_jobs_back_at_once() {
    let stage = Stage::new().await;
    let mut process = Process::start(&program(&stage, "hurried"));
    let id = stage.enqueue(&json!({"type": "sleep", "args": [{"seconds": 600}]})).await;
    stage.job_in(id, JobState::Active).await;
    process.interrupt();
    process.printed("received SIGINT").await;
    process.interrupt();
    assert_eq!(process.ended().await.code(), Some(0));
    let record = stage.job(id).await.record;
    assert_eq!((record.state, record.attempt), (JobState::Available, 0));
}

/// A command that notes its own number and that of a child, then waits.
const FAMILY: &str = r#"sleep 600 & echo $$ $! > "$NOTES.new" && mv "$NOTES.new" "$NOTES"; wait"#;

fn handlers(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(format!("{name}.toml"));
    std::fs::write(&path, text).expect("a temporary directory takes a file");
    path
}

/// A worker whose type `family` runs a command with a child, and the numbers of both once it runs.
async fn family(stage: &Stage, directory: &Path) -> (Process, carillon_shared::id::JobId, Vec<u32>) {
    let notes = directory.join("notes");
    let text = format!(
        "[handlers.family]\ncommand = ['sh', '-c', '''{FAMILY}''']\nenv = {{ NOTES = '{}' }}\n",
        notes.display()
    );
    let file = handlers(directory, "family", &text);
    let process =
        Process::start(program(stage, "parent").args(["--handlers", &file.to_string_lossy(), "--grace", "1s"]));
    let id = stage.enqueue(&json!({"type": "family", "args": []})).await;
    let numbers = until_some("the command to run", async || std::fs::read_to_string(&notes).ok()).await;
    let numbers = numbers.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    (process, id, numbers)
}

async fn until_gone(numbers: &[u32]) {
    until("the whole group to end", async || numbers.iter().all(|number| !runs(*number))).await;
}

/// An orphan that nobody waits for is a zombie, which no longer runs.
fn runs(number: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{number}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_cancelled_command_ends_with_all_its_children() {
    let (stage, directory) = (Stage::new().await, tempfile::tempdir().expect("a directory"));
    let (_process, id, numbers) = family(&stage, directory.path()).await;
    assert!(numbers.iter().all(|number| runs(*number)));
    stage.store.cancel(id, "test", "").await.expect("Redis is there");
    until_gone(&numbers).await;
}

#[tokio::test]
async fn a_worker_that_ends_takes_its_commands_along_and_gives_their_jobs_back() {
    let (stage, directory) = (Stage::new().await, tempfile::tempdir().expect("a directory"));
    let (mut process, id, numbers) = family(&stage, directory.path()).await;
    process.terminate();
    assert_eq!(process.ended().await.code(), Some(0));
    until_gone(&numbers).await;
    let record = stage.job(id).await.record;
    assert_eq!((record.state, record.attempt), (JobState::Available, 0));
}

#[tokio::test]
async fn the_commands_of_a_worker_that_is_killed_end_with_it() {
    let (stage, directory) = (Stage::new().await, tempfile::tempdir().expect("a directory"));
    let (mut process, _, numbers) = family(&stage, directory.path()).await;
    assert!(numbers.iter().all(|number| runs(*number)));
    process.kill();
    until_gone(&numbers).await;
}

#[tokio::test]
async fn commands_run_jobs_from_end_to_end() {
    let (stage, directory) = (Stage::new().await, tempfile::tempdir().expect("a directory"));
    let file = handlers(
        directory.path(),
        "commander",
        r#"
        [handlers."mirror"]
        command = ["cat"]
        [handlers."broken"]
        command = ["sh", "-c", "echo sorry >&2; exit 65"]
        permanent_on = [65]
        [handlers."slow"]
        command = ["sleep", "600"]
        timeout = "100ms"
        "#,
    );
    let _process = Process::start(program(&stage, "commander").args(["--handlers", &file.to_string_lossy()]));
    let mirror = stage.enqueue(&json!({"type": "mirror", "args": [1], "meta": {"x": 1}})).await;
    let result = stage.job_in(mirror, JobState::Completed).await.result.expect("a result");
    assert_eq!((&result["id"], &result["args"], &result["meta"]["x"]), (&json!(mirror), &json!([1]), &json!(1)));
    let broken = stage.enqueue(&json!({"type": "broken", "args": []})).await;
    let error = stage.job_in(broken, JobState::Discarded).await.errors[0].clone();
    assert_eq!((&error["code"], &error["details"]["exit_code"]), (&json!("command_failed"), &json!(65)));
    assert!(error["message"].as_str().is_some_and(|message| message.ends_with(": sorry")), "{error}");
    let slow = stage.enqueue(&json!({"type": "slow", "args": [], "retry": {"max_attempts": 1}})).await;
    assert_eq!(stage.job_in(slow, JobState::Discarded).await.errors[0]["code"], "timeout");
}

#[tokio::test]
async fn each_metric_of_a_worker_is_served() {
    let stage = Stage::new().await;
    let (_process, port) = on_a_free_port("the worker is ready", |port| {
        let mut command = worker();
        command.args(["--redis-url", &shared().url(), "--namespace", stage.options.namespace.as_str()]);
        command.args(["--lease", "2s", "--metrics-addr", &format!("127.0.0.1:{port}")]);
        command
    })
    .await;
    for job in [json!({"type": "echo", "args": []}), json!({"type": "nobody.knows", "args": []})] {
        stage.enqueue(&job).await;
    }
    // Without a number: the job that is given back is claimed again a second later, so these grow.
    let served = [
        "carillon_jobs_claimed_total{queue=\"default\"} ",
        "carillon_jobs_ended_total{queue=\"default\",outcome=\"completed\"} 1",
        "carillon_jobs_ended_total{queue=\"default\",outcome=\"returned\"} ",
        "carillon_job_run_seconds_count{queue=\"default\",type=\"echo\"} 1",
        "carillon_job_wait_seconds_count{queue=\"default\"} ",
        "carillon_jobs_unhandled_total{type=\"nobody.knows\"} ",
        "carillon_heartbeats_total{result=\"ok\"}",
        "carillon_worker_slots{state=\"free\"} 10",
        "carillon_redis_call_seconds_count{script=\"claim\"}",
    ];
    let scrape = async || reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.ok()?.text().await.ok();
    until("all metrics to be served", async || {
        let text = scrape().await.unwrap_or_default();
        served.iter().all(|line| text.contains(line))
    })
    .await;
}
