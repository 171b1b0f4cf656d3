//! What an entry says beyond its schedule, against a real Redis: pauses, bounds, late instants, backfills.

use std::time::Duration;

use carillon_shared::client::{BackfillMode, BackfillOutcome, BackfillRequest, Client, ClientError, PauseRequest};
use carillon_shared::clock::Timestamp;
use carillon_shared::cron::FireKind;
use carillon_shared::store::{FireDecision, FireItem, FireReply, FireResult, LedgerDecision, LedgerRow, Store};
use carillon_tests::cron::{P0, YEARLY, applied, comes_at, complete, due, entry, fire, item, lead, register};
use carillon_tests::store::{LEASE, claim, claim_one, store};
use carillon_tests::wait::until_some;
use serde_json::{Map, Value, json};

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

async fn rows(store: &Store) -> Vec<LedgerRow> {
    store.ledger(&"tick".parse().expect("a name"), None, 1000).await.expect("Redis is there")
}

fn reason(row: &LedgerRow) -> &str {
    match &row.decision {
        LedgerDecision::Fired(_) => "fired",
        LedgerDecision::Skipped { reason, .. } => reason,
    }
}

async fn raw(command: &redis::Cmd) {
    let mut connection = carillon_tests::redis::shared().connection().await;
    command.query_async::<redis::Value>(&mut connection).await.expect("Redis takes it");
}

/// Makes the entry one whose next instant came `ago`, as if nobody had been there since.
async fn set_back(store: &Store, ago: Duration) -> Timestamp {
    let mark = carillon_tests::cron::ago(store, ago).await;
    comes_at(store, &"tick".parse().expect("a name"), mark).await;
    mark
}

#[tokio::test]
async fn a_pause_survives_a_registration_and_accounts_for_its_instants() {
    let store = store().await;
    let token = lead(&store).await;
    // It is paused before its first instant comes.
    let name = register(&store, json!({"cron": YEARLY})).await;
    let client = Client::new(store.clone());
    let request = PauseRequest { note: Some("a \"fire\" drill".to_owned()), by: Some("ann".to_owned()), until: None };
    let paused = client.pause(&name, &request).await.expect("it pauses");
    assert_eq!((paused.status().as_str(), paused.status().next_run_at, paused.enabled), ("paused", None, true));
    register(&store, json!({"overlap_policy": "allow", "args": [2]})).await;
    let still = entry(&store, &name).await;
    assert_eq!((still.pause.clone(), still.run_count), (paused.pause.clone(), 0));

    let skipped = applied(&store, &token).await;
    assert!(matches!(skipped.decision, FireDecision::Skip("paused")));
    let event = store.events(carillon_shared::store::EventCursor::oldest(1), 100).await.expect("Redis is there").events;
    let kinds: Vec<&str> = event.iter().map(|(_, event)| event.kind.as_str()).collect();
    assert_eq!(kinds, ["cron.paused", "cron.skipped"]);
    assert_eq!(event[0].1.members()["note"], "a \"fire\" drill");
    let again = client.pause(&name, &PauseRequest::default()).await.expect("it is paused anew");
    assert_eq!(
        again.pause.as_ref().map(|pause| (pause.since, pause.note.clone())),
        paused.pause.map(|pause| (pause.since, None))
    );

    let resumed = client.resume(&name).await.expect("it resumes");
    assert_eq!(resumed.status().as_str(), "active");
    until_some("a run", async || {
        let (item, _) = fire(&store, &token).await;
        matches!(item.decision, FireDecision::Fire(..)).then_some(())
    })
    .await;
    let mut rows = rows(&store).await;
    rows.reverse();
    for pair in rows.windows(2) {
        assert_eq!(pair[1].scheduled_at.since(pair[0].scheduled_at).as_secs(), pair[0].instants, "{pair:?}");
    }
    assert_eq!(reason(rows.last().expect("a row")), "fired");
    assert!(rows[..rows.len() - 1].iter().all(|row| reason(row) == "paused"), "{rows:?}");
}

