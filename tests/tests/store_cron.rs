//! Cron entries against a real Redis: registered, fired, fenced.

use std::time::Duration;

use carillon_shared::client::{Client, ClientError};
use carillon_shared::cron::{Decision, next_mark};
use carillon_shared::job::JobState;
use carillon_shared::store::{
    AttemptEnd, DueEntries, EndReply, Ending, FireDecision, FireItem, FireReply, FireResult, LedgerDecision, Sealed,
    Store,
};
use carillon_tests::cron::{P0, TTL, applied, complete, due, entry, fire, item, lead, register};
use carillon_tests::store::{LEASE, claim, claim_one, store};
use carillon_tests::wait::until_some;
use serde_json::{Value, json};

#[tokio::test]
async fn an_instant_becomes_one_job_one_row_and_one_event() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"args": [7], "options": {"queue": "bells", "tags": ["t"], "timeout": 5}})).await;
    let before = store.newest_event().await.expect("Redis is there");
    let fired = applied(&store, &token).await;
    let entry = entry(&store, &name).await;
    assert_eq!((entry.run_count, entry.live.len()), (1, 1));
    // More instants than one may have come by then.
    let last = fired.scheduled + Duration::from_secs(fired.instants - 1);
    assert_eq!(entry.next_mark, next_mark(&entry.schedule().expect("valid"), last));

    let job = store.job(entry.live[0]).await.expect("Redis is there").expect("the run is a job");
    let wire = Value::from(job.to_json());
    assert_eq!(
        (wire["state"].as_str(), wire["queue"].as_str(), wire["timeout_ms"].as_i64()),
        (Some("available"), Some("bells"), Some(5000))
    );
    assert_eq!(wire["meta"]["cron_name"], "tick");
    assert_eq!(wire["meta"]["cron_triggered_at"], fired.scheduled.to_string());

    let rows = store.ledger(&name, None, 10).await.expect("Redis is there");
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].decision.clone(), rows[0].scheduled_at, rows[0].instants),
        (LedgerDecision::Fired(entry.live[0]), fired.scheduled, fired.instants)
    );
    let events = store.events(before, 10).await.expect("Redis is there").events;
    let kinds: Vec<_> = events.iter().map(|(_, event)| event.kind.as_str()).collect();
    assert_eq!(kinds, ["job.enqueued", "cron.triggered"]);
    let data = Value::from(events[1].1.members());
    assert_eq!((data["cron_name"].as_str(), data["run_count"].as_i64()), (Some("tick"), Some(1)));
    assert_eq!(data["scheduled_time"], fired.scheduled.to_string());
    assert!(data["actual_time"].as_str().is_some_and(|time| time.len() == 24), "{data}");
}

#[tokio::test]
async fn the_same_decision_sent_twice_fires_once() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"overlap_policy": "allow"})).await;
    let (item, first) = fire(&store, &token).await;
    let again = store.fire(P0, &token, std::slice::from_ref(&item)).await.expect("Redis is there");
    assert_eq!(
        (first, again),
        (FireReply::Applied(vec![FireResult::Applied]), FireReply::Applied(vec![FireResult::Already]))
    );
    assert_eq!(entry(&store, &name).await.run_count, 1);
    assert_eq!(store.ledger(&name, None, 10).await.expect("Redis is there").len(), 1);
}

#[tokio::test]
async fn a_deposed_leader_fires_nothing() {
    let store = store().await;
    let old = lead(&store).await;
    let name = register(&store, json!({})).await;
    let (now, entries) = due(&store, &old).await;
    let item = item(&entries[0], now);

    assert!(store.release_leadership(&old).await.expect("Redis is there"));
    let new = lead(&store).await;
    assert!(new.epoch().parse::<u64>().expect("a number") > old.epoch().parse::<u64>().expect("a number"));
    assert_eq!(store.fire(P0, &old, &[item]).await.expect("Redis is there"), FireReply::Fenced);
    assert!(matches!(store.due_entries(P0, &old, 1).await.expect("Redis is there"), DueEntries::Fenced));
    assert_eq!(store.seal(P0, &old).await.expect("Redis is there"), Sealed::Fenced);
    assert!(!store.renew_leadership(&old, TTL).await.expect("Redis is there"));
    assert_eq!(entry(&store, &name).await.run_count, 0);
}

