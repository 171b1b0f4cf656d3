//! Whether workers are handed jobs, asked for many of them in few calls.
//!
//! A worker that was told to wind up, or says that it does, is handed none. It is asked about when a fetch comes in, beside the
//! claims that are on the way, so that a claim waits for no question but its own.

use std::collections::HashMap;

use super::lane::{Asked, Lane};
use super::{Client, ClientError};
use crate::name::WorkerId;
use crate::store::{Store, StoreError, WorkerInfo};

/// Questions on their way.
pub(super) type Standings = Lane<WorkerId, Option<bool>, 1>;

impl Client {
    /// Whether a worker is handed no jobs, because it was told to wind up or says that it does.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn holds_back(&self, worker: &WorkerId) -> Result<bool, ClientError> {
        let store = self.store.clone();
        let told = self.standings.ask(worker.clone(), move |asked| send(store.clone(), asked)).await;
        match told.flatten() {
            Some(holds_back) => Ok(holds_back),
            // The call that was made for several failed.
            None => Ok(held_back(&self.store, &[worker]).await?[0]),
        }
    }
}

/// Asks once about each worker.
async fn send(store: Store, mut asked: Vec<Asked<WorkerId, Option<bool>>>) {
    asked.retain(|one| !one.is_given_up());
    let mut workers: Vec<&WorkerId> = asked.iter().map(|one| &one.what).collect();
    workers.sort_unstable_by_key(|worker| worker.as_str());
    workers.dedup();
    let told = held_back(&store, &workers).await.unwrap_or_default();
    let told: HashMap<String, bool> = workers.iter().map(|worker| worker.as_str().to_owned()).zip(told).collect();
    for one in asked {
        let holds_back = told.get(one.what.as_str()).copied();
        // A caller that has gone wants no answer.
        let _gone = one.answer(holds_back);
    }
}

async fn held_back(store: &Store, workers: &[&WorkerId]) -> Result<Vec<bool>, StoreError> {
    let mut held_back = Vec::with_capacity(workers.len());
    for (worker, (order, info)) in workers.iter().zip(store.standings_of(workers).await?) {
        held_back.push(match order {
            // Whoever asks is still there, and so is the order.
            Some(_) => store.order_of(worker).await?.is_some(),
            None => info.as_ref().is_some_and(WorkerInfo::is_winding_up),
        });
    }
    Ok(held_back)
}
