//! Cron entries over HTTP (OJS scheduling, and the HTTP binding in both of its spellings).

use axum::Router;
use axum::extract::{FromRequest as _, Path, Request, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use carillon_shared::client::{ClientError, PauseRequest, Registered};
use carillon_shared::cron::{Spelling, to_wire};
use carillon_shared::name::CronName;
use carillon_shared::store::StoredEntry;
use serde_json::{Map, Value, json};

use super::ApiState;
use super::body::{Json, MaybeJson, object};
use super::error::ApiError;
use super::page::Page;
use super::query::Params;
use super::reply::{Answer, Reply, Twice, twice};
use super::{backfill, ledger, preview};

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/ojs/v1/cron", get(list).post(register))
        .route("/ojs/v1/crons", get(list))
        .route("/ojs/v1/cron/{name}", get(show).patch(change).delete(remove).post(named))
        .route("/ojs/v1/cron/{name}/trigger", post(trigger))
        .route("/ojs/v1/cron/{name}/pause", post(pause))
        .route("/ojs/v1/cron/{name}/resume", post(resume))
        .route("/ojs/v1/cron/{name}/backfill", post(backfill::backfill))
        .route("/ojs/v1/cron/{name}/ledger", get(ledger::ledger))
        .route("/ojs/v1/cron/{name}/history", get(ledger::ledger))
}

async fn register(State(api): State<ApiState>, body: Json) -> Answer {
    let registered = api.client().register(&body.value).await.map_err(bad_request)?;
    let status = if registered.created { StatusCode::CREATED } else { StatusCode::OK };
    let location = format!("/ojs/v1/cron/{}", registered.entry.definition.name);
    let reply = Reply::new(status, registration(&registered));
    Ok(if registered.created { reply.at(&location) } else { reply })
}

/// Only `preview` is posted to by name. A route of its own would hide an entry of that name.
async fn named(State(api): State<ApiState>, Path(name): Path<String>, request: Request) -> Answer {
    match name.as_str() {
        "preview" => preview::preview(&api, Json::from_request(request, &api).await?),
        _ => Err(ApiError::wrong_method("GET,HEAD,PATCH,DELETE")),
    }
}

async fn list(State(api): State<ApiState>, params: Params) -> Answer {
    let enabled = params.boolean("enabled")?;
    let page = Page::read(&params)?;
    let (shown, total) = match enabled {
        None => {
            let found = api.store().entry_page(page.offset, page.limit).await?;
            (found.entries, found.total)
        }
        Some(enabled) => {
            let mut entries = api.store().entries().await?;
            entries.retain(|entry| entry.enabled == enabled);
            let total = entries.len();
            (entries.into_iter().skip(page.offset).take(page.limit).collect(), total)
        }
    };
    let shown: Vec<Value> = shown.iter().map(|entry| wire(entry).into()).collect();
    Ok(Reply::ok(json!({
        "count": shown.len(),
        // An entry that cannot be read takes its place on a page, although it is not shown.
        "pagination": page.to_json(total, total.saturating_sub(page.offset).min(page.limit)),
        "crons": shown,
        "cron_jobs": shown,
    })))
}

async fn show(State(api): State<ApiState>, Path(name): Path<String>) -> Answer {
    let entry = api.store().entry(&known(&name)?).await?.ok_or_else(|| ApiError::no_entry(&name))?;
    Ok(Reply::ok(twice("cron_job", wire(&entry))))
}

async fn change(State(api): State<ApiState>, Path(name): Path<String>, body: Json) -> Answer {
    patch(&api, &name, &object(body.value)?).await
}

/// An entry that is paused does not fire until it is resumed, whatever is registered meanwhile.
async fn pause(State(api): State<ApiState>, Path(name): Path<String>, MaybeJson(body): MaybeJson) -> Answer {
    let request = PauseRequest::read(&body.unwrap_or_default()).map_err(|refusal| bad_request(refusal.into()))?;
    let entry = api.client().pause(&known(&name)?, &request).await.map_err(bad_request)?;
    Ok(Reply::ok(twice("cron_job", wire(&entry))))
}

