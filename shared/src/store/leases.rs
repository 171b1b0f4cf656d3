//! Leases: extended by heartbeats, which also bring back what was lost.

use std::time::Duration;

use futures::{Stream, StreamExt};

use super::connection::Arg;
use super::fields::Named as _;
use super::job_lines::JobLines;
use super::{Reply, Store, StoreError, script};
use crate::id::{JobId, Partition};
use crate::job::Lease;
use crate::name::WorkerId;

/// A job in somebody's hands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Held {
    /// Which job.
    pub id: JobId,
    /// The right to end its attempt.
    pub lease: Lease,
    /// Where it lives.
    pub partition: Partition,
}

/// What a heartbeat found out about a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// Extended.
    Held,
    /// The job was cancelled.
    Cancelled,
    /// It is somebody else's now, or has ended, or is gone.
    Lost,
}

/// Calls to send a heartbeat at once.
pub struct Nudges(std::pin::Pin<Box<dyn Stream<Item = ()> + Send>>);

impl Nudges {
    /// Waits for the next call; `None` when the connection has ended.
    pub async fn next(&mut self) -> Option<()> {
        self.0.next().await
    }
}

impl std::fmt::Debug for Nudges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Nudges")
    }
}

const HOLDERS_ASKED_AT_ONCE: usize = 500;
/// Six extensions in the life of a lease, each told, would push everything else out of the stream of events.
const HEARTBEATS_TOLD_APART: Duration = Duration::from_secs(60);

impl Store {
    /// Extends leases to `lease` from now. The answers come in the same order.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached: the leases may or may not be extended, and the call may be made again.
    pub async fn heartbeat(&self, held: &[Held], lease: Duration) -> Result<Vec<LeaseState>, StoreError> {
        let mut states = vec![LeaseState::Lost; held.len()];
        for partition in self.partitions() {
            let here: Vec<usize> = (0..held.len()).filter(|&i| held[i].partition == partition).collect();
            for some in here.chunks(200) {
                let batch: Vec<&Held> = some.iter().map(|&i| &held[i]).collect();
                for (&i, state) in some.iter().zip(self.heartbeat_in(partition, &batch, lease).await?) {
                    states[i] = state;
                }
            }
        }
        Ok(states)
    }

    /// Extends leases for a client that was told none: it must have claimed as this worker, or as nobody in particular.
    /// Without `lease` each lasts as long as it was claimed for.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn heartbeat_as(
        &self,
        worker: &WorkerId,
        ids: &[JobId],
        lease: Option<Duration>,
    ) -> Result<Vec<LeaseState>, StoreError> {
        let mut states = vec![LeaseState::Lost; ids.len()];
        for partition in self.partitions() {
            let keys = self.key(partition);
            let lease_ms = lease.map(|lease| lease.as_millis().to_string()).unwrap_or_default();
            let mut args: Vec<Arg<'_>> = vec![lease_ms.into(), worker.as_str().into(), ms(HEARTBEATS_TOLD_APART)];
            for id in ids {
                args.extend([id.to_string().into(), Arg::from("")]);
            }
            let reply = self.run(&script::heartbeat, &keys, vec![keys.leases()], args).await?;
            for (state, code) in states.iter_mut().zip(reply.texts(1)?) {
                // Lost in one partition means only that it is not there.
                let found = lease_state(&code)?;
                *state = if found == LeaseState::Lost { *state } else { found };
            }
        }
        Ok(states)
    }

    /// The active jobs that a worker holds.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn held_by(&self, worker: &WorkerId) -> Result<Vec<JobId>, StoreError> {
        let mut held = Vec::new();
        for partition in self.partitions() {
            let keys = self.key(partition);
            let ids = self.send(redis::cmd("ZRANGE").arg(keys.leases()).arg(0).arg(-1)).await?;
            let ids: Vec<JobId> =
                Reply::new("leases", ids)?.texts(0)?.iter().filter_map(|id| id.parse().ok()).collect();
            for some in ids.chunks(HOLDERS_ASKED_AT_ONCE) {
                let mut pipe = redis::pipe();
                for id in some {
                    pipe.cmd("GET").arg(keys.job(*id));
                }
                let holders = Reply::new("records", self.0.connection.transaction(&pipe).await?)?.texts(0)?;
                let mine =
                    |id: &JobId, text: &str| JobLines::new(&keys, *id, text).text("worker") == Some(worker.as_str());
                held.extend(some.iter().zip(holders).filter(|(id, text)| mine(id, text)).map(|(id, _)| *id));
            }
        }
        Ok(held)
    }

    async fn heartbeat_in(
        &self,
        partition: Partition,
        held: &[&Held],
        lease: Duration,
    ) -> Result<Vec<LeaseState>, StoreError> {
        let keys = self.key(partition);
        let mut args: Vec<Arg<'_>> = vec![ms(lease), "".into(), ms(HEARTBEATS_TOLD_APART)];
        for one in held {
            args.extend([one.id.to_string().into(), Arg::from(one.lease.as_ref())]);
        }
        let reply = self.run(&script::heartbeat, &keys, vec![keys.leases()], args).await?;
        reply.texts(1)?.iter().map(|code| lease_state(code)).collect()
    }

    /// Listens for calls to this worker to send a heartbeat at once, because a job of its was cancelled.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn nudges(&self, worker: &WorkerId) -> Result<Nudges, StoreError> {
        let mut subscriber = self.0.connection.subscriber().await?;
        subscriber.subscribe(self.keys().worker_channel(worker.as_str())).await?;
        Ok(Nudges(Box::pin(subscriber.into_on_message().map(|_| ()))))
    }
}

fn ms(duration: Duration) -> Arg<'static> {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).into()
}

fn lease_state(code: &str) -> Result<LeaseState, StoreError> {
    match code {
        "ok" => Ok(LeaseState::Held),
        "cancelled" => Ok(LeaseState::Cancelled),
        "lost" => Ok(LeaseState::Lost),
        other => Err(StoreError::corrupt("heartbeat", other)),
    }
}
