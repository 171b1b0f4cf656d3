//! Batches over HTTP: all jobs of one are taken in, or none.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use carillon_shared::client::{BatchError, Enqueued};
use carillon_shared::clock::Timestamp;
use carillon_shared::job::{ENVELOPE_BYTES_MAX, Envelope, Fields};
use carillon_shared::telemetry::metric::{self, label};
use carillon_shared::telemetry::queue_label;
use serde_json::{Map, Value, json};

use super::ApiState;
use super::body::BatchJson;
use super::error::ApiError;
use super::reply::{Answer, Reply};

const JOBS_MAX: usize = 10_000;

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/ojs/v1/jobs/batch", post(enqueue))
}

async fn enqueue(State(api): State<ApiState>, BatchJson(body): BatchJson) -> Answer {
    let envelopes = read(&body, api.store().clock().now())?;
    let enqueued = api.client().enqueue_all(&envelopes).await.map_err(refused)?;
    for new in enqueued.iter().filter(|enqueued| !enqueued.deduplicated) {
        let queue = queue_label(new.job.record.queue.as_str());
        metrics::counter!(metric::JOBS_ENQUEUED_TOTAL, label::QUEUE => queue).increment(1);
    }
    Ok(Reply::new(StatusCode::CREATED, shown(enqueued)))
}

fn shown(enqueued: Vec<Enqueued>) -> Value {
    let same: Vec<usize> = (0..enqueued.len()).filter(|&i| enqueued[i].deduplicated).collect();
    let jobs: Vec<Value> = enqueued.into_iter().map(|enqueued| enqueued.job.to_json().into()).collect();
    let mut answer = json!({"count": jobs.len(), "jobs": jobs});
    if !same.is_empty() {
        answer["deduplicated"] = json!(same);
    }
    answer
}

fn refused(refused: BatchError) -> ApiError {
    let error = ApiError::from(refused.error);
    match refused.place {
        Some(place) => error.detail("index", place),
        None => error,
    }
}

/// Reads every job before any is taken in.
fn read(body: &Map<String, Value>, now: Timestamp) -> Result<Vec<Envelope>, ApiError> {
    let fields = Fields::new(body, "");
    let jobs = match fields.find("jobs") {
        Some(Value::Array(jobs)) if (1..=JOBS_MAX).contains(&jobs.len()) => jobs,
        _ => return Err(fields.refuse("jobs", &format!("an array of 1 to {JOBS_MAX} jobs")).into()),
    };
    let none = Map::new();
    let defaults = fields.object("default_options")?.unwrap_or(&none);
    jobs.iter().enumerate().map(|(place, job)| one(place, job, defaults, now)).collect()
}

fn one(place: usize, job: &Value, defaults: &Map<String, Value>, now: Timestamp) -> Result<Envelope, ApiError> {
    let bytes = job.to_string().len();
    if bytes > ENVELOPE_BYTES_MAX {
        let message = format!("jobs[{place}] has {bytes} bytes, more than {ENVELOPE_BYTES_MAX}");
        return Err(ApiError::too_large(message).detail("index", place));
    }
    let completed = if defaults.is_empty() { None } else { Some(with_defaults(job, defaults)) };
    Envelope::read(completed.as_ref().unwrap_or(job), now)
        .map_err(|refusal| ApiError::from(refusal.within(&format!("jobs[{place}]"))).detail("index", place))
}

/// Names under which one thing is said.
const SYNONYMS: [&[&str]; 4] = [
    &["timeout", "timeout_ms"],
    &["visibility_timeout", "visibility_timeout_ms"],
    &["scheduled_at", "delay_until", "delay"],
    &["expires_at", "ttl", "ttl_ms", "enqueue_ttl"],
];

/// The job with the options of the batch where it has none of its own, whichever way it says them.
fn with_defaults(job: &Value, defaults: &Map<String, Value>) -> Value {
    let Value::Object(map) = job else { return job.clone() };
    let own = map.get("options").filter(|options| !options.is_null());
    let own = match own {
        Some(Value::Object(options)) => options.clone(),
        None => Map::new(),
        Some(_) => return job.clone(),
    };
    let says = |name: &str| [map.get(name), own.get(name)].into_iter().flatten().any(|value| !value.is_null());
    let mut options = own.clone();
    for (name, value) in defaults {
        let synonyms = SYNONYMS.into_iter().find(|names| names.contains(&name.as_str()));
        if !synonyms.unwrap_or(&[name.as_str()]).iter().any(|name| says(name)) {
            options.insert(name.clone(), value.clone());
        }
    }
    let mut map = map.clone();
    map.insert("options".to_owned(), options.into());
    map.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(value: &Value) -> Result<Vec<Envelope>, ApiError> {
        read(value.as_object().expect("an object"), Timestamp::from_ms(0))
    }

    #[test]
    fn what_a_job_says_itself_wins_over_the_defaults_of_the_batch() {
        let job = json!({"type": "a", "args": [], "queue": "own", "options": {"timeout_ms": 5}});
        let envelopes = batch(&json!({
            "jobs": [job, {"type": "b", "args": []}],
            "default_options": {"queue": "common", "timeout": 9, "priority": 7},
        }))
        .expect("a batch");
        let said = |i: usize| {
            (envelopes[i].queue.as_str(), envelopes[i].timeout.map(|t| t.as_millis()), envelopes[i].priority)
        };
        assert_eq!([said(0), said(1)], [("own", Some(5), 7), ("common", Some(9000), 7)]);
    }

    #[test]
    fn a_wrong_job_is_refused_by_its_place() {
        let error = batch(&json!({"jobs": [{"type": "a", "args": []}, {"type": "a"}]})).expect_err("no args");
        let error = error.to_json("r");
        assert_eq!(
            (&error["error"]["details"]["index"], &error["error"]["details"]["field"]),
            (&json!(1), &json!("jobs[1].args"))
        );
        for wrong in [json!({}), json!({"jobs": []}), json!({"jobs": {}}), json!({"jobs": [7]})] {
            assert_eq!(batch(&wrong).expect_err("no batch").status, 400, "{wrong}");
        }
    }
}
