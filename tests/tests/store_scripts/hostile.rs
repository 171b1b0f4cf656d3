//! A key that holds something else, or a counter that cannot grow: the call fails cleanly, and nothing has changed.

use std::collections::BTreeSet;

use carillon_shared::store::Store;
use carillon_tests::entry_record;
use carillon_tests::redis::shared;
use carillon_tests::snapshot::{Held, Snapshot};
use carillon_tests::store::store;
use redis::Pipeline;

use crate::case::{Case, Effect, look};
use crate::cases;

/// The largest integer that Lua tells from its neighbours, and the largest that Redis counts to.
const LARGEST: [i64; 2] = [9_007_199_254_740_991, i64::MAX];

/// The key of many worlds that this one is: its ids replaced by `*`.
fn role(store: &Store, key: &str) -> String {
    let namespace = store.keys().namespace().as_str();
    let is_id = |part: &str| part.len() >= 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let parts = key.split(':').map(|part| if is_id(part) { "*" } else { part });
    parts.collect::<Vec<_>>().join(":").replacen(namespace, "*", 1)
}

/// The roles of all keys that a call reads, writes or makes.
async fn roles(case: &Case) -> BTreeSet<String> {
    let store = store().await;
    let call = (case.prepare)(store.clone()).await;
    let mut keys: BTreeSet<String> = look(&store).await.0.keys().map(|key| role(&store, key)).collect();
    call.make().await.unwrap_or_else(|error| panic!("{}: {error}", case.name()));
    keys.extend(look(&store).await.0.keys().map(|key| role(&store, key)));
    keys
}

/// The keys of this role, and the one that is to be made, if its name can be foreseen.
fn keys_of(store: &Store, snapshot: &Snapshot, wanted: &str) -> Vec<String> {
    let mut keys: Vec<String> = snapshot.0.keys().filter(|key| role(store, key) == wanted).cloned().collect();
    let foreseen = wanted.replacen('*', store.keys().namespace().as_str(), 1);
    if keys.is_empty() && !foreseen.contains('*') {
        keys.push(foreseen);
    }
    keys
}

/// Replaces what a key holds by something of another type.
fn replace(pipe: &mut Pipeline, key: &str, held: Option<&Held>) {
    pipe.cmd("DEL").arg(key).ignore();
    match held {
        Some(Held::Text(_)) => pipe.cmd("RPUSH").arg(key).arg("somebody else's").ignore(),
        _ => pipe.cmd("SET").arg(key).arg("somebody else's").ignore(),
    };
}

async fn assert_fails_cleanly(case: &Case, store: &Store, call: &crate::case::Call, what: &str) {
    let before = look(store).await;
    if let Err(error) = call.make().await {
        let changes = before.changes(&look(store).await);
        assert!(changes.is_empty(), "{}, {what}, failed with `{error}`: {}", case.name(), changes.join("\n"));
    }
}

/// The cases in which something is written. A workflow is cancelled by one script and its jobs by others, one by one: each is
/// whole, and what the first has done stands when another fails. `cancel` has cases of its own.
fn writing() -> Vec<Case> {
    let of_one_script = |case: &Case| case.effect != Effect::Nothing && case.script != "flow_cancel";
    cases().into_iter().filter(of_one_script).collect()
}

#[tokio::test]
async fn a_key_of_the_wrong_type_stops_a_call_before_it_writes() {
    for case in &writing() {
        for wanted in roles(case).await {
            let store = store().await;
            let call = (case.prepare)(store.clone()).await;
            let snapshot = look(&store).await;
            let mut pipe = redis::pipe();
            for key in keys_of(&store, &snapshot, &wanted) {
                replace(&mut pipe, &key, snapshot.0.get(&key));
            }
            if pipe.is_empty() {
                continue;
            }
            pipe.exec_async(&mut shared().connection().await).await.expect("Redis is there");
            assert_fails_cleanly(case, &store, &call, &format!("where {wanted} is somebody else's")).await;
        }
    }
}

/// Lines of an entry that are counted up.
const COUNTED: [&str; 2] = ["runs", "rung"];

/// Fields that are counted up, by the kind of their key.
fn is_counter(role: &str, field: &str) -> bool {
    let states = ["active", "available", "scheduled", "completed", "discarded", "cancelled", "retryable", "pending"];
    role.contains(":queue:") && (field == "seq" || states.contains(&field))
}

#[tokio::test]
async fn a_counter_that_cannot_grow_stops_a_call_before_it_writes() {
    for case in &writing() {
        for largest in LARGEST {
            let store = store().await;
            let call = (case.prepare)(store.clone()).await;
            let snapshot = look(&store).await;
            let mut pipe = redis::pipe();
            for (key, held) in &snapshot.0 {
                if let Held::Text(record) = held
                    && role(&store, key).contains(":cron:")
                {
                    let counted = |record: String, line: &&str| entry_record::with(&record, line, &largest.to_string());
                    pipe.cmd("SET").arg(key).arg(COUNTED.iter().fold(record.clone(), counted)).ignore();
                }
                let Held::Hash(fields) = held else { continue };
                for field in fields.keys().filter(|field| is_counter(&role(&store, key), field)) {
                    pipe.cmd("HSET").arg(key).arg(field).arg(largest).ignore();
                }
            }
            if pipe.is_empty() {
                continue;
            }
            pipe.exec_async(&mut shared().connection().await).await.expect("Redis is there");
            assert_fails_cleanly(case, &store, &call, &format!("where counters are {largest}")).await;
        }
    }
}
