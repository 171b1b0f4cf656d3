//! Jobs handed out as they become available.
//!
//! A stream holds at most as many jobs as its client asked for: those it was given whose attempts have not ended. Ends are
//! told by other calls, here or elsewhere, so a full stream looks at its jobs now and then; an end that was told here wakes
//! it. A client that goes away leaves its jobs to their leases; one that it has not taken yet is given back.

use std::time::Duration;

use carillon_shared::client::{Fetch, Nack, Presented};
use carillon_shared::id::JobId;
use carillon_shared::job::{Failure, Job, JobState, Lease};
use carillon_shared::name::{QueueName, WorkerId};
use carillon_shared::store::{Bell, StoreError};
use futures::future::select_all;
use futures::{Stream, StreamExt as _, stream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::sleep;
use tonic::{Code, Status};

use super::error::RpcError;
use super::request_id::RequestId;
use super::worker::{VISIBILITY, bounded, named, queues};
use super::{GrpcState, event, proto, wire_job};

const CONCURRENT_MAX: i32 = 100;
/// How often an idle stream looks although no bell rang: a bell is a hint that may be lost.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often a full stream looks for ends that were told elsewhere.
const END_INTERVAL: Duration = Duration::from_millis(250);

/// Hands out jobs until the client goes away or this server stops.
pub(super) fn stream(
    api: &GrpcState,
    id: RequestId,
    request: &proto::StreamJobsRequest,
) -> Result<impl Stream<Item = Result<proto::Job, Status>> + use<>, RpcError> {
    let most = bounded("max_concurrent", request.max_concurrent)?.min(CONCURRENT_MAX);
    let (queues, worker) = (queues(&request.queues)?, named(&request.worker_id)?);
    let place = event::permit(api)?;
    // One place, so that the next job is claimed only after the last was taken.
    let (jobs, mut taken) = mpsc::channel(1);
    let giver = Giver {
        api: api.clone(),
        queues,
        worker,
        most: usize::try_from(most).unwrap_or(1),
        jobs,
        held: Vec::new(),
        bells: Vec::new(),
        _place: place,
    };
    api.0.tasks.spawn(giver.run(id));
    Ok(stream::poll_fn(move |cx| taken.poll_recv(cx)).take_until(api.0.stop.clone().cancelled_owned()))
}

/// Gives jobs to one client.
struct Giver {
    api: GrpcState,
    queues: Vec<QueueName>,
    worker: Option<WorkerId>,
    most: usize,
    jobs: mpsc::Sender<Result<proto::Job, Status>>,
    /// What the client was given and has not ended, as far as we know.
    held: Vec<(JobId, Lease)>,
    bells: Vec<Bell>,
    _place: OwnedSemaphorePermit,
}

impl Giver {
    async fn run(mut self, id: RequestId) {
        let mut untaken = None;
        // Room first, then claim: there is room when the last job was taken.
        while let Ok(room) = self.jobs.clone().reserve_owned().await {
            untaken = None;
            let given = match self.next().await {
                Ok(Some(job)) => job,
                Ok(None) => break,
                Err(error) => {
                    room.send(Err(error.to_status(&id.0)));
                    break;
                }
            };
            untaken = self.hold(&given);
            room.send(Ok(wire_job::message(&given)));
        }
        if let Some((job, lease)) = untaken {
            self.give_back(job, lease).await;
        }
    }

    /// Waits for the next job; `None` when there is nobody to give it to.
    async fn next(&mut self) -> Result<Option<Job>, RpcError> {
        while !self.is_over() {
            if self.is_full().await? {
                self.wait_for_an_end().await;
                continue;
            }
            match self.claimed().await {
                Ok(Some(job)) if self.is_over() => {
                    if let Some((job, lease)) = self.hold(&job) {
                        self.give_back(job, lease).await;
                    }
                }
                Ok(Some(job)) => return Ok(Some(job)),
                Ok(None) => self.wait_for_a_bell().await,
                // The client's leases outlive a Redis that is away for a moment, and so does its stream.
                Err(error) if error.code == Code::Unavailable => self.wait_for(LOOK_INTERVAL).await,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn is_over(&self) -> bool {
        self.jobs.is_closed() || self.api.0.stop.is_cancelled()
    }

    async fn is_full(&mut self) -> Result<bool, RpcError> {
        if self.held.len() < self.most {
            return Ok(false);
        }
        match self.forget_ended().await {
            Ok(()) => Ok(self.held.len() >= self.most),
            Err(StoreError::Unavailable(_)) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    async fn forget_ended(&mut self) -> Result<(), StoreError> {
        let ids: Vec<JobId> = self.held.iter().map(|(id, _)| *id).collect();
        let jobs = self.api.store().jobs(&ids).await?;
        let is_held =
            |job: &Job, lease: &Lease| job.record.state == JobState::Active && job.record.lease.as_ref() == Some(lease);
        let mut now = jobs.iter();
        self.held.retain(|(_, lease)| now.next().and_then(Option::as_ref).is_some_and(|job| is_held(job, lease)));
        Ok(())
    }

    async fn claimed(&self) -> Result<Option<Job>, RpcError> {
        let (queues, worker) = (self.queues.clone(), self.worker.clone());
        let fetch = Fetch { queues, count: 1, worker, visibility: Some(VISIBILITY) };
        Ok(self.api.client().fetch(fetch).await?.pop())
    }

    fn hold(&mut self, job: &Job) -> Option<(JobId, Lease)> {
        let held = (job.record.id, job.record.lease.clone()?);
        self.held.push(held.clone());
        Some(held)
    }

    async fn wait_for_an_end(&self) {
        tokio::select! {
            () = self.api.0.ended.notified() => {}
            () = self.wait_for(END_INTERVAL) => {}
        }
    }

    /// Waits for a bell to its end, because a wait that is given up may have taken a token that was another's.
    async fn wait_for_a_bell(&mut self) {
        if self.bells.is_empty() {
            self.bells = self.api.store().bells(&self.queues, LOOK_INTERVAL).await.unwrap_or_default();
        }
        if self.bells.is_empty() {
            return self.wait_for(LOOK_INTERVAL).await;
        }
        let (rung, ..) = select_all(self.bells.iter_mut().map(|bell| Box::pin(bell.wait()))).await;
        if rung.is_err() {
            self.bells.clear();
        }
    }

    async fn wait_for(&self, span: Duration) {
        tokio::select! {
            () = sleep(span) => {}
            () = self.jobs.closed() => {}
            () = self.api.0.stop.cancelled() => {}
        }
    }

    /// Gives back a job that the client never saw: the attempt does not count.
    async fn give_back(&self, job: JobId, lease: Lease) {
        let presented = Presented { lease: Some(lease), ..Presented::default() };
        let failure = Failure::new("returned", "the stream of jobs ended before its client took this one");
        let nack = Nack { failure, requeue: true, action: None };
        if let Err(error) = self.api.client().nack(job, &presented, nack).await {
            tracing::debug!(job.id = %job, error = %error, "a job was not given back: its lease will end");
        }
    }
}