#[tokio::test]
async fn a_pause_ends_by_itself_and_a_late_leader_still_tells_its_instants_apart() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"cron": YEARLY})).await;
    let client = Client::new(store.clone());
    // It is paused when its first instant comes, however late that is registered.
    client.pause(&name, &PauseRequest::default()).await.expect("it pauses");
    register(&store, json!({"overlap_policy": "allow"})).await;
    let request = PauseRequest { until: Some("2s".to_owned()), ..PauseRequest::default() };
    let pause = client.pause(&name, &request).await.expect("its end is said").pause.expect("a pause");
    until_some("the pause to be over", async || {
        (!pause.lasts(store.now().await.expect("Redis is there"))).then_some(())
    })
    .await;
    assert_eq!(entry(&store, &name).await.status().as_str(), "active");
    let paused = applied(&store, &token).await;
    assert!(matches!(paused.decision, FireDecision::Skip("paused")));
    let fired = applied(&store, &token).await;
    assert!(matches!(fired.decision, FireDecision::Fire(..)) && fired.scheduled >= pause.until.expect("an end"));
    assert_eq!(fired.scheduled.since(paused.scheduled).as_secs(), paused.instants);
}

#[tokio::test]
async fn a_decision_made_before_a_pause_is_not_applied_after_it() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({})).await;
    let (now, entries) = due(&store, &token).await;
    let decided = item(&entries[0], now);
    // A pause covers the millisecond in which it begins.
    let mark = entries[0].next_mark.expect("an instant");
    until_some("the instant to be past", async || (store.now().await.expect("Redis is there") > mark).then_some(()))
        .await;
    Client::new(store.clone()).pause(&name, &PauseRequest::default()).await.expect("it pauses");
    let reply = store.fire(P0, &token, &[decided]).await.expect("Redis is there");
    assert_eq!(reply, FireReply::Applied(vec![FireResult::Stale]));
    // But the instant came before the pause, and fires.
    assert!(matches!(applied(&store, &token).await.decision, FireDecision::Fire(..)));
}

#[tokio::test]
async fn registering_the_same_again_moves_nothing() {
    let store = store().await;
    let said = json!({"cron": "@every 1h", "jitter": "30s", "starts_at": "2020-01-01T00:00:00Z", "max_runs": 9});
    let name = register(&store, said.clone()).await;
    let first = entry(&store, &name).await;
    let mut other = said.clone();
    other["args"] = json!([1]);
    for again in [said, other] {
        register(&store, again).await;
        let now = entry(&store, &name).await;
        assert_eq!((now.next_mark, now.anchor, &now.uid), (first.next_mark, first.anchor, &first.uid));
    }
    let client = Client::new(store.clone());
    let bounded =
        client.patch(&name, &object(json!({"ends_at": "2999-01-01T00:00:00Z"}))).await.expect("a valid change");
    assert_eq!((bounded.entry.next_mark, bounded.entry.anchor), (first.next_mark, first.anchor), "the beat is kept");
}

#[tokio::test]
async fn an_entry_ends_after_its_last_run_and_runs_by_hand_do_not_count() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"overlap_policy": "allow", "max_runs": 2})).await;
    let client = Client::new(store.clone());
    client.run_now(&name, None).await.expect("it runs");
    for _ in 0..2 {
        assert!(matches!(applied(&store, &token).await.decision, FireDecision::Fire(..)));
    }
    let ended = entry(&store, &name).await;
    let status = ended.status();
    assert_eq!((status.as_str(), status.next_run_at, ended.enabled), ("ended", None, true));
    assert_eq!((ended.run_count, ended.scheduled_runs), (3, 2));
    let more = client.patch(&name, &object(json!({"max_runs": 3}))).await.expect("a valid change").entry;
    assert_eq!(more.status().as_str(), "active");
    assert!(more.next_mark > Some(ended.read_at), "what came meanwhile is not its own");
    let fewer = client.patch(&name, &object(json!({"max_runs": 1}))).await.expect("a valid change").entry;
    assert_eq!(fewer.status().as_str(), "ended");
}

