//! Workers, and what they are told to do.

use serde_json::json;

use super::Client;
use crate::name::WorkerId;
use crate::store::{StoreError, WorkerOrder};

impl Client {
    /// Tells a worker what to do, or takes the order back (`None`); false when no worker of this name was heard of within a
    /// minute.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn order(&self, worker: &WorkerId, order: Option<WorkerOrder>) -> Result<bool, StoreError> {
        let Some(info) = self.store.worker(worker).await? else { return Ok(false) };
        self.store.order(worker, order).await?;
        if order == Some(WorkerOrder::Quiet) {
            let said = json!({"worker_id": worker, "active_jobs": info.active_job_ids.len()});
            self.store.tell("worker.quiet", "api", worker.as_str(), &said).await?;
        }
        Ok(true)
    }
}
