//! What users can do, whichever way they come: HTTP, the command line, or a program of their own.
//!
//! A client decides on what it has read and lets the store apply it; when something changed in between, it reads again.

use std::sync::Arc;

use crate::cron::Source;
use crate::id::JobId;
use crate::job::{Envelope, Job, JobState, Record, Refusal};
use crate::name::CronName;
use crate::store::{EnqueueReply, Store, StoreError};

mod acks;
mod attempts;
mod backfill;
mod batch;
mod declared;
mod enqueues;
mod entries;
mod fetches;
mod flows;
mod lane;
mod pauses;
mod runs;
mod why;
mod workers;

pub use crate::store::Presented;
pub use attempts::{Action, Beat, Nack};
pub use backfill::{BACKFILL_LIMIT_MAX, BackfillMode, BackfillOutcome, BackfillRequest, Backfilled};
pub use batch::BatchError;
pub use entries::Registered;
pub use fetches::Fetch;
pub use pauses::PauseRequest;
pub use runs::Asked;
pub use workers::WorkerSaid;

use acks::Acks;
use enqueues::{Enqueues, enqueue};
use fetches::Fetches;

/// Why something that a user asked for was not done.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The request is wrong.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// There is a job of this id.
    #[error("a job with the id {0} exists already")]
    Duplicate(JobId),
    /// There is a job that is the same, and the new one said to be refused then.
    #[error("job {0} is the same and keeps this one away (unique)")]
    NotUnique(JobId),
    /// There is no such job.
    #[error("there is no job {0}")]
    NoJob(JobId),
    /// The job is in a state that does not allow it.
    #[error("job {id} is {state}, but this needs it to be {expected}")]
    Conflict {
        /// Which job.
        id: JobId,
        /// Where it is in its life.
        state: JobState,
        /// Where it would have to be.
        expected: &'static str,
    },
    /// Another attempt than the caller's holds the job, or the caller's was taken back.
    #[error("job {0} is not held by this attempt any more: its lease was lost")]
    Superseded(JobId),
    /// There is no cron entry of this name.
    #[error("there is no cron entry named `{0}`")]
    NoEntry(CronName),
    /// A file declares the cron entry, and only that file changes it.
    #[error("the cron entry `{name}` is declared in the file {} (owner {}): it is changed there", by.file, by.owner)]
    Declared {
        /// Which entry.
        name: CronName,
        /// By which file.
        by: Source,
    },
    /// A file declares a cron entry of a name that is taken.
    #[error("there is a cron entry `{0}` that no file declares: remove it, or take another name")]
    Taken(CronName),
    /// Others keep changing what is to be changed.
    #[error("the cron entry `{0}` keeps being changed by others: try again")]
    Contended(CronName),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a job that was to be taken in.
#[derive(Debug)]
pub enum Taken {
    /// It was, and this is its record.
    New(Box<Record>),
    /// It stands in another's place, or is further on already, or was dropped.
    Other(Box<Enqueued>),
}

/// What became of a job that was to be enqueued.
#[derive(Debug)]
pub struct Enqueued {
    /// The job, or the one that stands for it.
    pub job: Job,
    /// Whether it was dropped in favour of one that was there before.
    pub deduplicated: bool,
}

/// The use cases.
#[derive(Debug, Clone)]
pub struct Client {
    store: Store,
    /// One for each partition, so that one that is away holds up no other.
    enqueues: Arc<[Arc<Enqueues>]>,
    /// The same.
    acks: Arc<[Arc<Acks>]>,
    /// One for each partition that a fetch asks first.
    fetches: Arc<[Arc<Fetches>]>,
}

impl Client {
    /// The use cases upon a store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let partitions = || 0..store.keys().partitions();
        let enqueues = partitions().map(|_| Arc::default()).collect();
        let acks = partitions().map(|_| Arc::default()).collect();
        let fetches = partitions().map(|_| Arc::default()).collect();
        Self { store, enqueues, acks, fetches }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Takes a job in, and returns it as it stands, or the one that was there and is the same.
    ///
    /// Jobs that several tasks enqueue at the same time go to Redis together; each is taken in or refused by itself.
    ///
    /// # Errors
    ///
    /// When there is a job of the id that the envelope brings, or one that keeps it away, or Redis cannot be reached or takes
    /// no more.
    pub async fn enqueue(&self, envelope: &Envelope) -> Result<Enqueued, ClientError> {
        Ok(match self.take_in(envelope).await? {
            Taken::New(record) => Enqueued { job: Job::new(envelope.to_json(record.id), *record), deduplicated: false },
            Taken::Other(enqueued) => *enqueued,
        })
    }

    /// The same for who can do with the record of a job that is new.
    ///
    /// # Errors
    ///
    /// The same.
    pub async fn take_in(&self, envelope: &Envelope) -> Result<Taken, ClientError> {
        let id = self.store.id_for(envelope);
        let lane = &self.enqueues[usize::from(self.store.keys().partition_of(&envelope.queue).0)];
        match enqueue(lane, &self.store, id, envelope).await? {
            EnqueueReply::Exists(id) => Err(ClientError::Duplicate(id)),
            EnqueueReply::Duplicate { holder, .. } => Err(ClientError::NotUnique(holder)),
            EnqueueReply::Enqueued(taken) => {
                let gone = || StoreError::corrupt(id.to_string(), "neither taken in nor refused");
                let taken = taken.first().copied().ok_or_else(gone)?;
                if let Some(record) = Record::taken_in(taken.id, envelope, taken.state, taken.at) {
                    return Ok(Taken::New(record.into()));
                }
                // Boxed, because it is rare, and whoever waits for a job to be taken in carries its size.
                let job = Box::pin(self.store.job(taken.id)).await?;
                let gone = || StoreError::corrupt(taken.id.to_string(), "vanished as soon as it was enqueued");
                Ok(Taken::Other(Enqueued { job: job.ok_or_else(gone)?, deduplicated: taken.state.is_none() }.into()))
            }
        }
    }
}
