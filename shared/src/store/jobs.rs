//! Jobs: taken in, looked at, cancelled.

use serde_json::Value;

use super::connection::Arg;
use super::job_lines::JobLines;
use super::record::{Said, envelope, json_value, json_values, record};
use super::{PartitionKeys, Reply, Store, StoreError, script};
use crate::clock::{BootInstant, Timestamp};
use crate::id::{JobId, Partition, nonce};
use crate::job::{Envelope, Job, JobState};
use crate::name::QueueName;

/// A job to be taken in.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// Its id.
    pub id: JobId,
    /// What its producer said.
    pub envelope: &'a Envelope,
    /// Who asks: the same request makes the job once, however often it is sent.
    pub request: String,
}

impl<'a> NewJob<'a> {
    /// A job that is asked for now.
    #[must_use]
    pub fn new(id: JobId, envelope: &'a Envelope) -> Self {
        Self { id, envelope, request: nonce() }
    }
}

/// What became of an enqueue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnqueueReply {
    /// All were taken in.
    Enqueued(Vec<TakenIn>),
    /// None was: there is a job of this id.
    Exists(JobId),
    /// None was: the job at this place of the batch is the same as one that is there, and said to be refused then.
    Duplicate {
        /// The one that is there.
        holder: JobId,
        /// The place in the batch, from 0.
        place: usize,
    },
}

/// A job that was taken in, or the one that stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenIn {
    /// Its id.
    pub id: JobId,
    /// Its state; `None` when it was dropped in favour of this one, which was there before.
    pub state: Option<JobState>,
    /// When it was taken in.
    pub at: Timestamp,
}

/// What became of a change that only some states allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeReply {
    /// It is made.
    Changed,
    /// The job is in this state, which does not allow it.
    Conflict(JobState),
    /// There is no such job.
    Gone,
}

/// What became of a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelReply {
    /// It was in this state, and is cancelled.
    Cancelled(JobState),
    /// It had ended already, in this state.
    Ended(JobState),
    /// There is no such job.
    Gone,
}

/// How many jobs are read in one transaction.
const READ_AT_ONCE: usize = 100;

impl Store {
    /// A new id for a job of this envelope: the client's own, or a fresh one in the partition of its queue.
    #[must_use]
    pub fn id_for(&self, envelope: &Envelope) -> JobId {
        envelope.id.unwrap_or_else(|| JobId::random(self.clock().now(), self.keys().partition_of(&envelope.queue)))
    }

