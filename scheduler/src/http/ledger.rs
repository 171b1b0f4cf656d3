//! The ledger of an entry over HTTP: every decision, and how each run ended.

use axum::extract::{Path, State};
use carillon_shared::cron::{LedgerFilter, LedgerQuery, LedgerRow};
use serde_json::{Value, json};

use super::ApiState;
use super::cron::known;
use super::error::ApiError;
use super::query::Params;
use super::reply::{Answer, Reply};

const ROWS_DEFAULT: usize = 50;
const ROWS_MAX: usize = 1000;

/// `?limit=&cursor=&decision=&reason=&kind=&state=&from=&to=&order=`
pub(super) async fn ledger(State(api): State<ApiState>, Path(name): Path<String>, params: Params) -> Answer {
    let entry = known(&name)?;
    let limit = params.limit(ROWS_DEFAULT, ROWS_MAX)?;
    let page = api.store().ledger_page(&entry, &query(&params)?, limit).await?;
    if page.rows.is_empty() && api.store().entry(&entry).await?.is_none() {
        return Err(ApiError::no_entry(&name));
    }
    let rows: Vec<Value> = page.rows.iter().map(LedgerRow::to_json).collect();
    let runs: Vec<&Value> = rows.iter().filter(|row| row["decision"] == "fired").collect();
    let next = page.next.map(|cursor| cursor.to_string());
    Ok(Reply::ok(json!({
        "name": name,
        "count": rows.len(),
        "runs": runs,
        "rows": rows,
        "pagination": {"limit": limit, "has_more": next.is_some(), "next_cursor": next},
    })))
}

fn query(params: &Params) -> Result<LedgerQuery, ApiError> {
    let filter = LedgerFilter {
        decision: params.parsed("decision")?,
        reason: params.parsed("reason")?,
        kind: params.parsed("kind")?,
        state: params.parsed("state")?,
        from: params.parsed("from")?,
        to: params.parsed("to")?,
    };
    let query =
        LedgerQuery { filter, order: params.parsed("order")?.unwrap_or_default(), cursor: params.parsed("cursor")? };
    match &query.cursor {
        Some(cursor) if cursor.order != query.order => {
            let message = format!("cursor: it belongs to a list with order={}", cursor.order);
            Err(ApiError::invalid("cursor", message))
        }
        _ => Ok(query),
    }
}
