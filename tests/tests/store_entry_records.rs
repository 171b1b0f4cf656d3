//! The records of entries, against a real Redis: what is none, what people write into them, and what a fire makes of them.

use std::collections::BTreeSet;
use std::time::Duration;

use carillon_shared::client::{Client, PauseRequest};
use carillon_shared::cron::{Pause, Source, Standing};
use carillon_shared::name::CronName;
use carillon_shared::store::{
    DueEntries, EntryPut, EntryRemoved, FireDecision, FireItem, FireReply, FireResult, LeaderToken, PartitionKeys,
    PutReply, Store, StoreOptions, Unreadable,
};
use carillon_tests::cron::{P0, YEARLY, all_late, applied, comes_at, due, entry, item, late, lead, register};
use carillon_tests::entry_record;
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::redis::shared;
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{LEASE, claim, options, store};
use redis::ToRedisArgs;
use serde_json::json;

const NOTHING: &[&str] = &[];

async fn raw<T: redis::FromRedisValue>(command: &str, key: &str, words: impl ToRedisArgs) -> T {
    let mut connection = shared().connection().await;
    redis::cmd(command).arg(key).arg(words).query_async(&mut connection).await.expect("Redis takes it")
}

fn keys(store: &Store) -> PartitionKeys {
    store.keys().partition(P0)
}

async fn record(store: &Store, name: &CronName) -> String {
    raw("GET", &keys(store).cron(name), NOTHING).await
}

async fn unreadable(store: &Store, token: &LeaderToken, most: usize) -> Vec<Unreadable> {
    match store.due_entries(P0, token, most).await.expect("one entry does not hide the others") {
        DueEntries::Due { unreadable, .. } => unreadable,
        DueEntries::Fenced => panic!("fenced"),
    }
}

/// Makes an entry of each name into something that is none.
async fn spoil(store: &Store, names: &[CronName]) {
    let keys = keys(store);
    for (i, name) in names.iter().enumerate() {
        let (cron, definition) = (keys.cron(name), keys.definition(name));
        match i % 8 {
            0 => raw::<()>("SET", &cron, "rubbish").await,
            1 => {
                raw::<()>("DEL", &cron, NOTHING).await;
                raw::<()>("HSET", &cron, ("rev", 1)).await;
            }
            2 => entry_record::set(&mut shared().connection().await, &cron, "pause", "{").await,
            3 => entry_record::set(&mut shared().connection().await, &cron, "runs", "-1").await,
            4 => raw::<()>("DEL", &definition, NOTHING).await,
            5 => {
                raw::<()>("DEL", &definition, NOTHING).await;
                raw::<()>("RPUSH", &definition, "somebody else's").await;
            }
            6 => raw::<()>("SET", &keys.live(name), "somebody else's").await,
            _ => raw::<()>("SET", &keys.wait(name), "somebody else's").await,
        }
    }
}

#[tokio::test]
async fn entries_that_cannot_be_read_are_set_aside_and_keep_nobody_from_firing() {
    let store = store().await;
    let token = lead(&store).await;
    let names = all_late(&store, (0..60).map(|i| format!("broken-{i:02}"))).await;
    spoil(&store, &names).await;
    register(&store, json!({})).await;
    let mut told = Vec::new();
    loop {
        let some = unreadable(&store, &token, 50).await;
        if some.is_empty() {
            break;
        }
        assert!(store.set_aside(P0, &token, &some, Duration::from_secs(600)).await.expect("Redis is there"));
        told.extend(some);
    }
    assert_eq!(told.len(), 60, "each is told once");
    for (i, problem) in ["rev is missing", "something else", "pause: ", "runs is `-1`"].iter().enumerate() {
        let one = told.iter().find(|one| one.name == names[i].as_str()).expect("it is told");
        assert!(one.problem.contains(problem) && one.problem.contains(&one.name), "{}", one.problem);
    }
    assert!(told.iter().filter(|one| one.problem.contains("its definition is missing")).count() == 14, "{told:?}");
    assert!(matches!(applied(&store, &token).await.decision, FireDecision::Fire(..)));
    assert_eq!(store.entries().await.expect("Redis is there").len(), 1);
    for name in &names[..6] {
        let removed = store.remove_entry(name).await.expect("Redis is there");
        assert!(matches!(removed, EntryRemoved::Removed(None)), "{removed:?}");
        assert!(matches!(store.remove_entry(name).await.expect("Redis is there"), EntryRemoved::Gone));
    }
}

