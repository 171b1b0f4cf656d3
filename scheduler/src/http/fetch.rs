//! Jobs handed out to workers over HTTP.
//!
//! A worker that finds nothing is answered at once, unless it said how long it wants to wait (`wait_ms`): then it is woken
//! by the bells of its queues, and looks by itself from time to time.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use carillon_shared::client::Fetch;
use carillon_shared::job::{Fields, Job, Refusal};
use carillon_shared::name::{NameError, QueueName, WorkerId};
use carillon_shared::store::Bell;
use futures::future::select_all;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

use super::ApiState;
use super::body::{Json, object};
use super::error::ApiError;
use super::reply::{Answer, Reply};

const QUEUES_MAX: usize = 100;
const COUNT_MAX: i64 = 100;
const WAIT_MS_MAX: i64 = 30_000;
pub(super) const VISIBILITY_MS_MAX: i64 = 7 * 86_400_000;
/// How often somebody who waits looks although no bell rang: a bell is a hint that may be lost.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The same without a bell.
const LOOK_INTERVAL_DEAF: Duration = Duration::from_millis(200);

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/ojs/v1/workers/fetch", post(fetch)).route("/ojs/v1/jobs/fetch", post(fetch))
}

async fn fetch(State(api): State<ApiState>, body: Json) -> Answer {
    let wish = Wish::read(&object(body.value)?)?;
    let jobs: Vec<String> = wish.granted(&api).await?.iter().map(Job::to_json_text).collect();
    Ok(Reply::text(StatusCode::OK, handed_out(&jobs)))
}

