//! Cron entries for tests: registered, and fired by hand as a leader would.

use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::clock::Timestamp;
use carillon_shared::id::Partition;
use carillon_shared::name::CronName;
use carillon_shared::store::{
    Acquired, AttemptEnd, DueEntries, EndReply, Ending, FireItem, FireReply, FireResult, LeaderToken, Sealed, Store,
    StoredEntry,
};
use serde_json::{Value, json};

use crate::entry_record;
use crate::redis::shared;
use crate::store::claim_one;
use crate::wait::until_some;

/// The first partition, and the only one of a store that tests open.
pub const P0: Partition = Partition(0);
/// The leader lock's life in tests that renew nothing, and none of which lives to see its end.
pub const TTL: Duration = Duration::from_secs(600);

/// Leads the first partition, alone.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn lead(store: &Store) -> LeaderToken {
    match store.acquire_leadership("test", TTL, None).await.expect("Redis is there") {
        Acquired::Leads(token) => {
            assert_eq!(store.seal(P0, &token).await.expect("Redis is there"), Sealed::Sealed);
            token
        }
        Acquired::Held { seen, .. } => panic!("{seen:?} leads"),
    }
}

/// Registers an every-second entry `tick`, with `extra` about it.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn register(store: &Store, extra: Value) -> CronName {
    let mut entry = json!({"name": "tick", "cron": "* * * * * *", "type": "echo"});
    entry.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
    let registered = Client::new(store.clone()).register(&entry).await.expect("a valid entry");
    registered.entry.definition.name
}

/// A schedule that leaves a test alone, unless it says when the next instant comes.
pub const YEARLY: &str = "0 0 1 1 *";

/// Registers an entry of this name whose instant came an hour ago, and whose runs may overlap.
///
/// # Panics
///
/// When Redis cannot be reached.
pub async fn late(store: &Store, name: &str) -> CronName {
    let name = register(store, json!({"name": name, "cron": YEARLY, "overlap_policy": "allow"})).await;
    comes_at(store, &name, ago(store, Duration::from_secs(3600)).await).await;
    name
}

/// The same of many.
///
/// # Panics
///
/// When Redis cannot be reached.
pub async fn all_late(store: &Store, names: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<CronName> {
    let mut entries = Vec::new();
    for name in names {
        entries.push(late(store, name.as_ref()).await);
    }
    entries
}

/// The second so long ago.
///
/// # Panics
///
/// When Redis cannot be reached.
pub async fn ago(store: &Store, ago: Duration) -> Timestamp {
    Timestamp::from_secs((store.now().await.expect("Redis is there") - ago).as_secs())
}

/// Makes `at` the next instant of an entry, past the scripts.
///
/// # Panics
///
/// When Redis cannot be reached, or there is no such entry.
pub async fn comes_at(store: &Store, name: &CronName, at: Timestamp) {
    let (keys, mut connection) = (store.keys().partition(P0), shared().connection().await);
    entry_record::set(&mut connection, &keys.cron(name), "next", &at.as_ms().to_string()).await;
    let mut index = redis::cmd("ZADD");
    index.arg(keys.crons()).arg(at.as_ms()).arg(name.as_str());
    index.exec_async(&mut connection).await.expect("Redis is there");
}

/// Waits until an instant has come, and returns what the leader reads then.
///
/// # Panics
///
/// When Redis cannot be reached, or another leads.
pub async fn due(store: &Store, token: &LeaderToken) -> (Timestamp, Vec<StoredEntry>) {
    until_some("an instant to come", async || match store.due_entries(P0, token, 50).await.expect("Redis is there") {
        DueEntries::Due { now, entries, .. } if !entries.is_empty() => Some((now, entries)),
        DueEntries::Due { .. } => None,
        DueEntries::Fenced => panic!("fenced"),
    })
    .await
}

/// Decides as the leader does.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
#[must_use]
pub fn item(entry: &StoredEntry, now: Timestamp) -> FireItem {
    FireItem::due(entry, &entry.timetable().expect("valid"), now).expect("valid")
}

/// Fires everything that is due next.
///
/// # Panics
///
/// When Redis cannot be reached, or another leads.
pub async fn fire(store: &Store, token: &LeaderToken) -> (FireItem, FireReply) {
    let (now, entries) = due(store, token).await;
    let item = item(&entries[0], now);
    let reply = store.fire(P0, token, std::slice::from_ref(&item)).await.expect("Redis is there");
    (item, reply)
}

/// Fires what is due next, and asserts that it was applied.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn applied(store: &Store, token: &LeaderToken) -> FireItem {
    let (item, reply) = fire(store, token).await;
    assert_eq!(reply, FireReply::Applied(vec![FireResult::Applied]));
    item
}

/// The entry as it stands.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn entry(store: &Store, name: &CronName) -> StoredEntry {
    store.entry(name).await.expect("Redis is there").expect("the entry is there")
}

/// Claims one job and completes it with the result `done`.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn complete(store: &Store) {
    let claimed = claim_one(store).await;
    let end = AttemptEnd { held: claimed.held, ending: Ending::Completed { result: Some(json!("done")) } };
    assert_eq!(store.end(&[end]).await.expect("Redis is there"), [EndReply::Ended]);
}
