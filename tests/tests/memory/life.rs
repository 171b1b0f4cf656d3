//! A round of everything that can happen, under names that no other round uses.

use std::time::Duration;

use carillon_scheduler::app::App;
use carillon_shared::client::Client;
use carillon_shared::id::JobId;
use carillon_shared::job::{Failure, Verdict};
use carillon_shared::name::QueueName;
use carillon_shared::store::{AttemptEnd, Claim, Claimed, Ending, NewJob, QueueChange, Store, StoreOptions};
use carillon_tests::store::{enqueue, envelope};
use carillon_worker::{Shutdown, Worker, builtin};
use serde_json::{Value, json};

/// Nothing waits longer than this for a worker that has gone.
const LEASE: Duration = Duration::from_secs(2);
/// Names that entries share in turns: what is registered stays until it is removed.
const ENTRIES: usize = 3;

pub(crate) struct Life {
    store: Store,
    client: Client,
    options: StoreOptions,
    http: reqwest::Client,
    url: String,
}

impl Life {
    pub(crate) async fn new(app: &App, options: StoreOptions) -> Self {
        let store = Store::open(options.clone()).await.expect("Redis is there");
        let client = Client::new(store.clone());
        Self { store, client, options, http: reqwest::Client::new(), url: format!("http://{}", app.address()) }
    }

    pub(crate) async fn round(&self, n: usize) {
        let queue: QueueName = format!("q-{n}").parse().expect("a name");
        self.every_ending(n, &queue).await;
        self.unclaimed(&queue).await;
        self.dead_letters(n, &queue).await;
        self.workflows(n, &queue).await;
        self.runs(n, &queue).await;
        self.other_languages(n, &queue).await;
        self.store.change_queue(&queue, &QueueChange::Pause).await.expect("Redis is there");
        self.store.change_queue(&queue, &QueueChange::Resume).await.expect("Redis is there");
        if n.is_multiple_of(4) {
            self.own_worker(n).await;
        }
    }

    async fn add(&self, queue: &QueueName, more: Value) -> JobId {
        let mut job =
            json!({"type": "echo", "args": [{"text": "a few words, so that a job weighs something"}], "queue": queue});
        job.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        enqueue(&self.store, &job).await
    }

    async fn claim(&self, n: usize, queue: &QueueName, count: usize) -> Vec<Claimed> {
        let worker = format!("w-{n}").parse().expect("a name");
        self.store.claim(&Claim::new(worker, vec![queue.clone()], count, LEASE)).await.expect("Redis is there")
    }

    async fn end(&self, claimed: Vec<Claimed>, ending: &Ending) {
        let ends: Vec<AttemptEnd> =
            claimed.into_iter().map(|one| AttemptEnd { held: one.held, ending: ending.clone() }).collect();
        self.store.end(&ends).await.expect("Redis is there");
    }

    /// Claims whatever there is and completes it, until there is nothing more.
    async fn drain(&self, n: usize, queue: &QueueName) {
        loop {
            let claimed = self.claim(n, queue, 100).await;
            if claimed.is_empty() {
                return;
            }
            self.end(claimed, &Ending::Completed { result: Some(json!({"ok": true})) }).await;
        }
    }

    async fn every_ending(&self, n: usize, queue: &QueueName) {
        for ending in [
            Ending::Completed { result: Some(json!([1, 2, 3])) },
            failed(Verdict::Retry(Duration::from_millis(1))),
            failed(Verdict::Discard),
            Ending::Returned { delay: Duration::ZERO, failure: Failure::new("shutdown", "later") },
        ] {
            self.add(queue, json!({"timeout_ms": 60_000})).await;
            let claimed = self.claim(n, queue, 1).await;
            for one in &claimed {
                let said = json!({"progress": 0.5});
                self.store.put_progress(one.held.id, &said, 50.0, Some("half")).await.expect("Redis is there");
            }
            self.end(claimed, &ending).await;
        }
        // Held by somebody who is never heard of again.
        let lost: QueueName = format!("{queue}.lost").parse().expect("a name");
        self.add(&lost, json!({"retry": {"max_attempts": 1}})).await;
        assert_eq!(self.claim(n, &lost, 1).await.len(), 1);
        let now = self.store.clock().now();
        let unique = json!({"keys": ["args"], "period": "PT1H", "on_conflict": "ignore"});
        let job = json!({"type": "once", "args": [n], "queue": queue, "options": {"unique": unique}});
        let batch: Vec<_> =
            (0..50).map(|_| envelope(&json!({"type": "echo", "args": [], "queue": queue}), now)).collect();
        let once: Vec<_> = (0..2).map(|_| envelope(&job, now)).collect();
        for envelopes in [&batch, &once] {
            let jobs: Vec<NewJob<'_>> =
                envelopes.iter().map(|envelope| NewJob::new(self.store.id_for(envelope), envelope)).collect();
            self.store.enqueue(&jobs).await.expect("Redis takes them");
        }
        self.drain(n, queue).await;
    }

