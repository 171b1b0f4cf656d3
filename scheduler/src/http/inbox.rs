//! What producers pushed to the inbox and could not be taken, each with its reason.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde_json::{Value, json};

use super::ApiState;
use super::query::Params;
use super::reply::{Answer, Reply};

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/ojs/v1/inbox/rejected", get(rejected))
}

async fn rejected(State(api): State<ApiState>, params: Params) -> Answer {
    let items = api.store().rejected(params.limit(50, 1000)?).await?;
    let items: Vec<Value> =
        items.into_iter().map(|item| serde_json::from_str(&item).unwrap_or(Value::String(item))).collect();
    Ok(Reply::ok(json!({"count": items.len(), "rejected": items})))
}
