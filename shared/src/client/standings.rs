//! Whether workers are handed jobs, asked for many of them in few calls.
//!
//! A worker that was told to wind up, or says that it does, is handed none. It is asked about when a fetch comes in, beside the
//! claims that are on the way, so that those wait for no question.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::lane::{Asked, Lane};
use super::{Client, ClientError};
use crate::name::WorkerId;
use crate::store::{Store, WorkerInfo, WorkerOrder};

/// What a worker was told to do, and what it last said of itself.
type Standing = (Option<WorkerOrder>, Option<WorkerInfo>);

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
            None => {
                let standings = self.store.standings_of(&[worker]).await?;
                Ok(standings.iter().any(holds_back))
            }
        }
    }
}

/// Asks once about each worker.
async fn send(store: Store, mut asked: Vec<Asked<WorkerId, Option<bool>>>) {
    asked.retain(|one| !one.is_given_up());
    let workers: BTreeSet<WorkerId> = asked.iter().map(|one| one.what.clone()).collect();
    if workers.is_empty() {
        return;
    }
    let standings = store.standings_of(&workers.iter().collect::<Vec<_>>()).await.unwrap_or_default();
    let told: BTreeMap<&WorkerId, &Standing> = workers.iter().zip(&standings).collect();
    for one in asked {
        let answer = told.get(&one.what).map(|standing| holds_back(standing));
        // A caller that has gone wants no answer.
        let _gone = one.answer(answer);
    }
    // Whoever asks is still there, and so is the order.
    let ordered = told.iter().filter(|(_, (order, _))| order.is_some()).map(|(worker, _)| store.order_of(worker));
    for kept in join_all(ordered).await {
        if let Err(error) = kept {
            tracing::debug!(error = %error, "an order to a worker was not kept for another day");
        }
    }
}

fn holds_back((order, info): &Standing) -> bool {
    order.is_some() || info.as_ref().is_some_and(WorkerInfo::is_winding_up)
}
