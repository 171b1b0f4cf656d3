//! What is left when everything has ended and been forgotten.

use std::fmt;

use carillon_shared::store::Store;
use carillon_tests::redis::Server;
use carillon_tests::wait::within;
use redis::aio::MultiplexedConnection;
use std::time::Duration;

/// Keys that stay: one each, or one for each entry that somebody registered, and all of them bounded.
const STAY: [&str; 11] = [
    "}:fence",
    "}:reaper",
    "}:events",
    "}:told",
    "}:crons",
    "}:cron:",
    "}:def:",
    "}:ledger:",
    ":meta",
    ":leader",
    ":inbox",
];
/// Hashes and lists of a few items may be stored in one form or another.
const SLACK_BYTES: u64 = 16 * 1024;
/// What Redis itself needs more or less of, for its scripts and clients.
const SLACK_DATASET_BYTES: u64 = 512 * 1024;
const SETTLED_WITHIN: Duration = Duration::from_secs(180);

/// A measure of what is left.
#[derive(Debug)]
pub(crate) struct Residue {
    /// Keys that stay.
    staying: usize,
    /// What they take.
    staying_bytes: u64,
    /// Keys that expire.
    expiring: usize,
    /// `used_memory_dataset` of the whole server.
    dataset_bytes: u64,
}

impl Residue {
    /// Fails when later there is more than a fifth more.
    pub(crate) fn assert_not_outgrown_by(&self, later: &Self) {
        assert!(later.staying_bytes <= self.staying_bytes * 6 / 5 + SLACK_BYTES, "{self} has become {later}");
        assert!(later.dataset_bytes <= self.dataset_bytes * 6 / 5 + SLACK_DATASET_BYTES, "{self} has become {later}");
    }
}

impl fmt::Display for Residue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { staying, staying_bytes, expiring, dataset_bytes } = self;
        write!(f, "{staying} keys of {staying_bytes} bytes stay, {expiring} expire; dataset {dataset_bytes} bytes")
    }
}

/// Waits until nothing is left but what stays and what expires, and measures it.
pub(crate) async fn settled(server: &Server, store: &Store) -> Residue {
    let left = within(SETTLED_WITHIN, async || leftovers(server, store).await.is_empty().then_some(())).await;
    if left.is_none() {
        let left = leftovers(server, store).await;
        panic!("{} keys are left behind, such as {:?}", left.len(), &left[..left.len().min(20)]);
    }
    let mut connection = server.connection().await;
    let (mut staying, mut staying_bytes, mut expiring) = (0, 0, 0);
    for (key, expires) in keys(&mut connection, store).await {
        if expires {
            expiring += 1;
            continue;
        }
        staying += 1;
        let mut usage = redis::cmd("MEMORY");
        usage.arg("USAGE").arg(&key).arg("SAMPLES").arg(0);
        staying_bytes +=
            usage.query_async::<Option<u64>>(&mut connection).await.expect("Redis is there").unwrap_or_default();
    }
    Residue { staying, staying_bytes, expiring, dataset_bytes: dataset(&mut connection).await }
}

/// The keys that neither stay nor expire.
pub(crate) async fn leftovers(server: &Server, store: &Store) -> Vec<String> {
    let mut connection = server.connection().await;
    let keys = keys(&mut connection, store).await;
    let left = keys.into_iter().filter(|(key, expires)| !expires && !STAY.iter().any(|part| key.contains(part)));
    let mut left: Vec<String> = left.map(|(key, _)| key).collect();
    // Who was heard of is forgotten by name, a minute after.
    left.retain(|key| *key != store.keys().workers() && *key != store.keys().heard());
    left.sort();
    left
}

/// Every key of the namespace, and whether it expires.
async fn keys(connection: &mut MultiplexedConnection, store: &Store) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for pattern in store.keys().pattern() {
        let mut cursor = 0;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(1000);
            let (next, keys): (u64, Vec<String>) = scan.query_async(connection).await.expect("Redis is there");
            for key in keys {
                let ttl: i64 = redis::cmd("PTTL").arg(&key).query_async(connection).await.expect("Redis is there");
                // -2: it has gone since it was named.
                found.push((key, ttl != -1));
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
    }
    found
}

async fn dataset(connection: &mut MultiplexedConnection) -> u64 {
    let info: String = redis::cmd("INFO").arg("memory").query_async(connection).await.expect("Redis is there");
    let line = info.lines().find_map(|line| line.strip_prefix("used_memory_dataset:"));
    line.and_then(|bytes| bytes.trim().parse().ok()).expect("Redis says how much it uses")
}
