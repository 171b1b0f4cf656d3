//! Scripts of attempts: claim, finish, heartbeat, overdue, reclaim, overtime.

use std::time::Duration;

use carillon_shared::id::{JobId, nonce};
use carillon_shared::job::{Failure, RateLimit, Verdict};
use carillon_shared::name::QueueName;
use carillon_shared::store::{
    AskedEnd, AttemptEnd, Ending, Held, Presented, QueueChange, Reclaim, Reclaimed, Right, Store, WorkerOrder,
};
use carillon_tests::redis::shared;
use carillon_tests::store::{claim, claim_one, enqueue};
use serde_json::json;

use crate::case::{Call, Case, call, case};
use crate::jobs::{P0, active, failed, nobody, plain};

const LEASE: Duration = Duration::from_secs(600);

fn claiming(store: &Store) -> Call {
    let request = claim(2, LEASE);
    call!(store, request => store.claim(&request).await)
}

async fn limited(store: Store, change: QueueChange) -> Call {
    enqueue(&store, &plain()).await;
    claim_one(&store).await;
    enqueue(&store, &plain()).await;
    store.change_queue(&QueueName::default(), &change).await.expect("Redis is there");
    claiming(&store)
}

fn ending(store: &Store, held: &Held, ending: Ending) -> Call {
    let end = AttemptEnd { held: held.clone(), ending };
    call!(store, end => store.end(&[end]).await)
}

/// The same end with an answer, by what is presented.
fn presenting(store: &Store, id: JobId, said: Presented, ending: Ending) -> Call {
    asking(store, id, Right::Presented(said), ending)
}

fn asking(store: &Store, id: JobId, right: Right, ending: Ending) -> Call {
    let (request, end) = (nonce(), AskedEnd { id, right, ending });
    call!(store, request, end => store.end_asked(P0, &request, &[end]).await)
}

async fn ends(store: Store, how: Ending) -> Call {
    ending(&store, &active(&store).await, how)
}

fn returned(delay: Duration) -> Ending {
    Ending::Returned { delay, failure: Failure::new("shutdown", "no") }
}

fn completed() -> Ending {
    Ending::Completed { result: Some(json!({"n": 1})) }
}

fn of_nobody(held: &Held) -> Held {
    Held { lease: "1-0000000000000000".parse().expect("a lease"), ..held.clone() }
}

fn beating(store: &Store, held: &Held) -> Call {
    call!(store, held => store.heartbeat(&[held], LEASE).await)
}

/// Lets the lease of a job end, as if its time had passed; and says that somebody looked for such leases in time.
async fn end_lease(store: &Store, id: JobId) {
    let keys = store.keys().partition(P0);
    let mut pipe = redis::pipe();
    pipe.cmd("ZADD").arg(keys.leases()).arg("XX").arg(1).arg(id.to_string()).ignore();
    watched(&mut pipe, store);
    pipe.exec_async(&mut shared().connection().await).await.expect("Redis is there");
}

fn watched(pipe: &mut redis::Pipeline, store: &Store) {
    let reaper = store.keys().partition(P0).reaper();
    pipe.cmd("HSET").arg(reaper).arg("tick").arg(9_000_000_000_000_i64).arg("hold").arg(0).ignore();
}

async fn watch(store: &Store) {
    let mut pipe = redis::pipe();
    watched(&mut pipe, store);
    pipe.exec_async(&mut shared().connection().await).await.expect("Redis is there");
}

fn reclaiming(store: &Store, held: &Held, outcome: Reclaimed) -> Call {
    call!(store, held => {
        let failure = Failure::new("visibility_timeout", "x");
        let (id, lease) = (held.id, held.lease.clone());
        store.reclaim(P0, &[Reclaim { id, lease, attempt: 1, failure, outcome }]).await
    })
}

