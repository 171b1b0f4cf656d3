//! Every refusal leaves the namespace as it was, and every call that is made twice has the effect of one.

use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::cron::{Change, Standing};
use carillon_shared::id::{JobId, Partition, nonce};
use carillon_shared::job::{Failure, Verdict};
use carillon_shared::name::CronName;
use carillon_shared::store::{
    Acquired, AttemptEnd, CancelReply, DueEntries, EndReply, Ended, Ending, EnqueueReply, EntryPut, FireItem,
    FireReply, FireResult, Held, LeaderToken, LeaseState, NewJob, PutReply, Reclaim, ReclaimReply, Reclaimed,
    Retention, Sealed, Settlement, Store,
};
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::redis::shared;
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{LEASE, claim, claim_one, enqueue, envelope, store, watched};
use carillon_tests::wait::until_some;
use serde_json::json;

const P0: Partition = Partition(0);

/// What the namespace holds; the tick of the reaper moves by itself.
async fn look(store: &Store) -> Snapshot {
    let snapshot = Snapshot::take(shared(), store.keys()).await;
    assert_all_hold(store.keys(), &snapshot);
    snapshot.without(&["}:reaper"])
}

macro_rules! changes_nothing {
    ($store:expr, $call:expr) => {{
        let before = look(&$store).await;
        let reply = $call;
        assert_eq!(look(&$store).await, before, "{}", stringify!($call));
        reply
    }};
}

async fn lead(store: &Store) -> LeaderToken {
    match store.acquire_leadership("test", LEASE, None).await.expect("Redis is there") {
        Acquired::Leads(token) => token,
        Acquired::Held { seen, .. } => panic!("{seen:?} leads"),
    }
}

fn completed(held: &Held) -> AttemptEnd {
    AttemptEnd { held: held.clone(), ending: Ending::Completed { result: Some(json!(1)) } }
}

fn every_ending(held: &Held) -> Vec<AttemptEnd> {
    let failure = Failure::new("handler_error", "no");
    let failed = |verdict| Ending::Failed { failure: failure.clone(), attempt: 1, verdict };
    [
        Ending::Completed { result: None },
        failed(Verdict::Retry(Duration::from_secs(1))),
        failed(Verdict::Discard),
        failed(Verdict::DeadLetter),
        Ending::Returned { delay: Duration::from_secs(1), failure: failure.clone() },
        Ending::Returned { delay: Duration::ZERO, failure: failure.clone() },
    ]
    .map(|ending| AttemptEnd { held: held.clone(), ending })
    .to_vec()
}

#[tokio::test]
async fn enqueue_is_refused_whole_and_repeats_itself() {
    let store = store().await;
    let known = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let now = store.clock().now();
    let (new, old) = (
        envelope(&json!({"type": "echo", "args": []}), now),
        envelope(&json!({"type": "echo", "args": [], "id": known}), now),
    );
    let batch = [NewJob::new(store.id_for(&new), &new), NewJob::new(known, &old)];
    let reply = changes_nothing!(store, store.enqueue(&batch).await.expect("Redis is there"));
    assert_eq!(reply, EnqueueReply::Exists(known));

    let job = NewJob { id: store.id_for(&new), envelope: &new, request: nonce() };
    store.enqueue(std::slice::from_ref(&job)).await.expect("Redis is there");
    let again = changes_nothing!(store, store.enqueue(&[job]).await.expect("Redis is there"));
    assert!(matches!(again, EnqueueReply::Enqueued(_)));
}

