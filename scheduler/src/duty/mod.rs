//! Duties: the periodic tasks of a leader, and the intake, which every scheduler has.
//!
//! | duty | what it does | without a leader |
//! |---|---|---|
//! | look | sees what comes next, for those of the others that wait for an instant | each of them waits with it |
//! | fire | decides on due instants of cron entries | instants wait, and are caught up with |
//! | promote | scheduled and retryable jobs that are due → available | claims promote too |
//! | reclaim | jobs whose lease has ended → available, or discarded | they wait |
//! | expire | jobs that were not claimed in time → discarded | claims discard them too |
//! | overtime | attempts that take longer than they may → failed | their workers mind the time |
//! | silence | jobs of workers that were not heard of for half a minute → as reclaim | they wait for their leases |
//! | trim | forgets what ended long ago | memory grows |
//! | tidy | forgets queues that are not used | memory grows |
//! | ledger | cuts ledgers by number and age | fires cut by number; what is too old is not shown |
//! | measure | gauges | they stand still |
//! | intake | takes jobs from the inbox | every scheduler does |
//!
//! A scheduler that was given a directory of schedules also keeps the entries as its files declare them.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use carillon_shared::clock::Timestamp;
use carillon_shared::id::Partition;
use carillon_shared::job::{Job, RetryPolicy};
use carillon_shared::store::{Retention, Store, StoreError};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

mod awaiting;
mod clock_hold;
mod compiled;
mod expire;
mod fire;
mod intake;
mod ledger;
mod look;
mod measure;
mod overtime;
mod promote;
mod reclaim;
mod rest;
mod silence;
mod term;
mod tidy;
mod trim;

use awaiting::Awaiting;
use expire::Expire;
use fire::Fire;
use ledger::Ledgers;
use look::Look;
use measure::Measure;
use overtime::Overtime;
use promote::Promote;
use reclaim::Reclaiming;
use silence::Silence;
use tidy::Tidy;
use trim::Trim;

pub use clock_hold::ClockHold;
pub(crate) use intake::Intake;
pub use term::Term;

/// What the duties are told.
#[derive(Debug, Clone)]
pub struct DutySettings {
    /// How long, and how many, of what has ended are kept.
    pub retention: Vec<Retention>,
    /// How long queues are known that are not used.
    pub queues_idle_for: Duration,
}

/// The duties of a leader, while they run.
#[derive(Debug)]
pub struct Duties(JoinSet<()>);

/// Starts the duties of a leader; they end with `ended`.
#[must_use]
pub fn start(
    store: &Store,
    term: &Arc<Term>,
    settings: &DutySettings,
    hold: &Arc<ClockHold>,
    ended: &CancellationToken,
) -> Duties {
    let mut duties = JoinSet::new();
    for partition in store.partitions() {
        start_awaiting(&mut duties, store, partition, term, hold, ended);
        duties.spawn(repeat(Tidy::new(store.clone(), partition, settings.queues_idle_for), ended.clone()));
        duties.spawn(repeat(Trim::new(store.clone(), partition, settings.retention.clone()), ended.clone()));
        duties.spawn(repeat(Ledgers::new(store.clone(), partition), ended.clone()));
    }
    duties.spawn(repeat(Silence::new(store.clone()), ended.clone()));
    duties.spawn(repeat(Measure::new(store.clone()), ended.clone()));
    Duties(duties)
}

/// Starts those that wait for an instant. The leader gives up when one of them is stuck, in whichever partition.
fn start_awaiting(
    duties: &mut JoinSet<()>,
    store: &Store,
    partition: Partition,
    term: &Arc<Term>,
    hold: &Arc<ClockHold>,
    ended: &CancellationToken,
) {
    let look = Look::new(store.clone(), partition, term.clone());
    // The only one of them whose rounds may last.
    let progress = term.track();
    let fire = Fire::new(store.clone(), partition, term.clone(), hold.clone(), progress.clone());
    duties.spawn(repeat(Awaiting::new(fire, &look, progress), ended.clone()));
    let promote = Promote::new(store.clone(), partition);
    duties.spawn(repeat(Awaiting::new(promote, &look, term.track()), ended.clone()));
    let reclaim = Reclaiming::new(store.clone(), partition);
    duties.spawn(repeat(Awaiting::new(reclaim, &look, term.track()), ended.clone()));
    let expire = Expire::new(store.clone(), partition);
    duties.spawn(repeat(Awaiting::new(expire, &look, term.track()), ended.clone()));
    let overtime = Overtime::new(store.clone(), partition);
    duties.spawn(repeat(Awaiting::new(overtime, &look, term.track()), ended.clone()));
    duties.spawn(repeat(look, ended.clone()));
}

impl Duties {
    /// Waits for the duties to end, for at most `grace`; what is stuck is dropped.
    pub async fn end(mut self, grace: Duration) {
        let joined = timeout(grace, async { while self.0.join_next().await.is_some() {} }).await;
        if joined.is_err() {
            warn!("a duty did not end in time and is dropped");
            self.0.shutdown().await;
        }
    }
}

/// One periodic task.
pub(crate) trait Duty: Send {
    /// What logs call it.
    const NAME: &'static str;

    /// One round; says how long to rest after it.
    fn round(&mut self) -> impl Future<Output = Result<Duration, StoreError>> + Send;

    /// Rests after a round that succeeded.
    fn rest(&mut self, rest: Duration) -> impl Future<Output = ()> + Send {
        sleep(rest)
    }
}

/// Repeats a duty until `stop`. While Redis is away it rests longer, and says so once.
pub(crate) async fn repeat<D: Duty>(mut duty: D, stop: CancellationToken) {
    let mut failures: u32 = 0;
    while !stop.is_cancelled() {
        match duty.round().await {
            Ok(rest) => {
                if failures > 0 {
                    info!(duty = D::NAME, "goes on");
                }
                failures = 0;
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = duty.rest(rest) => {}
                }
            }
            Err(error) => {
                if failures == 0 {
                    let cause = error.source().map(ToString::to_string);
                    warn!(duty = D::NAME, error = %error, cause, "failed; it is repeated");
                }
                failures = failures.saturating_add(1);
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = sleep(Duration::from_millis(100 * u64::from(failures.min(20)))) => {}
                }
            }
        }
    }
}

/// The retry policy of a job. It was read when the job was taken in, so it can be read again; if not, the job is kept
/// among the dead letters rather than lost.
pub(crate) fn policy_of(job: &Job) -> Option<RetryPolicy> {
    job.envelope.envelope(Timestamp::from_ms(0)).ok().map(|envelope| envelope.retry)
}
