//! Stores for tests: each in a namespace of its own on the shared server.

use std::time::Duration;

use carillon_shared::clock::Timestamp;
use carillon_shared::job::Envelope;
use carillon_shared::name::QueueName;
use carillon_shared::store::{Claim, Claimed, ConnectionOptions, NewJob, Store, StoreOptions};
use serde_json::Value;

use crate::redis::{namespace, shared};

/// How tests open a store on the server at `url`.
#[must_use]
pub fn options(url: &str) -> StoreOptions {
    let connection = ConnectionOptions { url: url.to_owned(), connections: 1, ..ConnectionOptions::default() };
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
    let mut claimed = store.claim(&claim(1, Duration::from_secs(30))).await.expect("Redis is there");
    claimed.pop().expect("a job is available")
}
