//! The inbox, taken by a scheduler: in order, without loss, and with a reason for what cannot be accepted.

use carillon_shared::store::{Store, StoreOptions};
use carillon_tests::process::{Process, scheduler};
use carillon_tests::redis::shared;
use carillon_tests::store::options;
use carillon_tests::wait::until_some;
use serde_json::{Value, json};

async fn push(store: &Store, items: &[Value]) {
    let mut producer = shared().connection().await;
    let mut push = redis::cmd("RPUSH");
    push.arg(store.keys().inbox());
    for item in items {
        push.arg(item.as_str().map_or_else(|| item.to_string(), str::to_owned));
    }
    push.query_async::<i64>(&mut producer).await.expect("Redis is there");
}

fn start(store: &Store) -> Process {
    let mut serve = scheduler();
    serve.args(["serve", "--port", "0", "--redis-url", &shared().url(), "--grpc-port", "off"]);
    Process::start(serve.args(["--namespace", store.keys().namespace().as_str()]))
}

async fn open() -> Store {
    let options: StoreOptions = options(&shared().url());
    Store::open(options).await.expect("Redis is there")
}

/// Waits until as many jobs are available, and returns their first arguments in order.
async fn available(store: &Store, least: usize) -> Vec<Value> {
    let claim = carillon_tests::store::claim(100, std::time::Duration::from_secs(60));
    until_some("the jobs", async || {
        let stats = store.queue(carillon_shared::name::QueueName::default()).await.expect("Redis is there");
        (stats.count(carillon_shared::job::JobState::Available) >= least as u64).then_some(())
    })
    .await;
    let claimed = store.claim(&claim).await.expect("Redis is there");
    claimed.iter().map(|one| one.job.envelope["args"][0].clone()).collect()
}

#[tokio::test]
async fn what_is_pushed_is_taken_in_order_by_several_schedulers() {
    let store = open().await;
    let items: Vec<Value> = (0..90).map(|n| json!({"type": "echo", "args": [n]})).collect();
    let schedulers = [start(&store), start(&store)];
    for some in items.chunks(7) {
        push(&store, some).await;
    }
    let taken = available(&store, items.len()).await;
    let expected: Vec<Value> = (0..90).map(Value::from).collect();
    assert_eq!(taken, expected);
    drop(schedulers);
}

#[tokio::test]
async fn one_item_that_cannot_be_taken_holds_up_no_other() {
    let store = open().await;
    let unique = json!({"type": "echo", "args": ["u"], "unique": {"keys": ["args"]}});
    let id = "019501a2-3b4c-7d5e-8f6a-1b2c3d4e5f6a";
    let with_id = json!({"type": "echo", "args": ["i"], "id": id});
    let a = |n: i64| json!({"type": "echo", "args": [n]});
    push(&store, &[a(1), unique.clone(), a(2), unique, json!("nonsense"), with_id.clone(), a(3), with_id, a(4)]).await;
    let scheduler = start(&store);
    let rejected = until_some("three rejections", async || {
        let rejected = store.rejected(10).await.expect("Redis is there");
        (rejected.len() == 3).then_some(rejected)
    })
    .await;
    let fields: Vec<Value> =
        rejected.iter().rev().map(|text| serde_json::from_str::<Value>(text).expect("JSON")["field"].clone()).collect();
    assert_eq!(fields, [json!("unique"), json!(""), json!("id")]);
    let taken = available(&store, 6).await;
    assert_eq!(taken, [json!(1), json!("u"), json!(2), json!("i"), json!(3), json!(4)]);
    drop(scheduler);
}
