//! Lists of jobs over HTTP.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use carillon_shared::store::{JobCursor, JobFilter};
use serde_json::{Value, json};

use super::ApiState;
use super::query::Params;
use super::reply::{Answer, Reply};

const JOBS_DEFAULT: usize = 50;
const JOBS_MAX: usize = 1000;

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/ojs/v1/jobs", get(list))
}

/// `?queue=&state=&type=&limit=&cursor=`
pub(super) async fn list(State(api): State<ApiState>, params: Params) -> Answer {
    let filter =
        JobFilter { queue: params.parsed("queue")?, state: params.parsed("state")?, job_type: params.parsed("type")? };
    let limit = params.limit_up_to(JOBS_DEFAULT, JOBS_MAX)?;
    let cursor: Option<JobCursor> = params.parsed("cursor")?;
    let page = api.store().list_jobs(&filter, cursor, limit).await?;
    let jobs: Vec<Value> = page.jobs.iter().map(|job| job.to_json().into()).collect();
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(Reply::ok(json!({
        "count": jobs.len(),
        "items": jobs,
        "jobs": jobs,
        "pagination": {"limit": limit, "has_more": next.is_some(), "next_cursor": next},
    })))
}