    /// Takes jobs in: all or none. All must belong to queues of one partition.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached or takes no more.
    pub async fn enqueue(&self, jobs: &[NewJob<'_>]) -> Result<EnqueueReply, StoreError> {
        let Some(first) = jobs.first() else { return Ok(EnqueueReply::Enqueued(Vec::new())) };
        let keys = self.key(self.keys().partition_of(&first.envelope.queue));
        let mut names = vec![keys.due(), keys.parked(), keys.expires()];
        let mut args: Vec<Arg<'_>> = Vec::new();
        let mut queues: Vec<&QueueName> = Vec::new();
        for job in jobs {
            let fingerprint = job.envelope.unique.as_ref().map(|unique| unique.fingerprint(job.envelope));
            names.extend([keys.job(job.id), keys.envelope(job.id)]);
            names.extend(fingerprint.as_ref().map(|fingerprint| keys.unique(fingerprint)));
            args.extend(described(job, fingerprint));
            if !queues.contains(&&job.envelope.queue) {
                queues.push(&job.envelope.queue);
            }
        }
        names.extend(queues.into_iter().flat_map(|queue| [keys.ready(queue), keys.queue(queue), keys.bell(queue)]));
        let sent = BootInstant::now();
        let reply = self.run(&script::enqueue, &keys, names, args).await?;
        let id = |i: usize| {
            let text = reply.text(i)?;
            text.parse::<JobId>().map_err(|_| StoreError::corrupt("enqueue", text))
        };
        match reply.text(0)?.as_str() {
            "exists" => return Ok(EnqueueReply::Exists(id(1)?)),
            "duplicate" => {
                let place = usize::try_from(reply.int(2)? - 1).unwrap_or(0);
                return Ok(EnqueueReply::Duplicate { holder: id(1)?, place });
            }
            _ => {}
        }
        let at = self.heard(&reply, 1, sent)?;
        let taken_in = |i: usize| Ok(TakenIn { state: reply.text(i)?.parse().ok(), id: id(i + 1)?, at });
        (2..reply.len()).step_by(2).map(taken_in).collect::<Result<_, StoreError>>().map(EnqueueReply::Enqueued)
    }

    /// Looks at a job.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not a job.
    pub async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        for partition in self.keys().partitions_of(id) {
            if let Some(job) = self.job_in(partition, id).await? {
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    /// Looks at many jobs. The answers come in the same order.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not a job.
    pub async fn jobs(&self, ids: &[JobId]) -> Result<Vec<Option<Job>>, StoreError> {
        let mut found: Vec<Option<Job>> = vec![None; ids.len()];
        for turn in 0..self.keys().partitions() {
            for partition in self.partitions() {
                let asks = |i: &usize| {
                    found[*i].is_none() && self.keys().partitions_of(ids[*i]).nth(turn.into()) == Some(partition)
                };
                let here: Vec<usize> = (0..ids.len()).filter(asks).collect();
                let wanted: Vec<JobId> = here.iter().map(|&i| ids[i]).collect();
                for (i, job) in here.into_iter().zip(self.jobs_in(partition, &wanted).await?) {
                    found[i] = job;
                }
            }
        }
        Ok(found)
    }

    pub(crate) async fn job_in(&self, partition: Partition, id: JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.jobs_in(partition, &[id]).await?.pop().flatten())
    }

    pub(super) async fn jobs_in(&self, partition: Partition, ids: &[JobId]) -> Result<Vec<Option<Job>>, StoreError> {
        let keys = self.key(partition);
        let mut jobs = Vec::with_capacity(ids.len());
        for some in ids.chunks(READ_AT_ONCE) {
            // MULTI, so that record, result and errors are of one moment.
            let mut pipe = redis::pipe();
            pipe.atomic();
            for id in some {
                pipe.cmd("GET").arg(keys.job(*id));
                pipe.cmd("GET").arg(keys.envelope(*id));
                pipe.cmd("GET").arg(keys.out(*id));
                pipe.cmd("LRANGE").arg(keys.errors(*id)).arg(0).arg(-1);
            }
            let reply = Reply::new("job", self.0.connection.transaction(&pipe).await?)?;
            for (place, id) in some.iter().enumerate() {
                jobs.push(self.job_at(&keys, *id, &reply, 4 * place).await?);
            }
        }
        Ok(jobs)
    }

    /// The job that stands at `i` of an answer.
    async fn job_at(
        &self,
        keys: &PartitionKeys,
        id: JobId,
        reply: &Reply,
        i: usize,
    ) -> Result<Option<Job>, StoreError> {
        let text = reply.read(i)?;
        let hash = JobLines::new(keys, id, &text);
        if hash.is_empty() {
            return Ok(None);
        }
        let errors = reply.list(i + 3)?.texts(0)?;
        let out = reply.text(i + 2)?;
        let record = record(id, &hash)?;
        let mut parent_results = Vec::with_capacity(record.parents.len());
        for parent in &record.parents {
            parent_results.push(self.result_of(&keys.out(*parent)).await?);
        }
        Ok(Some(Job {
            envelope: envelope(&keys.envelope(id), &reply.text(i + 1)?),
            record,
            parent_results,
            result: (!out.is_empty()).then(|| json_value(|| keys.out(id), &out)).transpose()?,
            errors: json_values(|| keys.errors(id), &errors)?,
        }))
    }

    /// The result in a key; `null` when there is none.
    async fn result_of(&self, key: &str) -> Result<Value, StoreError> {
        match self.send(redis::cmd("GET").arg(key)).await? {
            redis::Value::BulkString(bytes) => json_value(|| key.to_owned(), &String::from_utf8_lossy(&bytes)),
            _ => Ok(Value::Null),
        }
    }

    /// Makes a pending job available.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn activate(&self, id: JobId) -> Result<ChangeReply, StoreError> {
        let request = nonce();
        for partition in self.keys().partitions_of(id) {
            let keys = self.key(partition);
            let names = vec![keys.parked(), keys.job(id)];
            let args = vec![id.to_string().into(), request.as_str().into()];
            let reply = self.run(&script::activate, &keys, names, args).await?;
            let reply = change(&keys.job(id), &reply)?;
            if reply != ChangeReply::Gone {
                return Ok(reply);
            }
        }
        Ok(ChangeReply::Gone)
    }

    /// Keeps what is said of the progress of a job that has not ended: a JSON object, and its percentage.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn put_progress(
        &self,
        id: JobId,
        progress: &Value,
        percent: f64,
        message: Option<&str>,
    ) -> Result<ChangeReply, StoreError> {
        for partition in self.keys().partitions_of(id) {
            let keys = self.key(partition);
            let names = vec![keys.progress(id), keys.job(id)];
            let message = message.map(|text| Value::from(text).to_string()).unwrap_or_default();
            let args =
                vec![id.to_string().into(), progress.to_string().into(), percent.to_string().into(), message.into()];
            let reply = change(&keys.job(id), &self.run(&script::progress, &keys, names, args).await?)?;
            if reply != ChangeReply::Gone {
                return Ok(reply);
            }
        }
        Ok(ChangeReply::Gone)
    }

