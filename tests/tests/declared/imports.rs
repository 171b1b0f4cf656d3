//! `import`: what it writes can be applied, and run.

use std::path::PathBuf;

use carillon_shared::job::{Envelope, JobState};
use carillon_tests::process::{Process, worker};
use carillon_tests::redis::shared;
use carillon_tests::wait::until_some;
use serde_json::json;

use crate::stage::{Stage, directory, write};

fn sample(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../scheduler/samples/import")
        .join(name)
        .to_string_lossy()
        .into_owned()
}

#[tokio::test]
async fn what_is_imported_can_be_applied() {
    let stage = Stage::new().await;
    for (kind, name, count) in
        [("crontab", "crontab", 4), ("quartz", "quartz.xml", 2), ("nuxeo", "nuxeo.xml", 2), ("k8s", "cronjobs.yaml", 2)]
    {
        let own = directory();
        let path = own.path().join("imported.toml");
        let (code, text) = stage.says(&["import", kind, &sample(name), "-o", path.to_str().expect("UTF-8")]).await;
        assert_eq!(code, 0, "{text}");
        let (code, text) = stage.says(&["apply", own.path().to_str().expect("UTF-8"), "--owner", kind]).await;
        assert!(code == 0 && text.contains(&format!("{count} added")), "{kind}: {text}");
    }
    let report = stage.entry("report-weekdays").await.expect("it is there");
    assert_eq!(report.definition.args, [json!({"format": "pdf"})]);
    assert!(!stage.entry("report-of-administrator").await.expect("it is there").enabled);
    assert_eq!(stage.entry("shop-backup").await.expect("it is there").definition.zone.to_string(), "Europe/Berlin");
}

#[tokio::test]
async fn losses_are_told_in_the_file_and_to_the_caller_and_strictly_end_it() {
    let stage = Stage::new().await;
    let (code, text) = stage.says(&["import", "crontab", &sample("crontab")]).await;
    assert_eq!(code, 0);
    assert!(text.contains("crontab: line 12: @reboot is left out") && text.contains("# - line 12: @reboot"), "{text}");
    assert!(text.contains("# [handlers.\"crontab.backup\"]"), "{text}");
    let (code, text) = stage.says(&["import", "crontab", &sample("crontab"), "--strict"]).await;
    assert!(code == 1 && text.contains("nothing is written") && !text.contains("[[entries]]"), "{text}");
    for (kind, text) in [("crontab", "# nothing\n"), ("quartz", "<x/>"), ("nuxeo", "<"), ("k8s", "a: [")] {
        let file = stage.write("bad.txt", text);
        let (code, told) = stage.says(&["import", kind, file.to_str().expect("UTF-8")]).await;
        assert_eq!(code, 65, "{kind}: {told}");
    }
    assert_eq!(stage.says(&["import", "k8s", "/nonexistent"]).await.0, 66);
}

#[tokio::test]
async fn a_line_of_a_crontab_runs_as_it_did() {
    let (stage, own) = (Stage::new().await, directory());
    let table = write(own.path(), "table", "GREETING=hello\n# Greets.\n0 0 1 1 * cat; cat; echo \"$GREETING\"%world\n");
    let (entries, handlers) = (stage.directory.path().join("greet.toml"), own.path().join("handlers.toml"));
    let [table, entries, handlers] = [&table, &entries, &handlers].map(|path| path.to_str().expect("UTF-8"));
    assert_eq!(stage.says(&["import", "crontab", table, "-o", entries, "--handlers", handlers]).await.0, 0);
    assert_eq!(stage.says(&["apply", stage.path()]).await.0, 0);
    let mut command = worker();
    command.args(["--redis-url", &shared().url(), "--namespace", stage.namespace.as_str(), "--handlers", handlers]);
    let _worker = Process::start(command.args(["--metrics-addr", "off", "--poll-interval", "50ms"]));
    let entry = stage.store.entries().await.expect("Redis is there").pop().expect("one entry");
    assert_eq!(entry.definition.description.as_deref(), Some("Greets."));
    let asked = stage.client().run_now(&entry.definition.name, None).await.expect("it runs");
    let job = until_some("the command to end", async || {
        let job = stage.store.job(asked.job_id).await.expect("Redis is there")?;
        (job.record.state == JobState::Completed).then_some(job)
    })
    .await;
    assert_eq!(job.to_json()["result"], "world\nhello", "the standard input is read once");
}

#[tokio::test]
async fn an_identity_reaches_the_command_of_its_runs_and_of_no_other_job() {
    let (stage, own) = (Stage::new().await, directory());
    let contribution = "<x><schedule id='greet'><event>greet</event><username>alice</username><cronExpression>0 0 0 1 1 ?\
        </cronExpression></schedule></x>";
    let file = write(own.path(), "contribution.xml", contribution);
    let entries = stage.directory.path().join("greet.toml");
    let [file, entries] = [&file, &entries].map(|path| path.to_str().expect("UTF-8"));
    let (code, text) = stage.says(&["import", "nuxeo", file, "-o", entries, "--strict"]).await;
    assert_eq!(code, 0, "{text}");
    assert_eq!(stage.says(&["apply", stage.path()]).await.0, 0);
    let handler = "[handlers.greet]\ncommand = ['sh', '-c', 'echo \"${CARILLON_RUN_AS-nobody}\"']\n";
    let handlers = write(own.path(), "handlers.toml", handler);
    let mut command = worker();
    command.args(["--redis-url", &shared().url(), "--namespace", stage.namespace.as_str(), "--handlers"]).arg(handlers);
    // What whoever runs the worker is called is nobody's identity.
    command.env("CARILLON_RUN_AS", "root");
    let _worker = Process::start(command.args(["--metrics-addr", "off", "--poll-interval", "50ms"]));
    let said = async |id| {
        until_some("the command to end", async || {
            let job = stage.store.job(id).await.expect("Redis is there")?;
            (job.record.state == JobState::Completed).then(|| job.to_json()["result"].clone())
        })
        .await
    };
    let asked = stage.client().run_now(&"greet".parse().expect("a name"), None).await.expect("it runs");
    assert_eq!(said(asked.job_id).await, "alice");
    let forged = json!({"type": "greet", "args": [], "meta": {"run_as": "alice", "cron_name": "greet"}});
    let envelope = Envelope::read(&forged, stage.store.now().await.expect("Redis is there")).expect("a job");
    let job = stage.client().enqueue(&envelope).await.expect("it is taken").job;
    assert_eq!(said(job.record.id).await, "nobody");
}
