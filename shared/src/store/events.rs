//! Reading events from the streams of all partitions.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use tokio::time::{Instant, sleep};

use super::record::Hash;
use super::{Keys, PartitionKeys, Reply, Store, StoreError};
use crate::clock::Timestamp;
use crate::cron::comes_before;
use crate::event::{Event, event_id};

/// A place in the events of a deployment: one stream position per partition.
///
/// Its text is opaque to clients; they send back what they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCursor(Vec<String>);

/// The text was not a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an event cursor: send back the id of the last event that you were given")]
pub struct EventCursorError(String);

/// Events, and where to go on.
#[derive(Debug)]
pub struct EventPage {
    /// The events in order, each with the cursor behind it.
    pub events: Vec<(EventCursor, Event)>,
    /// The place behind the last of them.
    pub cursor: EventCursor,
}

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
const READ_AT_ONCE: usize = 500;

impl FromStr for EventCursor {
    type Err = EventCursorError;
    fn from_str(text: &str) -> Result<Self, EventCursorError> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u64>().is_ok();
        let valid =
            |part: &str| part.split_once('-').map_or_else(|| digits(part), |(ms, seq)| digits(ms) && digits(seq));
        if text.len() <= 64 * 1024 && text.split(',').all(valid) {
            return Ok(Self(text.split(',').map(str::to_owned).collect()));
        }
        Err(EventCursorError(text.chars().take(80).collect()))
    }
}

impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl EventCursor {
    /// The place before the oldest event.
    #[must_use]
    pub fn oldest(partitions: u16) -> Self {
        Self(vec!["0-0".to_owned(); usize::from(partitions)])
    }

    /// As many positions as there are partitions; those that are missing start at the beginning.
    fn sized(mut self, partitions: u16) -> Self {
        self.0.resize(usize::from(partitions), "0-0".to_owned());
        self
    }
}

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
                cursor.0[i] = entry.text(0)?;
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
            let after = format!("({}", cursor.0[i]);
            let page =
                self.send(redis::cmd("XRANGE").arg(keys.events()).arg(after).arg("+").arg("COUNT").arg(most)).await?;
            for entry in Reply::new("events", page)?.lists(0)? {
                found.push((i, event(&keys, &entry)?));
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
        for (keys, position) in self.keys().all().zip(&cursor.0) {
            let page = self.send(redis::cmd("XRANGE").arg(keys.events()).arg("-").arg("+").arg("COUNT").arg(1)).await?;
            let oldest = Reply::new("events", page)?.lists(0)?.first().map(|entry| entry.text(0)).transpose()?;
            if oldest.is_some_and(|oldest| position != "0-0" && position != "0" && comes_before(position, &oldest)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

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
                    let page = store.events(self.cursor.clone(), READ_AT_ONCE).await?;
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
) -> Result<Vec<(usize, (String, Event))>, StoreError> {
    let streams: Vec<PartitionKeys> = keys.all().collect();
    let mut read = redis::cmd("XREAD");
    let block_ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    read.arg("COUNT").arg(READ_AT_ONCE).arg("BLOCK").arg(block_ms).arg("STREAMS");
    read.arg(streams.iter().map(PartitionKeys::events).collect::<Vec<_>>()).arg(&cursor.0);
    let answer: Value = read.query_async(connection).await?;
    let mut found = Vec::new();
    for (name, entries) in by_stream(answer)? {
        let Some(i) = streams.iter().position(|keys| keys.events() == name) else { continue };
        for entry in entries.lists(0)? {
            found.push((i, event(&streams[i], &entry)?));
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

/// Puts events of several partitions into the order of their times, and moves the cursor over at most `most` of them.
fn merged(cursor: &mut EventCursor, mut found: Vec<(usize, (String, Event))>, most: usize) -> EventPage {
    found.sort_by_key(|(_, (_, event))| event.at);
    found.truncate(most);
    let mut events = Vec::with_capacity(found.len());
    for (i, (position, event)) in found {
        cursor.0[i] = position;
        events.push((cursor.clone(), event));
    }
    EventPage { events, cursor: cursor.clone() }
}

/// Reads one entry of a stream.
fn event(keys: &PartitionKeys, entry: &Reply) -> Result<(String, Event), StoreError> {
    let position = entry.text(0)?;
    let (ms, seq) = position.split_once('-').unwrap_or((&position, "0"));
    let number = |text: &str| text.parse::<u64>().map_err(|_| StoreError::corrupt(keys.events(), position.as_str()));
    let at = Timestamp::from_ms(i64::try_from(number(ms)?).unwrap_or(i64::MAX));
    let id = event_id(keys.root(), at, number(seq)?);
    let hash = Hash::new(keys.events(), &entry.list(1)?)?;
    let event = Event {
        id,
        kind: hash.required("t")?,
        source: hash.required("o")?,
        subject: hash.required("s")?,
        at,
        data: hash.required("d")?,
    };
    Ok((position, event))
}
