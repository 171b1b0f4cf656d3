//! The names of keys.

use carillon_shared::store::{Keys, PartitionKeys};

use crate::snapshot::Snapshot;

pub(super) fn every_key_is_in_the_schema(keys: &Keys, snapshot: &Snapshot) -> Vec<String> {
    const INSIDE: [&str; 38] = [
        "job:",
        "env:",
        "out:",
        "errors:",
        "ready:",
        "queue:",
        "queues",
        "bell:",
        "due",
        "parked",
        "leases",
        "ended:",
        "dead:",
        "claim:",
        "cron:",
        "crons",
        "def:",
        "declared",
        "live:",
        "wait:",
        "waiting",
        "ledger:",
        "fence",
        "reaper",
        "events",
        "told",
        "flow:",
        "flows",
        "unique:",
        "expires",
        "timeouts",
        "rate:",
        "progress:",
        "limit:",
        "running:",
        "minutes:",
        "done:",
        "quiet",
    ];
    let outside = [
        keys.meta(),
        keys.leader(),
        keys.leader_epoch(),
        keys.leader_beat(),
        keys.leader_bell(),
        keys.leader_terms(),
        keys.clock_alarm(),
        keys.clock_accepted(),
        keys.inbox(),
        keys.inbox_taken(),
        keys.inbox_ticket(),
        keys.inbox_rejected(),
        keys.workers(),
        keys.heard(),
    ];
    let roots: Vec<PartitionKeys> = keys.all().collect();
    let known = |key: &str| {
        let inside = roots.iter().filter_map(|partition| key.strip_prefix(partition.root())).any(|name| {
            INSIDE.iter().any(|suffix| if suffix.ends_with(':') { name.starts_with(suffix) } else { name == *suffix })
        });
        inside
            || outside.iter().any(|name| name == key)
            || key.starts_with(&format!("{}:holders:", keys.namespace()))
            || ["said", "order"].iter().any(|kind| key.starts_with(&format!("{{{}}}:{kind}:", keys.workers())))
    };
    snapshot.0.keys().filter(|key| !known(key)).map(|key| format!("{key} is not in the schema")).collect()
}