    /// Jobs that end without an attempt.
    async fn unclaimed(&self, queue: &QueueName) {
        for more in
            [json!({}), json!({"pending": true}), json!({"delay": "PT1H"}), json!({"options": {"ttl_ms": 3_600_000}})]
        {
            let id = self.add(queue, more).await;
            self.store.activate(id).await.expect("Redis is there");
            self.store.cancel(id, "test", "").await.expect("Redis is there");
        }
        self.add(queue, json!({"options": {"ttl_ms": 1}})).await;
        let limited: QueueName = format!("{queue}.limited").parse().expect("a name");
        let id = self.add(&limited, json!({"rate_limit": {"rate": 1, "period": "PT0.1S"}})).await;
        self.store.cancel(id, "test", "").await.expect("Redis is there");
    }

    async fn dead_letters(&self, n: usize, queue: &QueueName) {
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(self.add(queue, json!({})).await);
            let claimed = self.claim(n, queue, 1).await;
            self.end(claimed, &failed(Verdict::DeadLetter)).await;
        }
        self.store.bury(ids[0]).await.expect("Redis is there");
        self.store.revive(ids[1]).await.expect("Redis is there");
        self.drain(n, queue).await;
    }

    async fn workflows(&self, n: usize, queue: &QueueName) {
        let step = json!({"type": "echo", "args": [], "options": {"queue": queue}});
        for request in [
            json!({"type": "chain", "steps": [step, step]}),
            json!({"type": "batch", "jobs": [step, step], "callbacks": {"on_complete": step, "on_failure": step}}),
        ] {
            self.client.begin_flow(&request).await.expect("a workflow");
            self.drain(n, queue).await;
            let flow = self.client.begin_flow(&request).await.expect("a workflow");
            self.store.cancel_flow(flow.id, "test").await.expect("Redis is there");
            self.client.begin_flow(&request).await.expect("a workflow");
            let claimed = self.claim(n, queue, 1).await;
            self.end(claimed, &failed(Verdict::Discard)).await;
            self.drain(n, queue).await;
        }
    }

    /// Runs of entries, some behind others; the entries come and go.
    async fn runs(&self, n: usize, queue: &QueueName) {
        let name = format!("e-{}", n % ENTRIES);
        let entry = json!({"name": name, "cron": "0 0 1 1 *", "type": "echo", "options": {"queue": queue}, "overlap_policy": "enqueue"});
        let name = name.parse().expect("a name");
        // An entry that changes queue would have to move; here it begins anew.
        self.store.remove_entry(&name).await.expect("Redis is there");
        self.client.register(&entry).await.expect("an entry");
        for _ in 0..3 {
            self.client.run_now(&name, None).await.expect("a run");
        }
        let last = self.client.run_now(&name, None).await.expect("a run");
        self.store.cancel(last.job_id, "test", "").await.expect("Redis is there");
        for _ in 0..3 {
            self.drain(n, queue).await;
        }
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Value) -> Value {
        let request = self.http.request(method, format!("{}/ojs/v1/{path}", self.url)).json(&body);
        request.send().await.expect("an answer").json().await.unwrap_or_default()
    }

    /// A worker that speaks HTTP: it comes, works, is told things, and goes; now and then without a word.
    async fn other_languages(&self, n: usize, queue: &QueueName) {
        let post = async |path: &str, body| self.call(reqwest::Method::POST, path, body).await;
        let worker = format!("h-{n}");
        post("workers", json!({"worker_id": worker, "queues": [queue]})).await;
        post("jobs", json!({"type": "echo", "args": [], "queue": queue})).await;
        let fetch = json!({"queues": [queue], "worker_id": worker, "visibility_timeout_ms": 2000});
        let job = post("workers/fetch", fetch).await["jobs"][0]["id"].clone();
        assert!(job.is_string(), "a job is fetched");
        post("workers/heartbeat", json!({"worker_id": worker, "active_jobs": [job]})).await;
        post("workers/ack", json!({"job_id": job, "worker_id": worker})).await;
        post(&format!("workers/{worker}/quiet"), json!({})).await;
        if !n.is_multiple_of(8) {
            self.call(reqwest::Method::DELETE, &format!("workers/{worker}"), json!({})).await;
        }
    }

    async fn own_worker(&self, n: usize) {
        let queue: QueueName = format!("own-{n}").parse().expect("a name");
        let builder = Worker::builder().store(self.options.clone()).queues([queue.as_str()]).lease(LEASE);
        let worker = builder.register("echo", builtin::find("echo").expect("a handler")).build().expect("a worker");
        let shutdown = Shutdown::new();
        let told = shutdown.clone();
        let running = tokio::spawn(async move { worker.run(told).await.expect("Redis is there") });
        let id = self.add(&queue, json!({})).await;
        carillon_tests::wait::until("the job to end", async || {
            let job = self.store.job(id).await.expect("Redis is there");
            job.is_none_or(|job| job.record.state.is_terminal())
        })
        .await;
        shutdown.drain();
        running.await.expect("it ends");
    }
}

fn failed(verdict: Verdict) -> Ending {
    Ending::Failed { failure: Failure::new("handler_error", "no"), attempt: 1, verdict }
}