/// Those that were handed out; the first also by itself, for clients that ask for one.
fn handed_out(jobs: &[String]) -> String {
    let Some(first) = jobs.first() else { return r#"{"jobs":[]}"#.to_owned() };
    let bytes: usize = jobs.iter().map(|job| job.len() + 1).sum();
    let mut text = String::with_capacity(bytes + first.len() + 24);
    for (n, job) in jobs.iter().enumerate() {
        text.extend([if n == 0 { r#"{"jobs":["# } else { "," }, job]);
    }
    text.extend([r#"],"job":"#, first, "}"]);
    text
}

/// What a worker asks for.
struct Wish {
    fetch: Fetch,
    wait: Duration,
}

impl Wish {
    fn read(map: &Map<String, Value>) -> Result<Self, Refusal> {
        let fields = Fields::new(map, "");
        let count = fields.integer("count", 1, i64::MAX)?.unwrap_or(1).min(COUNT_MAX);
        let fetch = Fetch {
            queues: queues(&fields)?,
            count: usize::try_from(count).unwrap_or(1),
            worker: worker(&fields)?,
            visibility: visibility(&fields)?,
        };
        let wait_ms = fields.integer("wait_ms", 0, WAIT_MS_MAX)?.unwrap_or(0);
        Ok(Self { fetch, wait: Duration::from_millis(wait_ms.unsigned_abs()) })
    }

    /// Looks, and waits, until there are jobs, the wish has had its time, or this server stops.
    async fn granted(&self, api: &ApiState) -> Result<Vec<Job>, ApiError> {
        let until = Instant::now() + self.wait;
        let mut ear = Ear::default();
        loop {
            let jobs = self.look(api).await?;
            let left = until.saturating_duration_since(Instant::now());
            if !jobs.is_empty() || left.is_zero() || api.0.stop.is_cancelled() {
                return Ok(jobs);
            }
            tokio::select! {
                () = api.0.stop.cancelled() => {}
                () = sleep(left) => {}
                heard = ear.hear(api, &self.fetch.queues) => heard?,
            }
        }
    }

    async fn look(&self, api: &ApiState) -> Result<Vec<Job>, ApiError> {
        Ok(api.client().fetch(self.fetch.clone()).await?)
    }
}

/// The bells of some queues, once there is something to wait for.
#[derive(Default)]
struct Ear {
    bells: Vec<Bell>,
    /// Given back with the connections that it stands for.
    place: Option<tokio::sync::OwnedSemaphorePermit>,
}

impl Ear {
    /// Waits until it is time to look again. Nothing is missed in between, since a bell keeps what was rung.
    async fn hear(&mut self, api: &ApiState, queues: &[QueueName]) -> Result<(), ApiError> {
        if self.place.is_none() {
            self.place = api.0.polls.clone().try_acquire_owned().ok();
        }
        if self.place.is_none() {
            sleep(LOOK_INTERVAL_DEAF).await;
            return Ok(());
        }
        if self.bells.is_empty() {
            self.bells = api.store().bells(queues, LOOK_INTERVAL).await?;
        }
        let (rung, ..) = select_all(self.bells.iter_mut().map(|bell| Box::pin(bell.wait()))).await;
        rung?;
        Ok(())
    }
}

fn queues(fields: &Fields<'_>) -> Result<Vec<QueueName>, Refusal> {
    let names = match fields.texts("queues")? {
        Some(names) => names,
        None => fields.text("queue")?.map(str::to_owned).into_iter().collect(),
    };
    if names.is_empty() || names.len() > QUEUES_MAX {
        return Err(fields.refuse("queues", &format!("an array of 1 to {QUEUES_MAX} queues")));
    }
    let read = |name: &String| name.parse().map_err(|error: NameError| Refusal::field("queues", error.to_string()));
    let mut queues: Vec<QueueName> = Vec::with_capacity(names.len());
    for name in &names {
        let queue = read(name)?;
        if !queues.contains(&queue) {
            queues.push(queue);
        }
    }
    Ok(queues)
}

/// Who asks, if it says so; an empty id says nothing.
pub(super) fn worker(fields: &Fields<'_>) -> Result<Option<WorkerId>, Refusal> {
    if fields.text("worker_id")? == Some("") {
        return Ok(None);
    }
    fields.parsed("worker_id")
}

/// For how long jobs are held without a heartbeat: in milliseconds, or in seconds.
pub(super) fn visibility(fields: &Fields<'_>) -> Result<Option<Duration>, Refusal> {
    let ms = match fields.integer("visibility_timeout_ms", 1, VISIBILITY_MS_MAX)? {
        Some(ms) => Some(ms),
        None => fields.integer("visibility_timeout", 1, VISIBILITY_MS_MAX / 1000)?.map(|seconds| seconds * 1000),
    };
    Ok(ms.map(|ms| Duration::from_millis(ms.unsigned_abs())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Wish, Refusal> {
        Wish::read(value.as_object().expect("an object"))
    }

    #[test]
    fn the_first_job_stands_among_all_and_by_itself() {
        let text = |jobs: &[&str]| handed_out(&jobs.iter().copied().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(text(&[]), r#"{"jobs":[]}"#);
        assert_eq!(text(&["1"]), r#"{"jobs":[1],"job":1}"#);
        assert_eq!(text(&["1", "2", "3"]), r#"{"jobs":[1,2,3],"job":1}"#);
    }

    #[test]
    fn queues_keep_their_order_and_stand_once() {
        let wish = read(&json!({"queues": ["b", "a", "b"], "worker_id": "", "count": 1000})).expect("a wish");
        assert_eq!(wish.fetch.queues.iter().map(QueueName::as_str).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!((wish.fetch.count, wish.fetch.worker, wish.wait), (100, None, Duration::ZERO));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, field) in [
            (json!({}), "queues"),
            (json!({"queues": []}), "queues"),
            (json!({"queues": "default"}), "queues"),
            (json!({"queues": ["No Queue"]}), "queues"),
            (json!({"queues": ["a"], "count": 0}), "count"),
            (json!({"queues": ["a"], "worker_id": 7}), "worker_id"),
            (json!({"queues": ["a"], "visibility_timeout_ms": 0}), "visibility_timeout_ms"),
            (json!({"queues": ["a"], "wait_ms": 30_001}), "wait_ms"),
        ] {
            assert_eq!(read(&body).err().expect(field).field, field, "{body}");
        }
    }
}
