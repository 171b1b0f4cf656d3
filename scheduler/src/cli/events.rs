//! `events`: what happens, as it happens, straight from Redis.

use std::io::{Write as _, stderr, stdout};
use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::clock::Timestamp;
use carillon_shared::event::Event;
use carillon_shared::store::{EventCursor, Store};
use clap::ArgMatches;

use super::args::EventsArgs;
use super::failure::USAGE;
use super::redis::with_client;
use super::{Failure, Signals, chain};
use crate::watch::{EventFilter, Follower, Seen, line};

pub(super) fn follow(matches: &ArgMatches, args: &EventsArgs) -> Result<(), Failure> {
    let filter = EventFilter::read(&args.types, &args.queues, &[])?;
    let since = args.since.as_deref().map(Since::read).transpose()?;
    with_client(matches, async |client: Client| {
        let mut signals = Signals::listen()?;
        let cursor = start(client.store(), since).await?;
        let follower = Follower::new(client.store().clone(), cursor);
        tokio::select! {
            ended = print(follower, &filter, args) => ended,
            () = signals.next() => Ok(()),
        }
    })
}

async fn print(mut follower: Follower, filter: &EventFilter, args: &EventsArgs) -> Result<(), Failure> {
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        match follower.next().await {
            Seen::Event(_, event) if filter.admits(&event) => {
                writeln!(stdout(), "{}", shown(&event, args.json))?;
                left -= 1;
            }
            Seen::Event(..) => {}
            Seen::Gap(_) => writeln!(stderr(), "events before this were forgotten already and are not shown")?,
            Seen::Away(error) => writeln!(stderr(), "waiting for Redis: {}", chain(&error))?,
            Seen::Back => writeln!(stderr(), "Redis is back")?,
        }
    }
    Ok(())
}

fn shown(event: &Event, json: bool) -> String {
    if json { event.to_json() } else { line(event) }
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Since {
    Oldest,
    At(Timestamp),
    Age(Duration),
}

impl Since {
    fn read(text: &str) -> Result<Self, Failure> {
        if text == "oldest" {
            return Ok(Self::Oldest);
        }
        let age = humantime::parse_duration(text).map(Self::Age).ok();
        age.or_else(|| text.parse().map(Self::At).ok()).ok_or_else(|| {
            let expected = "expected a time such as 2026-03-08T02:30:00Z, an age such as 10m, or oldest";
            Failure::new(USAGE, format!("--since: {expected}, found {text:?}"))
        })
    }
}

async fn start(store: &Store, since: Option<Since>) -> Result<EventCursor, Failure> {
    let partitions = store.keys().partitions();
    let at = match since {
        None => return Ok(store.newest_event().await?),
        Some(Since::Oldest) => return Ok(EventCursor::oldest(partitions)),
        Some(Since::At(at)) => at,
        Some(Since::Age(age)) => store.clock().now() - age,
    };
    let before = (at.as_ms() - 1).max(0);
    let place = vec![format!("{before}-{}", u64::MAX); usize::from(partitions)].join(",");
    place.parse().map_err(|error: carillon_shared::store::EventCursorError| Failure::new(USAGE, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_time_an_age_or_the_oldest() {
        assert_eq!(Since::read("oldest").expect("valid"), Since::Oldest);
        assert_eq!(Since::read("10m").expect("valid"), Since::Age(Duration::from_secs(600)));
        assert_eq!(Since::read("1970-01-01T00:00:01Z").expect("valid"), Since::At(Timestamp::from_ms(1000)));
        assert_eq!(Since::read("yesterday").expect_err("a refusal").code, USAGE);
    }
}
