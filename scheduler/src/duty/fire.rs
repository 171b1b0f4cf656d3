//! The duty that fires cron entries: reads what is due, decides in pure code, lets the store apply it.
//!
//! A crash before the script changes nothing, and after it everything is done. What was decided on an entry that changed
//! meanwhile is refused, and is read again on the next round.

use std::sync::Arc;
use std::time::Duration;

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{Decision, WAITING_TOLD};
use carillon_shared::id::Partition;
use carillon_shared::store::{
    Coming, DueEntries, FireDecision, FireItem, FireReply, FireResult, Store, StoreError, StoredEntry, Unreadable,
};
use carillon_shared::telemetry::metric::{self, label};
use carillon_shared::telemetry::queue_label;
use tokio::task::JoinSet;
use tracing::{debug, error, warn};

use super::awaiting::Awaits;
use super::compiled::Compiled;
use super::rest::{Lead, Rest, rest_exactly};
use super::term::Progress;
use super::{ClockHold, Duty, Term};

/// Decisions in one call.
const BATCH: usize = 50;
/// Batches in one round. A batch is read behind all that may be on the way, so it may pass over entries that are not: these,
/// the earliest, are what the next round begins with.
const BATCHES_MAX: usize = 100;
/// Calls on the way while the next decisions are made.
const ON_THE_WAY_MAX: usize = 4;
/// An instant that is no further away is awaited to a fraction of a millisecond, and nothing else meanwhile: no longer than
/// a registration may take to be noticed.
const NEAR: Duration = Duration::from_millis(200);
/// While this leader does not trust itself it rests so long.
const DOUBT_REST: Duration = Duration::from_millis(200);
/// An entry that cannot be read is looked at again after so long.
const UNREADABLE_REST: Duration = Duration::from_secs(60);
/// While the clock cannot be believed it is looked at so often.
const HELD_REST: Duration = Duration::from_millis(500);

/// Fires the entries of one partition.
pub(crate) struct Fire {
    store: Store,
    partition: Partition,
    term: Arc<Term>,
    hold: Arc<ClockHold>,
    progress: Progress,
    compiled: Compiled,
    lead: Lead,
}

impl Awaits for Fire {
    const COMING: Coming = Coming::Instant;
    // Before it is near, because our estimate of Redis's time may be off.
    const AHEAD: Duration = Duration::from_millis(150);
}

impl Duty for Fire {
    const NAME: &'static str = "fire";

    /// Reads and decides on a batch while those before it are being applied. The next one is asked for before this one is sent
    /// off, so that Redis has something to do while the next is decided on.
    async fn round(&mut self) -> Result<Duration, StoreError> {
        let mut applied = JoinSet::new();
        let (mut read, mut batches, mut is_behind) = (self.read(0), 0, false);
        loop {
            self.progress.made();
            if !self.term.is_trusted() {
                return Ok(DOUBT_REST);
            }
            let DueEntries::Due { now, next_at, entries, mut unreadable } = come(&mut read).await? else {
                self.term.depose();
                return Ok(Self::REST_MAX);
            };
            // Asked after the time was read, and before anything is decided by it.
            if !self.hold.lets_fire().await? {
                return Ok(HELD_REST);
            }
            batches += 1;
            let last = entries.len() + unreadable.len() < BATCH || batches == BATCHES_MAX;
            if !last {
                read = self.read((applied.len() + 1) * BATCH);
            }
            let items = self.decide(&entries, now, &mut unreadable);
            if !unreadable.is_empty() && !self.set_aside(&unreadable).await? {
                return Ok(Self::REST_MAX);
            }
            // Some of what was missed is decided on one after the other.
            is_behind |= items.iter().any(|item| item.look_at.is_some_and(|at| at <= now));
            if applied.len() == ON_THE_WAY_MAX || last {
                Self::finish(&mut applied, if last { 0 } else { ON_THE_WAY_MAX - 1 }).await?;
            }
            let batch = Batch { items, now };
            if last {
                apply(self.store.clone(), self.term.clone(), self.partition, batch).await?;
                if batches > 1 || is_behind {
                    return Ok(Duration::ZERO);
                }
                let away = next_at.map(|at| self.store.clock().until(at)).filter(|away| *away <= NEAR);
                match self.lead.rest(next_at.filter(|_| away.is_some()), away.unwrap_or(Self::REST_MAX)) {
                    Rest::Long(rest) => return Ok(rest),
                    Rest::Short(rest) => rest_exactly(rest).await,
                }
                (read, batches) = (self.read(0), 0);
                continue;
            }
            applied.spawn(apply(self.store.clone(), self.term.clone(), self.partition, batch));
        }
    }
}

