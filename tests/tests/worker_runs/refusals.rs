//! What cannot start says why, on one line.

use carillon_tests::process::{Process, worker};

async fn refused(flags: &[&str]) -> (Option<i32>, String) {
    let mut process = Process::start(worker().args(flags));
    let code = process.ended().await.code();
    let line = process.printed("carillon-worker: ").await;
    assert_eq!(process.output().lines().count(), 1, "{}", process.output());
    (code, line)
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_named_without_its_password() {
    let (code, line) = refused(&["--redis-url", "redis://:secret@127.0.0.1:1/", "--metrics-addr", "off"]).await;
    assert_eq!(code, Some(69));
    assert!(line.contains("127.0.0.1:1") && line.contains("not reachable") && !line.contains("secret"), "{line}");
}

#[tokio::test]
async fn wrong_flags_are_told_all_together() {
    let (code, line) = refused(&["--concurrency", "0", "--lease", "1s"]).await;
    assert_eq!(code, Some(64));
    assert!(line.contains("--concurrency") && line.contains("--lease"), "{line}");
    let (code, line) = refused(&["--quues", "a"]).await;
    assert!(code == Some(64) && line.contains("--queues"), "{line}");
}

#[tokio::test]
async fn wrong_handlers_are_told_with_their_lines() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("h.toml");
    std::fs::write(&path, "[handlers.a]\nbuiltin = 'ekko'\n[handlers.b]\ncommand = ['no-such-program']\n")
        .expect("a file");
    let (code, line) = refused(&["--handlers", &path.to_string_lossy()]).await;
    assert_eq!(code, Some(78));
    assert!(line.contains("h.toml:2: ") && line.contains("h.toml:4: ") && line.contains("no-such-program"), "{line}");
}

#[tokio::test]
async fn handlers_are_listed_without_redis() {
    let mut process = Process::start(worker().args(["--list-handlers", "--redis-url", "redis://127.0.0.1:1"]));
    assert_eq!(process.ended().await.code(), Some(0));
    for name in ["echo", "fail", "sleep"] {
        process.printed(name).await;
    }
}
