//! Backfilling over HTTP: the instants of a past window that led to no job.

use axum::extract::{Path, State};
use carillon_shared::client::{BackfillMode, BackfillRequest, Backfilled};
use carillon_shared::name::CronName;
use serde_json::{Value, json};

use super::ApiState;
use super::body::{Json, object};
use super::cron::{bad_request, known};
use super::reply::{Answer, Reply};

pub(super) async fn backfill(State(api): State<ApiState>, Path(name): Path<String>, body: Json) -> Answer {
    let name = known(&name)?;
    let request = BackfillRequest::read(&object(body.value)?).map_err(|refusal| bad_request(refusal.into()))?;
    let filled = api.client().backfill(&name, &request).await.map_err(bad_request)?;
    Ok(Reply::ok(backfilled_to_json(&name, request.mode, &filled)))
}

/// What a backfill did, or would do.
pub(crate) fn backfilled_to_json(name: &CronName, mode: BackfillMode, filled: &Backfilled) -> Value {
    let instants: Vec<Value> = filled
        .instants
        .iter()
        .map(|(at, outcome)| json!({"scheduled_time": at, "outcome": outcome.as_str(), "job_id": outcome.job_id()}))
        .collect();
    json!({
        "name": name,
        "dry_run": mode == BackfillMode::DryRun,
        "count": instants.len(),
        "jobs": filled.instants.iter().filter(|(_, outcome)| outcome.job_id().is_some()).count(),
        "instants": instants,
        "has_more": filled.next_from.is_some(),
        "next_from": filled.next_from,
    })
}
