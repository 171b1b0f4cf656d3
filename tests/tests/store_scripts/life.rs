//! Scripts of what time does: promote, expire, trim, flow_trim, queue_tidy.

use std::time::Duration;

use carillon_shared::id::JobId;
use carillon_shared::store::{Ended, PartitionKeys, Retention, Store};
use carillon_tests::record;
use carillon_tests::redis::shared;
use carillon_tests::store::enqueue;
use serde_json::json;

use crate::case::{Call, Case, call, case};
use crate::flows::begun;
use crate::jobs::{P0, dead};

const HOUR: Duration = Duration::from_secs(3600);

/// Sets a time of a job back to the beginning of time, in the index and in the record.
async fn pass(store: &Store, id: JobId, index: fn(&PartitionKeys) -> String, line: &str) {
    let keys = store.keys().partition(P0);
    let mut connection = shared().connection().await;
    let place = redis::cmd("ZADD").arg(index(&keys)).arg("XX").arg(1).arg(id.to_string()).to_owned();
    place.exec_async(&mut connection).await.expect("Redis is there");
    record::set(&mut connection, &keys.job(id), line, "1").await;
}

fn trimming(store: &Store, of: Ended, kept_for: Duration, kept: u64) -> Call {
    call!(store => store.trim(P0, Retention { of, kept_for, kept }).await)
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case!(promote, "a job that is due", Once, |store| {
            let id =
                enqueue(&store, &json!({"type": "echo", "args": [], "scheduled_at": "2999-01-01T00:00:00Z"})).await;
            pass(&store, id, PartitionKeys::due, "due").await;
            call!(store => store.promote(P0).await)
        }),
        case!(promote, "a job that is not due", Nothing, |store| {
            enqueue(&store, &json!({"type": "echo", "args": [], "scheduled_at": "2999-01-01T00:00:00Z"})).await;
            call!(store => store.promote(P0).await)
        }),
        case!(expire, "a job whose time has passed", Once, |store| {
            let id = enqueue(&store, &json!({"type": "echo", "args": [], "expires_at": "2999-01-01T00:00:00Z"})).await;
            pass(&store, id, PartitionKeys::expires, "expires").await;
            call!(store => store.expire(P0).await)
        }),
        case!(expire, "a job whose time has not passed", Nothing, |store| {
            enqueue(&store, &json!({"type": "echo", "args": [], "expires_at": "2999-01-01T00:00:00Z"})).await;
            call!(store => store.expire(P0).await)
        }),
        case!(trim, "a dead letter that is old enough", Once, |store| {
            dead(&store).await;
            trimming(&store, Ended::DeadLetter, Duration::ZERO, 9)
        }),
        case!(trim, "a dead letter too many", Once, |store| {
            dead(&store).await;
            trimming(&store, Ended::DeadLetter, HOUR, 0)
        }),
        case!(trim, "what is to be kept", Nothing, |store| {
            dead(&store).await;
            trimming(&store, Ended::DeadLetter, HOUR, 1)
        }),
        case!(flow_trim, "a workflow that has ended", Once, |store| {
            let id = begun(&store).await;
            store.cancel_flow(id, "").await.expect("Redis is there");
            trimming(&store, Ended::Workflow, Duration::ZERO, 9)
        }),
        case!(flow_trim, "a workflow too many", Once, |store| {
            let id = begun(&store).await;
            store.cancel_flow(id, "").await.expect("Redis is there");
            trimming(&store, Ended::Workflow, HOUR, 0)
        }),
        case!(flow_trim, "a workflow that runs", Nothing, |store| {
            begun(&store).await;
            trimming(&store, Ended::Workflow, Duration::ZERO, 0)
        }),
        case!(flow_trim, "a workflow that is to be kept", Nothing, |store| {
            let id = begun(&store).await;
            store.cancel_flow(id, "").await.expect("Redis is there");
            trimming(&store, Ended::Workflow, HOUR, 1)
        }),
        case!(queue_tidy, "a queue in which nothing is left", Once, |store| {
            let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
            store.cancel(id, "test", "").await.expect("Redis is there");
            call!(store => store.forget_idle_queues(P0, 0, HOUR).await)
        }),
        case!(queue_tidy, "a queue that is in use", Nothing, |store| {
            enqueue(&store, &json!({"type": "echo", "args": []})).await;
            call!(store => store.forget_idle_queues(P0, 0, HOUR).await)
        }),
    ]
}
