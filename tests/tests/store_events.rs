//! Events of many transitions in one call: one entry of the stream, read, resumed, published and forgotten event by event.

use std::collections::HashSet;
use std::time::Duration;

use carillon_shared::event::Event;
use carillon_shared::store::{EventCursor, Kept, NewJob, Store, StoreOptions, Unreadable};
use carillon_tests::cron::lead;
use carillon_tests::redis::{Server, shared};
use carillon_tests::store::{envelope, options, store};
use futures::StreamExt;
use redis::Value;
use serde_json::json;

/// Takes so many jobs in by one call, and returns their ids in order.
async fn batch(store: &Store, count: usize) -> Vec<String> {
    let now = store.clock().now();
    let envelopes: Vec<_> = (0..count).map(|n| envelope(&json!({"type": "echo", "args": [n]}), now)).collect();
    let jobs: Vec<_> = envelopes.iter().map(|one| NewJob::new(store.id_for(one), one)).collect();
    store.enqueue(&jobs).await.expect("Redis takes the jobs");
    jobs.iter().map(|job| job.id.to_string()).collect()
}

/// All events after a place, in pages of `most`; each page begins where the text of the cursor before it says.
async fn pages(store: &Store, most: usize) -> Vec<Event> {
    let (mut events, mut cursor) = (Vec::new(), EventCursor::oldest(1));
    loop {
        let page = store.events(cursor, most).await.expect("Redis is there");
        if page.events.is_empty() {
            return events;
        }
        assert!(page.events.len() <= most);
        events.extend(page.events.into_iter().map(|(_, event)| event));
        cursor = page.cursor.to_string().parse().expect("what was given is taken back");
    }
}

fn subjects(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.subject.as_str()).collect()
}

#[tokio::test]
async fn a_page_may_end_within_an_entry_and_the_next_begins_there() {
    let store = store().await;
    let mut ids = batch(&store, 30).await;
    ids.extend(batch(&store, 1).await);
    ids.extend(batch(&store, 9).await);
    for most in [1, 7, 30, 1000] {
        let events = pages(&store, most).await;
        assert_eq!(subjects(&events), ids, "in pages of {most}");
        let mut distinct: Vec<&str> = events.iter().map(|event| event.id.as_str()).collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), ids.len(), "each event has an id of its own");
    }
}

#[tokio::test]
async fn whoever_follows_may_stop_within_an_entry_and_go_on_there() {
    let store = store().await;
    let ids = batch(&store, 30).await;
    let page = store.events(EventCursor::oldest(1), 12).await.expect("Redis is there");
    let mut feed = store.event_feed(page.cursor, Duration::from_secs(20)).await.expect("a feed");
    let events: Vec<Event> = feed.next().await.expect("Redis is there").into_iter().map(|(_, event)| event).collect();
    assert_eq!(subjects(&events), ids[12..]);
    let later = batch(&store, 2).await;
    let events: Vec<Event> = feed.next().await.expect("Redis is there").into_iter().map(|(_, event)| event).collect();
    assert_eq!(subjects(&events), later);
}

#[tokio::test]
async fn what_is_published_is_what_the_stream_holds() {
    let server = Server::dedicated();
    let store = Store::open(options(&server.url())).await.expect("a Redis of our own");
    let mut listener = server.subscriber().await;
    listener.subscribe(store.keys().events_channel()).await.expect("the server takes subscribers");
    batch(&store, 150).await;
    let published: Vec<String> = listener
        .on_message()
        .take(150)
        .map(|message| String::from_utf8_lossy(message.get_payload_bytes()).into_owned())
        .collect()
        .await;
    let held: Vec<String> = pages(&store, 1000).await.iter().map(Event::to_json).collect();
    assert_eq!(published, held);
}

#[tokio::test]
async fn an_entry_holds_at_most_a_hundred_events() {
    let store = store().await;
    batch(&store, 250).await;
    let stream = store.keys().partition(carillon_shared::id::Partition(0)).events();
    let mut connection = shared().connection().await;
    let entries: Vec<(String, Vec<String>)> =
        redis::cmd("XRANGE").arg(stream).arg("-").arg("+").query_async(&mut connection).await.expect("entries");
    let told: Vec<usize> = entries.iter().map(|(_, fields)| fields.len() / 2).collect();
    assert_eq!(told, [100, 100, 50]);
    for (_, fields) in &entries {
        let names: HashSet<&String> = fields.iter().step_by(2).collect();
        assert_eq!(names.len(), fields.len() / 2, "many clients take the fields of an entry for a map");
    }
    let lines: Vec<&str> = entries[0].1[1].lines().collect();
    assert_eq!((lines[0], lines.len()), ("job.enqueued", 4), "type, source, subject and data");
}

#[tokio::test]
async fn about_as_many_events_are_kept_as_were_asked_for() {
    let kept = Kept { events: 200, ..Kept::default() };
    for size in [1, 3, 40, 100] {
        let options = StoreOptions { kept: Some(kept), ..options(&shared().url()) };
        let store = Store::open(options).await.expect("Redis is there");
        for _ in 0..2000 / size {
            batch(&store, size).await;
        }
        let left = pages(&store, 1000).await.len();
        // Redis cuts its streams by whole nodes of a hundred entries.
        assert!((200..=450).contains(&left), "{left} are left of 2,000 that were told {size} at a time");
    }
}

#[tokio::test]
async fn what_is_no_entry_of_ours_is_named() {
    let store = store().await;
    let stream = store.keys().partition(carillon_shared::id::Partition(0)).events();
    let mut connection = shared().connection().await;
    let _: Value = redis::cmd("XADD")
        .arg(&stream)
        .arg("*")
        .arg("x")
        .arg("1")
        .query_async(&mut connection)
        .await
        .expect("an entry");
    let error = store.events(EventCursor::oldest(1), 10).await.expect_err("it is nobody's event");
    assert!(error.to_string().contains(&stream), "{error}");
}

#[tokio::test]
async fn the_event_of_what_is_no_entry_can_be_read_whatever_its_name() {
    let store = store().await;
    let token = lead(&store).await;
    let partition = carillon_shared::id::Partition(0);
    let name = "a\nb\"c".to_owned();
    let mut connection = shared().connection().await;
    let mut add = redis::cmd("ZADD");
    add.arg(store.keys().partition(partition).crons()).arg(1).arg(&name);
    let _: i64 = add.query_async(&mut connection).await.expect("Redis is there");
    let unreadable = [Unreadable { name, problem: "rubbish".to_owned() }];
    let done = store.set_aside(partition, &token, &unreadable, Duration::from_secs(600)).await;
    assert!(done.expect("Redis is there"));
    let events = pages(&store, 10).await;
    assert_eq!(subjects(&events), ["a?b?c"]);
    serde_json::from_str::<serde_json::Value>(&events[0].to_json()).expect("JSON");
}
