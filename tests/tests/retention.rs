//! What has ended is kept for its time and up to its number, each kind by limits of its own.

use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::id::{JobId, Partition};
use carillon_shared::job::{Failure, Verdict};
use carillon_shared::store::{AttemptEnd, Ended, Ending, Retention, Store};
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::process::{Process, scheduler};
use carillon_tests::redis::{namespace, shared};
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{a_millisecond, claim_one, enqueue, store};
use carillon_tests::wait::until_some;
use serde_json::json;

const P0: Partition = Partition(0);
const HOUR: Duration = Duration::from_secs(3600);
const KINDS: [Ended; 5] = [Ended::Completed, Ended::Cancelled, Ended::Discarded, Ended::DeadLetter, Ended::Workflow];

/// Ends something of one kind, and returns its id.
async fn end_one(store: &Store, kind: Ended) -> JobId {
    let failed = |verdict| Ending::Failed { failure: Failure::new("handler_error", "no"), attempt: 1, verdict };
    let ending = match kind {
        Ended::Workflow => {
            let request = json!({"type": "chain", "steps": [{"type": "echo", "args": []}]});
            let flow = Client::new(store.clone()).begin_flow(&request).await.expect("a workflow");
            store.cancel_flow(flow.id, "test").await.expect("Redis is there");
            return flow.id;
        }
        Ended::Cancelled => {
            let id = enqueue(store, &json!({"type": "echo", "args": []})).await;
            store.cancel(id, "test", "").await.expect("Redis is there");
            return id;
        }
        Ended::Completed => Ending::Completed { result: Some(json!(1)) },
        Ended::Discarded => failed(Verdict::Discard),
        Ended::DeadLetter => failed(Verdict::DeadLetter),
    };
    let id = enqueue(store, &json!({"type": "echo", "args": []})).await;
    let held = claim_one(store).await.held;
    store.end(&[AttemptEnd { held, ending }]).await.expect("Redis is there");
    id
}

async fn is_kept(store: &Store, kind: Ended, id: JobId) -> bool {
    match kind {
        Ended::Workflow => store.flow(id).await.expect("Redis is there").is_some(),
        _ => store.job(id).await.expect("Redis is there").is_some(),
    }
}

#[tokio::test]
async fn the_newest_of_each_kind_are_kept_and_other_kinds_are_left_alone() {
    for kind in KINDS {
        let store = store().await;
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(end_one(&store, kind).await);
            a_millisecond(&store).await;
        }
        for other in KINDS.into_iter().filter(|other| *other != kind && kind != Ended::Workflow) {
            let nothing = Retention { of: other, kept_for: Duration::ZERO, kept: 1 };
            assert_eq!(store.trim(P0, nothing).await.expect("Redis is there"), 0, "{other:?} are none of {kind:?}");
        }
        let two = Retention { of: kind, kept_for: HOUR, kept: 2 };
        assert_eq!(store.trim(P0, two).await.expect("Redis is there"), 2, "{kind:?}");
        assert_eq!(store.trim(P0, two).await.expect("Redis is there"), 0, "{kind:?}: twice is once");
        let mut kept = Vec::new();
        for id in &ids {
            kept.push(is_kept(&store, kind, *id).await);
        }
        assert_eq!(kept, [false, false, true, true], "{kind:?}");
        let old = Retention { of: kind, kept_for: Duration::ZERO, kept: 100 };
        assert_eq!(store.trim(P0, old).await.expect("Redis is there"), 2, "{kind:?} by age");
        assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
    }
}

#[tokio::test]
async fn a_slice_forgets_a_hundred_at_most() {
    let store = store().await;
    for _ in 0..120 {
        end_one(&store, Ended::Cancelled).await;
    }
    let retention = Retention { of: Ended::Cancelled, kept_for: HOUR, kept: 7 };
    assert_eq!(store.trim(P0, retention).await.expect("Redis is there"), Store::TRIMMED_AT_ONCE);
    assert_eq!(store.trim(P0, retention).await.expect("Redis is there"), 13);
}

#[tokio::test]
async fn the_scheduler_keeps_each_kind_as_its_settings_say() {
    let namespace = namespace();
    let mut command = scheduler();
    command.args(["serve", "--port", "0", "--grpc-port", "off", "--leader-ttl", "3s"]);
    command.args(["--redis-url", &shared().url(), "--namespace", namespace.as_str()]);
    for (kind, count) in [("completed", "1"), ("cancelled", "2"), ("discarded", "3"), ("dead-letters", "4")] {
        command.args([format!("--retention-{kind}-count"), count.to_owned()]);
    }
    command.args(["--retention-workflows", "1s"]);
    let _scheduler = Process::start(&command);
    let options = carillon_shared::store::StoreOptions { namespace, ..carillon_tests::store::options(&shared().url()) };
    let store = Store::open(options).await.expect("Redis is there");
    for kind in KINDS {
        for _ in 0..5 {
            end_one(&store, kind).await;
        }
    }
    until_some("each kind to be trimmed", async || {
        let snapshot = Snapshot::take(shared(), store.keys()).await;
        let keys = store.keys().partition(P0);
        let ended = ["completed", "cancelled", "discarded", "dead"].map(|how| snapshot.scores(&keys.ended(how)).len());
        (ended == [1, 2, 3, 4] && snapshot.scores(&keys.flows()).is_empty()).then_some(())
    })
    .await;
}
