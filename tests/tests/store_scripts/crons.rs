//! Scripts of cron entries: cron_put, cron_remove, cron_look, cron_due, fire, runs_look, ledger_trim.

use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{Change, Standing};
use carillon_shared::name::CronName;
use carillon_shared::store::{DueEntries, EntryPut, FireItem, LeaderToken, Store, StoredEntry, Unreadable};
use carillon_tests::cron::comes_at;
use carillon_tests::redis::shared;
use serde_json::json;

use crate::case::{Call, Case, call, case};
use crate::jobs::{P0, nobody};
use crate::leading::lead;

fn name() -> CronName {
    "n".parse().expect("a name")
}

async fn registered(store: &Store) -> StoredEntry {
    let request = json!({"name": "n", "cron": "* * * * * *", "type": "a", "overlap_policy": "cancel_previous"});
    let registered = Client::new(store.clone()).register(&request).await.expect("a valid entry").entry;
    // Its instant came a minute ago, and has not come for whoever only looks at the clock.
    let at = registered.updated_at.as_ms() / 1000 * 1000 - 60_000;
    comes_at(store, &name(), Timestamp::from_ms(at)).await;
    store.entry(&name()).await.expect("Redis is there").expect("it is registered")
}

fn unreadable() -> Unreadable {
    Unreadable { name: "n".to_owned(), problem: "it is none".to_owned() }
}

fn putting(store: &Store, entry: &StoredEntry, revision_seen: u64, mark_seen: Option<Timestamp>) -> Call {
    call!(store, entry => store.put_entry(&EntryPut {
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
    }).await)
}

async fn leading(store: &Store) -> LeaderToken {
    let token = lead(store).await;
    store.seal(P0, &token).await.expect("Redis is there");
    token
}

/// A fire of what is due, changed before it is sent.
async fn firing(store: Store, change: fn(&Store, &mut FireItem)) -> Call {
    let token = leading(&store).await;
    let entry = registered(&store).await;
    let now = store.now().await.expect("Redis is there");
    let mut item = FireItem::due(&entry, &entry.timetable().expect("valid"), now).expect("valid");
    change(&store, &mut item);
    call!(store, token, item => store.fire(P0, &token, &[item]).await)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case!(cron_put, "a change", Once, |store| {
            let entry = registered(&store).await;
            putting(&store, &entry, entry.revision, entry.next_mark)
        }),
        case!(cron_put, "a change of what has changed since", Nothing, |store| {
            let entry = registered(&store).await;
            putting(&store, &entry, entry.revision + 7, entry.next_mark)
        }),
        case!(cron_put, "a new entry where one is", Nothing, |store| {
            let entry = registered(&store).await;
            putting(&store, &entry, 0, None)
        }),
        case!(cron_put, "a change of what has fired since", Nothing, |store| {
            let entry = registered(&store).await;
            putting(&store, &entry, entry.revision, None)
        }),
        case!(cron_remove, "an entry", Once, |store| {
            registered(&store).await;
            call!(store => store.remove_entry(&name()).await)
        }),
        case!(cron_remove, "an entry that has changed since", Nothing, |store| {
            let mut entry = registered(&store).await;
            entry.revision += 7;
            call!(store, entry => store.remove_entry_seen(&entry).await)
        }),
        case!(cron_remove, "nothing", Nothing, |store| call!(store => store.remove_entry(&name()).await)),
        case!(cron_aside, "an entry that is due", Once, |store| {
            let token = leading(&store).await;
            registered(&store).await;
            call!(store, token => store.set_aside(P0, &token, &[unreadable()], Duration::from_secs(600)).await)
        }),
        case!(cron_aside, "for one who did not seal", Nothing, |store| {
            let token = lead(&store).await;
            registered(&store).await;
            call!(store, token => store.set_aside(P0, &token, &[unreadable()], Duration::from_secs(600)).await)
        }),
        case!(cron_look, "an entry", Nothing, |store| {
            registered(&store).await;
            call!(store => store.entry(&name()).await)
        }),
        case!(cron_due, "an entry that is due", Nothing, |store| {
            let token = leading(&store).await;
            registered(&store).await;
            call!(store, token => due(store.due_entries(P0, &token, 9).await))
        }),
        case!(runs_look, "a run that has not ended", Nothing, |store| {
            run(&store).await;
            call!(store => store.ledger(&name(), None, 9).await)
        }),
        case!(ledger_trim, "a ledger with an old row", Once, |store| {
            registered(&store).await;
            // From the first second of 1970.
            let mut old = redis::cmd("RPUSH");
            old.arg(store.keys().partition(P0).ledger(&name())).arg("1-1\0x\0enabled");
            old.exec_async(&mut shared().connection().await).await.expect("Redis is there");
            run(&store).await;
            call!(store => store.trim_ledgers(P0, 0).await)
        }),
        case!(ledger_trim, "nothing too old", Nothing, |store| {
            run(&store).await;
            call!(store => store.trim_ledgers(P0, 0).await)
        }),
        case!(cron_due, "for one who did not seal", Nothing, |store| {
            let token = lead(&store).await;
            registered(&store).await;
            call!(store, token => due(store.due_entries(P0, &token, 9).await))
        }),
    ];
    cases.extend(fires());
    cases
}