#[tokio::test]
async fn a_decision_on_an_entry_that_changed_is_refused() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({})).await;
    let (now, entries) = due(&store, &token).await;
    let decided = item(&entries[0], now);
    let changed = Client::new(store.clone()).patch(&name, json!({"args": [2]}).as_object().expect("an object")).await;
    changed.expect("a valid change");
    let reply = store.fire(P0, &token, std::slice::from_ref(&decided)).await.expect("Redis is there");
    assert_eq!(reply, FireReply::Applied(vec![FireResult::Stale]));
    let removed = store.remove_entry(&name).await.expect("Redis is there");
    assert!(matches!(removed, carillon_shared::store::EntryRemoved::Removed(_)));
    let reply = store.fire(P0, &token, &[decided]).await.expect("Redis is there");
    assert_eq!(reply, FireReply::Applied(vec![FireResult::Gone]));
}

#[tokio::test]
async fn nothing_fires_before_its_instant() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"cron": "0 0 1 1 *"})).await;
    let entry = entry(&store, &name).await;
    let early = item(&entry, entry.next_mark.expect("a next instant"));
    let reply = store.fire(P0, &token, &[early]).await.expect("Redis is there");
    assert_eq!(reply, FireReply::Applied(vec![FireResult::Early]));
}

#[tokio::test]
async fn skip_makes_no_job_while_one_is_live() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({})).await;
    applied(&store, &token).await;
    let skipped = applied(&store, &token).await;
    assert!(matches!(skipped.decision, FireDecision::Skip("overlap_skip")));
    let after = entry(&store, &name).await;
    assert_eq!((after.run_count, after.live.len()), (1, 1));
    let rows = store.ledger(&name, None, 10).await.expect("Redis is there");
    let reason = LedgerDecision::Skipped { reason: "overlap_skip".to_owned(), active: Some(after.live[0]) };
    assert_eq!((rows.len(), rows[0].decision.clone()), (2, reason));

    complete(&store).await;
    assert!(matches!(applied(&store, &token).await.decision, FireDecision::Fire(Decision::Fire, _)));
    let rows = store.ledger(&name, None, 10).await.expect("Redis is there");
    let end = rows[2].end.as_ref().expect("the first run has ended");
    assert_eq!((end.state, end.attempts, end.summary.as_str()), (JobState::Completed, 1, "\"done\""));
}

#[tokio::test]
async fn cancel_previous_cancels_the_live_run() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"overlap_policy": "cancel_previous"})).await;
    applied(&store, &token).await;
    let claimed = claim_one(&store).await;
    applied(&store, &token).await;
    let first = store.job(claimed.held.id).await.expect("Redis is there").expect("kept");
    assert_eq!(first.record.state, JobState::Cancelled);
    let entry = entry(&store, &name).await;
    assert_eq!((entry.run_count, entry.live.len(), entry.live.contains(&claimed.held.id)), (2, 1, false));
    let end = AttemptEnd { held: claimed.held, ending: Ending::Completed { result: None } };
    assert_eq!(store.end(&[end]).await.expect("Redis is there"), [EndReply::Cancelled]);
}

#[tokio::test]
async fn enqueue_runs_one_after_the_other() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"overlap_policy": "enqueue"})).await;
    for _ in 0..3 {
        applied(&store, &token).await;
    }
    let waiting = entry(&store, &name).await;
    assert_eq!((waiting.live.len(), waiting.waiting), (3, 2));
    store.remove_entry(&name).await.expect("Redis is there");
    for expected in waiting.live {
        let claimed = store.claim(&claim(10, LEASE)).await.expect("Redis is there");
        assert_eq!(claimed.iter().map(|one| one.held.id).collect::<Vec<_>>(), [expected], "one at a time, in order");
        let end = AttemptEnd { held: claimed[0].held.clone(), ending: Ending::Completed { result: None } };
        assert_eq!(store.end(&[end]).await.expect("Redis is there"), [EndReply::Ended]);
    }
}

#[tokio::test]
async fn a_run_that_is_asked_for_moves_no_schedule() {
    let store = store().await;
    let name = register(&store, json!({"cron": "0 0 1 1 *", "args": [1]})).await;
    let before = entry(&store, &name).await;
    let client = Client::new(store.clone());
    let asked = client.run_now(&name, Some(vec![json!(2)])).await.expect("it runs");
    let after = entry(&store, &name).await;
    assert_eq!((after.next_mark, after.run_count, after.live), (before.next_mark, 1, vec![asked.job_id]));
    let job = store.job(asked.job_id).await.expect("Redis is there").expect("the run is a job");
    assert_eq!(job.envelope["args"], json!([2]));
    let rows = store.ledger(&name, None, 10).await.expect("Redis is there");
    assert_eq!((rows.len(), rows[0].kind.as_str()), (1, "manual"));
    let missing = client.run_now(&"nothing".parse().expect("a name"), None).await;
    assert!(matches!(missing, Err(ClientError::NoEntry(_))));
}