#[tokio::test]
async fn every_end_repeats_itself_and_is_refused_without_the_lease() {
    let store = store().await;
    for i in 0..6 {
        let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
        let held = claim_one(&store).await.held;
        let stranger = Held { lease: "1-0000000000000000".parse().expect("a lease"), ..held.clone() };
        for end in every_ending(&stranger) {
            let reply = changes_nothing!(store, store.end(&[end]).await.expect("Redis is there"));
            assert_eq!(reply, [EndReply::Stale]);
        }
        store.end(&[every_ending(&held)[i].clone()]).await.expect("Redis is there");
        for end in every_ending(&held) {
            let reply = changes_nothing!(store, store.end(&[end]).await.expect("Redis is there"));
            assert_eq!(reply, [EndReply::AlreadyEnded], "after end {i}");
        }
        let beat = changes_nothing!(store, store.heartbeat(&[held], LEASE).await.expect("Redis is there"));
        assert_eq!(beat, [LeaseState::Lost]);
        store.cancel(id, "test", "").await.expect("Redis is there");
    }
    let nobody =
        Held { id: JobId::random(store.clock().now(), P0), lease: "1-aa".parse().expect("a lease"), partition: P0 };
    let reply = changes_nothing!(store, store.end(&[completed(&nobody)]).await.expect("Redis is there"));
    assert_eq!(reply, [EndReply::Gone]);
}

#[tokio::test]
async fn a_cancel_repeats_itself_and_ends_all_else() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let held = claim_one(&store).await.held;
    store.cancel(id, "test", "").await.expect("Redis is there");
    let again = changes_nothing!(store, store.cancel(id, "test", "").await.expect("Redis is there"));
    assert!(matches!(again, CancelReply::Ended(_)));
    for end in every_ending(&held) {
        let reply = changes_nothing!(store, store.end(&[end]).await.expect("Redis is there"));
        assert_eq!(reply, [EndReply::Cancelled]);
    }
    let nobody = JobId::random(store.clock().now(), P0);
    let reply = changes_nothing!(store, store.cancel(nobody, "test", "").await.expect("Redis is there"));
    assert_eq!(reply, CancelReply::Gone);
}

#[tokio::test]
async fn a_claim_repeats_itself() {
    let store = store().await;
    enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let request = claim(1, LEASE);
    let first = store.claim(&request).await.expect("Redis is there");
    let again = changes_nothing!(store, store.claim(&request).await.expect("Redis is there"));
    assert_eq!((first.len(), &first[0].held), (1, &again[0].held));
}

#[tokio::test]
async fn a_lease_that_has_not_ended_is_not_reclaimed() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let claimed = claim_one(&store).await;
    watched(&store).await;
    let reclaim = || Reclaim {
        id,
        lease: claimed.held.lease.clone(),
        attempt: 1,
        failure: Failure::new("visibility_timeout", "x"),
        outcome: Reclaimed::Available,
    };
    let reply = changes_nothing!(store, store.reclaim(P0, &[reclaim()]).await.expect("Redis is there"));
    assert_eq!(reply, [ReclaimReply::Stale]);
}

#[tokio::test]
async fn a_lease_that_has_ended_is_reclaimed_once_and_its_late_end_is_refused() {
    let store = store().await;
    let id = enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let claimed = store.claim(&claim(1, Duration::from_millis(50))).await.expect("Redis is there").remove(0);
    let overdue = until_some("the lease to end", async || {
        watched(&store).await;
        let overdue = store.overdue(P0).await.expect("Redis is there");
        (!overdue.jobs.is_empty()).then_some(overdue)
    })
    .await;
    assert!(!overdue.held_off);
    watched(&store).await;
    let (job, lease) = &overdue.jobs[0];
    let reclaim = || Reclaim {
        id: job.record.id,
        lease: lease.clone(),
        attempt: 1,
        failure: Failure::new("visibility_timeout", "x"),
        outcome: Reclaimed::Available,
    };
    assert_eq!(store.reclaim(P0, &[reclaim()]).await.expect("Redis is there"), [ReclaimReply::Reclaimed]);
    let again = changes_nothing!(store, store.reclaim(P0, &[reclaim()]).await.expect("Redis is there"));
    assert_eq!(again, [ReclaimReply::Stale]);
    for end in every_ending(&claimed.held) {
        let reply = changes_nothing!(store, store.end(&[end]).await.expect("Redis is there"));
        assert_eq!(reply, [EndReply::Stale]);
    }
    let record = store.job(id).await.expect("Redis is there").expect("kept").record;
    assert_eq!((record.attempt, record.crashes), (1, 1));
    assert_eq!(claim_one(&store).await.job.record.attempt, 2);
}