async fn reclaims(store: Store, outcome: Reclaimed) -> Call {
    let held = active(&store).await;
    end_lease(&store, held.id).await;
    reclaiming(&store, &held, outcome)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        case!(claim, "available jobs", Once, |store| {
            enqueue(&store, &plain()).await;
            enqueue(&store, &plain()).await;
            claiming(&store)
        }),
        case!(claim, "jobs of a limited queue", Once, |store| {
            let rate = RateLimit { starts: 9, window: LEASE };
            limited(store, QueueChange::Rate(Some(rate))).await
        }),
        case!(claim, "nothing", Nothing, |store| claiming(&store)),
        case!(claim, "a paused queue", Nothing, |store| limited(store, QueueChange::Pause).await),
        case!(claim, "as many as may run", Nothing, |store| limited(store, QueueChange::Concurrency(Some(1))).await),
        case!(claim, "no more than may start", Nothing, |store| {
            let rate = RateLimit { starts: 0, window: LEASE };
            limited(store, QueueChange::Rate(Some(rate))).await
        }),
        case!(claim, "available jobs while another worker is quiet", Once, |store| {
            enqueue(&store, &plain()).await;
            store.order(&"other".parse().expect("a worker"), Some(WorkerOrder::Quiet)).await.expect("Redis is there");
            claiming(&store)
        }),
        case!(claim, "a worker that was told to be quiet", Nothing, |store| {
            enqueue(&store, &plain()).await;
            store.order(&claim(1, LEASE).askers[0].0, Some(WorkerOrder::Quiet)).await.expect("Redis is there");
            claiming(&store)
        }),
        case!(claim, "a job that is not due", Nothing, |store| {
            enqueue(&store, &json!({"type": "echo", "args": [], "scheduled_at": "2999-01-01T00:00:00Z"})).await;
            claiming(&store)
        }),
    ];
    cases.extend(finishes());
    cases.extend(answered());
    cases.extend(beats());
    cases.extend(reclaimed());
    cases
}

fn finishes() -> Vec<Case> {
    vec![
        case!(finish, "a success", Once, |store| ends(store, completed()).await),
        case!(finish, "a failure to be retried", Once, |store| ends(store, failed(Verdict::Retry(LEASE))).await),
        case!(finish, "a failure for good", Once, |store| ends(store, failed(Verdict::Discard)).await),
        case!(finish, "a dead letter", Once, |store| ends(store, failed(Verdict::DeadLetter)).await),
        case!(finish, "a job given back", Once, |store| ends(store, returned(Duration::ZERO)).await),
        case!(finish, "a job given back for later", Once, |store| ends(store, returned(LEASE)).await),
        case!(finish, "a lease that nobody has", Nothing, |store| {
            let held = of_nobody(&active(&store).await);
            ending(&store, &held, completed())
        }),
        case!(finish, "a job that was cancelled", Nothing, |store| {
            let held = active(&store).await;
            store.cancel(held.id, "test", "").await.expect("Redis is there");
            ending(&store, &held, completed())
        }),
        case!(finish, "an attempt that has ended otherwise", Nothing, |store| {
            let held = active(&store).await;
            ending(&store, &held, failed(Verdict::Discard)).make().await.expect("Redis is there");
            ending(&store, &held, completed())
        }),
        case!(finish, "a job that was taken back", Nothing, |store| {
            let held = active(&store).await;
            end_lease(&store, held.id).await;
            reclaiming(&store, &held, Reclaimed::Available).make().await.expect("Redis is there");
            ending(&store, &held, completed())
        }),
        case!(finish, "nobody", Nothing, |store| {
            let held = Held { id: nobody(&store), lease: "1-aa".parse().expect("a lease"), partition: P0 };
            ending(&store, &held, completed())
        }),
    ]
}

fn answered() -> Vec<Case> {
    vec![
        case!(finish, "a success by nothing but the id", Once, |store| {
            let held = active(&store).await;
            presenting(&store, held.id, Presented::default(), completed())
        }),
        case!(finish, "a success by all that can be presented", Once, |store| {
            let Held { id, lease, .. } = active(&store).await;
            let job = store.job(id).await.expect("Redis is there").expect("a job");
            let said = Presented { worker: job.record.worker, attempt: Some(1), lease: Some(lease) };
            presenting(&store, id, said, completed())
        }),
        case!(finish, "a success of a second attempt, after a failure", Once, |store| {
            let held = active(&store).await;
            ending(&store, &held, failed(Verdict::Retry(Duration::ZERO))).make().await.expect("Redis is there");
            let held = claim_one(&store).await.held;
            presenting(&store, held.id, Presented::default(), Ending::Completed { result: None })
        }),
        case!(finish, "a failure that is asked about", Once, |store| {
            let Held { id, lease, .. } = active(&store).await;
            asking(&store, id, Right::Held(lease), failed(Verdict::Retry(LEASE)))
        }),
        case!(finish, "a job given back that is asked about", Once, |store| {
            let Held { id, lease, .. } = active(&store).await;
            asking(&store, id, Right::Held(lease), returned(Duration::ZERO))
        }),
        case!(finish, "a worker that did not claim", Nothing, |store| {
            let held = active(&store).await;
            let said = Presented { worker: Some("another".to_owned()), ..Presented::default() };
            presenting(&store, held.id, said, completed())
        }),
        case!(finish, "an attempt that is not the present one", Nothing, |store| {
            let held = active(&store).await;
            presenting(&store, held.id, Presented { attempt: Some(2), ..Presented::default() }, completed())
        }),
        case!(finish, "a lease that is presented and nobody has", Nothing, |store| {
            let held = active(&store).await;
            let said = Presented { lease: Some(of_nobody(&held).lease), ..Presented::default() };
            presenting(&store, held.id, said, completed())
        }),
        case!(finish, "an end by the id of a job that has ended", Nothing, |store| {
            let held = active(&store).await;
            ending(&store, &held, completed()).make().await.expect("Redis is there");
            presenting(&store, held.id, Presented::default(), completed())
        }),
        case!(finish, "nobody, asked about", Nothing, |store| {
            presenting(&store, nobody(&store), Presented::default(), completed())
        }),
    ]
}

