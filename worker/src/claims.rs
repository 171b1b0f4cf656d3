//! Claims jobs: first a slot, then a job for it, until told to end.

use std::sync::Arc;
use std::time::Duration;

use carillon_shared::clock::BootInstant;
use carillon_shared::store::{Claim, Claimed};
use futures::StreamExt;
use futures::stream::FuturesOrdered;
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

/// Calls on the way at once while all come back full: one that Redis works on while another is read, and its jobs are started.
const CALLS_MAX: usize = 2;

/// Claims jobs and starts them, as many as there are free slots and while no order forbids it, until the shutdown.
pub(crate) async fn claim_all(workshop: &Arc<Workshop>, wake: &Wake, orders: &Orders, shutdown: &Shutdown) {
    let outage = Outage::new("claim jobs");
    let call = |slots: Vec<Slot>| {
        let outage = &outage;
        async move { (claim(workshop, slots.len(), outage, shutdown).await, slots) }
    };
    while let Some(slots) = free_slots(workshop, orders, shutdown).await {
        let mut calls = FuturesOrdered::from_iter([call(slots)]);
        let mut is_full = true;
        // Not to be cut short: jobs may have been claimed although the answer has not come.
        while let Some((claimed, slots)) = calls.next().await {
            is_full &= claimed.len() == slots.len();
            while is_full && calls.len() < CALLS_MAX {
                let Some(slots) = spare_slots(workshop, orders, shutdown) else { break };
                calls.push_back(call(slots));
            }
            start(workshop, claimed, slots, shutdown).await;
            workshop.slots.publish();
        }
        if !is_full {
            tokio::select! {
                () = shutdown.draining() => {}
                () = wake.wait() => {}
            }
        }
    }
}

/// Waits for slots, and until no order forbids to fill them; none when the worker is to end.
async fn free_slots(workshop: &Workshop, orders: &Orders, shutdown: &Shutdown) -> Option<Vec<Slot>> {
    loop {
        tokio::select! {
            biased;
            () = shutdown.draining() => return None,
            () = orders.lifted() => {}
        }
        let slots = tokio::select! {
            biased;
            () = shutdown.draining() => return None,
            slots = workshop.slots.take(CLAIM_MAX) => slots,
        };
        // The slots may have been long in coming.
        if !orders.are_given() {
            return Some(slots);
        }
    }
}

/// Slots for a call beside another: only for a whole one, because many small calls cost more than they bring.
fn spare_slots(workshop: &Workshop, orders: &Orders, shutdown: &Shutdown) -> Option<Vec<Slot>> {
    if shutdown.is_draining() || orders.are_given() {
        return None;
    }
    workshop.slots.take_all(CLAIM_MAX)
}

/// Claims once. What is not answered is asked again with the same request, which is given the same jobs, until it is
/// answered or the leases it may have been given are over.
async fn claim(workshop: &Workshop, wanted: usize, outage: &Outage, shutdown: &Shutdown) -> Vec<Claimed> {
    let settings = &workshop.settings;
    let request = Claim::new(settings.worker.clone(), settings.queues.clone(), wanted, settings.lease)
        .minding_time(settings.stop_grace + OVERTIME_MARGIN);
    let first_sent = BootInstant::now();
    let over = settings.lease.saturating_sub(margin(settings.lease));
    let mut answer = workshop.store.claim(&request).await;
    loop {
        let error = match answer {
            Ok(mut claimed) => {
                outage.over();
                // A repeated request is answered with leases as old as its first sending.
                claimed.iter_mut().for_each(|one| one.since = one.since.min(first_sent));
                return claimed;
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
        answer = workshop.store.claim_again(&request).await;
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
