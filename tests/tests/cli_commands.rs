//! The command line of the scheduler, as a user types it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};

use carillon_tests::process::{Process, scheduler, worker};
use carillon_tests::redis::{namespace, shared};
use carillon_tests::wait::until_some;
use serde_json::{Value, json};

/// A command in a namespace.
fn command(namespace: &str, line: &[&str]) -> Command {
    let mut command = scheduler();
    command.args(line).env("REDIS_URL", shared().url()).env("CARILLON_NAMESPACE", namespace);
    command
}

/// A command that needs no Redis.
fn calendar(line: &[&str]) -> Output {
    scheduler().args(line).env("REDIS_URL", "redis://127.0.0.1:1").output().expect("it runs")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// What is said when a command does not succeed: one line.
fn reason(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).expect("text");
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim_end().to_owned()
}

fn done(output: Output) -> String {
    assert!(output.status.success(), "{:?}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    out(&output)
}

async fn run(namespace: &str, line: &[&str]) -> Output {
    let mut command = command(namespace, line);
    tokio::task::spawn_blocking(move || command.output().expect("it runs")).await.expect("it ends")
}

#[test]
fn the_next_times_are_shown_in_all_clocks_with_what_is_skipped() {
    let line = ["next", "30 2 * * *", "--tz", "America/New_York", "--after", "2026-03-07T00:00:00Z", "-n", "3"];
    let text = done(calendar(&[&line[..], &["--viewer-tz", "Europe/Berlin"]].concat()));
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0].contains("America/New_York") && lines[0].contains("Europe/Berlin") && lines[0].contains("UTC"),
        "{text}"
    );
    assert!(lines[2].contains("2026-03-08T02:30:00 ") && lines[2].contains("skipped"), "{text}");
    assert!(lines[3].contains("2026-03-09T02:30:00-04:00") && lines[3].contains("2026-03-09T06:30:00Z"), "{text}");

    let json: Value =
        serde_json::from_str(&done(calendar(&[&line[..], &["--format", "json"]].concat()))).expect("JSON");
    assert_eq!(json["next"], json!(["2026-03-07T07:30:00Z", "2026-03-09T06:30:00Z", "2026-03-10T06:30:00Z"]));
    let lines = done(calendar(&[&line[..], &["--format", "jsonl"]].concat()));
    let kinds: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["kind"].clone()).collect();
    assert_eq!(kinds, ["fire", "dst_skip", "fire"]);
}

#[test]
fn times_outside_the_bounds_are_not_among_the_next() {
    let line = ["next", "0 9 * * *", "--after", "2026-01-01T00:00:00Z", "--format", "json"];
    let bounds = ["--starts-at", "2026-02-01T09:00:00Z", "--ends-at", "2026-02-03T09:00:00Z"];
    let json: Value = serde_json::from_str(&done(calendar(&[&line[..], &bounds].concat()))).expect("JSON");
    assert_eq!(json["next"], json!(["2026-02-01T09:00:00Z", "2026-02-02T09:00:00Z"]));
    assert_eq!(json["occurrences"].as_array().map(Vec::len), Some(2));
}

#[test]
fn the_other_dialect_is_read_when_it_is_named() {
    let quartz = ["next", "0 15 3 1/5 * ?", "--after", "2026-01-01T00:00:00Z", "-n", "2", "--format", "json"];
    assert_eq!(calendar(&quartz).status.code(), Some(65));
    let json: Value =
        serde_json::from_str(&done(calendar(&[&quartz[..], &["--dialect", "quartz"]].concat()))).expect("JSON");
    assert_eq!(json["next"], json!(["2026-01-01T03:15:00Z", "2026-01-06T03:15:00Z"]));
}