#[tokio::test]
async fn only_what_is_not_there_at_all_is_dropped_from_the_index() {
    let store = store().await;
    let token = lead(&store).await;
    let names = [late(&store, "vanished").await, late(&store, "foreign").await];
    raw::<()>("DEL", &keys(&store).cron(&names[0]), NOTHING).await;
    spoil(&store, &[late(&store, "rubbish").await, names[1].clone()]).await;
    assert_eq!(unreadable(&store, &token, 50).await.len(), 2);
    let left: Vec<String> = raw("ZRANGE", &keys(&store).crons(), (0, -1)).await;
    assert_eq!(left, ["foreign", "rubbish"]);
}

#[tokio::test]
async fn what_is_no_entry_any_more_is_gone_for_a_fire_and_for_none_beside_it() {
    let store = store().await;
    let token = lead(&store).await;
    let names = all_late(&store, ["rubbish", "foreign", "vanished", "fine"]).await;
    let (now, entries) = due(&store, &token).await;
    let items: Vec<FireItem> = names
        .iter()
        .map(|name| item(entries.iter().find(|entry| entry.definition.name == *name).expect("it is due"), now))
        .collect();
    spoil(&store, &names[..2]).await;
    raw::<()>("DEL", &keys(&store).cron(&names[2]), NOTHING).await;
    let reply = store.fire(P0, &token, &items).await.expect("Redis is there");
    let (gone, done) = (FireResult::Gone, FireResult::Applied);
    assert_eq!(reply, FireReply::Applied(vec![gone, gone, gone, done]));
    assert_eq!(record(&store, &names[0]).await, "rubbish");
    assert_eq!(store.claim(&claim(9, LEASE)).await.expect("Redis is there").len(), 1);
}

#[tokio::test]
async fn a_registration_replaces_a_text_that_is_no_entry_and_nothing_else() {
    let store = store().await;
    let names = [late(&store, "rubbish").await, late(&store, "foreign").await];
    spoil(&store, &names).await;
    let again = register(&store, json!({"name": "rubbish"})).await;
    assert_eq!(entry(&store, &again).await.run_count, 0);
    let request = json!({"name": "foreign", "cron": YEARLY, "type": "echo"});
    Client::new(store.clone()).register(&request).await.expect_err("it is somebody else's");
    assert_eq!(raw::<String>("TYPE", &keys(&store).cron(&names[1]), NOTHING).await, "hash");
}

