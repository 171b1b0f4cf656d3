//! Jobs that many callers enqueue at the same time, each by itself, gathered into few calls.
//!
//! Nobody waits for company: whoever comes while fewer than [`CALLS_MAX`] calls are on the way sends at once, with all that
//! has come meanwhile. A batch that is refused because of one of its jobs is sent again one by one, so that none suffers for
//! another; a caller that goes away while it sends for others leaves them to send again, under the same requests.

use std::sync::{Mutex, PoisonError};

use futures::future::join_all;
use tokio::sync::{Semaphore, oneshot};

use crate::id::{JobId, nonce};
use crate::job::Envelope;
use crate::store::{EnqueueReply, NewJob, Store, StoreError};

/// Calls on the way at once: one that Redis works on, and one that comes after it.
const CALLS_MAX: usize = 2;
/// Jobs in one call.
const BATCH_MAX: usize = 100;

/// The jobs that wait to be sent.
#[derive(Debug)]
pub(crate) struct Gather {
    waiting: Mutex<Vec<Asked>>,
    calls: Semaphore,
}

#[derive(Debug)]
struct Asked {
    id: JobId,
    envelope: Envelope,
    request: String,
    answer: oneshot::Sender<Answer>,
}

#[derive(Debug)]
enum Answer {
    /// What became of the job.
    Answered(EnqueueReply),
    /// The call failed, or was refused for another job: the caller is to ask for itself, under the same request.
    Alone,
}

impl Default for Gather {
    fn default() -> Self {
        Self { waiting: Mutex::default(), calls: Semaphore::new(CALLS_MAX) }
    }
}

impl Gather {
    /// Takes one job in, together with others that come at the same time.
    pub(crate) async fn enqueue(
        &self,
        store: &Store,
        id: JobId,
        envelope: &Envelope,
    ) -> Result<EnqueueReply, StoreError> {
        let request = nonce();
        loop {
            let (answer, mut answered) = oneshot::channel();
            let asked = Asked { id, envelope: envelope.clone(), request: request.clone(), answer };
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
            let heard = tokio::select! {
                biased;
                heard = &mut answered => heard,
                call = self.calls.acquire() => {
                    self.send(store).await;
                    drop(call);
                    answered.await
                }
            };
            match heard {
                Ok(Answer::Answered(reply)) => return Ok(reply),
                Ok(Answer::Alone) => return store.enqueue(&[NewJob { id, envelope, request }]).await,
                // Whoever sent it has gone, and nobody knows what became of it.
                Err(_) => {}
            }
        }
    }

    /// Sends all that waits; it may be nothing, when somebody else has sent it.
    async fn send(&self, store: &Store) {
        let mut waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.retain(|asked| !asked.answer.is_closed());
        let partition = |asked: &Asked| store.keys().partition_of(&asked.envelope.queue);
        waiting.sort_by_key(partition);
        let mut batches = Vec::new();
        while !waiting.is_empty() {
            let first = partition(&waiting[0]);
            let alike = waiting.iter().take(BATCH_MAX).take_while(|asked| partition(asked) == first).count();
            batches.push(waiting.drain(..alike).collect::<Vec<_>>());
        }
        join_all(batches.into_iter().map(|batch| together(store, batch))).await;
    }
}

async fn together(store: &Store, batch: Vec<Asked>) {
    let jobs: Vec<NewJob<'_>> = batch
        .iter()
        .map(|asked| NewJob { id: asked.id, envelope: &asked.envelope, request: asked.request.clone() })
        .collect();
    let reply = store.enqueue(&jobs).await;
    let answers: Vec<Answer> = match reply {
        Ok(EnqueueReply::Enqueued(taken)) => {
            taken.into_iter().map(|one| Answer::Answered(EnqueueReply::Enqueued(vec![one]))).collect()
        }
        Ok(refused) if batch.len() == 1 => vec![Answer::Answered(refused)],
        _ => batch.iter().map(|_| Answer::Alone).collect(),
    };
    for (asked, answer) in batch.into_iter().zip(answers) {
        // A caller that has gone wants no answer.
        let _gone = asked.answer.send(answer);
    }
}