#[test]
fn a_batch_is_answered_line_by_line_before_the_next_is_asked() {
    let mut child =
        scheduler().args(["next", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut input = child.stdin.take().expect("a pipe");
    let mut answers = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut ask = |line: &str| -> Value {
        writeln!(input, "{line}").expect("it reads");
        serde_json::from_str(&answers.next().expect("an answer").expect("text")).expect("JSON")
    };
    let next = ask(r#"{"expr":"30 1 * * *","tz":"America/New_York","after":"2026-11-01T00:00:00Z","count":2}"#);
    assert_eq!(next, json!({"next": ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]}));
    for wrong in ["nonsense", "", r#"{"tz":"UTC"}"#, r#"{"expr":"61 * * * *"}"#, &"x".repeat(1_000_000)] {
        assert!(ask(wrong)["error"]["message"].is_string());
    }
    let both = ask(
        r#"{"expr":"30 1 * * *","tz":"America/New_York","after":"2026-11-01T00:00:00Z","count":2,"dst_fold":"both"}"#,
    );
    assert_eq!(both, json!({"next": ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"]}));
    drop(input);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = scheduler()
        .args(["next", "* * * * * *", "-n", "1000", "--format", "jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn an_expression_is_validated_and_explained() {
    let valid = calendar(&["validate", "0 0 31 * *"]);
    assert!(done(valid).contains("short_months"));
    let invalid = calendar(&["validate", "61 * * * *"]);
    assert_eq!(invalid.status.code(), Some(1));
    assert!(reason(&invalid).contains("minute") && out(&invalid).is_empty());
    let json = calendar(&["validate", "61 * * * *", "--format", "json"]);
    assert_eq!(json.status.code(), Some(1));
    assert_eq!(serde_json::from_str::<Value>(&out(&json)).expect("JSON")["error"]["field"], "minute");
    let text = done(calendar(&["explain", "@every 90m", "--after", "2026-01-01T00:00:00Z"]));
    assert!(text.contains("2026-01-01T01:30:00Z"), "{text}");
}

#[test]
fn mistakes_have_their_codes() {
    for (line, code) in [
        (vec!["next"], 64),
        (vec!["nonsense"], 64),
        (vec!["next", "61 * * * *"], 65),
        (vec!["next", "@daily", "--tz", "EST"], 65),
        (vec!["events", "--since", "whenever"], 64),
        (vec!["events", "--types", "Job"], 64),
        (vec!["cron", "get", "Bad Name"], 64),
        (vec!["ledger", "x", "--decision", "maybe"], 64),
        (vec!["ledger", "x", "--from", "yesterday"], 64),
        (vec!["ledger", "x", "--limit", "0"], 64),
        (vec!["why", "Bad Name"], 64),
        (vec!["why", "x"], 69),
        (vec!["cron", "get", "fine"], 69),
        (vec!["cron", "add", "{"], 65),
        (vec!["cron", "add", r#"{"name":"x"}"#], 65),
        (vec!["cron", "add", "/nonexistent/x.json"], 66),
        (vec!["jobs", "get", "nonsense"], 64),
        (vec!["jobs", "enqueue", r#"{"type":"echo"}"#], 65),
        (vec!["serve"], 69),
        (vec!["serve", "--port", "99999"], 78),
        (vec!["config", "--leader-ttl", "soon"], 78),
    ] {
        let output = calendar(&line);
        assert_eq!(output.status.code(), Some(code), "{line:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn what_cannot_start_says_why_in_one_line() {
    let away = calendar(&["cron", "list", "--redis-url", "redis://:secret@127.0.0.1:1"]);
    assert!(reason(&away).contains("127.0.0.1:1") && !reason(&away).contains("secret"), "{}", reason(&away));
    let both = calendar(&["serve", "--port", "99999", "--leader-ttl", "soon", "--log", "error"]);
    assert!(reason(&both).contains("--port") && reason(&both).contains("--leader-ttl"), "{}", reason(&both));
}

#[test]
fn the_configuration_is_shown_with_its_sources_and_without_its_secrets() {
    let mut command = scheduler();
    command
        .args(["config", "--port", "8181"])
        .env("OJS_API_KEY", "a-very-secret-key")
        .env("REDIS_URL", "redis://:secret@h:1");
    let text = done(command.output().expect("it runs"));
    assert!(text.contains("--port") && text.contains("OJS_API_KEY") && text.contains("redis://:***@h:1"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn entries_are_managed_from_the_terminal() {
    let name = namespace().to_string();
    let entry = r#"{"name":"nightly","cron":"0 0 31 * *","type":"echo","args":[1],"options":{"queue":"q"}}"#;
    let added = done(run(&name, &["cron", "add", entry]).await);
    assert!(added.contains("registered nightly") && added.contains("short_months"), "{added}");
    assert!(done(run(&name, &["cron", "add", entry]).await).contains("updated nightly"));
    let list = done(run(&name, &["cron", "list"]).await);
    let row: Vec<_> = list.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!((row[0], *row.last().expect("runs")), ("nightly", "0"), "{list}");
    assert!(done(run(&name, &["cron", "disable", "nightly"]).await).contains("switched off"));
    assert!(!done(run(&name, &["cron", "list", "--enabled", "true"]).await).contains("nightly"));
    assert!(done(run(&name, &["cron", "enable", "nightly"]).await).contains("next at"));

    let ran = done(run(&name, &["cron", "run", "nightly", "--args", r#"["by hand"]"#]).await);
    let id = ran.split_whitespace().find_map(|word| word.strip_suffix(',')).expect("an id");
    let job: Value = serde_json::from_str(&done(run(&name, &["jobs", "get", id]).await)).expect("JSON");
    assert_eq!((&job["args"], &job["queue"]), (&json!(["by hand"]), &json!("q")));
    assert!(done(run(&name, &["jobs", "cancel", id]).await).contains("which was available"));
    assert_eq!(run(&name, &["jobs", "cancel", id]).await.status.code(), Some(1));
    let ledger = done(run(&name, &["ledger", "nightly"]).await);
    assert!(ledger.contains(id) && ledger.contains("manual") && ledger.contains("cancelled"), "{ledger}");
    assert_eq!(done(run(&name, &["cron", "ledger", "nightly"]).await), ledger);

    assert_eq!(done(run(&name, &["cron", "remove", "nightly"]).await), "removed nightly\n");
    assert_eq!(run(&name, &["cron", "remove", "nightly"]).await.status.code(), Some(1));
    assert_eq!(run(&name, &["cron", "get", "nightly"]).await.status.code(), Some(1));
}

#[tokio::test]
async fn a_ledger_is_filtered_and_printed_for_programs() {
    let name = namespace().to_string();
    done(
        run(&name, &["cron", "add", r#"{"name":"n","cron":"0 0 1 1 *","type":"echo","overlap_policy":"allow"}"#]).await,
    );
    for _ in 0..3 {
        done(run(&name, &["cron", "run", "n"]).await);
    }
    let lines = done(run(&name, &["ledger", "n", "--format", "jsonl", "--limit", "2", "--order", "asc"]).await);
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows.len(), 2);
    assert!(rows[0]["decided_at"].as_str() <= rows[1]["decided_at"].as_str());
    assert_eq!((&rows[0]["state"], &rows[0]["kind"]), (&json!("available"), &json!("manual")));
    let none = done(run(&name, &["ledger", "n", "--decision", "skipped", "--format", "json"]).await);
    assert_eq!(serde_json::from_str::<Value>(&none).expect("JSON"), json!([]));
    assert_eq!(run(&name, &["ledger", "never"]).await.status.code(), Some(1));
}

#[tokio::test]
async fn a_ledger_is_followed_from_decision_to_end() {
    let name = namespace().to_string();
    done(run(&name, &["cron", "add", r#"{"name":"n","cron":"0 0 1 1 *","type":"echo"}"#]).await);
    let first = id_of(&done(run(&name, &["cron", "run", "n"]).await));
    let follow = Process::start(&command(&name, &["ledger", "n", "--follow", "--format", "jsonl"]));
    assert!(follow.printed(&first).await.contains(r#""state":"available""#));
    done(run(&name, &["jobs", "cancel", &first, "--reason", "enough"]).await);
    let line = follow.printed("enough").await;
    assert!(line.contains(&first) && line.contains(r#""state":"cancelled""#), "{line}");
    let second = id_of(&done(run(&name, &["cron", "run", "n"]).await));
    follow.printed(&second).await;
    assert_eq!(follow.output().lines().count(), 3, "each row once, and once more at its end");
}

/// The job in `NAME runs as job ID, which …`.
fn id_of(ran: &str) -> String {
    ran.split_whitespace().find_map(|word| word.strip_suffix(',')).expect("an id").to_owned()
}

#[tokio::test]
async fn why_is_answered_in_sentences_with_the_evidence_below() {
    let name = namespace().to_string();
    let entry = r#"{"name":"n","cron":"0 9 * * *","timezone":"Europe/Berlin","type":"echo"}"#;
    done(run(&name, &["cron", "add", entry]).await);
    let text = done(run(&name, &["why", "n"]).await);
    assert!(text.contains("09:00:00 Europe/Berlin comes in"), "{text}");
    assert!(text.contains("no scheduler leads") && text.contains("no worker was heard of"), "{text}");
    assert!(text.contains("EVIDENCE") && text.contains("will_run"), "{text}");
    let json = done(run(&name, &["why", "n", "2050-01-05", "09:01", "--format", "json"]).await);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["verdict"], &json["at"]), (&json!("not_scheduled"), &json!("2050-01-05T08:01:00Z")));
    let wrong = run(&name, &["why", "n", "soon"]).await;
    assert_eq!(wrong.status.code(), Some(65));
    assert!(reason(&wrong).contains("expected RFC 3339"), "{}", reason(&wrong));
    assert_eq!(run(&name, &["why", "never"]).await.status.code(), Some(1));
}

#[tokio::test]
async fn of_several_entries_none_is_registered_if_one_is_wrong() {
    let name = namespace().to_string();
    let good = json!({"name": "good", "cron": "@daily", "type": "echo"});
    let both = json!([good, {"name": "bad", "cron": "61 * * * *", "type": "echo"}]).to_string();
    let refused = run(&name, &["cron", "add", &both]).await;
    assert_eq!(refused.status.code(), Some(65));
    assert!(reason(&refused).contains("number 2 of 2"), "{}", reason(&refused));
    assert_eq!(run(&name, &["cron", "get", "good"]).await.status.code(), Some(1));
    let file = std::env::temp_dir().join(format!("{name}-{}.json", std::process::id()));
    std::fs::write(&file, format!("{good}\n")).expect("written");
    assert!(done(run(&name, &["cron", "add", file.to_str().expect("UTF-8")]).await).contains("registered good"));
    std::fs::remove_file(file).expect("ours");
}

#[tokio::test]
async fn jobs_are_enqueued_and_events_are_followed() {
    let name = namespace().to_string();
    let enqueued = done(
        run(&name, &["jobs", "enqueue", r#"[{"type":"echo","args":[1]},{"type":"echo","args":[2],"queue":"b"}]"#])
            .await,
    );
    let ids: Vec<&str> = enqueued.lines().map(|line| line.split(' ').next().expect("an id")).collect();
    assert_eq!(ids.len(), 2, "{enqueued}");
    let json = done(run(&name, &["events", "--since", "oldest", "--json", "--count", "2"]).await);
    let subjects: Vec<Value> =
        json.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["subject"].clone()).collect();
    assert_eq!(subjects, ids);
    let line = done(run(&name, &["events", "--since", "1h", "--types", "job.*", "--queue", "b", "--count", "1"]).await);
    assert!(line.contains("job.enqueued") && line.contains("echo on b") && line.contains(ids[1]), "{line}");
}

#[tokio::test]
async fn events_are_followed_until_interrupted() {
    let name = namespace().to_string();
    let mut follower = Process::start(&command(&name, &["events", "--log", "warn"]));
    // Whether it listens already cannot be seen from outside, so there is always another event to come.
    until_some("an event", async || {
        run(&name, &["jobs", "enqueue", r#"{"type":"echo","args":[]}"#]).await;
        follower.output().contains("job.enqueued").then_some(())
    })
    .await;
    follower.interrupt();
    assert!(follower.ended().await.success(), "{}", follower.output());
}

#[tokio::test]
async fn a_scheduler_serves_until_it_is_told_to_stop() {
    let name = namespace().to_string();
    let mut first = Process::start(&command(&name, &["serve", "--port", "0", "--log-format", "json"]));
    let line = first.printed("http.address").await;
    let line: Value = serde_json::from_str(&line).expect("a JSON line");
    let url = format!("http://{}", line["http.address"].as_str().expect("an address"));
    let http = reqwest::Client::new();
    // What is refused at the door is a request too, of its route.
    let strange = http.get(format!("{url}/ojs/v1/cron")).header("ojs-version", "2.0");
    assert_eq!(strange.send().await.expect("an answer").status(), 422);
    assert_eq!(http.get(format!("{url}/nowhere")).send().await.expect("an answer").status(), 404);
    let metrics = until_some("metrics of a request and of a leader", async || {
        http.get(format!("{url}/ojs/v1/cron")).send().await.expect("an answer");
        let metrics = http.get(format!("{url}/metrics")).send().await.expect("an answer");
        assert_eq!(metrics.headers()["content-type"], "text/plain");
        let metrics = metrics.text().await.expect("text");
        (metrics.contains("carillon_leader 1") && metrics.contains("carillon_http_requests_total")).then_some(metrics)
    })
    .await;
    for (route, status) in [("/ojs/v1/cron", 200), ("/ojs/v1/cron", 422), ("none", 404)] {
        let line = format!(r#"carillon_http_requests_total{{route="{route}",method="GET",status="{status}"}}"#);
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }

    let port = url.rsplit(':').next().expect("a port");
    let second = run(&name, &["serve", "--port", port, "--log", "error"]).await;
    assert_eq!(second.status.code(), Some(69));
    assert!(reason(&second).contains(port), "{}", reason(&second));
    first.terminate();
    assert!(first.ended().await.success(), "{}", first.output());
}

#[tokio::test]
async fn workers_are_listed_and_told_what_to_do() {
    let namespace = namespace();
    assert_eq!(
        done(run(namespace.as_str(), &["workers", "list"]).await).lines().count(),
        1,
        "headings, and nobody below"
    );
    let unknown = run(namespace.as_str(), &["workers", "quiet", "nobody"]).await;
    assert_eq!((unknown.status.code(), reason(&unknown).contains("nobody")), (Some(1), true));
    assert_eq!(run(namespace.as_str(), &["workers", "quiet", "a b"]).await.status.code(), Some(64));
    let mut flags = worker();
    flags.args(["--redis-url", &shared().url(), "--namespace", namespace.as_str(), "--metrics-addr", "off"]);
    let mut process = Process::start(flags.args(["--worker-id", "w-1"]));
    let state = async || {
        let list: Value =
            serde_json::from_str(&done(run(namespace.as_str(), &["workers", "list", "--format", "json"]).await))
                .expect("JSON");
        list[0]["state"].as_str().map(str::to_owned)
    };
    for (order, wanted) in [("resume", "running"), ("quiet", "quiet"), ("resume", "running")] {
        until_some("the worker to be known", async || {
            run(namespace.as_str(), &["workers", order, "w-1"]).await.status.success().then_some(())
        })
        .await;
        until_some(wanted, async || state().await.filter(|state| state == wanted)).await;
    }
    let told = done(run(namespace.as_str(), &["workers", "terminate", "w-1"]).await);
    assert_eq!(told, "w-1 is told to terminate\n");
    assert_eq!(process.ended().await.code(), Some(0));
}

#[tokio::test]
async fn an_entry_is_paused_resumed_and_backfilled() {
    let namespace = namespace().to_string();
    let cli = async |line: &[&str]| run(&namespace, line).await;
    let entry = r#"{"name":"n","cron":"0 * * * *","type":"echo","overlap_policy":"allow"}"#;
    done(cli(&["cron", "add", entry]).await);
    let paused = done(cli(&["cron", "pause", "n", "--note", "a drill", "--by", "ann"]).await);
    assert_eq!(paused, "paused n: paused until it is resumed\n");
    assert!(done(cli(&["cron", "list"]).await).contains(" paused "));
    let shown: Value = serde_json::from_str(&done(cli(&["cron", "get", "n"]).await)).expect("JSON");
    assert_eq!((&shown["pause"]["note"], &shown["pause"]["by"]), (&json!("a drill"), &json!("ann")));
    assert!(done(cli(&["cron", "resume", "n"]).await).starts_with("resumed n: next at "));
    assert!(reason(&cli(&["cron", "pause", "n", "--until", "never"]).await).contains("until must be"));

    let since = ["cron", "backfill", "n", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-01T03:00:00Z"];
    let dry = done(cli(&since).await);
    assert!(dry.contains("2026-01-01T02:00:00Z  fired") && dry.contains("of 3 instants 3 would be run"), "{dry}");
    let applied = done(cli(&[&since[..], &["--apply", "--limit", "2"]].concat()).await);
    assert!(applied.contains("of 2 instants 2 were run"), "{applied}");
    assert!(applied.contains("go on with --from 2026-01-01T02:00:00Z"), "{applied}");
    let again = done(cli(&since).await);
    assert_eq!(again.matches("already_fired").count(), 2, "{again}");
    let wrong = cli(&["cron", "backfill", "n", "--from", "soon", "--to", "2026-01-01T03:00:00Z"]).await;
    assert_eq!(wrong.status.code(), Some(64));
    assert!(reason(&wrong).contains("--from"), "{}", reason(&wrong));
    assert_eq!(cli(&["cron", "resume", "gone"]).await.status.code(), Some(1));
}