    /// What the handler of a job last said of its progress.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn progress(&self, id: JobId) -> Result<Option<Value>, StoreError> {
        for partition in self.keys().partitions_of(id) {
            let key = self.key(partition).progress(id);
            if let redis::Value::BulkString(bytes) = self.send(redis::cmd("GET").arg(&key)).await? {
                return json_value(|| key.clone(), &String::from_utf8_lossy(&bytes)).map(Some);
            }
        }
        Ok(None)
    }

    /// Cancels a job. A handler that is running is told through its worker, within a second.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn cancel(&self, id: JobId, by: &str, reason: &str) -> Result<CancelReply, StoreError> {
        let request = nonce();
        for partition in self.keys().partitions_of(id) {
            let args = vec![id.to_string().into(), by.into(), reason.into(), request.as_str().into()];
            let reply = self.cancel_in(partition, id, args).await?;
            if reply != CancelReply::Gone {
                return Ok(reply);
            }
        }
        Ok(CancelReply::Gone)
    }

    async fn cancel_in(&self, partition: Partition, id: JobId, args: Vec<Arg<'_>>) -> Result<CancelReply, StoreError> {
        let keys = self.key(partition);
        let names = vec![keys.ended("cancelled"), keys.job(id)];
        let reply = self.run(&script::cancel, &keys, names, args).await?;
        let state = || {
            let text = reply.text(2)?;
            text.parse().map_err(|_| StoreError::corrupt(keys.job(id), text))
        };
        match reply.text(0)?.as_str() {
            "ok" => Ok(CancelReply::Cancelled(state()?)),
            "conflict" => Ok(CancelReply::Ended(state()?)),
            _ => Ok(CancelReply::Gone),
        }
    }
}

fn change(key: &str, reply: &Reply) -> Result<ChangeReply, StoreError> {
    match reply.text(0)?.as_str() {
        "ok" => Ok(ChangeReply::Changed),
        "conflict" => {
            let text = reply.text(2)?;
            text.parse().map(ChangeReply::Conflict).map_err(|_| StoreError::corrupt(key, text))
        }
        _ => Ok(ChangeReply::Gone),
    }
}

fn described<'a>(job: &NewJob<'a>, fingerprint: Option<String>) -> [Arg<'a>; 4] {
    let mut said = Said::new(job.envelope);
    said.note_some("unique", fingerprint);
    let json = job.envelope.to_kept_json();
    let described = format!("{}\n{}", job.request, said.into_text());
    [job.id.to_string().into(), json.into(), described.into(), terms(job.envelope).into()]
}

/// On what terms it is taken in: when, what is done about others like it, and the rate that it wishes its queue. Of a job that
/// is simply available there is nothing to say.
fn terms(envelope: &Envelope) -> String {
    let (unique, rate) = (envelope.unique.as_ref(), envelope.rate_limit);
    let (state, due_ms) = match envelope.scheduled_at {
        _ if envelope.pending => ("pending", 0),
        Some(at) => ("scheduled", at.as_ms()),
        None if unique.is_none() && rate.is_none() => return String::new(),
        None => ("available", 0),
    };
    let on_conflict = unique.map_or("", |unique| unique.on_conflict.as_str());
    let states: Vec<&str> = unique.iter().flat_map(|unique| &unique.states).map(|state| state.as_str()).collect();
    let period_ms = unique.and_then(|unique| unique.period).map(|period| period.as_millis().to_string());
    let rate = rate.map(|limit| limit.to_string()).unwrap_or_default();
    format!("{state}\n{due_ms}\n{on_conflict}\n{}\n{}\n{rate}", states.join(","), period_ms.unwrap_or_default())
}
