//! Following events through everything that may happen to the way to Redis, and to the follower.
//!
//! A follower reads the stream, not the channel: whatever it was away for, it goes on where it was. What it missed because
//! the stream had forgotten it in the meantime it is told of, as [`Seen::Gap`].

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use carillon_shared::event::Event;
use carillon_shared::store::{EventCursor, EventFeed, Store, StoreError};

/// What a follower sees.
#[derive(Debug)]
pub enum Seen {
    /// An event, and the place behind it.
    Event(EventCursor, Event),
    /// Events after this place were forgotten before they were read.
    Gap(EventCursor),
    /// Redis cannot be reached: told once, until it is back.
    Away(StoreError),
    /// Redis can be reached again.
    Back,
}

/// Follows events from a place on.
#[derive(Debug)]
pub struct Follower {
    store: Store,
    cursor: EventCursor,
    feed: Option<EventFeed>,
    ready: VecDeque<Seen>,
    failures: u32,
    last_read: Instant,
}

/// One wait for events.
const WAIT: Duration = Duration::from_secs(5);
/// Whoever stays away from the stream for so long may find that it has forgotten something.
const SLOW: Duration = Duration::from_secs(1);

impl Follower {
    /// Follows events after `cursor`.
    #[must_use]
    pub fn new(store: Store, cursor: EventCursor) -> Self {
        Self { store, cursor, feed: None, ready: VecDeque::new(), failures: 0, last_read: Instant::now() }
    }

    /// Waits for what comes next. Let it finish: a read that is given up still occupies its connection.
    pub async fn next(&mut self) -> Seen {
        loop {
            if let Some(seen) = self.ready.pop_front() {
                return seen;
            }
            match self.read().await {
                Ok(()) => self.came_back(),
                Err(error) => {
                    self.feed = None;
                    self.failures = self.failures.saturating_add(1);
                    if self.failures == 1 {
                        return Seen::Away(error);
                    }
                    tokio::time::sleep(Duration::from_millis(100 * u64::from(self.failures.min(20)))).await;
                }
            }
        }
    }

    fn came_back(&mut self) {
        if std::mem::take(&mut self.failures) > 0 {
            self.ready.push_front(Seen::Back);
        }
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        // Before reading on, because reading would step over what was forgotten without a word.
        if (self.feed.is_none() || self.last_read.elapsed() > SLOW) && self.store.has_forgotten(&self.cursor).await? {
            self.ready.push_back(Seen::Gap(self.cursor.clone()));
        }
        if self.feed.is_none() {
            self.feed = Some(self.store.event_feed(self.cursor.clone(), WAIT).await?);
        }
        let Some(feed) = &mut self.feed else { return Ok(()) };
        let events = feed.next().await?;
        self.last_read = Instant::now();
        self.cursor = feed.cursor().clone();
        self.ready.extend(events.into_iter().map(|(cursor, event)| Seen::Event(cursor, event)));
        Ok(())
    }
}
