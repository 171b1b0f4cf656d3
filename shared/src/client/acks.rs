//! Attempts that end well, those of many callers in few calls.
//!
//! An ack names its job, and may name its worker, its attempt or its lease. All of it is checked by the script that ends the
//! attempt, each ack by itself. A call that fails as a whole is made again for each of them, under the same request: what it
//! did carry out is answered as if it had answered.

use serde_json::Value;

use super::lane::{Asked, Lane};
use super::{Client, ClientError};
use crate::id::{JobId, Partition, nonce};
use crate::job::{Job, JobState};
use crate::store::{AskedEnd, EndAnswer, EndReply, Ending, Presented, Right, Store};

/// Results up to this size, in bytes of JSON, go with those of others.
const RESULT_BYTES_MAX: usize = 64 * 1024;

/// Acks on their way to one partition.
pub(super) type Acks = Lane<AskedEnd, Acked, 1>;

/// What a caller is told.
#[derive(Debug)]
pub(super) enum Acked {
    Answered(Result<EndAnswer, ClientError>),
    /// The call failed: the caller is to ask for itself, under the same request.
    Alone(String),
}

impl Client {
    /// Ends an attempt well.
    ///
    /// Acks that several tasks make at the same time go to Redis together; each is taken or refused by itself.
    ///
    /// # Errors
    ///
    /// When there is no such job, it is not active, it is not the caller's, or Redis cannot be reached.
    pub async fn ack(&self, id: JobId, presented: &Presented, result: Option<Value>) -> Result<Job, ClientError> {
        let is_small = result.as_ref().is_none_or(|result| result.to_string().len() <= RESULT_BYTES_MAX);
        let right = Right::Presented(presented.clone());
        let end = AskedEnd { id, right, ending: Ending::Completed { result } };
        for partition in self.store.keys().partitions_of(id) {
            let answer = match is_small {
                true => self.acked(partition, &end).await?,
                false => alone(&self.store, partition, &nonce(), &end).await?,
            };
            if answer != EndAnswer::Gone {
                return ended(presented, &end, answer);
            }
        }
        Err(ClientError::NoJob(id))
    }

    async fn acked(&self, partition: Partition, end: &AskedEnd) -> Result<EndAnswer, ClientError> {
        let store = self.store.clone();
        let lane = &self.acks[usize::from(partition.0)];
        let asked = lane.ask(end.clone(), move |asked| together(store.clone(), partition, asked)).await;
        match asked {
            Some(Acked::Answered(answer)) => answer,
            Some(Acked::Alone(request)) => alone(&self.store, partition, &request, end).await,
            None => alone(&self.store, partition, &nonce(), end).await,
        }
    }
}

/// What an answer means to who asked.
pub(super) fn ended(presented: &Presented, end: &AskedEnd, answer: EndAnswer) -> Result<Job, ClientError> {
    let id = end.id;
    let conflict = |state| Err(ClientError::Conflict { id, state, expected: "active" });
    match answer {
        EndAnswer::Ended(EndReply::Ended, job) => Ok(*job),
        EndAnswer::Ended(_, job) => {
            // It was active when we looked, and the lease is the same: the call was repeated because its first answer was lost.
            let completes = matches!(end.ending, Ending::Completed { .. });
            let as_reported = completes == (job.record.state == JobState::Completed);
            if presented.lease.is_some() || as_reported { Ok(*job) } else { conflict(job.record.state) }
        }
        EndAnswer::Stale => Err(ClientError::Superseded(id)),
        EndAnswer::Conflict(state) => conflict(state),
        EndAnswer::Gone => Err(ClientError::NoJob(id)),
    }
}

/// Ends one attempt by a call of its own.
pub(super) async fn alone(
    store: &Store,
    partition: Partition,
    request: &str,
    end: &AskedEnd,
) -> Result<EndAnswer, ClientError> {
    let answers = store.end_asked(partition, request, std::slice::from_ref(end)).await?;
    Ok(answers.into_iter().next().unwrap_or(EndAnswer::Gone))
}

async fn together(store: Store, partition: Partition, asked: Vec<Asked<AskedEnd, Acked>>) {
    let request = nonce();
    let (ends, backs): (Vec<AskedEnd>, Vec<_>) = asked.into_iter().map(Asked::apart).unzip();
    let answers = match store.end_asked(partition, &request, &ends).await {
        Ok(answers) => answers.into_iter().map(|answer| Acked::Answered(Ok(answer))).collect(),
        Err(error) if ends.len() == 1 => vec![Acked::Answered(Err(error.into()))],
        Err(_) => ends.iter().map(|_| Acked::Alone(request.clone())).collect::<Vec<_>>(),
    };
    for (back, answer) in backs.into_iter().zip(answers) {
        // A caller that has gone wants no answer; what it reported is done.
        let _gone = back.send(answer);
    }
}
