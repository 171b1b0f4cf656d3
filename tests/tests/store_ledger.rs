//! The ledger in a real Redis: joined, cut, and read while runs go on.

use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::cron::{LedgerCursor, LedgerFilter, LedgerOrder, LedgerQuery};
use carillon_shared::id::{JobId, Partition};
use carillon_shared::job::{Failure, JobState};
use carillon_shared::name::CronName;
use carillon_shared::store::{
    AttemptEnd, Ended, Ending, FireItem, FireReply, FireResult, Kept, LedgerNews, LedgerRow, Retention, Store,
    StoreOptions,
};
use carillon_tests::cron::lead;
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::redis::shared;
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{LEASE, claim, claim_one, options, store};
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

/// Sends a command about the ledger of an entry, whose key is its first argument.
async fn ask<T: redis::FromRedisValue>(store: &Store, name: &CronName, words: &[&str]) -> T {
    let (command, args) = words.split_first().expect("a command");
    let mut command = redis::cmd(command);
    command.arg(store.keys().partition(P0).ledger(name)).arg(args);
    command.query_async(&mut shared().connection().await).await.expect("Redis is there")
}

/// How many rows the list has.
async fn kept(store: &Store, name: &CronName) -> usize {
    ask(store, name, &["LLEN"]).await
}

/// Where each row of the list stands.
async fn positions(store: &Store, name: &CronName) -> Vec<String> {
    let rows: Vec<String> = ask(store, name, &["LRANGE", "0", "-1"]).await;
    rows.iter().map(|row| row.split('\0').next().unwrap_or_default().to_owned()).collect()
}

/// The numbers of all rows of the list.
async fn numbers(store: &Store, name: &CronName) -> Vec<u64> {
    let number = |place: &String| place.split_once('-').expect("time and number").1.parse().expect("a number");
    positions(store, name).await.iter().map(number).collect()
}

/// Cuts so many rows.
async fn cut(store: &Store, name: &CronName, count: usize) {
    ask::<()>(store, name, &["LTRIM", &count.to_string(), "-1"]).await;
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
    let held = kept(&store, &name).await;
    assert!((121..=132).contains(&held), "{held}: twice the rows, a hundred more, and a tenth until it is cut");
    store.trim_ledgers(P0, 0).await.expect("Redis is there");
    assert_eq!(kept(&store, &name).await, 120);
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
    cut(&store, &name, 11).await;
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
    let old_ms = store.now().await.expect("Redis is there").as_ms() - 3_601_000;
    let old = ["d", "skipped", "r", "overlap_skip", "n", "1", "k", "scheduled"].join("\0");
    let old = format!("{old_ms}-1\0{old}\0s\0{old_ms}\0a\0{old_ms}");
    ask::<()>(&store, &name, &["RPUSH", &old]).await;
    assert!(rows(&store, &name).await.is_empty());
    run(&store, &name).await;
    assert_eq!((rows(&store, &name).await.len(), kept(&store, &name).await), (1, 2));
    assert_eq!(store.trim_ledgers(P0, 0).await.expect("Redis is there"), 1);
    assert_eq!((rows(&store, &name).await.len(), kept(&store, &name).await), (1, 1));
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

#[tokio::test]
async fn pages_neither_repeat_nor_lose_a_row_while_rows_are_appended_and_cut() {
    for order in [LedgerOrder::NewestFirst, LedgerOrder::OldestFirst] {
        let store = store().await;
        let name = yearly(&store).await;
        let mut runs = Vec::new();
        for _ in 0..12 {
            runs.push(run(&store, &name).await);
        }
        let (mut met, mut cursor) = (Vec::new(), None);
        loop {
            let query = LedgerQuery { order, cursor, ..LedgerQuery::default() };
            let page = store.ledger_page(&name, &query, 3).await.expect("Redis is there");
            met.extend(page.rows.iter().filter_map(LedgerRow::job));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
            // Not for ever: whoever reads the oldest first comes to what is appended.
            if runs.len() < 15 {
                runs.push(run(&store, &name).await);
                cut(&store, &name, 1).await;
            }
        }
        let expected: Vec<JobId> = match order {
            // Three were cut before the reader was there, three were appended behind it.
            LedgerOrder::NewestFirst => runs[3..12].iter().rev().copied().collect(),
            LedgerOrder::OldestFirst => runs.clone(),
        };
        assert_eq!(met, expected, "{order:?}");
    }
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
async fn a_ledger_tells_that_it_was_cut() {
    let store = store().await;
    let name = yearly(&store).await;
    for _ in 0..3 {
        run(&store, &name).await;
    }
    let is_cut = async || {
        let decided = store.decided_instants(&name, P0).await.expect("Redis is there");
        (store.whole_ledger(&name).await.expect("Redis is there").is_cut, decided.forgotten_before.is_some())
    };
    assert_eq!(is_cut().await, (false, false));
    cut(&store, &name, 1).await;
    assert_eq!(is_cut().await, (true, true));
}

#[tokio::test]
async fn a_ledger_of_old_rows_keeps_its_last_which_tells_that_there_were_others() {
    let store = store().await;
    let name = yearly(&store).await;
    for number in 1..=250 {
        // From the first second of 1970.
        ask::<()>(&store, &name, &["RPUSH", &format!("{number}-{number}\0x\0enabled")]).await;
    }
    store.trim_ledgers(P0, 0).await.expect("Redis is there");
    assert_eq!(positions(&store, &name).await, ["250-250"]);
    assert!(store.whole_ledger(&name).await.expect("Redis is there").is_cut);
    run(&store, &name).await;
    assert_eq!(numbers(&store, &name).await, [250, 251]);
    store.trim_ledgers(P0, 0).await.expect("Redis is there");
    assert_eq!(numbers(&store, &name).await, [251]);
}

#[tokio::test]
async fn as_many_decisions_stay_as_are_kept_although_each_has_its_end() {
    let store = keeping(150, Duration::from_secs(3600)).await;
    let name = yearly(&store).await;
    for _ in 0..400 {
        run(&store, &name).await;
        complete(&store, "x").await;
    }
    assert_eq!(rows(&store, &name).await.len(), 150);
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
    let verdict = carillon_shared::job::Verdict::Discard;
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
