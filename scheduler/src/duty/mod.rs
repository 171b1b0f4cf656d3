//! Duties: the periodic tasks of a leader, and the intake, which every scheduler has.
//!
//! | duty | what it does | without a leader |
//! |---|---|---|
//! | fire | decides on due instants of cron entries | instants wait, and are caught up with |
//! | promote | scheduled and retryable jobs that are due → available | claims promote too |
//! | reclaim | jobs whose lease has ended → available, or discarded | they wait |
//! | expire | jobs that were not claimed in time → discarded | claims discard them too |
//! | overtime | attempts that take longer than they may → failed | their workers mind the time |
//! | silence | jobs of workers that were not heard of for half a minute → as reclaim | they wait for their leases |
//! | trim | forgets what ended long ago | memory grows |
//! | tidy | forgets queues that are not used | memory grows |
//! | measure | gauges | they stand still |
//! | intake | takes jobs from the inbox | every scheduler does |

use std::error::Error;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use carillon_shared::clock::{BootInstant, Timestamp};
use carillon_shared::job::{Envelope, Job, RetryPolicy};
use carillon_shared::store::{LeaderToken, Retention, Store, StoreError};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

mod expire;
mod fire;
mod intake;
mod measure;
mod overtime;
mod promote;
mod reclaim;
mod silence;
mod tidy;
mod trim;

use expire::Expire;
use fire::Fire;
use measure::Measure;
use overtime::Overtime;
use promote::Promote;
use reclaim::Reclaiming;
use silence::Silence;
use tidy::Tidy;
use trim::Trim;

pub(crate) use intake::Intake;

/// What the duties are told.
#[derive(Debug, Clone)]
pub struct DutySettings {
    /// How long, and how many, of what has ended are kept.
    pub retention: Vec<Retention>,
    /// How long queues are known that are not used.
    pub queues_idle_for: Duration,
}

/// One leadership, as its duties see it.
#[derive(Debug)]
pub struct Term {
    /// What the partitions know it by.
    pub token: LeaderToken,
    start: BootInstant,
    trust: Duration,
    /// Milliseconds after `start`.
    renewed_ms: AtomicI64,
    progress_ms: AtomicI64,
    deposed: CancellationToken,
}

impl Term {
    /// A leadership that was acquired by a call sent at `since`.
    #[must_use]
    pub fn new(token: LeaderToken, since: BootInstant, ttl: Duration) -> Self {
        let elapsed_ms = elapsed_ms(since);
        Self {
            token,
            start: since,
            trust: ttl.mul_f64(0.7),
            renewed_ms: AtomicI64::new(0),
            progress_ms: AtomicI64::new(elapsed_ms),
            deposed: CancellationToken::new(),
        }
    }

    /// Notes that a renewal sent at `sent` succeeded.
    pub fn renewed(&self, sent: BootInstant) {
        self.renewed_ms.store(elapsed_ms(self.start) - elapsed_ms(sent), Ordering::Relaxed);
    }

    /// Whether this leader may still believe in itself.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        elapsed_ms(self.start) - self.renewed_ms.load(Ordering::Relaxed) < ms(self.trust)
    }

    /// Notes that the duties get on.
    pub fn progressed(&self) {
        self.progress_ms.store(elapsed_ms(self.start), Ordering::Relaxed);
    }

    /// How long the duties have not got on.
    #[must_use]
    pub fn progress_age(&self) -> Duration {
        let age_ms = elapsed_ms(self.start) - self.progress_ms.load(Ordering::Relaxed);
        Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))
    }

    /// Notes that a partition refused the token.
    pub fn depose(&self) {
        self.deposed.cancel();
    }

    /// Waits until a partition refuses the token.
    pub async fn deposed(&self) {
        self.deposed.cancelled().await;
    }
}

/// The duties of a leader, while they run.
#[derive(Debug)]
pub struct Duties(JoinSet<()>);

/// Starts the duties of a leader; they end with `ended`.
#[must_use]
pub fn start(store: &Store, term: &std::sync::Arc<Term>, settings: &DutySettings, ended: &CancellationToken) -> Duties {
    let mut duties = JoinSet::new();
    for partition in store.partitions() {
        duties.spawn(repeat(Fire::new(store.clone(), partition, term.clone()), ended.clone()));
        duties.spawn(repeat(Promote::new(store.clone(), partition), ended.clone()));
        duties.spawn(repeat(Reclaiming::new(store.clone(), partition), ended.clone()));
        duties.spawn(repeat(Expire::new(store.clone(), partition), ended.clone()));
        duties.spawn(repeat(Overtime::new(store.clone(), partition), ended.clone()));
        duties.spawn(repeat(Tidy::new(store.clone(), partition, settings.queues_idle_for), ended.clone()));
        duties.spawn(repeat(Trim::new(store.clone(), partition, settings.retention.clone()), ended.clone()));
    }
    duties.spawn(repeat(Silence::new(store.clone()), ended.clone()));
    duties.spawn(repeat(Measure::new(store.clone()), ended.clone()));
    Duties(duties)
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
}

/// Repeats a duty until `stop`. While Redis is away it rests longer, and says so once.
pub(crate) async fn repeat<D: Duty>(mut duty: D, stop: CancellationToken) {
    let mut failures: u32 = 0;
    while !stop.is_cancelled() {
        let rest = match duty.round().await {
            Ok(rest) => {
                if failures > 0 {
                    info!(duty = D::NAME, "goes on");
                }
                failures = 0;
                rest
            }
            Err(error) => {
                if failures == 0 {
                    let cause = error.source().map(ToString::to_string);
                    warn!(duty = D::NAME, error = %error, cause, "failed; it is repeated");
                }
                failures = failures.saturating_add(1);
                Duration::from_millis(100 * u64::from(failures.min(20)))
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(rest) => {}
        }
    }
}

/// The retry policy of a job. It was read when the job was taken in, so it can be read again; if not, the job is kept
/// among the dead letters rather than lost.
pub(crate) fn policy_of(job: &Job) -> Option<RetryPolicy> {
    let envelope = Value::Object(job.envelope.clone());
    Envelope::read(&envelope, Timestamp::from_ms(0)).ok().map(|envelope| envelope.retry)
}

fn elapsed_ms(since: BootInstant) -> i64 {
    ms(since.elapsed())
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
