//! What a verdict on an instant is reached from, read from everywhere it stands.

use super::queues::QueueStats;
use super::{KnownWorker, Reply, Store, StoreError, StoredEntry};
use crate::cron::why::{EntryFacts, Facts, QueueFacts, RateFacts, WorkerFacts};
use crate::job::JobState;
use crate::name::{CronName, QueueName};

impl Store {
    /// Gathers what is known of an entry, or of one that was removed, while its ledger is kept; `None` of any other. The
    /// records of runs are not among it.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds cannot be read.
    pub async fn facts(&self, name: &CronName) -> Result<Option<Facts>, StoreError> {
        // The time before everything else, so that no row is of a time that has not come.
        let now = self.now().await?;
        let (entry, ledger) = tokio::try_join!(self.entry(name), self.whole_ledger(name))?;
        if entry.is_none() && ledger.rows.is_empty() && ledger.notes.is_empty() {
            return Ok(None);
        }
        let queue = entry.as_ref().map_or_else(QueueName::default, StoredEntry::queue);
        let (leaderships, queue, workers) =
            tokio::try_join!(self.leaderships(), self.queue_facts(queue), self.workers())?;
        Ok(Some(Facts {
            name: name.clone(),
            now,
            entry: entry.as_ref().map(entry_facts).transpose()?,
            rows: ledger.rows,
            notes: ledger.notes,
            is_cut: ledger.is_cut,
            kept_since: now - self.kept().ledger_age,
            leaderships,
            queue,
            workers: workers.into_iter().map(worker_facts).collect(),
            runs: Vec::new(),
        }))
    }

    async fn queue_facts(&self, name: QueueName) -> Result<QueueFacts, StoreError> {
        let stats = self.queue(name).await?;
        let rate = match stats.rate.as_deref().and_then(limit) {
            Some((starts, window_ms)) => {
                let started = self.started_since(&stats, self.clock().now().as_ms() - window_ms.cast_signed()).await?;
                Some(RateFacts { starts, window_ms, started })
            }
            None => None,
        };
        let (available, active) = (stats.count(JobState::Available), stats.count(JobState::Active));
        let QueueStats { name, paused_at, concurrency, .. } = stats;
        Ok(QueueFacts { name, paused_at, available, active, concurrency, rate })
    }

    /// How many jobs of a queue that has a rate limit started after a time.
    async fn started_since(&self, queue: &QueueStats, after_ms: i64) -> Result<u64, StoreError> {
        let key = self.key(self.keys().partition_of(&queue.name)).rate(&queue.name);
        let count = self.send(redis::cmd("ZCOUNT").arg(key).arg(format!("({after_ms}")).arg("+inf")).await?;
        Ok(Reply::new("rate", redis::Value::Array(vec![count]))?.int(0)?.unsigned_abs())
    }
}

fn entry_facts(entry: &StoredEntry) -> Result<EntryFacts, StoreError> {
    Ok(EntryFacts {
        schedule: entry.schedule()?,
        job_type: entry.definition.job_type.clone(),
        overlap_policy: entry.definition.overlap_policy,
        enabled: entry.enabled,
        pause: entry.pause.clone(),
        bounds: entry.definition.bounds,
        jitter: entry.definition.jitter.unwrap_or_default(),
        next_mark: entry.next_mark,
        created_at: entry.created_at,
        updated_at: entry.updated_at,
        live: entry.live.clone(),
    })
}

fn worker_facts(KnownWorker { info, order }: KnownWorker) -> WorkerFacts {
    WorkerFacts {
        takes_jobs: order.is_none() && !info.is_winding_up(),
        worker_id: info.worker_id.to_string(),
        queues: info.queues,
        job_types: info.job_types,
        concurrency: info.concurrency,
        active: info.active_job_ids.len(),
    }
}

/// `<starts>:<milliseconds>`.
fn limit(text: &str) -> Option<(u64, u64)> {
    let (starts, window_ms) = text.split_once(':')?;
    Some((starts.parse().ok()?, window_ms.parse().ok()?))
}
