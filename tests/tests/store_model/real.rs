//! Commands as calls of the store.

use std::collections::BTreeMap;
use std::time::Duration;

use carillon_shared::id::{JobId, Partition, nonce};
use carillon_shared::job::{Envelope, Verdict};
use carillon_shared::name::{CronName, QueueName, WorkerId};
use carillon_shared::store::{
    AttemptEnd, Claim, Claimed, Ending, EnqueueReply, EntryRemoved, FlowCancel, Held, NewJob, PartitionKeys, Store,
    TakenIn,
};
use carillon_tests::model::{Command, Finish, Grip, Label};
use carillon_tests::redis::Server;
use carillon_tests::store::options;
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};

use crate::words::{HOUR, change, described, failure, retention};

pub(crate) const P0: Partition = Partition(0);

/// A store, and what a client of it remembers.
pub(crate) struct Real {
    pub(crate) server: Server,
    pub(crate) store: Store,
    pub(crate) connection: MultiplexedConnection,
    /// The ids that the store gave; all others are made of their labels.
    pub(crate) given: BTreeMap<Label, JobId>,
    held: BTreeMap<Label, Vec<Held>>,
    last_enqueue: Option<(Vec<(Label, Envelope)>, String)>,
    last_claim: Option<Claim>,
    pub(crate) events_seen: usize,
}

pub(crate) fn queue(number: u8) -> QueueName {
    format!("q{number}").parse().expect("a name")
}

pub(crate) fn entry(number: u8) -> CronName {
    format!("e{number}").parse().expect("a name")
}

pub(crate) fn worker(number: u8) -> WorkerId {
    format!("w{number}").parse().expect("a worker id")
}

impl Real {
    pub(crate) async fn start() -> Self {
        let server = Server::start(&["--appendonly", "no"]);
        let store = Store::open(options(&server.url())).await.expect("the test's Redis is there");
        let connection = server.connection().await;
        Self {
            server,
            store,
            connection,
            given: BTreeMap::new(),
            held: BTreeMap::new(),
            last_enqueue: None,
            last_claim: None,
            events_seen: 0,
        }
    }

    /// Begins again with nothing.
    pub(crate) async fn empty(&mut self) {
        redis::cmd("FLUSHALL").exec_async(&mut self.connection).await.expect("Redis is there");
        self.given.clear();
        self.held.clear();
        self.last_enqueue = None;
        self.last_claim = None;
        self.events_seen = 0;
    }

    pub(crate) fn keys(&self) -> PartitionKeys {
        self.store.keys().partition(P0)
    }

    pub(crate) fn id(&self, label: Label) -> JobId {
        let made = || format!("01900000-0000-7000-8000-{:012x}", u64::from(label) << 10);
        self.given.get(&label).copied().unwrap_or_else(|| made().parse().expect("a UUIDv7"))
    }

    /// The label of an id; 0 when it has none.
    pub(crate) fn label(&self, id: &str) -> Label {
        let given = self.given.iter().find(|(_, given)| given.to_string() == id).map(|(label, _)| *label);
        let made = || u64::from_str_radix(id.rsplit('-').next()?, 16).ok();
        given.unwrap_or_else(|| Label::try_from(made().unwrap_or(0) >> 10).unwrap_or(0))
    }

    pub(crate) fn labels(&self, ids: &[JobId]) -> Vec<Label> {
        ids.iter().map(|id| self.label(&id.to_string())).collect()
    }

