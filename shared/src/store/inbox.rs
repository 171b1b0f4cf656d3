//! The inbox: where producers of any language push job JSON.
//!
//! An item is moved to the list of what is taken, behind a ticket; its job is enqueued under an id that follows from the
//! ticket; then it is struck off. Whoever dies in between leaves the ticket, and whoever goes on arrives at the same id, so
//! that nothing is lost and nothing doubled. Several takers work on the same list without a lock: each goes through it in
//! order, so the first to enqueue an item had enqueued, or seen struck off, all before it.

use super::{Reply, Store, StoreError, script};
use crate::clock::Timestamp;
use crate::id::{JobId, Partition};

/// What was taken from the inbox.
#[derive(Debug, Clone)]
pub struct InboxItem {
    /// `<ms>-<number>`.
    pub ticket: String,
    /// When it was taken.
    pub taken_at: Timestamp,
    /// What the producer pushed.
    pub payload: Vec<u8>,
}

impl InboxItem {
    /// The id of the job that this becomes, if the producer brought none.
    #[must_use]
    pub fn job_id(&self, partition: Partition) -> JobId {
        JobId::of_ticket(self.taken_at, &self.ticket, partition)
    }
}

/// An item that is done with.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// Its ticket.
    pub ticket: String,
    /// Why it was not accepted, as JSON for the rejected list; `None` when it was enqueued.
    pub rejection: Option<String>,
}

/// How many rejected items are kept.
const REJECTED_KEPT: i64 = 10_000;
/// Larger than any job may be, and small enough for one call.
const TAKEN_AT_ONCE_MAX: i64 = 100;

impl Store {
    /// Takes from the inbox, in order: what is still unsettled, then new items; at most 100.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn take_inbox(&self) -> Result<Vec<InboxItem>, StoreError> {
        let keys = [self.keys().inbox(), self.keys().inbox_taken(), self.keys().inbox_ticket()];
        let reply = self.run_bare(&script::inbox_take, &keys, &[TAKEN_AT_ONCE_MAX.into()]).await?;
        (1..reply.len()).map(|i| item(reply.bytes(i)?)).collect()
    }

    /// Strikes items off, in order, from the head of what is taken.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn settle_inbox(&self, items: &[Settlement]) -> Result<(), StoreError> {
        let keys = [self.keys().inbox_taken(), self.keys().inbox_rejected()];
        let mut args = vec![REJECTED_KEPT.into()];
        for item in items {
            args.extend([item.ticket.as_str().into(), item.rejection.as_deref().unwrap_or_default().into()]);
        }
        self.run_bare(&script::inbox_settle, &keys, &args).await?;
        Ok(())
    }

    /// The newest rejected items, newest first.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn rejected(&self, most: usize) -> Result<Vec<String>, StoreError> {
        let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
        let list = redis::cmd("LRANGE").arg(self.keys().inbox_rejected()).arg(-most).arg(-1).to_owned();
        let mut items = Reply::new("rejected", self.send(&list).await?)?.texts(0)?;
        items.reverse();
        Ok(items)
    }
}

fn item(bytes: &[u8]) -> Result<InboxItem, StoreError> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let ticket = end.and_then(|end| std::str::from_utf8(&bytes[..end]).ok());
    let taken_ms = ticket.and_then(|ticket| ticket.split_once('-')?.0.parse().ok());
    match (end, ticket, taken_ms) {
        (Some(end), Some(ticket), Some(taken_ms)) => Ok(InboxItem {
            ticket: ticket.to_owned(),
            taken_at: Timestamp::from_ms(taken_ms),
            payload: bytes[end + 1..].to_vec(),
        }),
        _ => Err(StoreError::corrupt("inbox", "an item that was taken has no ticket")),
    }
}