#[tokio::test]
async fn instants_outside_the_bounds_are_not_due() {
    let store = store().await;
    let later = register(&store, json!({"starts_at": "2999-01-01T00:00:30Z"})).await;
    let next = entry(&store, &later).await.status().next_run_at;
    assert_eq!(next.map(|at| at.to_string()).as_deref(), Some("2999-01-01T00:00:30Z"));
    let over = register(&store, json!({"ends_at": "2020-01-01T00:00:00Z"})).await;
    assert_eq!(entry(&store, &over).await.status().as_str(), "ended");
}

#[tokio::test]
async fn jitter_delays_the_decision_and_not_the_instant() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"cron": "*/3 * * * * *", "jitter": "1h"})).await;
    let waiting = entry(&store, &name).await;
    let (mark, timetable) = (waiting.next_mark.expect("an instant"), waiting.timetable().expect("valid"));
    let (now, entries) = due(&store, &token).await;
    assert!(now >= timetable.decided_at(mark) && entries[0].next_mark == Some(mark));
    let fired = applied(&store, &token).await;
    // The next one may have come too by then.
    let kind = if fired.instants == 1 { FireKind::Scheduled } else { FireKind::CatchUp };
    assert_eq!((fired.scheduled, fired.kind), (mark, kind));
}

#[tokio::test]
async fn nothing_is_decided_before_its_jitter_is_over() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"cron": YEARLY, "jitter": "1h"})).await;
    let mark = set_back(&store, Duration::from_secs(5)).await;
    let keys = store.keys().partition(P0);
    let later = (mark + Duration::from_secs(3600)).as_ms();
    raw(redis::cmd("ZADD").arg(keys.crons()).arg(later).arg("tick")).await;
    let entry = entry(&store, &name).await;
    let early = item(&entry, entry.read_at);
    let reply = store.fire(P0, &token, &[early]).await.expect("Redis is there");
    assert_eq!(reply, FireReply::Applied(vec![FireResult::Early]));
}

#[tokio::test]
async fn each_missed_instant_has_its_own_run_where_the_entry_says_so() {
    let store = store().await;
    let token = lead(&store).await;
    register(&store, json!({"cron": "*/10 * * * * *", "overlap_policy": "allow", "misfire": "all"})).await;
    set_back(&store, Duration::from_secs(40)).await;
    // The mark may lie between two instants of the schedule: the first decision is on the mark itself.
    let decided = decide_all(&store, &token).await;
    assert!(decided.len() >= 4, "{decided:?}");
    let rows = rows(&store).await;
    assert!(rows.iter().all(|row| row.instants == 1 && reason(row) == "fired"), "{rows:?}");
    let jobs = store.claim(&claim(100, LEASE)).await.expect("Redis is there");
    assert_eq!(jobs.len(), rows.len());
}

#[tokio::test]
async fn an_instant_past_its_deadline_is_skipped_and_says_so() {
    let store = store().await;
    let token = lead(&store).await;
    register(&store, json!({"cron": YEARLY, "deadline": "30s"})).await;
    set_back(&store, Duration::from_secs(31)).await;
    let late = applied(&store, &token).await;
    assert!(matches!(late.decision, FireDecision::Skip("misfire_deadline")));
    let row = &rows(&store).await[0];
    assert_eq!((reason(row), row.kind.as_str(), row.instants), ("misfire_deadline", "scheduled", 1));
}

async fn decide_all(store: &Store, token: &carillon_shared::store::LeaderToken) -> Vec<FireItem> {
    let mut decided = Vec::new();
    loop {
        decided.push(applied(store, token).await);
        let last = decided.last().expect("a decision");
        if last.look_at.is_none_or(|at| at > store.clock().now()) {
            return decided;
        }
    }
}

fn window(from: Timestamp, to: Timestamp, mode: BackfillMode) -> BackfillRequest {
    BackfillRequest { from, to, limit: 100, mode }
}

fn outcomes(filled: &carillon_shared::client::Backfilled) -> Vec<&'static str> {
    filled.instants.iter().map(|(_, outcome)| outcome.as_str()).collect()
}

