//! Workflows: begun and cancelled.

use serde_json::Value;

use super::{Client, ClientError};
use crate::flow::{Plan, Step};
use crate::id::JobId;
use crate::job::Refusal;
use crate::store::{Flow, StoreError};

impl Client {
    /// Begins a workflow.
    ///
    /// # Errors
    ///
    /// When its description is wrong, its queues live in several partitions, or Redis cannot be reached or takes no more.
    pub async fn begin_flow(&self, request: &Value) -> Result<Flow, ClientError> {
        let now = self.store.clock().now();
        let plan = Plan::read(request, now)?;
        let envelopes = plan.steps.iter().filter_map(Step::envelope);
        let mut partitions: Vec<_> =
            envelopes.map(|envelope| self.store.keys().partition_of(&envelope.queue)).collect();
        partitions.dedup();
        let [partition] = partitions[..] else {
            let message = "the queues of one workflow must live in one partition: give all steps the same queue";
            return Err(Refusal::field("steps", message).into());
        };
        let id = JobId::random(now, partition);
        self.store.begin_flow(id, &plan, partition).await?;
        let flow = self.store.flow(id).await?;
        flow.ok_or_else(|| StoreError::corrupt(id.to_string(), "vanished as soon as it was begun").into())
    }
}
