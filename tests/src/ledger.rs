//! The ledger of one entry, for tests: filled, and looked at past the store.

use carillon_shared::client::Client;
use carillon_shared::id::JobId;
use carillon_shared::name::CronName;
use carillon_shared::store::{AttemptEnd, Ending, LedgerRow, Store};
use serde_json::json;

use crate::cron::{P0, YEARLY, register};
use crate::redis::shared;
use crate::store::claim_one;

/// Registers an entry `n` that comes once a year, and whose runs may overlap.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn yearly(store: &Store) -> CronName {
    register(store, json!({"name": "n", "cron": YEARLY, "overlap_policy": "allow"})).await
}

/// Runs the entry now.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn run(store: &Store, name: &CronName) -> JobId {
    Client::new(store.clone()).run_now(name, None).await.expect("it runs").job_id
}

/// Claims the next job and ends its attempt.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn end(store: &Store, ending: Ending) {
    let claimed = claim_one(store).await;
    store.end(&[AttemptEnd { held: claimed.held, ending }]).await.expect("Redis is there");
}

/// Completes the next job with this result.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn complete(store: &Store, result: &str) {
    end(store, Ending::Completed { result: Some(json!(result)) }).await;
}

/// What is shown of the ledger, the newest first.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn rows(store: &Store, name: &CronName) -> Vec<LedgerRow> {
    store.ledger(name, None, 1000).await.expect("Redis is there")
}

/// Sends a command about the ledger of an entry, whose key is its first argument.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn ask<T: redis::FromRedisValue>(store: &Store, name: &CronName, words: &[&str]) -> T {
    let (command, args) = words.split_first().expect("a command");
    let mut command = redis::cmd(command);
    command.arg(store.keys().partition(P0).ledger(name)).arg(args);
    command.query_async(&mut shared().connection().await).await.expect("Redis is there")
}

/// How many rows the list has.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn kept(store: &Store, name: &CronName) -> usize {
    ask(store, name, &["LLEN"]).await
}

/// Where each row of the list stands.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn positions(store: &Store, name: &CronName) -> Vec<String> {
    let rows: Vec<String> = ask(store, name, &["LRANGE", "0", "-1"]).await;
    rows.iter().map(|row| row.split('\0').next().unwrap_or_default().to_owned()).collect()
}

/// The numbers of all rows of the list.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn numbers(store: &Store, name: &CronName) -> Vec<u64> {
    let number = |place: &String| place.split_once('-').expect("time and number").1.parse().expect("a number");
    positions(store, name).await.iter().map(number).collect()
}

/// Cuts so many rows.
///
/// # Panics
///
/// When Redis cannot be reached, or the test asks for nonsense.
pub async fn cut(store: &Store, name: &CronName, count: usize) {
    ask::<()>(store, name, &["LTRIM", &count.to_string(), "-1"]).await;
}
