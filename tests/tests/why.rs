//! Why an entry ran or did not, where no scheduler runs but as the test wants it.

use std::time::Duration;

use carillon_shared::client::{Client, ClientError};
use carillon_shared::cron::why::{Reason, Verdict, Why};
use carillon_shared::id::Partition;
use carillon_shared::job::{self, Failure};
use carillon_shared::name::CronName;
use carillon_shared::store::{
    Acquired, AttemptEnd, DueEntries, Ending, FireItem, FireReply, LeaderToken, Sealed, Store, StoredEntry,
};
use carillon_tests::store::{claim_one, store};
use carillon_tests::wait::{until, until_some};
use serde_json::{Value, json};

const P0: Partition = Partition(0);
/// Of a lock whose end no test lives to see.
const TTL: Duration = Duration::from_secs(600);

async fn lead(store: &Store, instance: &str) -> LeaderToken {
    match store.acquire_leadership(instance, TTL, None).await.expect("Redis is there") {
        Acquired::Leads(token) => {
            assert_eq!(store.seal(P0, &token).await.expect("Redis is there"), Sealed::Sealed);
            token
        }
        Acquired::Held { seen, .. } => panic!("{seen:?} leads"),
    }
}

async fn register(store: &Store, extra: Value) -> CronName {
    let mut entry = json!({"name": "tick", "cron": "* * * * * *", "type": "echo", "overlap_policy": "allow"});
    entry.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
    let registered = Client::new(store.clone()).register(&entry).await.expect("a valid entry");
    registered.entry.definition.name
}

async fn entry(store: &Store, name: &CronName) -> StoredEntry {
    store.entry(name).await.expect("Redis is there").expect("the entry is there")
}

/// Waits until so many instants have come, and decides on them.
async fn fire(store: &Store, token: &LeaderToken, name: &CronName, instants: u64) -> FireItem {
    let first = entry(store, name).await.next_mark.expect("an instant");
    until("the instants to come", async || {
        store.now().await.expect("Redis is there") >= first + Duration::from_secs(instants - 1)
    })
    .await;
    let (now, entries) = match store.due_entries(P0, token, 50).await.expect("Redis is there") {
        DueEntries::Due { now, entries, .. } => (now, entries),
        DueEntries::Fenced => panic!("fenced"),
    };
    let item = FireItem::due(&entries[0], &entries[0].timetable().expect("valid"), now).expect("valid");
    let reply = store.fire(P0, token, std::slice::from_ref(&item)).await.expect("Redis is there");
    assert!(matches!(reply, FireReply::Applied(_)));
    item
}

async fn why(store: &Store, name: &CronName, time: &str) -> Why {
    Client::new(store.clone()).why(name, time).await.expect("an answer")
}

async fn complete(store: &Store) {
    let claimed = claim_one(store).await;
    let end = AttemptEnd { held: claimed.held, ending: Ending::Completed { result: Some(json!("done")) } };
    store.end(&[end]).await.expect("Redis is there");
}

async fn fail(store: &Store, verdict: job::Verdict) {
    let claimed = claim_one(store).await;
    let (failure, attempt) = (Failure::new("boom", "no luck"), claimed.job.record.attempt);
    let end = AttemptEnd { held: claimed.held, ending: Ending::Failed { failure, attempt, verdict } };
    store.end(&[end]).await.expect("Redis is there");
}

#[tokio::test]
async fn an_instant_that_ran_tells_its_job_and_how_it_ended() {
    let store = store().await;
    let token = lead(&store, "a").await;
    let name = register(&store, json!({})).await;
    let fired = fire(&store, &token, &name, 1).await;
    complete(&store).await;
    let why = why(&store, &name, &fired.scheduled.to_string()).await;
    assert_eq!((why.verdict, why.at), (Verdict::Ran, Some(fired.scheduled)), "{}", why.sentence);
    assert_eq!(why.evidence["row"]["result_summary"], "\"done\"");
    assert_eq!(why.evidence["leader_then"], "a");
}

