//! Commands that take more than one call of the store: time that passes, jobs taken back, workflows and entries.

use carillon_shared::client::Client;
use carillon_shared::cron::Decision;
use carillon_shared::flow::Plan;
use carillon_shared::id::JobId;
use carillon_shared::job::Job;
use carillon_shared::store::{FireDecision, FireItem, Reclaim};
use carillon_tests::model::{Fired, Grip, Label, Shape, Sight, Taken, Time};
use carillon_tests::record;
use serde_json::json;

use crate::passing;
use crate::real::{P0, Real, entry, worker};
use crate::words::{at, back, request};

const POLICIES: [&str; 3] = ["skip", "enqueue", "allow"];

impl Real {
    pub(crate) async fn elapse(&mut self, label: Label, time: Time, order: u64) -> String {
        let (keys, id) = (self.keys(), self.id(label));
        let Some(job) = self.store.job(id).await.expect("Redis is there") else { return String::new() };
        let pipe = passing::pass(&keys, id, time, order);
        let has_it = match time {
            Time::Due => !job.record.state.is_terminal() && job.record.due_at.is_some(),
            Time::Expiry => job.envelope.contains_key("expires_at") && self.expires(id).await,
            _ => true,
        };
        if let Some(line) = passing::line(time).filter(|_| has_it) {
            record::set(&mut self.connection, &keys.job(id), line, &order.to_string()).await;
        }
        if pipe.cmd_iter().next().is_some() {
            pipe.exec_async(&mut self.connection).await.expect("Redis is there");
        }
        String::new()
    }

    async fn expires(&mut self, id: JobId) -> bool {
        let key = self.keys().job(id);
        record::line(&mut self.connection, &key, "expires").await.is_some()
    }

    async fn awake(&mut self) {
        passing::awake(&self.keys()).exec_async(&mut self.connection).await.expect("Redis is there");
    }

    pub(crate) async fn reclaim(&mut self, taken: Taken) -> String {
        self.awake().await;
        let overdue = self.store.overdue(P0).await.expect("Redis is there").jobs;
        self.awake().await;
        let jobs: Vec<Reclaim> = overdue.into_iter().map(|(job, lease)| back(job.record.id, lease, taken)).collect();
        self.store.reclaim(P0, &jobs).await.expect("Redis is there");
        format!("{:?}", self.labels(&jobs.iter().map(|job| job.id).collect::<Vec<_>>()))
    }

    pub(crate) async fn reclaim_one(&mut self, label: Label, grip: Grip) -> String {
        self.awake().await;
        let held = self.gripped(label, grip);
        let replies = self.store.reclaim(P0, &[back(held.id, held.lease, Taken::Available)]).await;
        format!("{:?}", replies.expect("Redis is there")[0])
    }

    pub(crate) async fn reclaim_from(&mut self, by: u8, taken: Taken) -> String {
        self.awake().await;
        let held = self.store.held_by(&worker(by)).await.expect("Redis is there");
        let found = self.store.jobs(&held).await.expect("Redis is there");
        let lease = |job: Job| Some(back(job.record.id, job.record.lease?, taken));
        let jobs: Vec<Reclaim> = found.into_iter().flatten().filter_map(lease).collect();
        self.store.reclaim_from(&worker(by), P0, &jobs).await.expect("Redis is there");
        let mut labels = self.labels(&held);
        labels.sort_unstable();
        format!("{labels:?}")
    }

    pub(crate) async fn begin_flow(&mut self, label: Label, shape: Shape, number: u8) -> String {
        let plan = Plan::read(&request(shape, number), self.store.clock().now()).expect("a workflow");
        self.store.begin_flow(self.id(label), &plan, P0).await.expect("Redis is there");
        let flow = self.store.flow(self.id(label)).await.expect("Redis is there").expect("it was begun");
        for (step, label) in flow.steps.iter().zip(label + 1..) {
            self.given.insert(label, step.job_id().expect("no workflow stands within it"));
        }
        "begun".to_owned()
    }

    pub(crate) async fn register(&mut self, number: u8) -> String {
        let options = json!({"queue": format!("q{number}")});
        let policy = POLICIES[usize::from(number)];
        let request = json!({"name": entry(number), "cron": "0 0 29 2 *", "type": "run", "overlap_policy": policy, "options": options});
        Client::new(self.store.clone()).register(&request).await.expect("a valid entry");
        String::new()
    }

    pub(crate) async fn fire(&mut self, number: u8, run: Label, decision: Fired, sight: Sight, order: u64) -> String {
        let Some(seen) = self.store.entry(&entry(number)).await.expect("Redis is there") else {
            return "Gone".to_owned();
        };
        let mut item = FireItem::asked(&seen, self.id(run), self.store.clock().now(), None).expect("a valid entry");
        let decided = match decision {
            Fired::Fire => Some(Decision::Fire),
            Fired::Behind => Some(Decision::FireBehind),
            Fired::Instead => Some(Decision::CancelAndFire),
            Fired::Skip => None,
        };
        item.decision = match (decided, item.decision) {
            (Some(decided), FireDecision::Fire(_, run)) => FireDecision::Fire(decided, run),
            _ => FireDecision::Skip("overlap_skip"),
        };
        item.scheduled = at(order);
        if sight == Sight::Blurred {
            item.live_seen.push(self.id(0));
        }
        format!("{:?}", self.store.fire_asked(P0, item).await.expect("Redis is there"))
    }
}