#[tokio::test]
async fn a_backfill_runs_what_did_not_run_and_nothing_twice() {
    let store = store().await;
    let name = register(&store, json!({"cron": "0 * * * *", "overlap_policy": "allow"})).await;
    let client = Client::new(store.clone());
    let before = entry(&store, &name).await;
    // An hour before the instant that is next, so that none comes meanwhile.
    let to = before.next_mark.expect("an instant") - Duration::from_secs(3600);
    let from = to - Duration::from_secs(3 * 3600);
    let dry = client.backfill(&name, &window(from, to, BackfillMode::DryRun)).await.expect("a window of the past");
    assert_eq!(outcomes(&dry), ["fired"; 3]);
    assert_eq!(entry(&store, &name).await.run_count, 0, "nothing was done");

    let done = client.backfill(&name, &window(from, to, BackfillMode::Apply)).await.expect("a window of the past");
    assert_eq!(done, dry, "it does what it said");
    let after = entry(&store, &name).await;
    assert_eq!((after.run_count, after.scheduled_runs, after.next_mark), (3, 0, before.next_mark));
    let job = store.job(done.instants[0].1.job_id().expect("a job")).await.expect("Redis is there").expect("kept");
    assert_eq!(job.envelope["meta"]["cron_kind"], "backfill");
    assert_eq!(job.envelope["meta"]["cron_triggered_at"], done.instants[0].0.to_string());

    let again = client.backfill(&name, &window(from, to, BackfillMode::Apply)).await.expect("a window of the past");
    assert_eq!(outcomes(&again), ["already_fired"; 3]);
    // The ledger forgets before the records of the jobs do, and the other way round: either is enough.
    raw(redis::cmd("DEL").arg(store.keys().partition(P0).ledger(&name))).await;
    let by_record = client.backfill(&name, &window(from, to, BackfillMode::Apply)).await.expect("a window of the past");
    assert_eq!(outcomes(&by_record), ["already_fired"; 3]);
    assert_eq!(entry(&store, &name).await.run_count, 3);
}

#[tokio::test]
async fn a_backfill_keeps_to_its_limit_and_says_where_to_go_on() {
    let store = store().await;
    let name = register(&store, json!({"cron": "0 * * * *", "overlap_policy": "enqueue"})).await;
    let client = Client::new(store.clone());
    let to = entry(&store, &name).await.read_at;
    let request = BackfillRequest { limit: 4, ..window(to - Duration::from_secs(10 * 3600), to, BackfillMode::Apply) };
    let done = client.backfill(&name, &request).await.expect("a window of the past");
    assert_eq!(outcomes(&done), ["fired", "waits", "waits", "waits"]);
    assert_eq!(done.next_from, done.instants.last().map(|(at, _)| *at + Duration::from_secs(3600)));
    assert_eq!(store.claim(&claim(10, LEASE)).await.expect("Redis is there").len(), 1, "one at a time");
}

#[tokio::test]
async fn a_backfill_respects_the_overlap_policy_and_leaves_the_schedule_its_own() {
    let store = store().await;
    let name = register(&store, json!({"cron": "* * * * *"})).await;
    let client = Client::new(store.clone());
    // A minute before the instant that is next, so that none comes meanwhile.
    let to = entry(&store, &name).await.next_mark.expect("an instant") - Duration::from_secs(60);
    let from = to - Duration::from_secs(600);
    let done = client.backfill(&name, &window(from, to, BackfillMode::Apply)).await.expect("a window of the past");
    assert_eq!(outcomes(&done)[0], "fired");
    assert!(outcomes(&done)[1..].iter().all(|outcome| *outcome == "overlap_skip"), "{done:?}");
    let rows = rows(&store).await;
    assert_eq!(
        rows.iter().map(|row| row.instants).collect::<Vec<_>>(),
        [9, 1],
        "one row says it for all that were kept away"
    );
    assert!(rows.iter().all(|row| row.kind == "backfill"));
    complete(&store).await;
    let rest = client.backfill(&name, &window(from, to, BackfillMode::Apply)).await.expect("a window of the past");
    assert_eq!(outcomes(&rest)[..2], ["already_fired", "fired"]);
    complete(&store).await;

    // Instants that have come and are not decided on yet are the leader's.
    let mark = set_back(&store, Duration::from_secs(120)).await;
    let later = store.now().await.expect("Redis is there");
    let own = client.backfill(&name, &window(mark, later, BackfillMode::Apply)).await.expect("a window of the past");
    assert!(own.instants.iter().all(|(_, outcome)| *outcome == BackfillOutcome::Undecided), "{own:?}");
    let ahead = client.backfill(&name, &window(later, later + Duration::from_secs(3600), BackfillMode::DryRun)).await;
    assert!(matches!(ahead, Err(ClientError::Refused(refusal)) if refusal.field == "to"));
}

