//! Jobs that many callers enqueue at the same time, each by itself, taken in by few calls.
//!
//! A batch that is refused because of one of its jobs is sent again one by one, under the same requests, so that none suffers
//! for another.

use std::sync::Arc;

use super::lane::{Asked, Lane};
use crate::id::{JobId, nonce};
use crate::job::Envelope;
use crate::store::{EnqueueReply, NewJob, Store, StoreError};

/// Jobs on their way to one partition.
pub(super) type Enqueues = Lane<Wish, Answer, 2>;

/// A job to be taken in.
#[derive(Debug)]
pub(super) struct Wish {
    id: JobId,
    envelope: Envelope,
    request: String,
}

impl Wish {
    fn job(&self) -> NewJob<'_> {
        NewJob { id: self.id, envelope: &self.envelope, request: self.request.clone() }
    }
}

/// What a caller is told.
#[derive(Debug)]
pub(super) enum Answer {
    Answered(Result<EnqueueReply, StoreError>),
    /// The call failed, or was refused for another job: the caller is to ask for itself, under the same request.
    Alone,
}

/// Takes one job in, together with others that come at the same time.
pub(super) async fn enqueue(
    lane: &Arc<Enqueues>,
    store: &Store,
    id: JobId,
    envelope: &Envelope,
) -> Result<EnqueueReply, StoreError> {
    let request = nonce();
    let wish = Wish { id, envelope: envelope.clone(), request: request.clone() };
    let shared = store.clone();
    match lane.ask(wish, move |asked| together(shared.clone(), asked)).await {
        Some(Answer::Answered(reply)) => reply,
        Some(Answer::Alone) | None => store.enqueue(&[NewJob { id, envelope, request }]).await,
    }
}

async fn together(store: Store, mut asked: Vec<Asked<Wish, Answer>>) {
    asked.retain(|one| !one.is_given_up());
    let jobs: Vec<NewJob<'_>> = asked.iter().map(|one| one.what.job()).collect();
    let answers: Vec<Answer> = match store.enqueue(&jobs).await {
        Ok(EnqueueReply::Enqueued(taken)) => {
            taken.into_iter().map(|one| Answer::Answered(Ok(EnqueueReply::Enqueued(vec![one])))).collect()
        }
        reply if asked.len() == 1 => vec![Answer::Answered(reply)],
        _ => asked.iter().map(|_| Answer::Alone).collect(),
    };
    for (one, answer) in asked.into_iter().zip(answers) {
        // A caller that has gone wants no answer.
        let _gone = one.answer(answer);
    }
}
