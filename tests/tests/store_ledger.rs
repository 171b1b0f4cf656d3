//! The ledger in a real Redis: what it says of decisions and of the ends of their runs.

use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::cron::{LedgerCursor, LedgerFilter, LedgerOrder, LedgerQuery};
use carillon_shared::id::JobId;
use carillon_shared::job::{Failure, JobState, Verdict};
use carillon_shared::store::{
    AttemptEnd, Ended, Ending, FireItem, FireReply, FireResult, LedgerNews, LedgerRow, Retention, Store,
};
use carillon_tests::cron::{P0, lead};
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::ledger::{ask, complete, end, numbers, positions, rows, run, yearly};
use carillon_tests::redis::shared;
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{LEASE, claim, store};
use serde_json::json;

async fn give_up(store: &Store) {
    let failure = Failure::new("boom", "no luck");
    let verdict = Verdict::DeadLetter;
    end(store, Ending::Failed { failure, attempt: 1, verdict }).await;
}

#[tokio::test]
async fn a_dead_letter_that_was_revived_shows_its_new_life_and_then_its_new_end() {
    let store = store().await;
    let name = yearly(&store).await;
    let id = run(&store, &name).await;
    give_up(&store).await;
    assert_eq!(rows(&store, &name).await[0].state(), Some(JobState::Discarded));
    assert!(store.revive(id).await.expect("Redis is there"));
    let row = rows(&store, &name).await.remove(0);
    assert_eq!((row.state(), row.live.is_some()), (Some(JobState::Available), true));
    assert!(row.to_json()["error_summary"].is_null() && row.to_json()["ended_at"].is_null());
    complete(&store, "at last").await;
    let row = rows(&store, &name).await.remove(0);
    assert_eq!((row.state(), row.live), (Some(JobState::Completed), None));
    assert_eq!(row.end.expect("an end").summary, "\"at last\"");
}

#[tokio::test]
async fn how_a_run_ended_outlives_its_record() {
    let store = store().await;
    let name = yearly(&store).await;
    let id = run(&store, &name).await;
    complete(&store, "kept").await;
    let now_max = Retention { of: Ended::Completed, kept_for: Duration::ZERO, kept: 0 };
    assert_eq!(store.trim(P0, now_max).await.expect("Redis is there"), 1);
    assert!(store.job(id).await.expect("Redis is there").is_none());
    let row = rows(&store, &name).await.remove(0);
    assert_eq!((row.state(), row.end.expect("an end").summary.as_str()), (Some(JobState::Completed), "\"kept\""));
}

