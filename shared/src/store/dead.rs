//! Dead letters: discarded jobs that wait for somebody to look at them.

use redis::Value;

use super::{Reply, Store, StoreError, script};
use crate::cron::OverlapPolicy;
use crate::id::{JobId, Partition, nonce};
use crate::job::Job;
use crate::name::QueueName;

/// Dead letters, newest first.
#[derive(Debug)]
pub struct DeadLetters {
    /// These.
    pub jobs: Vec<Job>,
    /// How many there are in all, of the queue that was asked for.
    pub total: u64,
}

impl Store {
    /// Lists dead letters, newest first: those of one queue, or all.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not a job.
    pub async fn dead_letters(
        &self,
        queue: Option<&QueueName>,
        offset: usize,
        most: usize,
    ) -> Result<DeadLetters, StoreError> {
        let home = queue.map(|queue| self.keys().partition_of(queue));
        let partitions: Vec<Partition> = home.map_or_else(|| self.partitions().collect(), |home| vec![home]);
        // Where one index has all of them it is entered at the offset; several must be merged from their beginnings.
        let (from, skipped) = if partitions.len() == 1 { (offset, 0) } else { (0, offset) };
        let until = offset.saturating_add(most);
        let (mut total, mut ids) = (0, Vec::new());
        for partition in partitions {
            let keys = self.key(partition);
            let index = queue.map_or_else(|| keys.ended("dead"), |queue| keys.dead(queue));
            total += Reply::new("dead letters", Value::Array(vec![self.send(redis::cmd("ZCARD").arg(&index)).await?]))?
                .int(0)?
                .unsigned_abs();
            if from < until {
                ids.extend(self.newest(&index, from, until).await?);
            }
        }
        ids.sort_by(|a, b| b.cmp(a));
        let ids: Vec<JobId> = ids.into_iter().skip(skipped).take(most).map(|(_, id)| id).collect();
        Ok(DeadLetters { jobs: self.jobs(&ids).await?.into_iter().flatten().collect(), total })
    }

    /// The places `from..until` of an index, newest first.
    async fn newest(&self, index: &str, from: usize, until: usize) -> Result<Vec<(i64, JobId)>, StoreError> {
        let place = |place: usize| i64::try_from(place).unwrap_or(i64::MAX);
        let mut range = redis::cmd("ZRANGE");
        range.arg(index).arg(place(from)).arg(place(until) - 1).arg("REV").arg("WITHSCORES");
        Ok(scored(self.send(&range).await?)?.into_iter().map(|(id, died_ms)| (died_ms, id)).collect())
    }

    /// Makes a dead letter available again, as if it had never been tried; false when there is none of this id.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached or takes no more.
    pub async fn revive(&self, id: JobId) -> Result<bool, StoreError> {
        let request = nonce();
        for partition in self.keys().partitions_of(id) {
            let keys = self.key(partition);
            let names = vec![keys.ended("dead"), keys.expires(), keys.job(id)];
            let concurrent = self.runs_may_be_concurrent(partition, id).await?;
            let args = vec![id.to_string().into(), i64::from(concurrent).into(), request.as_str().into()];
            if self.run(&script::revive, &keys, names, args).await?.text(0)? == "ok" {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a run may be concurrent with others of its entry: `skip` and `enqueue` say that it may not.
    async fn runs_may_be_concurrent(&self, partition: Partition, id: JobId) -> Result<bool, StoreError> {
        let Some(name) = self.job_in(partition, id).await?.and_then(|job| job.record.cron) else { return Ok(true) };
        let entry = self.entry(&name).await?;
        let policy = entry.map(|entry| entry.definition.overlap_policy);
        Ok(matches!(policy, Some(OverlapPolicy::Allow | OverlapPolicy::CancelPrevious)))
    }

    /// Forgets a dead letter for good; false when there is none of this id.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn bury(&self, id: JobId) -> Result<bool, StoreError> {
        let request = nonce();
        for partition in self.keys().partitions_of(id) {
            let keys = self.key(partition);
            let names = vec![keys.ended("dead"), keys.job(id), keys.done(&request)];
            let args = vec![id.to_string().into(), request.as_str().into()];
            if self.run(&script::bury, &keys, names, args).await?.text(0)? == "ok" {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Members and scores by turns.
fn scored(value: Value) -> Result<Vec<(JobId, i64)>, StoreError> {
    let reply = Reply::new("dead letters", value)?;
    let texts = if reply.len() > 0 && reply.is_list(0) {
        reply
            .lists(0)?
            .iter()
            .map(|pair| Ok([pair.text(0)?, pair.text(1)?]))
            .collect::<Result<Vec<_>, StoreError>>()?
            .concat()
    } else {
        reply.texts(0)?
    };
    #[expect(clippy::cast_possible_truncation, reason = "a score in milliseconds, far below 2^53")]
    let pair = |pair: &[String]| Some((pair.first()?.parse().ok()?, pair.get(1)?.parse::<f64>().ok()? as i64));
    Ok(texts.chunks(2).filter_map(pair).collect())
}
