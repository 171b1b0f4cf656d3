//! What wakes an idle worker: a bell for each queue, rung by whoever makes a job available.
//!
//! Listeners pull a bell's token only while the worker is idle, since each token wakes one worker: a busy one would take it
//! from a colleague. What is missed all the same is found by the slow poll.

use std::sync::Arc;
use std::time::Duration;

use carillon_shared::id::chance;
use carillon_shared::name::QueueName;
use carillon_shared::store::{Bell, Store, StoreError};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backoff;
use crate::outage::Outage;

/// How long one wait for a bell lasts, and therefore how long a busy worker may sit on a token at most.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// The bells of a worker's queues.
#[derive(Debug)]
pub(crate) struct Wake {
    rung: Arc<Notify>,
    idle: watch::Sender<bool>,
    poll_interval: Duration,
}

impl Wake {
    /// Starts to listen: one task, and one connection, per partition in which `queues` live. They end with `stop`.
    pub(crate) fn listen(
        store: &Store,
        queues: &[QueueName],
        poll_interval: Duration,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let idle = watch::Sender::new(false);
        let rung = Arc::new(Notify::new());
        for queues in by_partition(store, queues) {
            let listener = Listener { store: store.clone(), queues, rung: rung.clone(), idle: idle.clone() };
            tasks.spawn(stop.clone().run_until_cancelled_owned(listener.run()));
        }
        Self { rung, idle, poll_interval }
    }

    /// Waits until a bell rings, or the time of the next poll has come.
    pub(crate) async fn wait(&self) {
        self.idle.send_replace(true);
        let poll = backoff::spread(self.poll_interval, chance());
        // Either way the worker looks; only its reason differs.
        let _rung = timeout(poll, self.rung.notified()).await;
        self.idle.send_replace(false);
    }
}

struct Listener {
    store: Store,
    queues: Vec<QueueName>,
    rung: Arc<Notify>,
    idle: watch::Sender<bool>,
}

impl Listener {
    async fn run(self) {
        let mut is_idle = self.idle.subscribe();
        let outage = Outage::new("listen to the bells of the queues");
        loop {
            let error = match self.store.bells(&self.queues, WAIT_MAX).await {
                Ok(bells) => {
                    outage.over();
                    self.hear(bells, &mut is_idle).await
                }
                Err(error) => error,
            };
            sleep(outage.failed(&error)).await;
        }
    }

    /// Listens until the connection breaks.
    async fn hear(&self, mut bells: Vec<Bell>, is_idle: &mut watch::Receiver<bool>) -> StoreError {
        loop {
            // Cannot fail: the other end is ours as well.
            drop(is_idle.wait_for(|idle| *idle).await);
            for bell in &mut bells {
                match bell.wait().await {
                    Ok(true) => {
                        // At once, because the claim that follows must not queue behind another wait.
                        self.idle.send_replace(false);
                        self.rung.notify_one();
                    }
                    Ok(false) => {}
                    Err(error) => return error,
                }
            }
        }
    }
}

fn by_partition(store: &Store, queues: &[QueueName]) -> Vec<Vec<QueueName>> {
    let mut groups: std::collections::BTreeMap<_, Vec<QueueName>> = std::collections::BTreeMap::new();
    for queue in queues {
        groups.entry(store.keys().partition_of(queue)).or_default().push(queue.clone());
    }
    groups.into_values().collect()
}