async fn run(store: &Store) {
    registered(store).await;
    Client::new(store.clone()).run_now(&name(), None).await.expect("it runs");
}

fn due<E>(found: Result<DueEntries, E>) -> Result<usize, E> {
    found.map(|found| match found {
        DueEntries::Due { entries, .. } => entries.len(),
        DueEntries::Fenced => 0,
    })
}

fn fires() -> Vec<Case> {
    vec![
        case!(fire, "an instant", Once, |store| firing(store, |_, _| {}).await),
        case!(fire, "an instant on top of a live run", Once, |store| {
            let entry = registered(&store).await;
            let item = FireItem::asked(&entry, nobody(&store), entry.updated_at, None).expect("valid");
            store.fire_asked(P0, item).await.expect("Redis is there");
            firing(store, |_, _| {}).await
        }),
        case!(fire, "a run that somebody asked for", Once, |store| {
            let entry = registered(&store).await;
            let item = FireItem::asked(&entry, nobody(&store), entry.updated_at, None).expect("valid");
            call!(store, item => store.fire_asked(P0, item.clone()).await)
        }),
        case!(fire, "on another revision", Nothing, |store| firing(store, |_, item| item.revision_seen += 1).await),
        case!(fire, "on a run that is not live", Nothing, |store| {
            firing(store, |store, item| item.live_seen.push(nobody(store))).await
        }),
        case!(fire, "another instant", Nothing, |store| {
            firing(store, |_, item| item.mark_seen = item.mark_seen.map(|at| at + Duration::from_secs(1))).await
        }),
        case!(fire, "an entry that is gone", Nothing, |store| {
            firing(store, |_, item| item.name = "gone".parse().expect("a name")).await
        }),
        case!(fire, "an instant that has not come", Nothing, |store| {
            let token = leading(&store).await;
            let later = json!({"name": "n", "cron": "0 0 29 2 *", "type": "a"});
            let entry = Client::new(store.clone()).register(&later).await.expect("a valid entry").entry;
            let item = FireItem::asked(&entry, nobody(&store), entry.updated_at, None).expect("valid");
            let item = FireItem { mark_seen: entry.next_mark, ..item };
            call!(store, token, item => store.fire(P0, &token, &[item]).await)
        }),
        case!(fire, "for one who led before", Nothing, |store| {
            let call = firing(store.clone(), |_, _| {}).await;
            let token = lead(&store).await;
            store.seal(P0, &token).await.expect("Redis is there");
            call
        }),
    ]
}
