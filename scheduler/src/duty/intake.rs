//! The duty that takes jobs from the inbox; every scheduler has it.

use std::time::Duration;

use carillon_shared::id::JobId;
use carillon_shared::job::{Envelope, Refusal};
use carillon_shared::store::{Bell, EnqueueReply, InboxItem, NewJob, Settlement, Store, StoreError};
use carillon_shared::telemetry::metric::{self, label};
use carillon_shared::telemetry::queue_label;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Duty;

/// How long one wait for the inbox takes at most. What another intake took and did not settle is found after it.
const WAIT: Duration = Duration::from_secs(3);
/// A payload in an event is cut to so many characters; the rejected list has all of it.
const PAYLOAD_TOLD_CHARS_MAX: usize = 500;

/// Takes from the inbox.
pub(crate) struct Intake {
    store: Store,
    stop: CancellationToken,
    bell: Option<Bell>,
}

impl Intake {
    /// An intake that stops waiting for the inbox with `stop`.
    pub(crate) fn new(store: Store, stop: CancellationToken) -> Self {
        Self { store, stop, bell: None }
    }
}

impl Duty for Intake {
    const NAME: &'static str = "intake";

    async fn round(&mut self) -> Result<Duration, StoreError> {
        let items = self.store.take_inbox().await?;
        if items.is_empty() {
            self.wait().await?;
        } else {
            settle(&self.store, &items).await?;
        }
        Ok(Duration::ZERO)
    }
}

impl Intake {
    async fn wait(&mut self) -> Result<(), StoreError> {
        // Taken out while it is waited on: a bell that failed is not waited on again.
        let mut bell = match self.bell.take() {
            Some(bell) => bell,
            None => self.store.inbox_bell(WAIT).await?,
        };
        tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            woken = bell.wait() => woken?,
        };
        self.bell = Some(bell);
        Ok(())
    }
}

/// Enqueues what can be, then strikes everything off in order. Items of one partition go in one call.
async fn settle(store: &Store, items: &[InboxItem]) -> Result<(), StoreError> {
    let mut settlements = Vec::with_capacity(items.len());
    let read: Vec<_> = items.iter().map(|item| read(store, item)).collect();
    for group in read.chunk_by(|a, b| same_partition(store, a, b)) {
        settlements.extend(enqueue(store, group).await?);
    }
    for (item, settlement) in items.iter().zip(&settlements) {
        if let Some(rejection) = &settlement.rejection {
            tell(store, item, rejection).await?;
        }
    }
    store.settle_inbox(&settlements).await
}

/// An item, and what it says.
struct Read<'a> {
    item: &'a InboxItem,
    job: Result<(JobId, Envelope), Refusal>,
}

fn read<'a>(store: &Store, item: &'a InboxItem) -> Read<'a> {
    // Relative times count from when the item was taken: whoever finishes what another began arrives at the same.
    let job = Envelope::parse(&item.payload, item.taken_at).map(|envelope| {
        let id = envelope.id.unwrap_or_else(|| item.job_id(store.keys().partition_of(&envelope.queue)));
        (id, envelope)
    });
    Read { item, job }
}

fn same_partition(store: &Store, a: &Read<'_>, b: &Read<'_>) -> bool {
    match (&a.job, &b.job) {
        (Ok((_, a)), Ok((_, b))) => store.keys().partition_of(&a.queue) == store.keys().partition_of(&b.queue),
        _ => false,
    }
}

async fn enqueue(store: &Store, group: &[Read<'_>]) -> Result<Vec<Settlement>, StoreError> {
    let jobs: Vec<NewJob<'_>> = group
        .iter()
        .filter_map(|read| {
            let (id, envelope) = read.job.as_ref().ok()?;
            Some(NewJob { id: *id, envelope, request: read.item.ticket.clone() })
        })
        .collect();
    let refusal = match store.enqueue(&jobs).await? {
        EnqueueReply::Enqueued(_) => None,
        EnqueueReply::Exists(_) => Some(Refusal::field("id", "there is a job of this id already")),
        EnqueueReply::Duplicate { holder, .. } => {
            let message = format!("job {holder} is the same and keeps this one away (unique)");
            Some(Refusal::field("unique", message))
        }
    };
    if let Some(refusal) = refusal {
        if group.len() > 1 {
            // One of them cannot be taken in: the others must not wait for it.
            let mut settlements = Vec::new();
            for one in group.chunks(1) {
                settlements.extend(Box::pin(enqueue(store, one)).await?);
            }
            return Ok(settlements);
        }
        return Ok(group.iter().map(|read| rejected(read.item, &refusal)).collect());
    }
    for job in &jobs {
        metrics::counter!(metric::INBOX_TAKEN_TOTAL).increment(1);
        metrics::counter!(metric::JOBS_ENQUEUED_TOTAL, label::QUEUE => queue_label(job.envelope.queue.as_str()))
            .increment(1);
    }
    Ok(group.iter().map(settlement).collect())
}

fn settlement(read: &Read<'_>) -> Settlement {
    match &read.job {
        Ok(_) => Settlement { ticket: read.item.ticket.clone(), rejection: None },
        Err(refusal) => rejected(read.item, refusal),
    }
}

fn rejected(item: &InboxItem, refusal: &Refusal) -> Settlement {
    let rejection = json!({
        "reason": refusal.message,
        "field": refusal.field,
        "payload": String::from_utf8_lossy(&item.payload),
        "taken_at": item.taken_at,
        "ticket": item.ticket,
    });
    Settlement { ticket: item.ticket.clone(), rejection: Some(rejection.to_string()) }
}

/// Tells of a rejection before it is struck off: after a crash it may be told twice, but never not at all.
async fn tell(store: &Store, item: &InboxItem, rejection: &str) -> Result<(), StoreError> {
    let mut data: serde_json::Value = serde_json::from_str(rejection).unwrap_or_default();
    let payload: String = String::from_utf8_lossy(&item.payload).chars().take(PAYLOAD_TOLD_CHARS_MAX).collect();
    data["payload"] = payload.into();
    metrics::counter!(metric::INBOX_REJECTED_TOTAL).increment(1);
    warn!(inbox.ticket = item.ticket, reason = %data["reason"], "an inbox item was rejected");
    store.tell("inbox.rejected", "scheduler", &item.ticket, &data).await
}