/// Ends a pause. An entry that is switched off stays so.
async fn resume(State(api): State<ApiState>, Path(name): Path<String>) -> Answer {
    let entry = api.client().resume(&known(&name)?).await.map_err(bad_request)?;
    Ok(Reply::ok(twice("cron_job", wire(&entry))))
}

async fn patch(api: &ApiState, name: &str, changes: &Map<String, Value>) -> Answer {
    let changed = api.client().patch(&known(name)?, changes).await.map_err(bad_request)?;
    Ok(Reply::ok(twice("cron_job", wire(&changed.entry)).and("warnings", json!(changed.warnings))))
}

async fn remove(State(api): State<ApiState>, Path(name): Path<String>) -> Answer {
    let entry = api.client().remove(&known(&name)?).await?;
    let entry = entry.map_or_else(|| Map::from_iter([("name".to_owned(), name.clone().into())]), |entry| wire(&entry));
    Ok(Reply::ok(json!({"deleted": true, "name": name, "cron": entry, "cron_job": entry})))
}

/// Runs an entry now, whatever its schedule says.
async fn trigger(State(api): State<ApiState>, Path(name): Path<String>, MaybeJson(body): MaybeJson) -> Answer {
    let name = known(&name)?;
    let asked = api.client().run_now(&name, args(body)?).await.map_err(bad_request)?;
    let job = api.store().job(asked.job_id).await?.map(|job| job.to_json());
    let entry = api.store().entry(&name).await?;
    let answer = json!({
        "triggered": true,
        "name": name,
        "job_id": asked.job_id,
        "effect": asked.effect(),
        "waits": asked.waits,
        "waiting_runs": asked.waiting,
        "cancelled": asked.cancelled,
        "message": asked.message(),
        "job": job,
        "cron_job": entry.as_ref().map(wire),
    });
    Ok(Reply::new(StatusCode::ACCEPTED, answer).at(&format!("/ojs/v1/jobs/{}", asked.job_id)))
}

fn args(body: Option<Map<String, Value>>) -> Result<Option<Vec<Value>>, ApiError> {
    let mut body = body.unwrap_or_default();
    let args = body.remove("args");
    if let Some(unknown) = body.keys().next() {
        return Err(ApiError::invalid(unknown, format!("a run has no member `{unknown}`: expected args")));
    }
    match args {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(args)) => Ok(Some(args)),
        Some(_) => {
            Err(ApiError::invalid("args", "args must be an array; without it the entry's own arguments are used"))
        }
    }
}

/// A name that no entry can have is one that none has.
pub(super) fn known(name: &str) -> Result<CronName, ApiError> {
    name.parse().map_err(|_| ApiError::no_entry(name))
}

pub(super) fn wire(entry: &StoredEntry) -> Map<String, Value> {
    to_wire(&entry.definition, &entry.status())
}

/// The spellings differ in what `cron` is at the top of the answer: the entry, or its expression.
fn registration(registered: &Registered) -> Twice {
    let entry = wire(&registered.entry);
    let mut answer = twice("cron_job", entry.clone());
    if registered.spelling == Spelling::Template {
        answer = answer.and("cron", entry);
    }
    answer.and("warnings", json!(registered.warnings))
}

pub(super) fn bad_request(error: ClientError) -> ApiError {
    ApiError::from(error).into_bad_request()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_a_run_are_an_array_or_absent() {
        let body = |value: Value| args(value.as_object().cloned());
        assert_eq!(body(json!({})).map_err(|_| ()), Ok(None));
        assert_eq!(body(json!({"args": [1]})).map_err(|_| ()), Ok(Some(vec![json!(1)])));
        assert!(body(json!({"args": {}})).is_err() && body(json!({"arg": []})).is_err());
    }
}