#[tokio::test]
async fn an_entry_is_changed_only_from_what_was_read() {
    let store = store().await;
    let registered = Client::new(store.clone()).register(&json!({"name": "n", "cron": "0 0 1 1 *", "type": "a"})).await;
    let entry = registered.expect("a valid entry").entry;
    let put = |revision_seen, mark_seen| EntryPut {
        definition: &entry.definition,
        partition: P0,
        revision_seen,
        mark_seen,
        change: Change {
            standing: Standing { enabled: false, mark: None, ..entry.standing() },
            look_at: None,
            given_up: None,
        },
        source: None,
        told: None,
    };
    for stale in [put(0, None), put(7, entry.next_mark), put(entry.revision, None)] {
        let reply = changes_nothing!(store, store.put_entry(&stale).await.expect("Redis is there"));
        assert_eq!(reply, PutReply::Stale);
    }
    let fresh = put(entry.revision, entry.next_mark);
    assert_eq!(store.put_entry(&fresh).await.expect("Redis is there"), PutReply::Put);
    let again = changes_nothing!(store, store.put_entry(&fresh).await.expect("Redis is there"));
    assert_eq!(again, PutReply::Put);
    let nothing: CronName = "nothing".parse().expect("a name");
    changes_nothing!(store, store.remove_entry(&nothing).await.expect("Redis is there"));
}

#[tokio::test]
async fn every_guard_of_fire_changes_nothing() {
    let store = store().await;
    let token = lead(&store).await;
    Client::new(store.clone())
        .register(&json!({"name": "n", "cron": "* * * * * *", "type": "a"}))
        .await
        .expect("valid");
    let unsealed = changes_nothing!(store, store.due_entries(P0, &token, 1).await.expect("Redis is there"));
    assert!(matches!(unsealed, DueEntries::Fenced));
    store.seal(P0, &token).await.expect("Redis is there");
    let again = changes_nothing!(store, store.seal(P0, &token).await.expect("Redis is there"));
    assert_eq!(again, Sealed::Sealed);

    let (now, entry) =
        until_some("an instant", async || match store.due_entries(P0, &token, 1).await.expect("Redis is there") {
            DueEntries::Due { now, mut entries, .. } => entries.pop().map(|entry| (now, entry)),
            DueEntries::Fenced => panic!("fenced"),
        })
        .await;
    let item = FireItem::due(&entry, &entry.timetable().expect("valid"), now).expect("valid");
    let later = item.mark_seen.map(|mark| mark + Duration::from_secs(3600));
    let stranger = JobId::random(now, P0);
    for (wrong, expected) in [
        (FireItem { revision_seen: 9, ..item.clone() }, FireResult::Stale),
        (FireItem { live_seen: vec![stranger], ..item.clone() }, FireResult::Stale),
        (FireItem { mark_seen: later, ..item.clone() }, FireResult::Already),
        (FireItem { name: "other".parse().expect("a name"), ..item.clone() }, FireResult::Gone),
    ] {
        let reply = changes_nothing!(store, store.fire(P0, &token, &[wrong]).await.expect("Redis is there"));
        assert_eq!(reply, FireReply::Applied(vec![expected]));
    }
    store.fire(P0, &token, std::slice::from_ref(&item)).await.expect("Redis is there");
    let again = changes_nothing!(store, store.fire(P0, &token, &[item]).await.expect("Redis is there"));
    assert_eq!(again, FireReply::Applied(vec![FireResult::Already]));
}

