//! Why an entry ran or did not, and who led, over HTTP.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::json;

use super::ApiState;
use super::cron::known;
use super::error::ApiError;
use super::query::Params;
use super::reply::{Answer, Reply};

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/ojs/v1/cron/{name}/why", get(why)).route("/ojs/v1/leader", get(leader))
}

/// `?at=`: RFC 3339, a local time in the zone of the entry, `last` or `next`.
async fn why(State(api): State<ApiState>, Path(name): Path<String>, params: Params) -> Answer {
    let entry = known(&name)?;
    let asked = params.text("at").unwrap_or("last");
    let why = api.client().why(&entry, asked).await.map_err(|error| ApiError::from(error).into_bad_request())?;
    let mut answer = json!(why);
    answer["name"] = name.into();
    answer["asked"] = asked.into();
    answer["answer"] = why.sentences().join(" ").into();
    Ok(Reply::ok(answer))
}

/// Who leads, and the leaderships before, the newest first.
async fn leader(State(api): State<ApiState>) -> Answer {
    let terms = api.store().leaderships().await?;
    Ok(Reply::ok(json!({"leader": terms.leader(), "terms": terms})))
}
