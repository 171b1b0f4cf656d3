//! Batches: many jobs taken in as one, or none of them.

use super::{Client, ClientError, Enqueued};
use crate::id::JobId;
use crate::job::{Envelope, Job, Record, Refusal, RefusalKind};
use crate::store::{EnqueueReply, NewJob, StoreError, TakenIn};

/// Why a batch was not taken in.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct BatchError {
    /// Which of its jobs was refused, from 0; `None` when it is not about one of them.
    pub place: Option<usize>,
    /// Why.
    pub error: ClientError,
}

impl From<ClientError> for BatchError {
    fn from(error: ClientError) -> Self {
        Self { place: None, error }
    }
}

impl From<StoreError> for BatchError {
    fn from(error: StoreError) -> Self {
        ClientError::from(error).into()
    }
}

impl Client {
    /// Takes many jobs in, all or none, and returns them as they stand, in the same order.
    ///
    /// # Errors
    ///
    /// When one of them is not taken, when their queues live in several partitions, or Redis cannot be reached or takes no
    /// more. None is taken in then.
    pub async fn enqueue_all(&self, envelopes: &[Envelope]) -> Result<Vec<Enqueued>, BatchError> {
        self.in_one_partition(envelopes)?;
        let jobs: Vec<NewJob<'_>> =
            envelopes.iter().map(|envelope| NewJob::new(self.store.id_for(envelope), envelope)).collect();
        match self.store.enqueue(&jobs).await? {
            EnqueueReply::Exists(id) => {
                // Of two jobs of one id in the batch, it is the second that is one too many.
                let place = jobs.iter().rposition(|job| job.id == id);
                Err(BatchError { place, error: ClientError::Duplicate(id) })
            }
            EnqueueReply::Duplicate { holder, place } => {
                Err(BatchError { place: Some(place), error: ClientError::NotUnique(holder) })
            }
            EnqueueReply::Enqueued(taken) => self.as_they_stand(envelopes, &taken).await,
        }
    }

    fn in_one_partition(&self, envelopes: &[Envelope]) -> Result<(), ClientError> {
        let mut partitions = envelopes.iter().map(|envelope| self.store.keys().partition_of(&envelope.queue));
        let first = partitions.next();
        if partitions.all(|partition| Some(partition) == first) {
            return Ok(());
        }
        let message = "the queues of this batch live in several partitions, which cannot be changed as one: \
             send a batch for each queue";
        Err(Refusal { kind: RefusalKind::Unsupported, ..Refusal::field("jobs", message) }.into())
    }

    /// The jobs that were taken in; only those of which something is not known yet are read.
    async fn as_they_stand(&self, envelopes: &[Envelope], taken: &[TakenIn]) -> Result<Vec<Enqueued>, BatchError> {
        let known = |(envelope, taken): (&Envelope, &TakenIn)| {
            let record = Record::taken_in(taken.id, envelope, taken.state, taken.at)?;
            Some(Job::new(envelope.to_json(taken.id), record))
        };
        let mut jobs: Vec<Option<Job>> = envelopes.iter().zip(taken).map(known).collect();
        let unknown: Vec<usize> = (0..jobs.len()).filter(|&place| jobs[place].is_none()).collect();
        let ids: Vec<JobId> = unknown.iter().map(|&place| taken[place].id).collect();
        for (place, job) in unknown.into_iter().zip(self.store.jobs(&ids).await?) {
            jobs[place] = job;
        }
        let enqueued = taken.iter().zip(jobs).map(|(taken, job)| {
            let gone = || StoreError::corrupt(taken.id.to_string(), "vanished as soon as it was enqueued");
            Ok(Enqueued { job: job.ok_or_else(gone)?, deduplicated: taken.state.is_none() })
        });
        enqueued.collect()
    }
}
