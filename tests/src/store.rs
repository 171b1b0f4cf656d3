//! Stores for tests: each in a namespace of its own on the shared server.

use std::time::Duration;

use carillon_shared::clock::Timestamp;
use carillon_shared::id::Partition;
use carillon_shared::job::Envelope;
use carillon_shared::name::QueueName;
use carillon_shared::store::{Claim, Claimed, ConnectionOptions, NewJob, Store, StoreOptions};
use serde_json::Value;

use crate::redis::{namespace, shared};
use crate::wait::until;

/// A lease that ends in no test.
pub const LEASE: Duration = Duration::from_secs(600);
/// A call may take this long: where nobody takes Redis away, a machine that stands still must not seem to.
const TIMEOUT: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(30);

/// How tests open a store on the server at `url`.
#[must_use]
pub fn options(url: &str) -> StoreOptions {
    let connection = ConnectionOptions {
        url: url.to_owned(),
        timeout: TIMEOUT,
        connections: 1,
        patience: PATIENCE,
        ..ConnectionOptions::default()
    };
    StoreOptions { connection, namespace: namespace(), ..StoreOptions::default() }
}

/// A store in a namespace of its own.
///
/// # Panics
///
/// When Redis cannot be reached.
pub async fn store() -> Store {
    Store::open(options(&shared().url())).await.expect("the test's Redis is there")
}

/// The envelope that JSON describes.
///
/// # Panics
///
/// When it is not an envelope.
#[must_use]
pub fn envelope(json: &Value, now: Timestamp) -> Envelope {
    Envelope::read(json, now).expect("the test describes a job")
}

/// Takes a job in, and returns its id.
///
/// # Panics
///
/// When Redis cannot be reached or the JSON is not an envelope.
pub async fn enqueue(store: &Store, json: &Value) -> carillon_shared::id::JobId {
    let envelope = envelope(json, store.clock().now());
    let id = store.id_for(&envelope);
    store.enqueue(&[NewJob::new(id, &envelope)]).await.expect("Redis takes the job");
    id
}

/// A request for `count` jobs of the queue `default`.
///
/// # Panics
///
/// Never: the names are valid.
#[must_use]
pub fn claim(count: usize, lease: Duration) -> Claim {
    Claim::new("test-worker".parse().expect("a worker id"), vec![QueueName::default()], count, lease)
}

/// Claims one job.
///
/// # Panics
///
/// When there is none.
pub async fn claim_one(store: &Store) -> Claimed {
    let mut claimed = store.claim(&claim(1, LEASE)).await.expect("Redis is there");
    claimed.pop().expect("a job is available")
}

/// Says that somebody looked for ended leases just now, and will until the end of the test: calls that are far apart hold no
/// reclaim off.
///
/// # Panics
///
/// When Redis cannot be reached.
pub async fn watched(store: &Store) {
    const FAR_AHEAD_MS: i64 = 9_000_000_000_000;
    let mut watched = redis::cmd("HSET");
    watched.arg(store.keys().partition(Partition(0)).reaper());
    watched.arg("tick").arg(FAR_AHEAD_MS).arg("hold").arg(0);
    watched.exec_async(&mut shared().connection().await).await.expect("Redis is there");
}

/// Waits until Redis's clock has moved on: what happens in one millisecond has no order.
///
/// # Panics
///
/// When Redis cannot be reached.
pub async fn a_millisecond(store: &Store) {
    let now = store.now().await.expect("Redis is there");
    until("a millisecond", async || store.now().await.expect("Redis is there") > now).await;
}