/// Decisions on entries, as they were read at `now`.
struct Batch {
    items: Vec<FireItem>,
    now: Timestamp,
}

/// What one of the tasks comes back with; whoever lets go of them stops them.
async fn come<T: 'static>(tasks: &mut JoinSet<Result<T, StoreError>>) -> Result<T, StoreError> {
    match tasks.join_next().await {
        Some(Ok(result)) => result,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Only a runtime that ends stops them, and us.
        Some(Err(_)) | None => std::future::pending().await,
    }
}

async fn apply(store: Store, term: Arc<Term>, partition: Partition, batch: Batch) -> Result<(), StoreError> {
    if batch.items.is_empty() {
        return Ok(());
    }
    match store.fire(partition, &term.token, &batch.items).await? {
        FireReply::Fenced => term.depose(),
        FireReply::Applied(results) => note(&batch.items, &results, batch.now),
    }
    Ok(())
}

impl Fire {
    pub(crate) fn new(
        store: Store,
        partition: Partition,
        term: Arc<Term>,
        hold: Arc<ClockHold>,
        progress: Progress,
    ) -> Self {
        Self { store, partition, term, hold, progress, compiled: Compiled::default(), lead: Lead::default() }
    }

    /// Asks for a batch of what is due, behind so many entries that are being decided on or applied.
    fn read(&self, passed: usize) -> JoinSet<Result<DueEntries, StoreError>> {
        let (store, partition, term) = (self.store.clone(), self.partition, self.term.clone());
        let mut read = JoinSet::new();
        read.spawn(async move { store.due_entries_behind(partition, &term.token, BATCH, passed).await });
        read
    }

    /// Waits until no more than `left` batches are on the way.
    async fn finish(applied: &mut JoinSet<Result<(), StoreError>>, left: usize) -> Result<(), StoreError> {
        while applied.len() > left {
            come(applied).await?;
        }
        Ok(())
    }

    fn decide(&mut self, entries: &[StoredEntry], now: Timestamp, unreadable: &mut Vec<Unreadable>) -> Vec<FireItem> {
        let mut items = Vec::with_capacity(entries.len());
        for entry in entries {
            let decided = self.compiled.timetable(entry).and_then(|timetable| FireItem::due(entry, &timetable, now));
            let name = || entry.definition.name.to_string();
            match decided {
                Ok(item) => items.push(item),
                Err(error) => unreadable.push(Unreadable { name: name(), problem: error.to_string() }),
            }
        }
        items
    }

    /// Puts what cannot be read out of the way of the others, and says so; false when somebody else leads.
    async fn set_aside(&self, unreadable: &[Unreadable]) -> Result<bool, StoreError> {
        for one in unreadable {
            error!(cron.name = one.name, problem = one.problem, "a cron entry cannot be read and does not fire");
            metrics::counter!(metric::CRON_UNREADABLE_TOTAL).increment(1);
        }
        let done = self.store.set_aside(self.partition, &self.term.token, unreadable, UNREADABLE_REST).await?;
        if !done {
            self.term.depose();
        }
        Ok(done)
    }
}

/// Counts and tells what was applied.
fn note(items: &[FireItem], results: &[FireResult], now: Timestamp) {
    let lateness = metrics::histogram!(metric::CRON_LATENESS_SECONDS);
    let mut fired: Vec<(&str, u64)> = Vec::new();
    for (item, result) in items.iter().zip(results) {
        if *result != FireResult::Applied {
            debug!(cron.name = %item.name, ?result, "decided on what has changed; it is read again");
            continue;
        }
        lateness.record(now.since(item.scheduled).as_secs_f64());
        match &item.decision {
            FireDecision::Fire(_, run) => {
                match fired.iter_mut().find(|(queue, _)| *queue == run.envelope.queue.as_str()) {
                    Some((_, count)) => *count += 1,
                    None => fired.push((run.envelope.queue.as_str(), 1)),
                }
            }
            FireDecision::Skip(reason) => {
                metrics::counter!(metric::CRON_SKIPPED_TOTAL, label::REASON => *reason).increment(1);
            }
        }
        let behind = matches!(&item.decision, FireDecision::Fire(Decision::FireBehind, _));
        if behind && item.waiting > WAITING_TOLD {
            warn!(cron.name = %item.name, runs.waiting = item.waiting, "runs pile up behind one that has not ended");
        }
    }
    for (queue, count) in fired {
        metrics::counter!(metric::CRON_FIRED_TOTAL).increment(count);
        metrics::counter!(metric::JOBS_ENQUEUED_TOTAL, label::QUEUE => queue_label(queue)).increment(count);
    }
}
