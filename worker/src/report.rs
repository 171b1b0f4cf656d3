//! Ends are reported by one task, which sends what has gathered since its last call in one, and never waits for more. While
//! that call is on the way another goes after it only when it is full, so that Redis has work while an answer is read.
//!
//! A report keeps its lease and its slot until it is answered: heartbeats go on, and no more is claimed than can be ended.

use std::sync::Arc;

use carillon_shared::name::QueueName;
use carillon_shared::store::{AttemptEnd, EndReply, Ending, Store, StoreError};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::leases::HeldLease;
use crate::outage::Outage;
use crate::slots::{Slot, Slots};
use crate::tally::{Ended, Tally};
use carillon_shared::telemetry::chain;

const BATCH_MAX: usize = 100;
/// Calls on the way at once: one that Redis works on, and one that comes after it.
const CALLS_MAX: usize = 2;
/// How often an end is offered that Redis refuses for a reason that does not pass by itself.
const REFUSED_MAX: u32 = 5;

/// The way to the task that reports.
#[derive(Debug)]
pub(crate) struct Reports {
    sender: mpsc::Sender<Report>,
    closed: CancellationToken,
}

/// An end to be reported.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) lease: HeldLease,
    pub(crate) queue: QueueName,
    pub(crate) ending: Ending,
    #[expect(dead_code, reason = "held for its drop")]
    pub(crate) slot: Option<Slot>,
}

impl Reports {
    /// Starts the task; it ends after [`close`](Self::close), when all is reported.
    pub(crate) fn start(store: Store, tally: Arc<Tally>, slots: Arc<Slots>, most: usize) -> (Self, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(most.max(1));
        let closed = CancellationToken::new();
        let reporter = Reporter { store, tally, slots, outage: Outage::new("report the ends of jobs") };
        let task = tokio::spawn(reporter.run(receiver, closed.clone()));
        (Self { sender, closed }, task)
    }

    /// Takes no more reports.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    pub(crate) async fn send(&self, report: Report) {
        // There is room for as many as there are slots; a handler that was given up keeps its own.
        if let Err(TrySendError::Full(report)) = self.sender.try_send(report) {
            // Refused only when the worker has given up reporting; the lease then ends by itself.
            let _unreported = self.sender.send(report).await;
        }
    }
}

struct Reporter {
    store: Store,
    tally: Arc<Tally>,
    slots: Arc<Slots>,
    outage: Outage,
}

impl Reporter {
    async fn run(self, mut receiver: mpsc::Receiver<Report>, closed: CancellationToken) {
        let mut gathered = Vec::with_capacity(BATCH_MAX);
        let mut calls = FuturesUnordered::new();
        loop {
            if gathered.len() == BATCH_MAX && calls.len() < CALLS_MAX || !gathered.is_empty() && calls.is_empty() {
                calls.push(self.report(std::mem::replace(&mut gathered, Vec::with_capacity(BATCH_MAX))));
            }
            let room = BATCH_MAX - gathered.len();
            tokio::select! {
                biased;
                Some(()) = calls.next() => {}
                received = receiver.recv_many(&mut gathered, room), if room > 0 => {
                    if received == 0 {
                        break;
                    }
                }
                () = closed.cancelled(), if !receiver.is_closed() => receiver.close(),
            }
        }
        if !gathered.is_empty() {
            calls.push(self.report(gathered));
        }
        while calls.next().await.is_some() {}
    }

    /// Reports ends; their slots are free when it is done.
    async fn report(&self, mut batch: Vec<Report>) {
        if let Err(error) = self.offer(&mut batch).await {
            self.one_by_one(&mut batch, &error).await;
        }
        drop(batch);
        self.slots.publish();
    }

    /// Offers the ends, with the same arguments, until Redis answers or there is no point any more. Fails when it refuses.
    async fn offer(&self, reports: &mut Vec<Report>) -> Result<(), StoreError> {
        while !reports.is_empty() {
            let ends: Vec<_> = reports.iter().map(end_of).collect();
            match self.store.end(&ends).await {
                Ok(replies) => {
                    self.outage.over();
                    let ended: Vec<_> =
                        reports.iter().zip(replies).map(|(report, reply)| answered(report, reply)).collect();
                    for alike in ended.chunk_by(|a, b| a == b) {
                        self.tally.ended_alike(alike[0].0, alike[0].1, alike.len());
                    }
                    return Ok(());
                }
                Err(error) if error.is_transient() => sleep(self.outage.failed(&error)).await,
                Err(error) => return Err(error),
            }
            reports.retain(|report| !self.given_up(report));
        }
        Ok(())
    }

    /// One end that cannot be recorded must not hold up the others of its batch.
    async fn one_by_one(&self, batch: &mut Vec<Report>, error: &StoreError) {
        tracing::warn!(
            error = chain(error),
            ends = batch.len(),
            "ends were refused together; reporting them one by one"
        );
        for report in batch.drain(..) {
            let mut alone = vec![report];
            for refused in 1..=REFUSED_MAX {
                let Err(error) = self.offer(&mut alone).await else { break };
                if refused == REFUSED_MAX {
                    let id = alone.first().map(|report| report.lease.held().id);
                    tracing::error!(job.id = ?id, error = chain(&error), "the end of a job cannot be recorded: it will run again");
                } else {
                    sleep(self.outage.failed(&error)).await;
                }
            }
        }
    }

    fn given_up(&self, report: &Report) -> bool {
        let over = report.lease.is_long_over();
        if over {
            tracing::warn!(job.id = %report.lease.held().id, "the end of a job could not be reported in time: it will run again");
            self.tally.ended(&report.queue, Ended::Lost);
        }
        over
    }
}

/// The queue of a job, and how its attempt ended.
fn answered(report: &Report, reply: EndReply) -> (&QueueName, Ended) {
    let id = report.lease.held().id;
    let ended = match reply {
        EndReply::Ended | EndReply::AlreadyEnded => Ended::from(&report.ending),
        EndReply::Cancelled => {
            tracing::info!(job.id = %id, "the job was cancelled while its end was on the way");
            Ended::Cancelled
        }
        EndReply::Stale | EndReply::Gone => {
            tracing::warn!(job.id = %id, "the end came too late: the job is another worker's, or gone");
            Ended::Lost
        }
    };
    (&report.queue, ended)
}

fn end_of(report: &Report) -> AttemptEnd {
    AttemptEnd { held: report.lease.held().clone(), ending: report.ending.clone() }
}
