//! The ledger of an entry over HTTP: every decision, and how each run ended.

use axum::extract::{Path, State};
use carillon_shared::job::JobState;
use carillon_shared::name::CronName;
use carillon_shared::store::{LedgerDecision, LedgerRow};
use serde_json::{Value, json};

use super::ApiState;
use super::cron::known;
use super::error::ApiError;
use super::query::Params;
use super::reply::{Answer, Reply};

const ROWS_DEFAULT: usize = 50;
const ROWS_MAX: usize = 1000;
const PAGE: usize = 200;
/// A filter looks at no more pages than this for one request.
const PAGES_MAX: usize = 50;

pub(super) async fn ledger(State(api): State<ApiState>, Path(name): Path<String>, params: Params) -> Answer {
    let entry = known(&name)?;
    let limit = params.limit(ROWS_DEFAULT, ROWS_MAX)?;
    let before = before(&params)?;
    let wanted = Wanted::read(&params)?;
    let found = rows(&api, &entry, before, wanted, limit).await?;
    if found.rows.is_empty() && api.store().entry(&entry).await?.is_none() {
        return Err(ApiError::no_entry(&name));
    }
    let mut shown = Vec::with_capacity(found.rows.len());
    for row in &found.rows {
        shown.push(show(&api, row).await?);
    }
    let runs: Vec<&Value> = shown.iter().filter(|row| row["decision"] == "fired").collect();
    Ok(Reply::ok(json!({
        "name": name,
        "count": shown.len(),
        "runs": runs,
        "rows": shown,
        "has_more": found.next.is_some(),
        "next_before": found.next,
    })))
}

/// Which decisions are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    All,
    Fired,
    Skipped,
}

impl Wanted {
    fn read(params: &Params) -> Result<Self, ApiError> {
        match params.text("decision") {
            None => Ok(Self::All),
            Some("fired") => Ok(Self::Fired),
            Some("skipped") => Ok(Self::Skipped),
            Some(_) => Err(ApiError::invalid("decision", "decision must be fired or skipped")),
        }
    }

    fn takes(self, row: &LedgerRow) -> bool {
        match row.decision {
            LedgerDecision::Fired(_) => self != Self::Skipped,
            LedgerDecision::Skipped { .. } => self != Self::Fired,
        }
    }
}

/// `<ms>-<number>`, as `next_before` said.
fn before(params: &Params) -> Result<Option<String>, ApiError> {
    let Some(text) = params.text("before") else { return Ok(None) };
    let digits = |text: &str| !text.is_empty() && text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    if text.split_once('-').is_some_and(|(ms, number)| digits(ms) && digits(number)) {
        return Ok(Some(text.to_owned()));
    }
    Err(ApiError::invalid("before", "before must be the next_before of an earlier answer, such as 1772947800050-0"))
}

struct Found {
    rows: Vec<LedgerRow>,
    /// Where to go on, if there may be more.
    next: Option<String>,
}

async fn rows(
    api: &ApiState,
    entry: &CronName,
    before: Option<String>,
    wanted: Wanted,
    limit: usize,
) -> Result<Found, ApiError> {
    let (mut rows, mut next) = (Vec::new(), before);
    for _ in 0..PAGES_MAX {
        // One more than is shown, to know whether more follow.
        let most = if wanted == Wanted::All { limit + 1 } else { PAGE };
        let page = api.store().ledger(entry, next.as_deref(), most).await?;
        let is_last = page.len() < most;
        next = page.last().map(|row| row.position.clone());
        rows.extend(page.into_iter().filter(|row| wanted.takes(row)));
        if rows.len() > limit {
            rows.truncate(limit);
            return Ok(Found { next: rows.last().map(|row| row.position.clone()), rows });
        }
        if is_last {
            return Ok(Found { rows, next: None });
        }
    }
    Ok(Found { rows, next })
}

/// A row, with the state of its run as it is now.
async fn show(api: &ApiState, row: &LedgerRow) -> Result<Value, ApiError> {
    let state = match (&row.decision, &row.end) {
        (LedgerDecision::Fired(id), None) => api.store().job(*id).await?.map(|job| job.record.state),
        _ => None,
    };
    Ok(row_to_json(row, state))
}

/// A row in the one shape that all have, whether somebody asked for the run or the schedule did. `state` is that of a run
/// that has not ended.
pub(crate) fn row_to_json(row: &LedgerRow, state: Option<JobState>) -> Value {
    let (decision, job_id, reason, active) = match &row.decision {
        LedgerDecision::Fired(id) => ("fired", Some(*id), None, None),
        LedgerDecision::Skipped { reason, active } => ("skipped", None, Some(reason.as_str()), *active),
    };
    let end = row.end.as_ref();
    let summary =
        |of_success: bool| end.filter(|end| (end.state == JobState::Completed) == of_success).map(|end| &end.summary);
    json!({
        "position": row.position,
        "decision": decision,
        "reason": reason,
        "kind": row.kind,
        "scheduled_time": row.scheduled_at,
        "actual_time": row.decided_at,
        "instants": row.instants,
        "missed_count": row.instants.saturating_sub(1),
        "job_id": job_id,
        "active_job_id": active,
        "state": end.map(|end| end.state).or(state),
        "started_at": end.and_then(|end| end.started_at),
        "ended_at": end.map(|end| end.ended_at),
        "duration_ms": end.and_then(|end| u64::try_from(end.ended_at.since(end.started_at?).as_millis()).ok()),
        "attempts": end.map(|end| end.attempts),
        "result_summary": summary(true),
        "error_summary": summary(false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_filter_takes_its_decisions() {
        let row = |decision| LedgerRow {
            position: "1-0".to_owned(),
            decision,
            kind: "scheduled".to_owned(),
            scheduled_at: carillon_shared::clock::Timestamp::from_ms(0),
            decided_at: carillon_shared::clock::Timestamp::from_ms(0),
            instants: 1,
            end: None,
        };
        let skipped = row(LedgerDecision::Skipped { reason: "overlap_skip".to_owned(), active: None });
        assert!(Wanted::All.takes(&skipped) && Wanted::Skipped.takes(&skipped) && !Wanted::Fired.takes(&skipped));
    }
}
