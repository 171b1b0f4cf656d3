//! What an operator tells this worker to do: heard with each heartbeat, obeyed at once.
//!
//! *quiet*: no more jobs are claimed until the order is taken back; those that run go on. *terminate*: a drain, which cannot
//! be taken back.

use carillon_shared::store::WorkerOrder;
use tokio::sync::watch;

use crate::shutdown::Shutdown;

/// The order in force.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    in_force: watch::Sender<Option<WorkerOrder>>,
    shutdown: Shutdown,
}

impl Orders {
    /// None yet. `shutdown` is this worker's own.
    pub(crate) fn new(shutdown: Shutdown) -> Self {
        Self { in_force: watch::Sender::new(None), shutdown }
    }

    /// Obeys what is in force now; says whether that is another order than before.
    pub(crate) fn obey(&self, order: Option<WorkerOrder>) -> bool {
        let is_new = self.in_force.send_if_modified(|held| std::mem::replace(held, order) != order);
        if is_new {
            match order {
                None => tracing::info!("the order is taken back: jobs are claimed again"),
                Some(WorkerOrder::Quiet) => {
                    tracing::info!("told to be quiet: no more jobs are claimed, running ones go on");
                }
                Some(WorkerOrder::Terminate) => {
                    tracing::info!("told to terminate");
                    self.shutdown.drain();
                }
            }
        }
        is_new
    }

    /// Whether an order keeps jobs from being claimed.
    pub(crate) fn are_given(&self) -> bool {
        self.in_force.borrow().is_some()
    }

    /// Waits until no order keeps jobs from being claimed.
    pub(crate) async fn lifted(&self) {
        let mut in_force = self.in_force.subscribe();
        // The sender is ours, so that the channel cannot be closed.
        let _open = in_force.wait_for(Option::is_none).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn quiet_can_be_taken_back_and_terminate_drains() {
        let orders = Orders::new(Shutdown::new());
        assert!(!orders.obey(None), "that is how it begins");
        assert!(orders.obey(Some(WorkerOrder::Quiet)) && orders.are_given());
        assert!(!orders.obey(Some(WorkerOrder::Quiet)), "heard before");
        assert!(orders.obey(None) && !orders.shutdown.is_draining());
        orders.lifted().await;
        assert!(orders.obey(Some(WorkerOrder::Terminate)) && orders.shutdown.is_draining());
    }
}