#[tokio::test]
async fn a_state_is_looked_for_in_all_rows_and_pages_meet_each_once() {
    let store = store().await;
    let name = yearly(&store).await;
    let mut completed = Vec::new();
    for round in 0..12 {
        let id = run(&store, &name).await;
        if round % 3 == 0 {
            complete(&store, "x").await;
        }
        // The oldest available run is claimed first.
        completed.push(id);
    }
    completed.truncate(4);
    let filter = LedgerFilter { state: Some(JobState::Completed), ..LedgerFilter::default() };
    for order in [LedgerOrder::OldestFirst, LedgerOrder::NewestFirst] {
        let (mut met, mut cursor): (Vec<JobId>, Option<LedgerCursor>) = (Vec::new(), None);
        loop {
            let query = LedgerQuery { filter: filter.clone(), order, cursor };
            let page = store.ledger_page(&name, &query, 3).await.expect("Redis is there");
            met.extend(page.rows.iter().filter_map(LedgerRow::job));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        if order == LedgerOrder::NewestFirst {
            met.reverse();
        }
        assert_eq!(met, completed, "{order:?}");
    }
}

#[tokio::test]
async fn news_of_a_ledger_are_decisions_and_ends_in_their_order() {
    let store = store().await;
    let name = yearly(&store).await;
    assert_eq!(store.ledger_end(&name).await.expect("Redis is there"), "0-0");
    run(&store, &name).await;
    let begin = store.ledger_end(&name).await.expect("Redis is there");
    let id = run(&store, &name).await;
    complete(&store, "first").await;
    let (news, end) = store.ledger_news(&name, &begin).await.expect("Redis is there");
    assert!(
        matches!(&news[..], [LedgerNews::Decided(row), LedgerNews::Ended(first, _)] if row.job() == Some(id) && *first != id)
    );
    assert_eq!(store.ledger_news(&name, &end).await.expect("Redis is there").0, []);
    assert_eq!(store.ledger_end(&name).await.expect("Redis is there"), end);
}

#[tokio::test]
async fn what_befalls_an_entry_is_noted_beside_its_rows() {
    let store = store().await;
    let name = yearly(&store).await;
    let client = Client::new(store.clone());
    run(&store, &name).await;
    for change in [json!({"enabled": false}), json!({"enabled": true}), json!({"description": "x"})] {
        client.patch(&name, change.as_object().expect("an object")).await.expect("a valid change");
    }
    store.remove_entry(&name).await.expect("Redis is there");
    yearly(&store).await;
    let ledger = store.whole_ledger(&name).await.expect("Redis is there");
    let notes: Vec<String> = ledger.notes.iter().rev().map(|note| format!("{:?}", note.change)).collect();
    assert_eq!(notes, ["Disabled", "Enabled", "Changed", "Removed", "Registered"]);
    assert_eq!(ledger.rows.len(), 1, "a note is no decision");
    assert!(!ledger.is_cut);
}

#[tokio::test]
async fn rows_of_one_call_are_numbered_on() {
    let store = store().await;
    let token = lead(&store).await;
    let entry = json!({"name": "n", "cron": "0 0 1 1 *", "type": "echo", "overlap_policy": "cancel_previous"});
    let entry = Client::new(store.clone()).register(&entry).await.expect("a valid entry").entry;
    let name = entry.definition.name.clone();
    // Each cancels the one before it: an end and a decision.
    let (mut items, mut seen) = (Vec::new(), entry.clone());
    for _ in 0..3 {
        let id = JobId::random(entry.updated_at, P0);
        items.push(FireItem::asked(&seen, id, entry.updated_at, None).expect("valid"));
        seen.live = vec![id];
    }
    let reply = store.fire(P0, &token, &items).await.expect("Redis is there");
    assert_eq!(reply, FireReply::Applied(vec![FireResult::Applied; 3]));
    assert_eq!(numbers(&store, &name).await, (1..=5).collect::<Vec<_>>());
    assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
}

#[tokio::test]
async fn ends_of_one_call_are_numbered_on() {
    let store = store().await;
    let name = yearly(&store).await;
    for _ in 0..3 {
        run(&store, &name).await;
    }
    let claimed = store.claim(&claim(3, LEASE)).await.expect("Redis is there");
    let ending = Ending::Completed { result: None };
    let ends: Vec<_> =
        claimed.into_iter().map(|claimed| AttemptEnd { held: claimed.held, ending: ending.clone() }).collect();
    store.end(&ends).await.expect("Redis is there");
    assert_eq!(numbers(&store, &name).await, (1..=6).collect::<Vec<_>>());
    assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
}

#[tokio::test]
async fn positions_grow_also_when_the_clock_was_set_back() {
    let store = store().await;
    let name = yearly(&store).await;
    run(&store, &name).await;
    ask::<()>(&store, &name, &["RPUSH", "9000000000000-2\0x\0enabled"]).await;
    run(&store, &name).await;
    assert_eq!(positions(&store, &name).await[1..], ["9000000000000-2", "9000000000000-3"]);
}

#[tokio::test]
async fn what_is_no_ledger_stops_a_fire_before_anything_is_written() {
    let store = store().await;
    let token = lead(&store).await;
    let name = yearly(&store).await;
    let client = Client::new(store.clone());
    // Of the same queue as one before it in the call, whose keys are looked at more closely.
    let other = json!({"name": "m", "cron": "0 0 1 1 *", "type": "echo", "overlap_policy": "allow"});
    client.register(&other).await.expect("a valid entry");
    let mut items = Vec::new();
    for name in ["m", "n"] {
        let entry = store.entry(&name.parse().expect("a name")).await.expect("Redis is there").expect("registered");
        let id = JobId::random(entry.updated_at, P0);
        items.push(FireItem::asked(&entry, id, entry.updated_at, None).expect("valid"));
    }
    ask::<()>(&store, &name, &["SET", "somebody else's"]).await;
    let before = Snapshot::take(shared(), store.keys()).await;
    store.fire(P0, &token, &items).await.expect_err("a row could not be kept");
    assert_eq!(before.changes(&Snapshot::take(shared(), store.keys()).await), Vec::<String>::new());
    assert!(store.ledger(&name, None, 9).await.is_err() && store.ledger_end(&name).await.is_err());
    ask::<()>(&store, &name, &["DEL"]).await;
    ask::<()>(&store, &name, &["RPUSH", "somebody else's"]).await;
    assert!(store.ledger(&name, None, 9).await.is_err() && store.ledger_end(&name).await.is_err());
}

#[tokio::test]
async fn words_of_an_error_are_kept_as_they_are() {
    let store = store().await;
    let name = yearly(&store).await;
    run(&store, &name).await;
    let failure = Failure::new("boom", "no\0b\0luck");
    let verdict = Verdict::Discard;
    end(&store, Ending::Failed { failure, attempt: 1, verdict }).await;
    let end = rows(&store, &name).await.remove(0).end.expect("an end");
    assert!(end.summary.contains("no\0b\0luck") && end.started_at.is_some(), "{end:?}");
}

#[tokio::test]
async fn a_ledger_of_one_row_is_small() {
    let store = store().await;
    let name = yearly(&store).await;
    run(&store, &name).await;
    let key = store.keys().partition(P0).ledger(&name);
    let mut usage = redis::cmd("MEMORY");
    usage.arg("USAGE").arg(key);
    let bytes: u64 = usage.query_async(&mut shared().connection().await).await.expect("Redis is there");
    assert!(bytes < 400, "{bytes} bytes");
}