#[tokio::test]
async fn what_people_write_takes_no_line_of_its_own() {
    const SAID: &str = "a\nb\0c\u{7f}\"d\u{2028}\\";
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"overlap_policy": "allow", "args": [SAID], "description": SAID})).await;
    let source = Source { owner: "ops".parse().expect("a name"), file: SAID.to_owned(), enabled: None };
    let seen = entry(&store, &name).await;
    let pause = Pause {
        since: seen.updated_at - Duration::from_secs(60),
        until: Some(seen.updated_at - Duration::from_secs(59)),
        note: Some(SAID.to_owned()),
        by: Some(SAID.to_owned()),
    };
    let standing = Standing { pause: Some(pause.clone()), ..seen.standing() };
    let put = EntryPut {
        definition: &seen.definition,
        partition: P0,
        revision_seen: seen.revision,
        mark_seen: seen.next_mark,
        change: carillon_shared::cron::Change { standing, look_at: seen.next_mark, given_up: None },
        source: Some(&source),
        told: None,
    };
    // Sent twice, it is put once.
    for _ in 0..2 {
        assert_eq!(store.put_entry(&put).await.expect("Redis is there"), PutReply::Put);
    }
    let held = async || {
        let held = entry(&store, &name).await;
        assert_eq!(record(&store, &name).await.lines().count(), 13);
        assert_eq!((held.pause.as_ref(), held.source.as_ref()), (Some(&pause), Some(&source)));
        assert_eq!((held.definition.args.clone(), &held.uid), (vec![json!(SAID)], &seen.uid));
        held
    };
    assert_eq!(held().await.revision, seen.revision + 1);
    assert!(matches!(applied(&store, &token).await.decision, FireDecision::Fire(..)));
    assert_eq!(held().await.run_count, 1);
    Client::new(store.clone()).run_now(&name, None).await.expect("it runs");
    assert_eq!(held().await.run_count, 2);
    // What nobody says any more is kept no longer.
    let seen = entry(&store, &name).await;
    let standing = Standing { pause: None, ..seen.standing() };
    let change = carillon_shared::cron::Change { standing, look_at: seen.next_mark, given_up: None };
    let put = EntryPut { revision_seen: seen.revision, mark_seen: seen.next_mark, change, source: None, ..put };
    assert_eq!(store.put_entry(&put).await.expect("Redis is there"), PutReply::Put);
    let bare = entry(&store, &name).await;
    assert_eq!((bare.pause, bare.source, bare.run_count), (None, None, 2));
    let EntryRemoved::Removed(Some(removed)) = store.remove_entry(&name).await.expect("Redis is there") else {
        panic!("it is gone, or cannot be read");
    };
    assert_eq!((removed.definition.to_json(), removed.revision), (bare.definition.to_json(), bare.revision));
    assert!(!raw::<bool>("EXISTS", &keys(&store).definition(&name), NOTHING).await, "nothing of it is left");
    assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
}

#[tokio::test]
async fn a_disabled_entry_says_so_once_until_it_is_registered_anew() {
    let store = store().await;
    let token = lead(&store).await;
    let name = late(&store, "off").await;
    let mark = entry(&store, &name).await.next_mark.expect("an instant");
    let client = Client::new(store.clone());
    let off = json!({"enabled": false}).as_object().expect("an object").clone();
    client.patch(&name, &off).await.expect("a valid change");
    let rows = async || store.ledger(&name, None, 100).await.expect("Redis is there").len();
    let before = rows().await;
    for (round, expected) in [1, 1, 1, 2].into_iter().enumerate() {
        if round == 3 {
            register(&store, json!({"name": "off", "cron": YEARLY, "overlap_policy": "allow", "args": [1]})).await;
        }
        comes_at(&store, &name, mark).await;
        assert!(matches!(applied(&store, &token).await.decision, FireDecision::Skip("disabled")));
        assert_eq!(rows().await - before, expected, "round {round}");
    }
    assert_eq!(entry(&store, &name).await.last_run_at, None);
    // A pause is a change of its record too, and keeps what it has become.
    client.pause(&name, &PauseRequest::default()).await.expect("it pauses");
    assert_eq!(entry_record::lines(&record(&store, &name).await).get("runs").map(String::as_str), Some("0"));
}

#[tokio::test]
async fn a_page_of_entries_is_cut_by_name_over_all_partitions() {
    let options = StoreOptions { partitions: 4, ..options(&shared().url()) };
    let store = Store::open(options).await.expect("the test's Redis is there");
    let mut names = Vec::new();
    for n in 0..40 {
        // Neither in order nor all in one partition.
        let name = format!("entry-{:02}", n * 7 % 40);
        register(&store, json!({"name": name, "cron": YEARLY, "options": {"queue": format!("q{}", n % 5)}})).await;
        names.push(name);
    }
    names.sort_unstable();
    let page = async |offset, most| {
        let page = store.entry_page(offset, most).await.expect("Redis is there");
        (page.total, page.entries.iter().map(|entry| entry.definition.name.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(page(0, usize::MAX).await, (40, names.clone()));
    assert_eq!(page(10, 15).await, (40, names[10..25].to_vec()));
    assert_eq!(page(38, 15).await, (40, names[38..].to_vec()));
    assert_eq!(page(40, 1).await, (40, Vec::new()));
    let partitions: BTreeSet<_> =
        store.entries().await.expect("Redis is there").iter().map(|entry| entry.partition).collect();
    assert!(partitions.len() > 1, "one partition would show nothing: {partitions:?}");
}