#[tokio::test]
async fn a_run_whose_record_vanished_holds_up_nobody() {
    let store = store().await;
    let token = lead(&store).await;
    for policy in ["skip", "enqueue"] {
        let name = register(&store, json!({"name": policy, "overlap_policy": policy})).await;
        until_some("a run", async || {
            let (item, _) = fire(&store, &token).await;
            (item.name == name && matches!(item.decision, FireDecision::Fire(..))).then_some(())
        })
        .await;
        let live = entry(&store, &name).await.live[0];
        raw(redis::cmd("DEL").arg(store.keys().partition(P0).job(live))).await;
        assert_eq!(entry(&store, &name).await.live, []);
        until_some("the next run", async || {
            let (item, _) = fire(&store, &token).await;
            (item.name == name && matches!(item.decision, FireDecision::Fire(..))).then_some(())
        })
        .await;
        Client::new(store.clone()).patch(&name, &object(json!({"enabled": false}))).await.expect("a valid change");
    }
}

#[tokio::test]
async fn those_that_waited_for_a_run_that_vanished_are_let_go() {
    let store = store().await;
    let token = lead(&store).await;
    let name = register(&store, json!({"overlap_policy": "enqueue"})).await;
    for _ in 0..3 {
        applied(&store, &token).await;
    }
    let line = entry(&store, &name).await.live;
    raw(redis::cmd("DEL").arg(store.keys().partition(P0).job(line[0]))).await;
    applied(&store, &token).await;
    let next = store.claim(&claim(10, LEASE)).await.expect("Redis is there");
    assert_eq!(
        next.iter().map(|one| one.held.id).collect::<Vec<_>>(),
        [line[1]],
        "the first of them, and one at a time"
    );
}

#[tokio::test]
async fn a_run_is_live_until_it_has_ended_whatever_it_waits_for() {
    let store = store().await;
    let name = register(&store, json!({"cron": YEARLY, "overlap_policy": "enqueue"})).await;
    let client = Client::new(store.clone());
    let first = client.run_now(&name, None).await.expect("it runs");
    let waits = async || client.run_now(&name, None).await.expect("it runs").waits;
    assert!(waits().await, "queued");
    let held = claim_one(&store).await.held;
    assert!(waits().await, "running");
    let failure = carillon_shared::job::Failure::new("handler_error", "no");
    let verdict = carillon_shared::job::Verdict::Retry(Duration::from_secs(3600));
    let ending = carillon_shared::store::Ending::Failed { failure, attempt: 1, verdict };
    store.end(&[carillon_shared::store::AttemptEnd { held, ending }]).await.expect("Redis is there");
    assert!(waits().await, "between two attempts");
    assert!(store.claim(&claim(10, LEASE)).await.expect("Redis is there").is_empty());
    let fifth = client.run_now(&name, None).await.expect("it runs");
    assert!(fifth.message().contains("4 wait now"), "{}", fifth.message());
    store.remove_entry(&name).await.expect("Redis is there");
    store.cancel(first.job_id, "test", "").await.expect("Redis is there");
    assert_eq!(store.claim(&claim(10, LEASE)).await.expect("Redis is there").len(), 1);
}

#[tokio::test]
async fn an_entry_fires_into_a_paused_queue() {
    let store = store().await;
    let token = lead(&store).await;
    register(&store, json!({})).await;
    let queue = "default".parse().expect("a name");
    store.change_queue(&queue, &carillon_shared::store::QueueChange::Pause).await.expect("Redis is there");
    assert!(matches!(applied(&store, &token).await.decision, FireDecision::Fire(..)));
    assert!(store.claim(&claim(1, LEASE)).await.expect("Redis is there").is_empty());
}
