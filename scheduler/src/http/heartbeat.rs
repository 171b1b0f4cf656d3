//! Heartbeats over HTTP: a worker says that it lives and which jobs it runs, and hears which of them are its no more.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use carillon_shared::client::Beat;
use carillon_shared::id::JobId;
use carillon_shared::job::{Fields, Refusal};
use carillon_shared::name::WorkerId;
use carillon_shared::store::WorkerOrder;
use serde_json::{Map, Value, json};

use super::ApiState;
use super::body::{Json, object};
use super::error::ApiError;
use super::fetch;
use super::reply::{Answer, Reply};
use super::workers;

const IDS_MAX: usize = 10_000;

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/ojs/v1/workers/heartbeat", post(beat)).route("/ojs/v1/workers/beat", post(beat))
}

async fn beat(State(api): State<ApiState>, body: Json) -> Answer {
    let body = object(body.value)?;
    let (said, of_itself) = (Said::read(&body)?, workers::said(&Fields::new(&body, ""))?);
    let Beat { extended, lost, cancelled } =
        api.client().beat(&said.worker, said.named.as_deref(), said.visibility).await?;
    let order = match api.client().note_worker(&said.worker, of_itself, &extended).await? {
        Some(order) => Some(order),
        None => directive(&api, &extended).await?,
    };
    let state = order.map_or("running", WorkerOrder::as_str);
    let lost: Vec<String> = lost.iter().map(JobId::to_string).chain(said.strange).collect();
    Ok(Reply::ok(json!({
        "acknowledged": true,
        "worker_id": said.worker,
        "state": state,
        "directive": state,
        "jobs_extended": extended,
        "jobs_lost": lost,
        "cancelled_jobs": cancelled,
        "server_time": api.store().clock().now(),
    })))
}

/// What a worker says with a heartbeat.
struct Said {
    worker: WorkerId,
    /// The jobs it runs, if it names them.
    named: Option<Vec<JobId>>,
    /// What it names that can be no job's id.
    strange: Vec<String>,
    visibility: Option<Duration>,
}

impl Said {
    fn read(map: &Map<String, Value>) -> Result<Self, Refusal> {
        let fields = Fields::new(map, "");
        let worker = fetch::worker(&fields)?.ok_or_else(|| fields.refuse("worker_id", "the id of the worker"))?;
        let texts = named(map, &fields)?;
        let (mut ids, mut strange) = (Vec::new(), Vec::new());
        for text in texts.iter().flatten() {
            match text.parse() {
                Ok(id) => ids.push(id),
                Err(_) => strange.push(text.clone()),
            }
        }
        Ok(Self { worker, named: texts.map(|_| ids), strange, visibility: fetch::visibility(&fields)? })
    }
}

/// The jobs that a heartbeat names, under either name; `active_jobs` may also be their number, which names none.
fn named(map: &Map<String, Value>, fields: &Fields<'_>) -> Result<Option<Vec<String>>, Refusal> {
    let name = if map.get("active_jobs").is_some_and(Value::is_array) { "active_jobs" } else { "active_job_ids" };
    let texts = match (map.get(name), fields.texts(name)?) {
        // A list that was never filled, as one language writes it.
        (Some(Value::Null), _) => Some(Vec::new()),
        (_, texts) => texts,
    };
    if texts.as_ref().is_some_and(|texts| texts.len() > IDS_MAX) {
        return Err(fields.refuse(name, &format!("an array of at most {IDS_MAX} job ids")));
    }
    if name != "active_jobs" && fields.find("active_jobs").is_some() {
        fields.integer("active_jobs", 0, i64::MAX)?;
    }
    Ok(texts)
}

/// What a running job wants its worker to be told, where that is allowed.
async fn directive(api: &ApiState, running: &[JobId]) -> Result<Option<WorkerOrder>, ApiError> {
    if !api.0.conformance_directives {
        return Ok(None);
    }
    let jobs = api.store().jobs(running).await?;
    let said = jobs.iter().flatten().filter_map(|job| job.envelope.get("meta")?.get("test_directive")?.as_str());
    Ok(said.filter_map(WorkerOrder::named).next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "019501a2-3b4c-7d5e-8f6a-1b2c3d4e5f6a";

    fn ids(value: &Value) -> Option<usize> {
        let mut body = json!({"worker_id": "w"});
        body.as_object_mut().expect("an object").extend(value.as_object().expect("an object").clone());
        Said::read(body.as_object().expect("an object")).expect("a heartbeat").named.map(|ids| ids.len())
    }

    #[test]
    fn jobs_are_named_under_either_name_or_not_at_all() {
        assert_eq!(ids(&json!({"active_jobs": [ID]})), Some(1));
        assert_eq!(ids(&json!({"active_jobs": 1, "active_job_ids": [ID, "strange"]})), Some(1));
        assert_eq!(ids(&json!({"active_jobs": 0, "active_job_ids": null})), Some(0));
        assert_eq!(ids(&json!({"active_jobs": []})), Some(0));
        assert_eq!(ids(&json!({"active_jobs": 3})), None);
        assert_eq!(ids(&json!({})), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, field) in [
            (json!({}), "worker_id"),
            (json!({"worker_id": ""}), "worker_id"),
            (json!({"worker_id": "w", "active_jobs": "x"}), "active_jobs"),
            (json!({"worker_id": "w", "active_job_ids": [7]}), "active_job_ids"),
        ] {
            assert_eq!(Said::read(body.as_object().expect("an object")).err().expect(field).field, field, "{body}");
        }
    }
}
