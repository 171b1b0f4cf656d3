//! What programs say of the Redis they are given, and which they refuse.

use carillon_tests::process::{Process, scheduler, worker};
use carillon_tests::redis::{Server, namespace};
use serde_json::Value;

const SERVE: [&str; 5] = ["serve", "--port", "0", "--grpc-port", "off"];

fn evicting() -> Server {
    Server::start(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--appendonly", "yes"])
}

#[tokio::test]
async fn a_redis_that_evicts_jobs_is_refused_unless_one_insists() {
    let server = evicting();
    let reason = "maxmemory-policy allkeys-lru evicts jobs and cron entries when memory is full: set noeviction";
    for mut program in [scheduler(), worker()] {
        if program.get_program().to_string_lossy().contains("scheduler") {
            program.args(SERVE);
        }
        let mut process = Process::start(program.args(["--redis-url", &server.url()]));
        process.printed(&format!("this Redis will not do: {reason}")).await;
        assert_eq!(process.ended().await.code(), Some(78));
    }
    let insisting = ["--redis-url", &server.url(), "--redis-check", "warn"];
    let serve = Process::start(scheduler().args(SERVE).args(insisting));
    serve.printed(reason).await;
    serve.printed("leading").await;
    let running = Process::start(worker().args(["--metrics-addr", "off"]).args(insisting));
    running.printed("the worker is ready").await;
}

#[tokio::test]
async fn a_redis_that_keeps_nothing_is_warned_of_and_used() {
    let server = Server::start(&["--appendonly", "no"]);
    let serve = Process::start(scheduler().args(SERVE).args(["--redis-url", &server.url()]));
    let line = serve.printed("Redis persistence").await;
    assert!(line.contains("WARN") && line.contains("a restart of Redis forgets every job"), "{line}");
    serve.printed("leading").await;
}

#[tokio::test]
async fn every_finding_of_a_good_redis_is_one_line_at_info() {
    let server = Server::dedicated();
    let serve = Process::start(scheduler().args(SERVE).args(["--redis-url", &server.url()]));
    serve.printed("leading").await;
    for subject in ["version", "memory", "persistence", "clock", "rights"] {
        let output = serve.output();
        let lines: Vec<_> = output.lines().filter(|line| line.contains(&format!("Redis {subject}:"))).collect();
        assert!(lines.len() == 1 && lines[0].contains("INFO"), "{subject}: {lines:?}");
    }
}

#[tokio::test]
async fn check_prints_a_table_and_its_exit_code_is_the_answer() {
    let good = Server::dedicated();
    let mut check = Process::start(scheduler().args(["check", "--redis-url", &good.url()]));
    check.printed("append-only file").await;
    assert_eq!(check.ended().await.code(), Some(0));
    let output = check.output();
    assert!(output.lines().next().is_some_and(|line| line.starts_with("SERVER")), "{output}");

    let bad = evicting();
    let mut check = Process::start(scheduler().args(["check", "--format", "json", "--redis-url", &bad.url()]));
    assert_eq!(check.ended().await.code(), Some(78));
    let found: Value = serde_json::from_str(&check.output()).expect("JSON");
    let memory =
        found.as_array().expect("a list").iter().find(|finding| finding["subject"] == "memory").expect("memory");
    assert_eq!(
        (memory["grade"].as_str(), memory["server"].as_str()),
        (Some("refused"), Some(bad.url()[8..].trim_end_matches('/')))
    );
}

#[tokio::test]
async fn another_number_of_partitions_is_refused_with_both_numbers() {
    let (server, namespace) = (Server::dedicated(), namespace());
    let with = |partitions: &str| {
        let mut check = scheduler();
        check.args([
            "check",
            "--redis-url",
            &server.url(),
            "--namespace",
            namespace.as_str(),
            "--partitions",
            partitions,
        ]);
        Process::start(&check)
    };
    assert_eq!(with("2").ended().await.code(), Some(0));
    let mut mismatch = with("3");
    mismatch.printed("was set up with 2 partitions, but this process is configured for 3").await;
    assert_eq!(mismatch.ended().await.code(), Some(78));
}

#[tokio::test]
async fn what_is_written_in_another_format_is_refused_and_not_touched() {
    let (server, namespace) = (Server::dedicated(), namespace());
    let url = server.url();
    let check = || {
        let mut check = scheduler();
        check.args(["check", "--redis-url", &url, "--namespace", namespace.as_str()]);
        Process::start(&check)
    };
    let mut connection = server.connection().await;
    let mut meta = async |command: &str, words: &[&str]| {
        let mut command = redis::cmd(command);
        command.arg(format!("{namespace}:meta")).arg(words);
        command.exec_async(&mut connection).await.expect("Redis is there");
    };
    meta("HSET", &["partitions", "1"]).await;
    let mut older = check();
    older.printed("written in format 1, but this version reads and writes format 5").await;
    assert_eq!(older.ended().await.code(), Some(78));
    meta("HSET", &["partitions", "1/99"]).await;
    let mut newer = check();
    newer.printed("written in format 99").await;
    assert_eq!(newer.ended().await.code(), Some(78));
    meta("DEL", &[]).await;
    assert_eq!(check().ended().await.code(), Some(0));
}

#[tokio::test]
async fn the_rules_of_the_least_rights_need_no_redis() {
    let mut acl = Process::start(scheduler().args([
        "check",
        "--acl",
        "--namespace",
        "mine",
        "--redis-url",
        "redis://127.0.0.1:1",
    ]));
    acl.printed("resetkeys ~mine:* ~{mine:* resetchannels &mine:* -@all +blmove").await;
    assert_eq!(acl.ended().await.code(), Some(0));
}