#[tokio::test]
async fn instants_that_nobody_was_there_for_are_told_with_the_time_without_a_leader() {
    let store = store().await;
    let first = lead(&store, "a").await;
    assert!(store.release_leadership(&first).await.expect("Redis is there"));
    let name = register(&store, json!({})).await;
    let missed = entry(&store, &name).await.next_mark.expect("an instant");
    // Not in its very millisecond: the next leader would have been there for it.
    until("the instant to be past", async || store.now().await.expect("Redis is there") > missed).await;
    let undecided = why(&store, &name, &missed.to_string()).await;
    assert_eq!((undecided.verdict, undecided.reason), (Verdict::Undecided, Some(Reason::NoLeader)));
    assert!(undecided.sentence.contains("since the last one stopped at"), "{}", undecided.sentence);

    let token = lead(&store, "b").await;
    let fired = fire(&store, &token, &name, 4).await;
    assert!(fired.instants >= 4);
    complete(&store).await;
    let late = why(&store, &name, &missed.to_string()).await;
    assert_eq!(late.verdict, Verdict::Ran);
    assert!(late.sentence.contains("because no scheduler led between"), "{}", late.sentence);
    assert!(late.evidence["vacancy"]["stepped_down"] == true && late.evidence["vacancy"]["to"].is_string());
    let second = missed + Duration::from_secs(1);
    let covered = why(&store, &name, &second.to_string()).await;
    assert_eq!(covered.verdict, Verdict::CaughtUp, "{}", covered.sentence);
    assert_eq!(covered.evidence["row"]["instants"], fired.instants);
}

#[tokio::test]
async fn a_leader_that_leads_and_decides_nothing_is_named() {
    let store = store().await;
    let name = register(&store, json!({})).await;
    lead(&store, "stuck").await;
    let missed = entry(&store, &name).await.next_mark.expect("an instant");
    until("the leader to be late", async || {
        store.now().await.expect("Redis is there") > missed + Duration::from_secs(6)
    })
    .await;
    let why = why(&store, &name, &missed.to_string()).await;
    assert_eq!((why.verdict, why.reason), (Verdict::Undecided, Some(Reason::LeaderLate)));
    assert!(why.sentence.contains("`stuck`"), "{}", why.sentence);
}

#[tokio::test]
async fn a_run_that_failed_says_when_it_is_tried_again_and_at_last_with_what_it_was_given_up() {
    let store = store().await;
    let token = lead(&store, "a").await;
    let name = register(&store, json!({})).await;
    let fired = fire(&store, &token, &name, 1).await;
    fail(&store, job::Verdict::Retry(Duration::from_secs(3600))).await;
    let at = fired.scheduled.to_string();
    assert_eq!(why(&store, &name, &at).await.verdict, Verdict::Retrying);

    let fired = fire(&store, &token, &name, 1).await;
    fail(&store, job::Verdict::Discard).await;
    let failed = why(&store, &name, &fired.scheduled.to_string()).await;
    assert_eq!(failed.verdict, Verdict::Failed);
    assert!(failed.sentence.contains("boom: no luck"), "{}", failed.sentence);
}

#[tokio::test]
async fn a_run_behind_another_names_it() {
    let store = store().await;
    let token = lead(&store, "a").await;
    let name = register(&store, json!({"overlap_policy": "enqueue"})).await;
    fire(&store, &token, &name, 1).await;
    let second = fire(&store, &token, &name, 1).await;
    let live = entry(&store, &name).await.live;
    let waits = why(&store, &name, &second.scheduled.to_string()).await;
    assert_eq!((waits.verdict, waits.reason), (Verdict::Queued, Some(Reason::BehindPreviousRun)));
    assert!(waits.sentence.contains(&live[0].to_string()), "{}", waits.sentence);
}