    pub(crate) async fn apply(&mut self, command: &Command) -> String {
        let store = self.store.clone();
        match command {
            Command::Enqueue(specs) => {
                let jobs = specs.iter().map(|spec| (spec.label, described(spec, self.id(spec.label)))).collect();
                self.last_enqueue = Some((jobs, nonce()));
                self.enqueue().await
            }
            Command::EnqueueAgain => self.enqueue().await,
            Command::Claim { queues, most, worker: by } => {
                let queues = queues.iter().map(|number| queue(*number)).collect();
                self.last_claim = Some(Claim::new(worker(*by), queues, *most, HOUR));
                self.claim().await
            }
            Command::ClaimAgain => self.claim().await,
            Command::End(ends) => {
                let ends: Vec<_> =
                    ends.iter().map(|(label, grip, finish)| self.ending(*label, *grip, *finish)).collect();
                let replies = store.end(&ends).await.expect("Redis is there");
                replies.iter().map(|reply| format!("{reply:?}")).collect::<Vec<_>>().join(", ")
            }
            Command::Heartbeat(label, grip) => {
                let states = store.heartbeat(&[self.gripped(*label, *grip)], HOUR).await.expect("Redis is there");
                format!("{:?}", states[0])
            }
            Command::HeartbeatAs(by, label) => {
                let states = store.heartbeat_as(&worker(*by), &[self.id(*label)], Some(HOUR)).await;
                format!("{:?}", states.expect("Redis is there")[0])
            }
            Command::Cancel(label) => {
                format!("{:?}", store.cancel(self.id(*label), "test", "").await.expect("Redis is there"))
            }
            Command::Promote => {
                let promoted = store.promote(P0).await.expect("Redis is there");
                let next =
                    promoted.next_due_at.map_or("none", |at| if at <= store.clock().now() { "past" } else { "ahead" });
                format!("{}, next {next}", promoted.promoted)
            }
            Command::Expire => store.expire(P0).await.expect("Redis is there").to_string(),
            Command::Overtime => {
                let jobs = store.overtime(P0).await.expect("Redis is there");
                format!("{:?}", self.labels(&jobs.iter().map(|(job, _)| job.record.id).collect::<Vec<_>>()))
            }
            Command::Trim(how) => store.trim(P0, retention(*how)).await.expect("Redis is there").to_string(),
            Command::Elapse(label, time, order) => self.elapse(*label, *time, *order).await,
            Command::Reclaim(taken) => self.reclaim(*taken).await,
            Command::ReclaimOne(label, grip) => self.reclaim_one(*label, *grip).await,
            Command::ReclaimFrom(by, taken) => self.reclaim_from(*by, *taken).await,
            Command::Activate(label) => {
                format!("{:?}", store.activate(self.id(*label)).await.expect("Redis is there"))
            }
            Command::Progress(label) => {
                let said = store.put_progress(self.id(*label), &json!({"percent": 50}), 50.0, Some("half")).await;
                format!("{:?}", said.expect("Redis is there"))
            }
            Command::Revive(label) => store.revive(self.id(*label)).await.expect("Redis is there").to_string(),
            Command::Bury(label) => store.bury(self.id(*label)).await.expect("Redis is there").to_string(),
            Command::Limit(number, limit) => {
                store.change_queue(&queue(*number), &change(*limit)).await.expect("Redis is there");
                String::new()
            }
            Command::BeginFlow(label, shape, number) => self.begin_flow(*label, *shape, *number).await,
            Command::CancelFlow(label) => match store.cancel_flow(self.id(*label), "").await.expect("Redis is there") {
                FlowCancel::Cancelled(jobs) => format!("Cancelled({:?})", self.labels(&jobs)),
                FlowCancel::Ended(state) => format!("Ended({state})"),
                FlowCancel::Gone => "Gone".to_owned(),
            },
            Command::Register(number) => self.register(*number).await,
            Command::Remove(number) => match store.remove_entry(&entry(*number)).await.expect("Redis is there") {
                EntryRemoved::Removed(_) => "removed".to_owned(),
                EntryRemoved::Gone => "gone".to_owned(),
                EntryRemoved::Stale => "stale".to_owned(),
            },
            Command::Fire { entry: number, run, decision, sight, order } => {
                self.fire(*number, *run, *decision, *sight, *order).await
            }
        }
    }

    async fn enqueue(&self) -> String {
        let Some((jobs, request)) = &self.last_enqueue else { return "nothing to repeat".to_owned() };
        let new = |label: &Label, envelope| NewJob { id: self.id(*label), envelope, request: request.clone() };
        let batch: Vec<NewJob<'_>> = jobs.iter().map(|(label, envelope)| new(label, envelope)).collect();
        match self.store.enqueue(&batch).await.expect("Redis is there") {
            EnqueueReply::Exists(id) => format!("exists {}", self.label(&id.to_string())),
            EnqueueReply::Duplicate { holder, place } => {
                format!("duplicate of {} at {place}", self.label(&holder.to_string()))
            }
            EnqueueReply::Enqueued(taken) => {
                let one = |taken: &TakenIn| match taken.state {
                    Some(state) => format!("{} {state}", self.label(&taken.id.to_string())),
                    None => format!("ignored for {}", self.label(&taken.id.to_string())),
                };
                taken.iter().map(one).collect::<Vec<_>>().join(", ")
            }
        }
    }

    async fn claim(&mut self) -> String {
        let Some(claim) = self.last_claim.clone() else { return "nothing to repeat".to_owned() };
        let claimed = self.store.claim(&claim).await.expect("Redis is there");
        let told = claimed.iter().map(|claimed| self.told(claimed)).collect::<Vec<_>>().join(", ");
        for claimed in claimed {
            let label = self.label(&claimed.held.id.to_string());
            let held = self.held.entry(label).or_default();
            if !held.contains(&claimed.held) {
                held.push(claimed.held);
            }
        }
        told
    }

    fn told(&self, claimed: &Claimed) -> String {
        let (job, lease) = (&claimed.job, claimed.held.lease.to_string());
        let number = lease.split('-').next().unwrap_or_default();
        let parents: Vec<String> = job.parent_results.iter().map(Value::to_string).collect();
        let (label, attempt) = (self.label(&job.record.id.to_string()), job.record.attempt);
        format!("{label} #{attempt} lease {number} errors {} of {parents:?}", job.errors.len())
    }

    pub(crate) fn gripped(&self, label: Label, grip: Grip) -> Held {
        let held = self.held.get(&label).map(Vec::as_slice).unwrap_or_default();
        let found = match grip {
            Grip::Latest => held.last(),
            Grip::Earlier => held.iter().rev().nth(1),
            Grip::Strange => None,
        };
        let nobodys = || Held { id: self.id(label), lease: "0-nobody".parse().expect("a lease"), partition: P0 };
        found.cloned().unwrap_or_else(nobodys)
    }

    fn ending(&self, label: Label, grip: Grip, finish: Finish) -> AttemptEnd {
        let failed = |verdict| Ending::Failed { failure: failure(), attempt: 1, verdict };
        let ending = match finish {
            Finish::Done => Ending::Completed { result: Some(json!(label)) },
            Finish::DoneSilently => Ending::Completed { result: None },
            Finish::Retry => failed(Verdict::Retry(HOUR)),
            Finish::Discard => failed(Verdict::Discard),
            Finish::Dead => failed(Verdict::DeadLetter),
            Finish::Return => Ending::Returned { delay: Duration::ZERO, failure: failure() },
            Finish::ReturnLater => Ending::Returned { delay: HOUR, failure: failure() },
        };
        AttemptEnd { held: self.gripped(label, grip), ending }
    }
}
