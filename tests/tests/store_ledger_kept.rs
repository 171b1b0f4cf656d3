//! How much of a ledger is kept: what is cut, what is not shown any more, and what still tells that there was more.

use std::time::Duration;

use carillon_shared::cron::{LedgerOrder, LedgerQuery};
use carillon_shared::id::JobId;
use carillon_shared::store::{Kept, LedgerRow, Store, StoreOptions};
use carillon_tests::cron::P0;
use carillon_tests::ledger::{ask, complete, cut, kept, numbers, positions, rows, run, yearly};
use carillon_tests::redis::shared;
use carillon_tests::store::{options, store};

/// A store that keeps so much of a ledger.
async fn keeping(ledger_rows: u64, ledger_age: Duration) -> Store {
    let kept = Kept { ledger_rows, ledger_age, ..Kept::default() };
    let options = StoreOptions { kept: Some(kept), ..options(&shared().url()) };
    Store::open(options).await.expect("Redis is there")
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
