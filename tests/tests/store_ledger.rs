//! The ledger in a real Redis: joined, cut, and read while runs go on.

use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::cron::{LedgerCursor, LedgerFilter, LedgerOrder, LedgerQuery};
use carillon_shared::id::{JobId, Partition};
use carillon_shared::job::{Failure, JobState};
use carillon_shared::name::CronName;
use carillon_shared::store::{AttemptEnd, Ended, Ending, Kept, LedgerNews, LedgerRow, Retention, Store, StoreOptions};
use carillon_tests::redis::shared;
use carillon_tests::store::{claim_one, options, store};
use serde_json::json;

const P0: Partition = Partition(0);

async fn yearly(store: &Store) -> CronName {
    let entry = json!({"name": "n", "cron": "0 0 1 1 *", "type": "echo", "overlap_policy": "allow"});
    Client::new(store.clone()).register(&entry).await.expect("a valid entry").entry.definition.name
}

async fn run(store: &Store, name: &CronName) -> JobId {
    Client::new(store.clone()).run_now(name, None).await.expect("it runs").job_id
}

async fn end(store: &Store, ending: Ending) {
    let claimed = claim_one(store).await;
    store.end(&[AttemptEnd { held: claimed.held, ending }]).await.expect("Redis is there");
}

async fn complete(store: &Store, result: &str) {
    end(store, Ending::Completed { result: Some(json!(result)) }).await;
}

async fn give_up(store: &Store) {
    let failure = Failure::new("boom", "no luck");
    let verdict = carillon_shared::job::Verdict::DeadLetter;
    end(store, Ending::Failed { failure, attempt: 1, verdict }).await;
}

/// A store that keeps so much of a ledger.
async fn keeping(ledger_rows: u64, ledger_age: Duration) -> Store {
    let kept = Kept { ledger_rows, ledger_age, ..Kept::default() };
    let options = StoreOptions { kept: Some(kept), ..options(&shared().url()) };
    Store::open(options).await.expect("Redis is there")
}

async fn rows(store: &Store, name: &CronName) -> Vec<LedgerRow> {
    store.ledger(name, None, 1000).await.expect("Redis is there")
}

async fn items(store: &Store, name: &CronName) -> usize {
    let mut connection = shared().connection().await;
    let key = store.keys().partition(P0).ledger(name);
    redis::cmd("XLEN").arg(key).query_async(&mut connection).await.expect("Redis is there")
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
async fn no_more_rows_are_shown_than_are_kept_and_none_of_them_lost_its_end() {
    let store = keeping(10, Duration::from_secs(3600)).await;
    let name = yearly(&store).await;
    for round in 0..140 {
        run(&store, &name).await;
        complete(&store, &round.to_string()).await;
    }
    let shown = rows(&store, &name).await;
    assert_eq!(shown.len(), 10);
    let summaries: Vec<_> = shown.iter().map(|row| row.end.clone().expect("an end").summary).collect();
    let newest: Vec<_> = (130..140).rev().map(|round: i32| format!("\"{round}\"")).collect();
    assert_eq!(summaries, newest);
    store.trim_ledgers(P0, 0).await.expect("Redis is there");
    assert!(items(&store, &name).await <= 120, "twice the rows, and a hundred more");
    assert_eq!(rows(&store, &name).await, shown, "what is cut was not shown");
    assert!(store.whole_ledger(&name).await.expect("Redis is there").is_cut);
}

#[tokio::test]
async fn an_end_whose_decision_was_cut_is_passed_over() {
    let store = keeping(10, Duration::from_secs(3600)).await;
    let name = yearly(&store).await;
    run(&store, &name).await;
    for _ in 0..20 {
        run(&store, &name).await;
    }
    let mut connection = shared().connection().await;
    let key = store.keys().partition(P0).ledger(&name);
    let mut trim = redis::cmd("XTRIM");
    trim.arg(&key).arg("MAXLEN").arg("=").arg(10);
    trim.query_async::<()>(&mut connection).await.expect("Redis is there");
    // The first job ends, after its decision is gone.
    complete(&store, "late").await;
    let shown = rows(&store, &name).await;
    assert_eq!(shown.len(), 10);
    assert!(shown.iter().all(|row| row.end.is_none()));
}

#[tokio::test]
async fn what_is_older_than_the_ledger_keeps_is_not_shown_and_then_cut() {
    let store = keeping(1000, Duration::from_secs(3600)).await;
    let name = yearly(&store).await;
    let mut connection = shared().connection().await;
    let key = store.keys().partition(P0).ledger(&name);
    let old_ms = store.now().await.expect("Redis is there").as_ms() - 3_601_000;
    let mut old = redis::cmd("XADD");
    old.arg(&key).arg(format!("{old_ms}-0")).arg("d").arg("skipped").arg("r").arg("overlap_skip");
    old.arg("s")
        .arg(old_ms)
        .arg("a")
        .arg(old_ms)
        .arg("n")
        .arg(1)
        .arg("k")
        .arg("scheduled")
        .arg("j")
        .arg("")
        .arg("l")
        .arg("");
    old.query_async::<()>(&mut connection).await.expect("Redis is there");
    assert!(rows(&store, &name).await.is_empty());
    run(&store, &name).await;
    assert_eq!((rows(&store, &name).await.len(), items(&store, &name).await), (1, 2));
    assert_eq!(store.trim_ledgers(P0, 0).await.expect("Redis is there"), 1);
    assert_eq!((rows(&store, &name).await.len(), items(&store, &name).await), (1, 1));
    assert_eq!(store.trim_ledgers(P0, 1).await.expect("Redis is there"), 0, "there is no further entry");
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
