//! The record of a cron entry, read and changed past the scripts: thirteen lines in their places.

use std::collections::BTreeMap;

use redis::aio::MultiplexedConnection;

const PLACES: [&str; 13] =
    ["rev", "next", "runs", "rung", "last", "silent", "uid", "created", "updated", "enabled", "anchor", "pause", "src"];

/// The lines by name; those that are empty are left out.
#[must_use]
pub fn lines(text: &str) -> BTreeMap<String, String> {
    let placed = PLACES.into_iter().zip(text.split('\n')).filter(|(_, line)| !line.is_empty());
    placed.map(|(name, line)| (name.to_owned(), line.to_owned())).collect()
}

/// The text with one line changed.
///
/// # Panics
///
/// When there is no line of that name.
#[must_use]
pub fn with(text: &str, name: &str, value: &str) -> String {
    let place = PLACES.iter().position(|placed| *placed == name).expect("a line of a record");
    let mut lines: Vec<&str> = text.split('\n').collect();
    lines[place] = value;
    lines.join("\n")
}

/// Changes one line of the record that a key holds.
///
/// # Panics
///
/// When Redis cannot be reached, or the key holds no record.
pub async fn set(connection: &mut MultiplexedConnection, key: &str, name: &str, value: &str) {
    let text: String = redis::cmd("GET").arg(key).query_async(connection).await.expect("a record");
    redis::cmd("SET").arg(key).arg(with(&text, name, value)).exec_async(connection).await.expect("Redis is there");
}