#[tokio::test]
async fn registering_again_resets_nothing_that_was_not_said() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"cron": "@every 1s"})).await;
    let first = entry(&store, &name).await;
    applied(&store, &token).await;
    let client = Client::new(store.clone());
    client.patch(&name, json!({"enabled": false}).as_object().expect("an object")).await.expect("a valid change");
    register(&store, json!({"cron": "@every 1s", "description": "again"})).await;
    let again = entry(&store, &name).await;
    assert_eq!(
        (again.run_count, again.created_at, again.anchor, again.uid.clone()),
        (1, first.created_at, first.anchor, first.uid)
    );
    assert!(!again.enabled && again.status().next_run_at.is_none());
    assert_eq!(again.definition.description.as_deref(), Some("again"));
}

#[tokio::test]
async fn a_disabled_entry_says_that_it_did_not_fire() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"enabled": false})).await;
    let skipped = applied(&store, &token).await;
    assert!(matches!(skipped.decision, FireDecision::Skip("disabled")));
    let entry = entry(&store, &name).await;
    assert_eq!((entry.run_count, entry.live.len()), (0, 0));
    assert!(entry.next_mark.expect("a next look") >= skipped.scheduled + Duration::from_secs(60));
}

#[tokio::test]
async fn an_entry_that_never_fires_is_kept_and_never_due() {
    let store = store().await;
    let name = register(&store, json!({"cron": "0 0 30 2 *"})).await;
    let never = entry(&store, &name).await;
    assert_eq!((never.next_mark, never.status().next_run_at), (None, None));
    assert_eq!(store.entries().await.expect("Redis is there").len(), 1);
}

#[tokio::test]
async fn what_is_published_is_what_the_stream_renders() {
    let store = store().await;
    let mut listener = carillon_tests::redis::shared().subscriber().await;
    listener.subscribe(store.keys().events_channel()).await.expect("Redis is there");
    register(&store, json!({"cron": "0 0 1 1 *"})).await;
    Client::new(store.clone()).run_now(&"tick".parse().expect("a name"), None).await.expect("it runs");
    let cursor = carillon_shared::store::EventCursor::oldest(1);
    let events = store.events(cursor, 10).await.expect("Redis is there").events;
    let mut messages = listener.into_on_message();
    for (_, event) in events {
        let message = futures::StreamExt::next(&mut messages).await.expect("it is published");
        assert_eq!(message.get_payload::<String>().expect("text"), event.to_json());
    }
}

#[tokio::test]
async fn a_run_that_is_asked_for_twice_by_one_call_is_one_run() {
    let store = store().await;
    let name = register(&store, json!({"cron": "0 0 1 1 *", "overlap_policy": "cancel_previous"})).await;
    let read = entry(&store, &name).await;
    let now = store.now().await.expect("Redis is there");
    let id = carillon_shared::id::JobId::random(now, P0);
    let asked = FireItem::asked(&read, id, now, None).expect("valid");
    for _ in 0..2 {
        assert_eq!(store.fire_asked(P0, asked.clone()).await.expect("Redis is there"), FireResult::Applied);
    }
    complete(&store).await;
    assert_eq!(store.fire_asked(P0, asked).await.expect("Redis is there"), FireResult::Applied);
    let after = entry(&store, &name).await;
    assert_eq!((after.run_count, store.ledger(&name, None, 10).await.expect("Redis is there").len()), (1, 1));
}