fn beats() -> Vec<Case> {
    vec![
        case!(heartbeat, "a running job", Renewed, |store| {
            let held = active(&store).await;
            end_lease(&store, held.id).await;
            beating(&store, &held)
        }),
        case!(heartbeat, "a lease that nobody has", Nothing, |store| {
            let held = of_nobody(&active(&store).await);
            beating(&store, &held)
        }),
        case!(heartbeat, "a worker that did not claim", Nothing, |store| {
            let id = active(&store).await.id;
            call!(store, id => store.heartbeat_as(&"other".parse().expect("a worker"), &[id], Some(LEASE)).await)
        }),
        case!(heartbeat, "a job that was cancelled", Nothing, |store| {
            let held = active(&store).await;
            store.cancel(held.id, "test", "").await.expect("Redis is there");
            beating(&store, &held)
        }),
        case!(heartbeat, "a job that has ended", Nothing, |store| {
            let held = active(&store).await;
            ending(&store, &held, completed()).make().await.expect("Redis is there");
            beating(&store, &held)
        }),
    ]
}

fn reclaimed() -> Vec<Case> {
    vec![
        case!(overdue, "a lease that has ended", Renewed, |store| {
            let held = active(&store).await;
            end_lease(&store, held.id).await;
            call!(store => store.overdue(P0).await)
        }),
        case!(reclaim, "a job to be tried again", Once, |store| reclaims(store, Reclaimed::Available).await),
        case!(reclaim, "a job to be discarded", Once, |store| reclaims(store, Reclaimed::Discarded).await),
        case!(reclaim, "a dead letter", Once, |store| reclaims(store, Reclaimed::DeadLetter).await),
        case!(reclaim, "a lease that has not ended", Nothing, |store| {
            let held = active(&store).await;
            watch(&store).await;
            reclaiming(&store, &held, Reclaimed::Available)
        }),
        case!(reclaim, "the lease of an earlier attempt", Nothing, |store| {
            let held = active(&store).await;
            end_lease(&store, held.id).await;
            reclaiming(&store, &of_nobody(&held), Reclaimed::Available)
        }),
        case!(reclaim, "when nobody looked", Nothing, |store| {
            let held = active(&store).await;
            end_lease(&store, held.id).await;
            let reaper = store.keys().partition(P0).reaper();
            let forget = redis::cmd("DEL").arg(reaper).to_owned();
            forget.exec_async(&mut shared().connection().await).await.expect("Redis is there");
            reclaiming(&store, &held, Reclaimed::Available)
        }),
        case!(reclaim, "nobody", Nothing, |store| {
            watch(&store).await;
            let held = Held { id: nobody(&store), lease: "1-aa".parse().expect("a lease"), partition: P0 };
            reclaiming(&store, &held, Reclaimed::Available)
        }),
        case!(overtime, "an attempt that takes too long", Nothing, |store| {
            enqueue(&store, &json!({"type": "echo", "args": [], "timeout": 60})).await;
            let id = claim_one(&store).await.held.id;
            let late = redis::cmd("ZADD")
                .arg(store.keys().partition(P0).timeouts())
                .arg("XX")
                .arg(1)
                .arg(id.to_string())
                .to_owned();
            late.exec_async(&mut shared().connection().await).await.expect("Redis is there");
            call!(store => store.overtime(P0).await.map(|found| found.len()))
        }),
    ]
}
