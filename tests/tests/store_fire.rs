//! Decisions applied by one call, against a real Redis: what they share, what they tell apart, and what comes of them twice.

use std::time::Duration;

use carillon_shared::client::Client;
use carillon_shared::id::JobId;
use carillon_shared::name::CronName;
use carillon_shared::store::{EventCursor, FireDecision, FireItem, FireReply, FireResult};
use carillon_tests::cron::{P0, YEARLY, ago, all_late, applied, comes_at, due, entry, item, late, lead, register};
use carillon_tests::invariants::assert_all_hold;
use carillon_tests::redis::shared;
use carillon_tests::snapshot::Snapshot;
use carillon_tests::store::{LEASE, claim, store};
use serde_json::json;

const HOUR: Duration = Duration::from_secs(3600);

async fn raw(command: &redis::Cmd) {
    command.exec_async(&mut shared().connection().await).await.expect("Redis takes it");
}

#[tokio::test]
async fn an_entry_that_comes_twice_in_one_call_fires_once() {
    let store = store().await;
    let token = lead(&store).await;
    register(&store, json!({"overlap_policy": "allow"})).await;
    let (now, entries) = due(&store, &token).await;
    let twice = [item(&entries[0], now), item(&entries[0], now)];
    let reply = store.fire(P0, &token, &twice).await.expect("Redis is there");
    assert_eq!(reply, FireReply::Applied(vec![FireResult::Applied, FireResult::Already]));
}

fn made(item: &FireItem) -> JobId {
    match &item.decision {
        FireDecision::Fire(_, run) => run.id,
        FireDecision::Skip(reason) => panic!("skipped: {reason}"),
    }
}

#[tokio::test]
async fn each_item_of_one_entry_builds_on_those_before_it() {
    let store = store().await;
    let token = lead(&store).await;
    let (name, other) = (late(&store, "many").await, late(&store, "other").await);
    let (now, entries) = due(&store, &token).await;
    let of = |name: &CronName| entries.iter().find(|entry| entry.definition.name == *name).expect("it is due");
    let first = item(of(&name), now);
    let mut items = vec![first.clone()];
    for hours in 1..5 {
        let at = first.scheduled - HOUR * hours;
        let fill = FireItem::backfill(of(&name), at, 1, now).expect("valid");
        // Its live runs by then, in order of their instants.
        let mut before: Vec<&FireItem> = items.iter().collect();
        before.sort_by_key(|item| item.scheduled);
        items.push(FireItem { live_seen: before.into_iter().map(made).collect(), ..fill });
    }
    items.push(item(of(&other), now));
    let again = items[2].clone();
    items.push(again);
    let reply = store.fire(P0, &token, &items).await.expect("Redis is there");
    let mut expected = vec![FireResult::Applied; 6];
    expected.push(FireResult::Already);
    assert_eq!(reply, FireReply::Applied(expected));
    let held = entry(&store, &name).await;
    assert_eq!((held.run_count, held.scheduled_runs, held.next_mark), (5, 1, first.next_mark));
    let mut rows = store.ledger(&name, None, 100).await.expect("Redis is there");
    rows.reverse();
    let (fired, asked): (Vec<JobId>, Vec<JobId>) =
        (rows.iter().filter_map(|row| row.job()).collect(), items[..5].iter().map(made).collect());
    assert_eq!(fired, asked, "in the order of the call");
    assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
}

#[tokio::test]
async fn an_instant_that_made_its_job_makes_no_other_if_its_entry_has_not_moved_on() {
    let store = store().await;
    let token = lead(&store).await;
    let name = late(&store, "late").await;
    let mark = entry(&store, &name).await.next_mark.expect("an instant");
    let first = applied(&store, &token).await;
    // As after a call that ended half-way: the run and its row are there, the record is not written.
    comes_at(&store, &name, mark).await;
    let second = applied(&store, &token).await;
    assert_eq!(made(&first), made(&second));
    assert_eq!(store.claim(&claim(9, LEASE)).await.expect("Redis is there").len(), 1);
    assert_eq!(entry(&store, &name).await.next_mark, first.next_mark);
    assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
}

