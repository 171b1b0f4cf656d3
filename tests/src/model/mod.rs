//! A pure model of the queue: what the scripts should do, said once more without Redis, tables and clocks.
//!
//! It is kept plain rather than fast: a job knows its state, and every index is derived from that. Time does not run here;
//! what lies ahead stays ahead until a command lets it pass. The store under test is made to see the same
//! (`tests/store_model`).

mod attempts;
mod command;
mod flows;
mod generate;
mod intake;
mod job;
mod leases;
mod life;
mod runs;
mod shrink;
mod spec;
mod view;
mod world;

use std::collections::BTreeMap;

pub use command::{
    Command, ENTRIES, Finish, Fired, Grip, How, Label, Limit, QUEUES, Shape, Sight, Taken, Time, WORKERS,
};
pub use generate::Generator;
pub use shrink::shrunk;
pub use spec::{Moment, Period, Spec, Timeout, Unique, When};
pub use view::View;

use flows::Flow;
use job::Job;
use runs::Entry;

/// A queue of the model.
#[derive(Debug, Clone, Default)]
struct Queue {
    seq: u64,
    counts: BTreeMap<&'static str, u64>,
    rung: usize,
    paused: bool,
    concurrency: Option<u32>,
    rate: Option<u32>,
    /// Starts that count for the rate.
    starts: u32,
}

/// The last claim, to be sent again.
#[derive(Debug, Clone)]
struct Claim {
    queues: Vec<u8>,
    most: usize,
    worker: u8,
    given: Vec<(Label, u32)>,
}

/// The world as it should be.
#[derive(Debug, Clone, Default)]
pub struct Model {
    jobs: BTreeMap<Label, Job>,
    queues: BTreeMap<u8, Queue>,
    unique: BTreeMap<u8, Label>,
    flows: BTreeMap<Label, Flow>,
    entries: BTreeMap<u8, Entry>,
    /// The leases that were given out, by job, oldest first.
    given: BTreeMap<Label, Vec<u32>>,
    last_enqueue: Option<(Vec<Spec>, u64)>,
    last_claim: Option<Claim>,
    requests: u64,
    told: Vec<(String, String)>,
}

impl Model {
    /// Does what a command says, and answers as the store should.
    pub fn apply(&mut self, command: &Command) -> String {
        match command {
            Command::Enqueue(specs) => {
                self.requests += 1;
                self.last_enqueue = Some((specs.clone(), self.requests));
                self.enqueue(specs, self.requests)
            }
            Command::EnqueueAgain => match self.last_enqueue.clone() {
                Some((specs, request)) => self.enqueue(&specs, request),
                None => "nothing to repeat".to_owned(),
            },
            Command::Claim { queues, most, worker } => self.claim(queues, *most, *worker),
            Command::ClaimAgain => self.claim_again(),
            Command::End(ends) => self.end(ends),
            Command::Heartbeat(label, grip) => self.heartbeat(*label, *grip),
            Command::HeartbeatAs(worker, label) => self.heartbeat_as(*worker, *label),
            Command::Cancel(label) => self.cancel(*label),
            Command::Promote => self.promoted(),
            Command::Expire => self.expire(),
            Command::Overtime => self.overtime(),
            Command::Trim(how) => self.trim(*how),
            Command::Elapse(label, time, order) => self.elapse(*label, *time, *order),
            Command::Reclaim(taken) => self.reclaim(*taken),
            Command::ReclaimOne(label, grip) => self.reclaim_one(*label, *grip),
            Command::ReclaimFrom(worker, taken) => self.reclaim_from(*worker, *taken),
            Command::Activate(label) => self.activate(*label),
            Command::Progress(label) => self.progress(*label),
            Command::Revive(label) => self.revive(*label),
            Command::Bury(label) => self.bury(*label),
            Command::Limit(queue, limit) => self.limit(*queue, *limit),
            Command::BeginFlow(label, shape, queue) => self.begin_flow(*label, *shape, *queue),
            Command::CancelFlow(label) => self.cancel_flow(*label),
            Command::Register(entry) => self.register(*entry),
            Command::Remove(entry) => self.remove(*entry),
            Command::Fire { entry, run, decision, sight, .. } => self.fire(*entry, *run, *decision, *sight),
        }
    }

    /// What was told since this was last asked: type and subject, in order.
    pub fn take_told(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.told)
    }
}
