//! Workers: what they say of themselves, and what they are told to do.

use serde_json::json;

use super::fetches::ANONYMOUS;
use super::{Client, ClientError};
use crate::id::JobId;
use crate::name::{JobType, QueueName, WorkerId};
use crate::store::{StoreError, WorkerInfo, WorkerOrder};

/// What a worker says of itself. What it leaves out stays as it said before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerSaid {
    /// The machine it runs on.
    pub hostname: Option<String>,
    /// `running`, `quiet`, … in its own words.
    pub state: Option<String>,
    /// Its process.
    pub pid: Option<u32>,
    /// How many jobs it runs at once.
    pub concurrency: Option<usize>,
    /// The queues it takes from.
    pub queues: Option<Vec<QueueName>>,
    /// The types it has handlers for.
    pub job_types: Option<Vec<JobType>>,
}

const HOSTNAME_CHARS_MAX: usize = 255;
const STATE_CHARS_MAX: usize = 32;

impl Client {
    /// Tells a worker what to do, or takes the order back (`None`); false when no worker of this name was heard of within a
    /// minute.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn order(&self, worker: &WorkerId, order: Option<WorkerOrder>) -> Result<bool, StoreError> {
        // By this name go those who do not say who they are.
        if worker.as_str() == ANONYMOUS {
            return Ok(false);
        }
        let Some(info) = self.store.worker(worker).await? else { return Ok(false) };
        self.store.order(worker, order).await?;
        if order == Some(WorkerOrder::Quiet) {
            let said = json!({"worker_id": worker, "active_jobs": info.active_job_ids.len()});
            self.store.tell("worker.quiet", "api", worker.as_str(), &said).await?;
        }
        Ok(true)
    }

    /// Notes what a worker says of itself and which jobs it runs, and tells of it when it is new. Says what it was told to
    /// do.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn note_worker(
        &self,
        worker: &WorkerId,
        said: WorkerSaid,
        running: &[JobId],
    ) -> Result<Option<WorkerOrder>, ClientError> {
        let now = self.store.clock().now();
        let before = self.store.worker(worker).await?;
        let is_new = before.is_none();
        let mut info = before.unwrap_or_else(|| WorkerInfo::unknown(worker.clone(), now));
        said.into_info(&mut info);
        info.active_job_ids = running.to_vec();
        info.last_heartbeat_at = now;
        let order = self.store.note_worker(&info).await?;
        if is_new {
            let said = json!({"worker_id": worker, "queues": info.queues, "concurrency": info.concurrency});
            self.store.tell("worker.started", "workers", worker.as_str(), &said).await?;
        }
        if (order.is_some() || info.is_winding_up())
            && let Err(error) = self.store.note_quiet(worker, order).await
        {
            tracing::warn!(error = %error, worker = %worker, "a quiet worker may be handed jobs until its next heartbeat");
        }
        Ok(order)
    }
}

impl WorkerSaid {
    fn into_info(self, info: &mut WorkerInfo) {
        if let Some(hostname) = self.hostname {
            info.hostname = hostname.chars().take(HOSTNAME_CHARS_MAX).collect();
        }
        if let Some(state) = self.state {
            info.state = state.chars().take(STATE_CHARS_MAX).collect();
        }
        info.pid = self.pid.unwrap_or(info.pid);
        info.concurrency = self.concurrency.unwrap_or(info.concurrency);
        if let Some(queues) = self.queues {
            info.queues = queues;
        }
        if let Some(types) = self.job_types {
            info.job_types = types;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[test]
    fn a_worker_that_winds_up_says_so_in_several_words() {
        let winds_up = |state: &str| {
            let unknown = WorkerInfo::unknown("w".parse().expect("an id"), Timestamp::from_ms(0));
            WorkerInfo { state: state.to_owned(), ..unknown }.is_winding_up()
        };
        assert!(["quiet", "drain", "draining", "shutting_down", "terminate"].into_iter().all(winds_up));
        assert!(!["running", "active", "", "idle"].into_iter().any(winds_up));
    }

    #[test]
    fn what_a_worker_leaves_out_stays_as_it_said_before() {
        let mut info = WorkerInfo::unknown("w".parse().expect("an id"), Timestamp::from_ms(0));
        WorkerSaid { pid: Some(7), hostname: Some("x".repeat(300)), ..WorkerSaid::default() }.into_info(&mut info);
        WorkerSaid { concurrency: Some(5), ..WorkerSaid::default() }.into_info(&mut info);
        assert_eq!((info.pid, info.concurrency, info.hostname.len(), info.state.as_str()), (7, 5, 255, "running"));
    }
}