#[tokio::test]
async fn decisions_of_one_call_share_nothing_but_what_they_have_in_common() {
    let store = store().await;
    let token = lead(&store).await;
    let options = |i: usize| match i % 4 {
        0 => json!({}),
        1 => json!({"queue": "other", "priority": 5}),
        2 => json!({"priority": -3, "timeout_ms": 5000, "expires_in": "1h"}),
        _ => json!({"queue": "other", "tags": ["a"]}),
    };
    let past = ago(&store, HOUR).await;
    for i in 0..12 {
        let name = format!("entry-{i:02}");
        let said =
            json!({"name": name, "cron": YEARLY, "type": format!("t{}", i % 3), "options": options(i), "args": [i]});
        let name = register(&store, said).await;
        // Some came an hour before the others.
        comes_at(&store, &name, if i % 5 == 0 { past - HOUR } else { past }).await;
    }
    let (now, entries) = due(&store, &token).await;
    let items: Vec<FireItem> = entries.iter().map(|entry| item(entry, now)).collect();
    assert_eq!(items.len(), 12);
    let reply = store.fire(P0, &token, &items).await.expect("Redis is there");
    assert_eq!(reply, FireReply::Applied(vec![FireResult::Applied; 12]));
    for (item, entry) in items.iter().zip(&entries) {
        let FireDecision::Fire(_, run) = &item.decision else { panic!("skipped") };
        let job = store.job(run.id).await.expect("Redis is there").expect("it was made");
        let made = (&job.record.queue, &job.record.job_type, job.record.cron.as_ref());
        assert_eq!(made, (&run.envelope.queue, &run.envelope.job_type, Some(&item.name)));
        assert_eq!(
            (&job.envelope["args"], &job.envelope["meta"]["cron_name"]),
            (&entry.definition.args.clone().into(), &json!(item.name))
        );
        assert_eq!(job.envelope["meta"]["cron_triggered_at"], item.scheduled.to_string());
        let row = &store.ledger(&item.name, None, 9).await.expect("Redis is there")[0];
        let held = (row.job(), row.scheduled_at, row.instants, row.kind.as_str());
        assert_eq!(held, (Some(run.id), item.scheduled, item.instants, item.kind.as_str()));
    }
    let events = store.events(EventCursor::oldest(1), 100).await.expect("Redis is there").events;
    let told = |kind: &str, id: JobId| {
        let mut of =
            events.iter().filter(|(_, event)| event.kind == kind && event.members()["job_id"] == id.to_string());
        let (_, one) = of.next().expect("it is told");
        (one.members(), of.next().is_none())
    };
    for item in &items {
        let FireDecision::Fire(_, run) = &item.decision else { panic!("skipped") };
        let (enqueued, alone) = told("job.enqueued", run.id);
        assert!(alone && enqueued["queue"] == run.envelope.queue.as_str(), "{enqueued:?}");
        assert_eq!(enqueued["priority"], run.envelope.priority);
        let (triggered, alone) = told("cron.triggered", run.id);
        assert!(alone && triggered["cron_name"] == item.name.as_str(), "{triggered:?}");
        assert_eq!(triggered["job_type"], run.envelope.job_type.as_str());
        assert_eq!(triggered["scheduled_time"], item.scheduled.to_string());
        assert_eq!(triggered["missed_count"], item.instants - 1);
    }
    assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
}

#[tokio::test]
async fn an_entry_fires_whatever_else_is_due_and_only_once_it_is_due() {
    let store = store().await;
    let token = lead(&store).await;
    let names = all_late(&store, ["a", "b", "c", "d"]).await;
    let (now, entries) = due(&store, &token).await;
    let crons = store.keys().partition(P0).crons();
    let one = async |place: usize| store.fire(P0, &token, &[item(&entries[place], now)]).await.expect("Redis is there");
    // Others are due before it.
    assert_eq!(one(3).await, FireReply::Applied(vec![FireResult::Applied]));
    // The index has lost it: then its own next instant counts.
    raw(redis::cmd("ZREM").arg(&crons).arg(names[1].as_str())).await;
    assert_eq!(one(1).await, FireReply::Applied(vec![FireResult::Applied]));
    raw(redis::cmd("ZADD").arg(&crons).arg((now + Duration::from_secs(600)).as_ms()).arg(names[2].as_str())).await;
    assert_eq!(one(2).await, FireReply::Applied(vec![FireResult::Early]));
    assert_eq!(one(0).await, FireReply::Applied(vec![FireResult::Applied]));
    let counts: Vec<u64> =
        store.entries_named(&names).await.expect("Redis is there").iter().map(|entry| entry.run_count).collect();
    assert_eq!(counts, [1, 1, 0, 1]);
}

#[tokio::test]
async fn runs_that_wait_stand_each_behind_those_of_its_own_entry() {
    let store = store().await;
    let token = lead(&store).await;
    let client = Client::new(store.clone());
    let mut names = Vec::new();
    for one in ["a", "b", "c"] {
        let said = json!({"name": one, "cron": YEARLY, "overlap_policy": "enqueue"});
        let name = register(&store, said).await;
        // The last has none.
        if one != "c" {
            client.run_now(&name, None).await.expect("it runs");
        }
        comes_at(&store, &name, ago(&store, HOUR).await).await;
        names.push(name);
    }
    let (now, entries) = due(&store, &token).await;
    let items: Vec<FireItem> = entries.iter().map(|entry| item(entry, now)).collect();
    let reply = store.fire(P0, &token, &items).await.expect("Redis is there");
    assert_eq!(reply, FireReply::Applied(vec![FireResult::Applied; 3]));
    for (item, entry) in items.iter().zip(store.entries_named(&names).await.expect("Redis is there")) {
        let waits = store.job(made(item)).await.expect("Redis is there").expect("it was made").record.waits;
        assert_eq!(
            (waits, entry.waiting, entry.live.len()),
            match item.name.as_str() {
                "c" => (false, 0, 1),
                _ => (true, 1, 2),
            }
        );
    }
    assert_all_hold(store.keys(), &Snapshot::take(shared(), store.keys()).await);
}