#[tokio::test]
async fn a_dead_run_that_is_revived_waits_for_the_live_one() {
    let store = store().await;
    let name = register(&store, json!({"cron": "0 0 1 1 *", "overlap_policy": "enqueue"})).await;
    let client = Client::new(store.clone());
    let dead = client.run_now(&name, None).await.expect("it runs").job_id;
    let failure = carillon_shared::job::Failure::new("handler_error", "no");
    let verdict = carillon_shared::job::Verdict::DeadLetter;
    let ending = Ending::Failed { failure, attempt: 1, verdict };
    store.end(&[AttemptEnd { held: claim_one(&store).await.held, ending }]).await.expect("Redis is there");
    client.run_now(&name, None).await.expect("it runs");
    let live = claim_one(&store).await;
    assert!(store.revive(dead).await.expect("Redis is there"));
    assert!(store.claim(&claim(1, LEASE)).await.expect("Redis is there").is_empty(), "never concurrent");
    let end = AttemptEnd { held: live.held, ending: Ending::Completed { result: None } };
    store.end(&[end]).await.expect("Redis is there");
    assert_eq!(claim_one(&store).await.held.id, dead);
    complete_claimed(&store, dead).await;
    let rows = store.ledger(&name, None, 10).await.expect("Redis is there");
    let revived = rows.iter().find(|row| row.decision == LedgerDecision::Fired(dead)).expect("its row");
    assert_eq!(revived.end.as_ref().map(|end| end.state), Some(JobState::Completed), "the newest end counts");
}

/// Completes a job that this test has claimed.
async fn complete_claimed(store: &Store, id: carillon_shared::id::JobId) {
    let lease = store.job(id).await.expect("Redis is there").expect("kept").record.lease.expect("it is held");
    let held = carillon_shared::store::Held { id, lease, partition: P0 };
    let end = AttemptEnd { held, ending: Ending::Completed { result: None } };
    assert_eq!(store.end(&[end]).await.expect("Redis is there"), [EndReply::Ended]);
}

#[tokio::test]
async fn waiting_runs_that_expire_together_leave_nothing_behind() {
    let store = store().await;
    let name =
        register(&store, json!({"cron": "0 0 1 1 *", "overlap_policy": "enqueue", "options": {"ttl_ms": 30}})).await;
    let client = Client::new(store.clone());
    for _ in 0..3 {
        client.run_now(&name, None).await.expect("it runs");
    }
    until_some("all to have expired", async || {
        store.expire(P0).await.expect("Redis is there");
        entry(&store, &name).await.live.is_empty().then_some(())
    })
    .await;
    assert!(store.claim(&claim(10, LEASE)).await.expect("Redis is there").is_empty());
    let snapshot = carillon_tests::snapshot::Snapshot::take(carillon_tests::redis::shared(), store.keys()).await;
    carillon_tests::invariants::assert_all_hold(store.keys(), &snapshot);
}

#[tokio::test]
async fn an_instant_that_had_come_when_the_schedule_was_changed_has_its_row() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({})).await;
    let (_, entries) = due(&store, &token).await;
    let client = Client::new(store.clone());
    let change = json!({"cron": "0 0 1 1 *"});
    client.patch(&name, change.as_object().expect("an object")).await.expect("a valid change");
    let rows = store.ledger(&name, None, 10).await.expect("Redis is there");
    let changed = LedgerDecision::Skipped { reason: "changed".to_owned(), active: None };
    assert_eq!((rows.len(), rows[0].decision.clone(), Some(rows[0].scheduled_at)), (1, changed, entries[0].next_mark));
}

#[tokio::test]
async fn a_decision_on_a_removed_entry_is_not_applied_to_one_of_the_same_name() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"args": ["old"]})).await;
    let (now, entries) = due(&store, &token).await;
    let decided = item(&entries[0], now);
    store.remove_entry(&name).await.expect("Redis is there");
    register(&store, json!({"args": ["new"]})).await;
    let new = entry(&store, &name).await;
    let decided = FireItem { mark_seen: new.next_mark, ..decided };
    let reply = store.fire(P0, &token, &[decided]).await.expect("Redis is there");
    assert_eq!(reply, FireReply::Applied(vec![FireResult::Stale]));
}

#[tokio::test]
async fn more_live_runs_than_one_call_may_end_are_all_cancelled() {
    let store = store().await;
    let name = register(&store, json!({"cron": "0 0 1 1 *", "overlap_policy": "allow"})).await;
    let client = Client::new(store.clone());
    for _ in 0..130 {
        client.run_now(&name, None).await.expect("it runs");
    }
    let change = json!({"overlap_policy": "cancel_previous"});
    client.patch(&name, change.as_object().expect("an object")).await.expect("a valid change");
    let asked = client.run_now(&name, None).await.expect("it runs");
    assert_eq!(entry(&store, &name).await.live, [asked.job_id]);
}
