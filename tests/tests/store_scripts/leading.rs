//! Scripts of leadership, of the inbox, of workers, of telling and of rights: leader_*, seal, inbox_*, worker_note, quiet,
//! tell, rights.

use std::time::Duration;

use carillon_shared::name::WorkerId;
use carillon_shared::store::{Acquired, LeaderToken, QuietNote, Settlement, Store, WorkerInfo, WorkerOrder};
use carillon_tests::redis::shared;
use carillon_tests::store::a_millisecond;
use serde_json::json;

use crate::case::{Call, Case, call, case};
use crate::jobs::P0;

const TTL: Duration = Duration::from_secs(600);

/// Leads from now on, whoever did before.
pub(crate) async fn lead(store: &Store) -> LeaderToken {
    let mut seen = None;
    loop {
        match store.acquire_leadership("test", TTL, seen.as_ref()).await.expect("Redis is there") {
            Acquired::Leads(token) => return token,
            Acquired::Held { seen: holder, .. } => seen = Some(holder),
        }
    }
}

/// Leaves a partition sealed by a leadership that Redis forgot.
async fn seal_in_the_future(store: &Store) {
    let token = lead(store).await;
    let epoch = token.epoch().parse::<u64>().expect("a number") + 3_600_000_000;
    let seal = redis::cmd("SET").arg(store.keys().partition(P0).fence()).arg(format!("{epoch}:a:b")).to_owned();
    seal.exec_async(&mut shared().connection().await).await.expect("Redis is there");
}

async fn push(store: &Store, items: usize) {
    for n in 0..items {
        let push = redis::cmd("RPUSH").arg(store.keys().inbox()).arg(format!("item {n}")).to_owned();
        push.exec_async(&mut shared().connection().await).await.expect("Redis is there");
    }
}

fn quiet_worker() -> WorkerId {
    "w".parse().expect("a worker id")
}

async fn noted(store: &Store, order: WorkerOrder) -> Vec<QuietNote> {
    store.note_quiet(&quiet_worker(), Some(order)).await.expect("Redis is there");
    store.quiet_notes(&quiet_worker()).await.expect("Redis is there")
}

/// Settles one of two items that were taken.
async fn settling(store: Store, place: usize, rejection: Option<&str>) -> Call {
    push(&store, 2).await;
    let taken = store.take_inbox().await.expect("Redis is there");
    let (ticket, rejection) = (taken[place].ticket.clone(), rejection.map(str::to_owned));
    call!(store, ticket, rejection => store.settle_inbox(&[Settlement { ticket, rejection }]).await)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case!(seal, "a partition", Once, |store| {
            let token = lead(&store).await;
            call!(store, token => store.seal(P0, &token).await)
        }),
        case!(seal, "a partition that a later leader has", Nothing, |store| {
            let before = lead(&store).await;
            let token = lead(&store).await;
            store.seal(P0, &token).await.expect("Redis is there");
            call!(store, before => store.seal(P0, &before).await)
        }),
        case!(leader_raise, "past what a partition remembers", Once, |store| {
            seal_in_the_future(&store).await;
            call!(store => store.raise_epoch().await.map(drop))
        }),
        case!(tell, "an event", Renewed, |store| {
            call!(store => store.tell("worker.started", "workers", "w", &json!({"worker_id": "w"})).await)
        }),
        case!(worker_note, "what a worker says", Renewed, |store| {
            let info = WorkerInfo::unknown("w".parse().expect("a worker id"), store.clock().now());
            call!(store, info => store.note_worker(&info).await)
        }),
        case!(quiet, "a worker that is handed nothing", Renewed, |store| {
            let worker = quiet_worker();
            call!(store, worker => store.note_quiet(&worker, Some(WorkerOrder::Quiet)).await)
        }),
        case!(quiet, "a worker that is handed jobs again", Once, |store| {
            let notes = noted(&store, WorkerOrder::Quiet).await;
            call!(store, notes => { store.forget_quiet(&notes).await; Ok(()) })
        }),
        case!(quiet, "a worker that was told anew meanwhile", Nothing, |store| {
            let notes = noted(&store, WorkerOrder::Quiet).await;
            a_millisecond(&store).await;
            noted(&store, WorkerOrder::Terminate).await;
            call!(store, notes => { store.forget_quiet(&notes).await; Ok(()) })
        }),
        case!(rights, "what this user may do", Nothing, |store| {
            call!(store => store.findings().await.map(|found| found.len()))
        }),
        case!(inbox_take, "what was pushed", Once, |store| {
            push(&store, 3).await;
            call!(store => store.take_inbox().await)
        }),
        case!(inbox_settle, "what was enqueued", Once, |store| settling(store, 0, None).await),
        case!(inbox_settle, "what was rejected", Once, |store| settling(store, 0, Some("{}")).await),
        case!(inbox_settle, "what is not at the head", Nothing, |store| settling(store, 1, Some("{}")).await),
    ];
    cases.extend(leaderships());
    cases
}

fn leaderships() -> Vec<Case> {
    vec![
        case!(leader_acquire, "a free place", Once, |store| {
            call!(store => store.acquire_leadership("test", TTL, None).await.map(|_| ()))
        }),
        case!(leader_acquire, "the place of one who lives", Nothing, |store| {
            lead(&store).await;
            call!(store => store.acquire_leadership("other", TTL, None).await.map(|_| ()))
        }),
        case!(leader_acquire, "the place of one who has renewed", Nothing, |store| {
            let token = lead(&store).await;
            let Acquired::Held { seen, .. } =
                store.acquire_leadership("other", TTL, None).await.expect("Redis is there")
            else {
                panic!("two lead")
            };
            store.renew_leadership(&token, TTL).await.expect("Redis is there");
            call!(store, seen => store.acquire_leadership("other", TTL, Some(&seen)).await.map(|_| ()))
        }),
        case!(leader_renew, "a leadership", Renewed, |store| {
            let token = lead(&store).await;
            call!(store, token => store.renew_leadership(&token, TTL).await)
        }),
        case!(leader_renew, "a leadership that was taken over", Nothing, |store| {
            let before = lead(&store).await;
            lead(&store).await;
            call!(store, before => store.renew_leadership(&before, TTL).await)
        }),
        case!(leader_release, "a leadership", Once, |store| {
            let token = lead(&store).await;
            call!(store, token => store.release_leadership(&token).await)
        }),
        case!(leader_release, "a leadership that was taken over", Nothing, |store| {
            let before = lead(&store).await;
            lead(&store).await;
            call!(store, before => store.release_leadership(&before).await)
        }),
    ]
}
