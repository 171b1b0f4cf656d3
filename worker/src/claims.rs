//! Claims jobs: first a slot, then a job for it, until told to end.

use std::sync::Arc;
use std::time::Duration;

use carillon_shared::clock::BootInstant;
use carillon_shared::store::{Claim, Claimed};
use tokio::time::sleep;

use crate::execute::Attempt;
use crate::leases::margin;
use crate::orders::Orders;
use crate::outage::Outage;
use crate::shutdown::Shutdown;
use crate::slots::Slot;
use crate::wake::Wake;
use crate::workshop::Workshop;

/// As many as the store hands out in one call.
const CLAIM_MAX: usize = 100;
/// Telling a handler, aborting it, and reporting what came of it.
const OVERTIME_MARGIN: Duration = Duration::from_secs(3);

/// Claims jobs and starts them, as many as there are free slots and while no order forbids it, until the shutdown.
pub(crate) async fn claim_all(workshop: &Arc<Workshop>, wake: &Wake, orders: &Orders, shutdown: &Shutdown) {
    let mut outage = Outage::new("claim jobs");
    loop {
        tokio::select! {
            biased;
            () = shutdown.draining() => return,
            () = orders.lifted() => {}
        }
        let slots = tokio::select! {
            biased;
            () = shutdown.draining() => return,
            slots = workshop.slots.take(CLAIM_MAX) => slots,
        };
        // The slots may have been long in coming.
        if orders.are_given() {
            continue;
        }
        let wanted = slots.len();
        // Not to be cut short: jobs may have been claimed although the answer has not come.
        let claimed = claim(workshop, wanted, &mut outage, shutdown).await;
        let full = claimed.len() == wanted;
        start(workshop, claimed, slots, shutdown).await;
        workshop.slots.publish();
        if !full {
            tokio::select! {
                () = shutdown.draining() => return,
                () = wake.wait() => {}
            }
        }
    }
}

/// Claims once. What is not answered is asked again with the same request, which is given the same jobs, until it is
/// answered or the leases it may have been given are over.
async fn claim(workshop: &Workshop, wanted: usize, outage: &mut Outage, shutdown: &Shutdown) -> Vec<Claimed> {
    let settings = &workshop.settings;
    let request = Claim::new(settings.worker.clone(), settings.queues.clone(), wanted, settings.lease)
        .minding_time(settings.stop_grace + OVERTIME_MARGIN);
    let first_sent = BootInstant::now();
    let over = settings.lease.saturating_sub(margin(settings.lease));
    loop {
        let error = match workshop.store.claim(&request).await {
            Ok(claimed) => {
                outage.over();
                // A repeated request is answered with leases as old as its first sending.
                return claimed.into_iter().map(|one| Claimed { since: one.since.min(first_sent), ..one }).collect();
            }
            Err(error) => error,
        };
        let pause = outage.failed(&error);
        if shutdown.is_draining() || first_sent.elapsed() + pause >= over {
            return Vec::new();
        }
        tokio::select! {
            () = shutdown.draining() => {}
            () = sleep(pause) => {}
        }
    }
}

async fn start(workshop: &Arc<Workshop>, claimed: Vec<Claimed>, slots: Vec<Slot>, shutdown: &Shutdown) {
    for some in claimed.chunk_by(|a, b| a.job.record.queue == b.job.record.queue) {
        workshop.tally.claimed(&some[0].job.record.queue, some.len());
    }
    let mut runs = Vec::with_capacity(claimed.len());
    for (claimed, slot) in claimed.into_iter().zip(slots) {
        let attempt = Attempt::new(workshop, claimed, slot);
        if shutdown.is_draining() {
            attempt.give_back(workshop).await;
        } else {
            runs.extend(attempt.begin(workshop));
        }
    }
    workshop.crew.start(runs);
}
