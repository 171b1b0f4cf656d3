//! Queues over HTTP.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use carillon_shared::clock::Timestamp;
use carillon_shared::job::{Fields, JobState, RateLimit};
use carillon_shared::name::{NameError, QueueName};
use carillon_shared::store::{QueueChange, QueueStats, Recent};
use serde_json::{Map, Value, json};

use super::ApiState;
use super::body::{Json, object};
use super::dialect::Dialect;
use super::error::ApiError;
use super::page::Page;
use super::query::Params;
use super::reply::{Answer, Reply, twice};

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/ojs/v1/queues", get(list))
        .route("/ojs/v1/queues/{name}", get(show).patch(change))
        .route("/ojs/v1/queues/{name}/stats", get(stats))
        .route("/ojs/v1/queues/{name}/pause", post(pause))
        .route("/ojs/v1/queues/{name}/resume", post(resume))
}

/// `?limit=&offset=` or `?page=&per_page=`; all of them without.
pub(super) async fn list(State(api): State<ApiState>, params: Params) -> Answer {
    let page = Page::read(&params)?;
    let all = api.store().queues().await?;
    let shown = all.iter().skip(page.offset).take(page.limit);
    let queues: Vec<Value> = shown.map(|stats| described(stats).into()).collect();
    Ok(Reply::ok(json!({
        "count": queues.len(),
        "items": queues,
        "queues": queues,
        "pagination": page.to_json(all.len(), queues.len()),
    })))
}

/// A queue; zeros for one that was never used, because queues need no creation.
pub(super) async fn show(State(api): State<ApiState>, Path(name): Path<String>) -> Answer {
    let name = known(&name)?;
    let (stats, recent) = tokio::try_join!(api.store().queue(name.clone()), api.store().recent(&name))?;
    let mut queue = described(&stats);
    queue.extend(lately(&recent));
    Ok(Reply::ok(twice("queue", queue)))
}

/// The counters of a queue; zeros for one that was never used.
async fn stats(State(api): State<ApiState>, Path(name): Path<String>, headers: HeaderMap) -> Answer {
    let name = known(&name)?;
    let (stats, recent) = tokio::try_join!(api.store().queue(name.clone()), api.store().recent(&name))?;
    let mut counts = counts(&stats);
    counts.extend(lately(&recent));
    let mut answer = json!({
        "name": stats.name,
        "status": status(&stats),
        "paused": stats.paused,
        "stats": counts,
        "computed_at": api.store().clock().now(),
    });
    if let (Dialect::Sdk, Some(map)) = (Dialect::of(&headers), answer.as_object_mut()) {
        map.extend(counts.clone());
    }
    Ok(Reply::ok(named(answer, &headers, counts)))
}

pub(super) async fn pause(State(api): State<ApiState>, Path(name): Path<String>, headers: HeaderMap) -> Answer {
    turned(&api, &name, &headers, QueueChange::Pause).await
}

pub(super) async fn resume(State(api): State<ApiState>, Path(name): Path<String>, headers: HeaderMap) -> Answer {
    turned(&api, &name, &headers, QueueChange::Resume).await
}

async fn turned(api: &ApiState, name: &str, headers: &HeaderMap, change: QueueChange) -> Answer {
    let name = known(name)?;
    api.store().change_queue(&name, &change).await?;
    let stats = api.store().queue(name).await?;
    let mut answer = json!({"name": stats.name, "paused": stats.paused, "status": status(&stats)});
    match stats.paused_at {
        Some(at) => answer["paused_at"] = json!(at),
        None => answer["resumed_at"] = json!(api.store().clock().now()),
    }
    Ok(Reply::ok(named(answer, headers, described(&stats))))
}

/// Sets limits: `concurrency` (jobs at once) and `rate_limit` (`{"max_per_second": n}` or `{"rate": n, "period": "PT1M"}`);
/// `null` takes one away.
pub(super) async fn change(State(api): State<ApiState>, Path(name): Path<String>, body: Json) -> Answer {
    let name = known(&name)?;
    let changes = changes(&object(body.value)?)?;
    for change in &changes {
        api.store().change_queue(&name, change).await?;
    }
    Ok(Reply::ok(twice("queue", described(&api.store().queue(name).await?))))
}

fn changes(map: &Map<String, Value>) -> Result<Vec<QueueChange>, ApiError> {
    let fields = Fields::new(map, "");
    let mut changes = Vec::new();
    if map.contains_key("concurrency") {
        let most = fields.integer("concurrency", 1, i64::from(u32::MAX))?;
        changes.push(QueueChange::Concurrency(most.and_then(|most| u32::try_from(most).ok())));
    }
    if map.contains_key("rate_limit") {
        let limit = fields.object("rate_limit")?.map(|limit| RateLimit::parse(limit, "rate_limit")).transpose()?;
        changes.push(QueueChange::Rate(limit));
    }
    if changes.is_empty() {
        return Err(ApiError::invalid("", "nothing to change: expected concurrency or rate_limit"));
    }
    Ok(changes)
}

/// The two sorts of clients want different things under the name `queue`: its name, or an object.
fn named(mut answer: Value, headers: &HeaderMap, object: Map<String, Value>) -> Value {
    answer["queue"] = match Dialect::of(headers) {
        Dialect::Sdk => answer["name"].clone(),
        Dialect::Plain => object.into(),
    };
    answer
}

fn known(name: &str) -> Result<QueueName, ApiError> {
    name.parse().map_err(|error: NameError| ApiError::invalid("queue", error.to_string()))
}

fn described(stats: &QueueStats) -> Map<String, Value> {
    let counts = counts(stats);
    let mut map = counts.clone();
    map.insert("status".to_owned(), status(stats).into());
    map.insert("available_count".to_owned(), stats.count(JobState::Available).into());
    map.insert("concurrency".to_owned(), json!(stats.concurrency));
    map.insert("rate".to_owned(), json!(stats.rate));
    // Typed clients need a time: this one cannot be mistaken for that of a queue which was used.
    map.insert("created_at".to_owned(), json!(stats.created_at.unwrap_or(Timestamp::from_ms(0))));
    map.insert("counts".to_owned(), counts.clone().into());
    map.insert("stats".to_owned(), counts.into());
    map
}

fn counts(stats: &QueueStats) -> Map<String, Value> {
    let mut map: Map<String, Value> =
        stats.counts.iter().map(|(state, count)| (state.as_str().to_owned(), (*count).into())).collect();
    map.insert("name".to_owned(), stats.name.as_str().into());
    map.insert("queue".to_owned(), stats.name.as_str().into());
    map.insert("paused".to_owned(), stats.paused.into());
    map.insert("depth".to_owned(), stats.count(JobState::Available).into());
    map.insert("dead".to_owned(), stats.dead.into());
    map
}

/// What became of its jobs within the last hour.
fn lately(recent: &Recent) -> Map<String, Value> {
    let members = [
        ("completed_last_hour", json!(recent.completed)),
        ("failed_last_hour", json!(recent.failed)),
        ("avg_duration_ms", json!(recent.avg_duration_ms)),
        ("avg_wait_ms", json!(recent.avg_wait_ms)),
        ("throughput_per_second", json!(recent.throughput_per_second)),
    ];
    members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

fn status(stats: &QueueStats) -> &'static str {
    if stats.paused { "paused" } else { "active" }
}
