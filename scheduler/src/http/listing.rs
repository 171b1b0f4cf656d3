//! Lists of jobs over HTTP.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use carillon_shared::store::{JobCursor, JobFilter};
use serde_json::{Value, json};

use super::ApiState;
use super::error::ApiError;
use super::query::Params;
use super::reply::{Answer, Reply};

const JOBS_DEFAULT: usize = 50;
const JOBS_MAX: usize = 1000;

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/ojs/v1/jobs", get(list))
}

/// `?queue=&state=&type=&limit=&cursor=`
pub(super) async fn list(State(api): State<ApiState>, params: Params) -> Answer {
    let filter = JobFilter {
        queue: parsed(&params, "queue")?,
        state: parsed(&params, "state")?,
        job_type: parsed(&params, "type")?,
    };
    let limit = params.limit_up_to(JOBS_DEFAULT, JOBS_MAX)?;
    let cursor: Option<JobCursor> = parsed(&params, "cursor")?;
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

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(params: &Params, name: &str) -> Result<Option<T>, ApiError> {
    let read = |text: &str| text.parse().map_err(|error: T::Err| ApiError::invalid(name, format!("{name}: {error}")));
    params.text(name).map(read).transpose()
}
