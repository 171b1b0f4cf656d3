//! `lint`, `plan` and `apply`.

use carillon_tests::invariants::assert_all_hold;
use carillon_tests::redis::shared;
use carillon_tests::snapshot::Snapshot;
use serde_json::{Value, json};

use crate::stage::{Stage, one};

#[tokio::test]
async fn a_plan_shows_what_apply_then_does() {
    let stage = Stage::new().await;
    stage.write("a.toml", &one("a", "@daily"));
    stage.write("b.yaml", "- {name: b, cron: '@daily', type: echo, options: {queue: q}}\n");
    let (code, text) = stage.says(&["plan", stage.path()]).await;
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("+ a  (a.toml)\n+ b  (b.yaml)\n2 to add, 0 to change, 0 to remove, 0 unchanged"), "{text}");
    assert_eq!(stage.entry("a").await.map(|entry| entry.revision), None, "a plan changes nothing");

    let (code, text) = stage.says(&["apply", stage.path()]).await;
    assert_eq!((code, text.contains("2 added")), (0, true), "{text}");
    assert_eq!(
        stage.says(&["plan", stage.path()]).await,
        (0, "0 to add, 0 to change, 0 to remove, 2 unchanged\n".into())
    );

    std::fs::remove_file(stage.directory.path().join("a.toml")).expect("it is there");
    stage.write("b.yaml", "- {name: b, cron: '@hourly', type: echo, options: {queue: r, tags: [t]}}\n");
    let (code, text) = stage.says(&["plan", stage.path()]).await;
    let expected = "- a  (a.toml)\n~ b  (b.yaml)\n    cron: \"@daily\" → \"@hourly\"\n    options.queue: \"q\" → \"r\"\n    \
        options.tags: [\"t\"]\n0 to add, 1 to change, 1 to remove, 0 unchanged\n";
    assert_eq!((code, text.as_str()), (2, expected));
    let (code, text) = stage.says(&["apply", stage.path(), "--format", "json"]).await;
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, &told["removed"]), (0, &json!([{"name": "a", "file": "a.toml"}])), "{text}");
    assert_eq!(told["changed"][0]["members"][0], json!({"member": "cron", "from": "@daily", "to": "@hourly"}));
    assert!(stage.entry("a").await.is_none());
    assert_eq!(stage.expression("b").await.as_deref(), Some("@hourly"));
    assert_all_hold(stage.store.keys(), &Snapshot::take(shared(), stage.store.keys()).await);
}

#[tokio::test]
async fn what_happened_to_an_entry_survives_an_apply() {
    let stage = Stage::new().await;
    stage.write("a.toml", &one("a", "@every 1h"));
    assert_eq!(stage.says(&["apply", stage.path()]).await.0, 0);
    stage.client().run_now(&"a".parse().expect("a name"), None).await.expect("it runs");
    stage.says(&["cron", "disable", "a"]).await;
    let before = stage.entry("a").await.expect("it is there");

    stage.write("a.toml", &format!("{}description = 'new'\n", one("a", "@every 1h")));
    assert_eq!(stage.says(&["apply", stage.path()]).await.0, 0);
    let after = stage.entry("a").await.expect("it is there");
    assert_eq!(after.definition.description.as_deref(), Some("new"));
    assert_eq!(
        (after.run_count, after.anchor, after.created_at, after.enabled, &after.uid),
        (before.run_count, before.anchor, before.created_at, false, &before.uid)
    );
    let rows = stage.store.ledger(&"a".parse().expect("a name"), None, 10).await.expect("Redis is there");
    assert!(!rows.is_empty(), "the ledger is kept");

    // The file says it now, and then no longer.
    stage.write("a.toml", &format!("{}enabled = true\n", one("a", "@every 1h")));
    assert_eq!(stage.says(&["apply", stage.path()]).await.0, 0);
    assert!(stage.entry("a").await.expect("it is there").enabled);
    stage.write("a.toml", &format!("{}enabled = false\n", one("a", "@every 1h")));
    assert_eq!(stage.says(&["apply", stage.path()]).await.0, 0);
    stage.write("a.toml", &one("a", "@every 1h"));
    assert_eq!(stage.says(&["apply", stage.path()]).await.0, 0);
    assert!(stage.entry("a").await.expect("it is there").enabled, "a word that was taken out no longer counts");
}

#[tokio::test]
async fn one_bad_file_changes_nothing_and_says_where() {
    let stage = Stage::new().await;
    stage.write("a.toml", &one("a", "@daily"));
    stage.write("b.toml", "[[entries]]\nname = 'b'\ncron = '61 * * * *'\ntype = 'echo'\n");
    stage.write("c.json", "{\"name\": }");
    for command in ["lint", "plan", "apply"] {
        let (code, text) = stage.says(&[command, stage.path()]).await;
        assert_eq!(code, 65, "{text}");
        assert!(text.contains("b.toml:3:8: entries[0].cron: `61`") && text.contains("c.json:1:10: not JSON"), "{text}");
        assert!(text.contains("2 mistakes in ") && text.contains("nothing is changed"), "{text}");
    }
    assert!(stage.store.entries().await.expect("Redis is there").is_empty());
    let (_, text) = stage.says(&["lint", stage.path(), "--format", "json"]).await;
    let text = text.split("carillon-scheduler:").next().expect("some text");
    let told: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!((&told["mistakes"][0]["line"], &told["mistakes"][0]["path"]), (&json!(3), &json!("entries[0].cron")));
}

#[tokio::test]
async fn entries_of_clients_and_of_other_owners_are_never_touched() {
    let stage = Stage::new().await;
    let mine = json!({"name": "mine", "cron": "@daily", "type": "echo"});
    stage.client().register(&mine).await.expect("a valid entry");
    stage.write("a.toml", &one("theirs", "@daily"));
    assert_eq!(stage.says(&["apply", stage.path(), "--owner", "team-b"]).await.0, 0);

    stage.write("a.toml", &one("ours", "@daily"));
    let (code, text) = stage.says(&["apply", stage.path()]).await;
    assert!(code == 0 && text.contains("1 added, 0 changed, 0 removed"), "{text}");
    for taken in ["mine", "theirs"] {
        stage.write("b.toml", &one(taken, "@hourly"));
        stage.write("c.toml", &one("new", "@hourly"));
        let (code, text) = stage.says(&["apply", stage.path()]).await;
        assert!(code == 65 && text.contains("b.toml"), "{text}");
        assert_eq!(stage.expression(taken).await.as_deref(), Some("@daily"));
        assert!(stage.entry("new").await.is_none(), "nothing is changed");
    }
}

#[tokio::test]
async fn a_directory_that_is_empty_or_absent_removes_nothing() {
    let stage = Stage::new().await;
    let file = stage.write("a.toml", &one("a", "@daily"));
    assert_eq!(stage.says(&["apply", stage.path()]).await.0, 0);
    std::fs::remove_file(file).expect("it is there");
    for directory in [stage.path(), "/nonexistent"] {
        let (code, text) = stage.says(&["apply", directory]).await;
        assert_eq!(code, 65, "{text}");
    }
    assert!(stage.entry("a").await.is_some());
    stage.write("a.toml", "entries = []\n");
    assert_eq!(stage.says(&["apply", stage.path()]).await.0, 0);
    assert!(stage.entry("a").await.is_none());
}

#[test]
fn the_samples_are_valid() {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../scheduler/samples/schedules");
    let output = carillon_tests::process::scheduler().args(["lint", samples]).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "valid: 3 entries\n");
}