#[tokio::test]
async fn leadership_is_taken_from_nobody_who_lives() {
    let store = store().await;
    let token = lead(&store).await;
    let second = changes_nothing!(store, store.acquire_leadership("other", LEASE, None).await.expect("Redis is there"));
    let Acquired::Held { seen, .. } = second else { panic!("two lead") };
    assert_eq!(seen.token, token);
    assert!(store.renew_leadership(&token, LEASE).await.expect("Redis is there"));
    let outdated =
        changes_nothing!(store, store.acquire_leadership("other", LEASE, Some(&seen)).await.expect("Redis is there"));
    let Acquired::Held { seen, .. } = outdated else { panic!("it had renewed") };
    let taken = store.acquire_leadership("other", LEASE, Some(&seen)).await.expect("Redis is there");
    let Acquired::Leads(new) = taken else { panic!("its beat stood still") };
    assert!(new.epoch() > token.epoch());
    let renewed = changes_nothing!(store, store.renew_leadership(&token, LEASE).await.expect("Redis is there"));
    let released = changes_nothing!(store, store.release_leadership(&token).await.expect("Redis is there"));
    assert_eq!((renewed, released), (false, false));
}

#[tokio::test]
async fn the_inbox_loses_nothing_whoever_dies() {
    let store = store().await;
    let mut producer = shared().connection().await;
    for n in 0..3 {
        let push = redis::cmd("RPUSH").arg(store.keys().inbox()).arg(format!("item {n}")).to_owned();
        push.query_async::<i64>(&mut producer).await.expect("Redis is there");
    }
    let taken = store.take_inbox().await.expect("Redis is there");
    let again = changes_nothing!(store, store.take_inbox().await.expect("Redis is there"));
    let shown = |items: &[carillon_shared::store::InboxItem]| {
        items
            .iter()
            .map(|item| (item.ticket.clone(), String::from_utf8_lossy(&item.payload).into_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(shown(&taken), shown(&again), "who goes on finds what was taken");
    assert_eq!(taken[0].job_id(P0), again[0].job_id(P0));
    assert_ne!(taken[0].job_id(P0), taken[1].job_id(P0));

    let settle = |i: usize, rejection: Option<&str>| {
        [Settlement { ticket: taken[i].ticket.clone(), rejection: rejection.map(str::to_owned) }]
    };
    changes_nothing!(store, store.settle_inbox(&settle(1, None)).await.expect("out of order: not at the head"));
    store.settle_inbox(&settle(0, None)).await.expect("Redis is there");
    changes_nothing!(store, store.settle_inbox(&settle(0, None)).await.expect("Redis is there"));
    store.settle_inbox(&settle(1, Some("{}"))).await.expect("Redis is there");
    assert_eq!(store.rejected(10).await.expect("Redis is there"), ["{}"]);
    assert_eq!(shown(&store.take_inbox().await.expect("Redis is there")), shown(&taken[2..]));
}

#[tokio::test]
async fn trimming_forgets_all_of_a_job_and_nothing_else() {
    let store = store().await;
    for _ in 0..3 {
        enqueue(&store, &json!({"type": "echo", "args": []})).await;
        let held = claim_one(&store).await.held;
        store.end(&[completed(&held)]).await.expect("Redis is there");
    }
    enqueue(&store, &json!({"type": "echo", "args": []})).await;
    let retention = |kept_for, kept| Retention { of: Ended::Completed, kept_for, kept };
    let kept = changes_nothing!(store, store.trim(P0, retention(LEASE, 3)).await.expect("Redis is there"));
    assert_eq!(kept, 0);
    assert_eq!(store.trim(P0, retention(LEASE, 1)).await.expect("Redis is there"), 2);
    until_some("a millisecond", async || {
        (store.trim(P0, retention(Duration::ZERO, 3)).await.expect("Redis is there") == 1).then_some(())
    })
    .await;
    let left = look(&store).await;
    let jobs =
        left.0.keys().filter(|key| key.contains("}:job:") || key.contains("}:out:") || key.contains("}:env:")).count();
    assert_eq!(jobs, 2, "record and envelope of the job that has not run");
}