#[tokio::test]
async fn an_instant_before_a_change_and_one_given_up_by_it_are_told_apart() {
    let store = store().await;
    let token = lead(&store, "a").await;
    let name = register(&store, json!({})).await;
    let fired = fire(&store, &token, &name, 1).await;
    let next = entry(&store, &name).await.next_mark.expect("an instant");
    until("the next instant to come", async || store.now().await.expect("Redis is there") >= next).await;
    let change = json!({"cron": "*/2 * * * * *"});
    let client = Client::new(store.clone());
    client.patch(&name, change.as_object().expect("an object")).await.expect("a valid change");
    let given_up = why(&store, &name, &next.to_string()).await;
    assert_eq!(given_up.reason.as_ref().map(Reason::as_str), Some("changed"), "{}", given_up.sentence);
    assert_eq!(why(&store, &name, &fired.scheduled.to_string()).await.evidence["row"]["decision"], "fired");
}

#[tokio::test]
async fn a_removed_entry_is_answered_for_as_long_as_its_ledger_is_kept() {
    let store = store().await;
    let token = lead(&store, "a").await;
    let name = register(&store, json!({})).await;
    let fired = fire(&store, &token, &name, 1).await;
    complete(&store).await;
    store.remove_entry(&name).await.expect("Redis is there");
    assert_eq!(why(&store, &name, &fired.scheduled.to_string()).await.verdict, Verdict::Ran);
    let after = store.now().await.expect("Redis is there") + Duration::from_secs(1);
    let gone = why(&store, &name, &after.to_string()).await;
    assert_eq!(gone.verdict, Verdict::Removed, "{}", gone.sentence);
    let never = Client::new(store.clone()).why(&"never".parse().expect("a name"), "last").await;
    assert!(matches!(never, Err(ClientError::NoEntry(_))));
}

#[tokio::test]
async fn leaderships_are_remembered_each_with_its_end() {
    let store = store().await;
    let first = lead(&store, "a").await;
    assert!(store.renew_leadership(&first, TTL).await.expect("Redis is there"));
    let renewed = store.leaderships().await.expect("Redis is there");
    assert!(renewed.0[0].leads && renewed.0[0].seen_at >= renewed.0[0].since && renewed.0[0].until.is_none());
    assert!(store.release_leadership(&first).await.expect("Redis is there"));
    assert!(!store.renew_leadership(&first, TTL).await.expect("Redis is there"), "it is over");
    for round in 0..70 {
        let token = lead(&store, &format!("b {round}")).await;
        assert!(store.release_leadership(&token).await.expect("Redis is there"));
    }
    let second = lead(&store, "c").await;
    let terms = store.leaderships().await.expect("Redis is there");
    assert_eq!((terms.0.len(), terms.0[0].instance.as_str()), (64, second.instance()));
    assert!(terms.0[0].leads && terms.0[1..].iter().all(|term| !term.leads && term.until.is_some()));
    assert_eq!(terms.0[1].instance, "b 69");
    let gap = terms.vacancy_between(terms.0[1].until.expect("its end"), terms.0[0].since).expect("a vacancy");
    assert_eq!((gap.to, gap.stepped_down), (Some(terms.0[0].since), true));
}

#[tokio::test]
async fn what_is_queued_for_good_is_named_when_nothing_is_asked_but_the_name() {
    let store = store().await;
    let token = lead(&store, "a").await;
    let name = register(&store, json!({"overlap_policy": "skip"})).await;
    fire(&store, &token, &name, 1).await;
    let skip = fire(&store, &token, &name, 1).await;
    let answer = until_some("an answer on the skipped instant", async || {
        let answer = why(&store, &name, &skip.scheduled.to_string()).await;
        (answer.verdict == Verdict::Skipped).then_some(answer)
    })
    .await;
    assert!(answer.sentence.contains("no worker was heard of"), "{}", answer.sentence);
}
