//! Dead letters over HTTP: jobs that were given up and wait for somebody to look at them.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use carillon_shared::id::JobId;
use carillon_shared::job::{Fields, Job};
use carillon_shared::name::{NameError, QueueName};
use serde_json::{Map, Value, json};

use super::ApiState;
use super::body::{Json, object};
use super::error::ApiError;
use super::page::Page;
use super::query::Params;
use super::reply::{Answer, Reply, twice};

const LETTERS_DEFAULT: usize = 50;
const LETTERS_MAX: usize = 1000;
/// At most so many are retried by one request.
const RETRIED_MAX: usize = 10_000;

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/ojs/v1/dead-letter", get(list))
        .route("/ojs/v1/dead-letter/retry", post(retry_many))
        .route("/ojs/v1/dead-letter/{id}", get(show).delete(remove))
        .route("/ojs/v1/dead-letter/{id}/retry", post(retry))
}

/// `?queue=&limit=&offset=`, or `cursor`, or `page` and `per_page`; newest first.
pub(super) async fn list(State(api): State<ApiState>, params: Params) -> Answer {
    let queue = params.text("queue").map(queue).transpose()?;
    let page = Page::read_with(&params, LETTERS_DEFAULT, LETTERS_MAX)?;
    let offset = params.integer("cursor", 0..=usize::MAX)?.unwrap_or(page.offset);
    let limit = page.limit;
    let letters = api.store().dead_letters(queue.as_ref(), offset, limit).await?;
    let total = usize::try_from(letters.total).unwrap_or(usize::MAX);
    let jobs: Vec<Value> = letters.jobs.iter().map(|job| job.to_json().into()).collect();
    let next = offset.saturating_add(limit);
    let mut pagination = Page { limit, offset }.to_json(total, jobs.len());
    if next < total {
        pagination["next_cursor"] = next.to_string().into();
    }
    Ok(Reply::ok(json!({"count": jobs.len(), "items": jobs, "jobs": jobs, "pagination": pagination})))
}

async fn show(State(api): State<ApiState>, Path(id): Path<String>) -> Answer {
    let job = api.store().job(known(&id)?).await?.filter(|job| job.record.dead);
    let job = job.ok_or_else(|| ApiError::no_dead_letter(&id))?;
    Ok(Reply::ok(twice("job", &job)))
}

pub(super) async fn retry(State(api): State<ApiState>, Path(id): Path<String>) -> Answer {
    let job = revived(&api, known(&id)?).await?.ok_or_else(|| ApiError::no_dead_letter(&id))?;
    let at = job.record.enqueued_at.to_string();
    Ok(Reply::ok(twice("job", &job).and("re_enqueued_at", at)))
}

pub(super) async fn remove(State(api): State<ApiState>, Path(id): Path<String>) -> Answer {
    if !api.store().bury(known(&id)?).await? {
        return Err(ApiError::no_dead_letter(&id));
    }
    Ok(Reply::ok(json!({"deleted": true, "id": id, "job_id": id})))
}

/// Retries the dead letters that the body names (`job_ids`), those of a `queue`, or `all`.
pub(super) async fn retry_many(State(api): State<ApiState>, body: Json) -> Answer {
    let body = object(body.value)?;
    let (mut retried, mut missing) = (Vec::new(), Vec::new());
    for text in chosen(&api, &body).await? {
        match text.parse() {
            Ok(id) if api.store().revive(id).await? => retried.push(text),
            _ => missing.push(text),
        }
    }
    Ok(Reply::ok(json!({"retried": retried.len(), "job_ids": retried, "missing": missing})))
}

async fn chosen(api: &ApiState, body: &Map<String, Value>) -> Result<Vec<String>, ApiError> {
    let fields = Fields::new(body, "");
    let name = if fields.find("ids").is_some() { "ids" } else { "job_ids" };
    if let Some(ids) = fields.texts(name)? {
        if ids.len() > RETRIED_MAX {
            return Err(fields.refuse(name, &format!("an array of at most {RETRIED_MAX} ids")).into());
        }
        return Ok(ids);
    }
    let queue = fields.text("queue")?.map(queue).transpose()?;
    if queue.is_none() && fields.boolean("all")? != Some(true) {
        return Err(fields
            .refuse("job_ids", "an array of ids, unless queue or \"all\": true says which to retry")
            .into());
    }
    let letters = api.store().dead_letters(queue.as_ref(), 0, RETRIED_MAX).await?;
    Ok(letters.jobs.iter().map(|job| job.record.id.to_string()).collect())
}

async fn revived(api: &ApiState, id: JobId) -> Result<Option<Job>, ApiError> {
    if !api.store().revive(id).await? {
        return Ok(None);
    }
    Ok(api.store().job(id).await?)
}

fn queue(text: &str) -> Result<QueueName, ApiError> {
    text.parse().map_err(|error: NameError| ApiError::invalid("queue", error.to_string()))
}

fn known(id: &str) -> Result<JobId, ApiError> {
    id.parse().map_err(|_| ApiError::no_dead_letter(id))
}
