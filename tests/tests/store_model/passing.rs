//! Time that passes for one thing: Redis's clock cannot be moved, but what is compared with it can.

use carillon_shared::id::JobId;
use carillon_shared::store::PartitionKeys;
use carillon_tests::model::Time;
use redis::Pipeline;

/// The commands that let a time of a job pass, as the `order`-th.
pub(crate) fn pass(keys: &PartitionKeys, id: JobId, time: Time, order: u64) -> Pipeline {
    let mut pipe = redis::pipe();
    let mut earlier = |index: String| {
        pipe.cmd("ZADD").arg(index).arg("XX").arg(order).arg(id.to_string()).ignore();
    };
    match time {
        Time::Due => earlier(keys.due()),
        Time::Expiry => earlier(keys.expires()),
        Time::Lease => earlier(keys.leases()),
        Time::Timeout => earlier(keys.timeouts()),
        Time::Period => {}
    }
    pipe
}

/// The line of the record that says the same, if there is one.
pub(crate) fn line(time: Time) -> Option<&'static str> {
    match time {
        Time::Due => Some("due"),
        Time::Expiry => Some("expires"),
        Time::Period => Some("created"),
        Time::Lease | Time::Timeout => None,
    }
}

/// So far in the future that two calls are never too far apart for the hold-off of reclaiming, however slow the machine.
pub(crate) const NEVER_LATE_MS: i64 = 9_000_000_000_000;

/// Says that somebody looked for overdue leases just now.
pub(crate) fn awake(keys: &PartitionKeys) -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.cmd("HSET").arg(keys.reaper()).arg("tick").arg(NEVER_LATE_MS).arg("hold").arg(0).ignore();
    pipe
}
