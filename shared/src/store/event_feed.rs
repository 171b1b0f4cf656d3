//! Following the streams of all partitions.

use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep};

use super::event_cursor::EventCursor;
use super::events::{Found, merged, told};
use super::{Keys, PartitionKeys, Reply, Store, StoreError};
use crate::event::Event;

/// Follows events as they happen.
#[derive(Debug)]
pub struct EventFeed {
    way: Way,
    keys: Keys,
    cursor: EventCursor,
    longest: Duration,
}

/// How a feed waits.
#[derive(Debug)]
enum Way {
    /// One call waits for all streams.
    Waits(MultiplexedConnection),
    /// The streams are with several servers, and a call that waits for one of them would need a connection of its own.
    Looks(Store),
}

/// How often a feed looks that cannot wait.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// Events in one look.
const LOOK_AT_ONCE: usize = 500;
/// Entries in one call: each holds at most a hundred events.
const READ_AT_ONCE: usize = 16;

impl Store {
    /// Follows events after `cursor`; each call of the feed waits for at most `longest`.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn event_feed(&self, cursor: EventCursor, longest: Duration) -> Result<EventFeed, StoreError> {
        let cursor = cursor.sized(self.keys().partitions());
        let way = if self.0.connection.is_cluster() {
            Way::Looks(self.clone())
        } else {
            Way::Waits(self.0.connection.blocking(&self.keys().meta(), longest).await?)
        };
        Ok(EventFeed { way, keys: self.keys().clone(), cursor, longest })
    }
}

impl EventFeed {
    /// Waits for events; none when there were none for as long as was agreed.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached; open another feed at [`EventFeed::cursor`].
    pub async fn next(&mut self) -> Result<Vec<(EventCursor, Event)>, StoreError> {
        match &mut self.way {
            Way::Waits(connection) => {
                let found = wait(connection, &self.keys, &self.cursor, self.longest).await?;
                Ok(merged(&mut self.cursor, found, usize::MAX).events)
            }
            Way::Looks(store) => {
                let until = Instant::now() + self.longest;
                loop {
                    let page = store.events(self.cursor.clone(), LOOK_AT_ONCE).await?;
                    self.cursor = page.cursor;
                    if !page.events.is_empty() || Instant::now() >= until {
                        return Ok(page.events);
                    }
                    sleep(LOOK_INTERVAL).await;
                }
            }
        }
    }

    /// The place behind the last event that was read.
    #[must_use]
    pub fn cursor(&self) -> &EventCursor {
        &self.cursor
    }
}

/// Waits for entries of any of the streams.
async fn wait(
    connection: &mut MultiplexedConnection,
    keys: &Keys,
    cursor: &EventCursor,
    longest: Duration,
) -> Result<Vec<Found>, StoreError> {
    let streams: Vec<PartitionKeys> = keys.all().collect();
    let mut read = redis::cmd("XREAD");
    let block_ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    read.arg("COUNT").arg(READ_AT_ONCE).arg("BLOCK").arg(block_ms).arg("STREAMS");
    read.arg(streams.iter().map(PartitionKeys::events).collect::<Vec<_>>());
    read.arg(cursor.0.iter().map(|position| position.entries_after()).collect::<Vec<_>>());
    let answer: Value = read.query_async(connection).await?;
    let mut found = Vec::new();
    for (name, entries) in by_stream(answer)? {
        let Some(i) = streams.iter().position(|keys| keys.events() == name) else { continue };
        for entry in entries.lists(0)? {
            told(i, &streams[i], &entry, cursor.0[i], &mut found)?;
        }
    }
    Ok(found)
}

/// What `XREAD` answers: stream and entries, as a map or as pairs, by protocol version.
fn by_stream(answer: Value) -> Result<Vec<(String, Reply)>, StoreError> {
    let pairs = match answer {
        Value::Map(pairs) => pairs,
        Value::Array(items) => items
            .into_iter()
            .filter_map(|item| match item {
                Value::Array(pair) => <[Value; 2]>::try_from(pair).ok().map(|[name, entries]| (name, entries)),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    pairs
        .into_iter()
        .map(|(name, entries)| {
            let name = Reply::new("XREAD", Value::Array(vec![name]))?.text(0)?;
            Ok((name, Reply::new("XREAD", entries)?))
        })
        .collect()
}
