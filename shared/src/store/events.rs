//! Reading events from the streams of all partitions.
//!
//! An entry of a stream holds what one call told, at most a hundred events: for each a field, numbered from `00`, with four lines,
//! which are its type, its source, its subject, and its data.

use super::event_cursor::{EventCursor, Position};
use super::{PartitionKeys, Reply, Store, StoreError};
use crate::clock::Timestamp;
use crate::event::{Event, event_id};

/// Events, and where to go on.
#[derive(Debug)]
pub struct EventPage {
    /// The events in order, each with the cursor behind it.
    pub events: Vec<(EventCursor, Event)>,
    /// The place behind the last of them.
    pub cursor: EventCursor,
}

/// An event, the partition that told it, and the place behind it.
pub(super) type Found = (usize, Position, Event);

/// Entries in one call.
const READ_AT_ONCE: usize = 16;

impl Store {
    /// The place behind the newest event.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn newest_event(&self) -> Result<EventCursor, StoreError> {
        let mut cursor = EventCursor::oldest(self.keys().partitions());
        for (i, keys) in self.keys().all().enumerate() {
            let page =
                self.send(redis::cmd("XREVRANGE").arg(keys.events()).arg("+").arg("-").arg("COUNT").arg(1)).await?;
            if let Some(entry) = Reply::new("events", page)?.lists(0)?.first() {
                cursor.0[i] = position(&keys, entry)?;
            }
        }
        Ok(cursor)
    }

    /// Reads at most about `most` events after `cursor`, oldest first.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn events(&self, cursor: EventCursor, most: usize) -> Result<EventPage, StoreError> {
        let mut cursor = cursor.sized(self.keys().partitions());
        let mut found = Vec::new();
        for (i, keys) in self.keys().all().enumerate() {
            let (mut after, enough) = (cursor.0[i], found.len().saturating_add(most));
            while found.len() < enough {
                let start = format!("({}", after.entries_after());
                let mut read = redis::cmd("XRANGE");
                read.arg(keys.events()).arg(start).arg("+").arg("COUNT").arg(READ_AT_ONCE);
                let page = Reply::new("events", self.send(&read).await?)?.lists(0)?;
                for entry in &page {
                    after = told(i, &keys, entry, after, &mut found)?;
                }
                if page.len() < READ_AT_ONCE {
                    break;
                }
            }
        }
        Ok(merged(&mut cursor, found, most))
    }

    /// Whether events right after `cursor` may have been forgotten already.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn has_forgotten(&self, cursor: &EventCursor) -> Result<bool, StoreError> {
        for (keys, read_to) in self.keys().all().zip(&cursor.0) {
            let page = self.send(redis::cmd("XRANGE").arg(keys.events()).arg("-").arg("+").arg("COUNT").arg(1)).await?;
            let oldest =
                Reply::new("events", page)?.lists(0)?.first().map(|entry| position(&keys, entry)).transpose()?;
            if oldest.is_some_and(|oldest| *read_to != Position::OLDEST && !read_to.is_at(oldest) && *read_to < oldest)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Puts events of several partitions into the order of their times, and moves the cursor over at most `most` of them.
pub(super) fn merged(cursor: &mut EventCursor, mut found: Vec<Found>, most: usize) -> EventPage {
    found.sort_by_key(|(_, _, event)| event.at);
    found.truncate(most);
    let mut events = Vec::with_capacity(found.len());
    for (i, position, event) in found {
        cursor.0[i] = position;
        events.push((cursor.clone(), event));
    }
    EventPage { events, cursor: cursor.clone() }
}

/// The place behind an entry of a stream.
fn position(keys: &PartitionKeys, entry: &Reply) -> Result<Position, StoreError> {
    let id = entry.text(0)?;
    Position::behind(&id).ok_or_else(|| StoreError::corrupt(keys.events(), id))
}

/// Adds what an entry tells that comes after a place, and says which place is behind it.
pub(super) fn told(
    partition: usize,
    keys: &PartitionKeys,
    entry: &Reply,
    after: Position,
    found: &mut Vec<Found>,
) -> Result<Position, StoreError> {
    let behind = position(keys, entry)?;
    let passed = if after.is_at(behind) { after.passed } else { 0 };
    let at = Timestamp::from_ms(i64::try_from(behind.ms).unwrap_or(i64::MAX));
    let events = entry.list(1)?.pairs()?;
    for (place, (_, lines)) in events.iter().enumerate().skip(passed) {
        let mut lines = lines.splitn(4, '\n').map(str::to_owned);
        let [Some(kind), Some(source), Some(subject), Some(data)] = std::array::from_fn(|_| lines.next()) else {
            return Err(StoreError::corrupt(keys.events(), behind.to_string()));
        };
        let id = event_id(keys.root(), at, behind.seq, place);
        let event = Event { id, kind, source, subject, at, data };
        let is_last = place + 1 == events.len();
        found.push((partition, if is_last { behind } else { behind.within(place + 1) }, event));
    }
    Ok(behind)
}
