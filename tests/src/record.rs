//! The record of a job, read and changed past the scripts: thirteen lines in their places, in four parts between tabs, then
//! lines `name value`.

use std::collections::BTreeMap;

use redis::aio::MultiplexedConnection;

const PLACES: [&str; 13] = [
    "state", "attempt", "lease", "worker", "held", "started", "ended", "seq", "enqueued", "created", "request",
    "queue", "type",
];
/// The lines that end a part.
const LAST: [&str; 3] = ["ended", "enqueued", "request"];

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.splitn(LAST.len() + 1, '\t').flat_map(|part| part.split('\n'))
}

/// The lines by name; those that are empty are left out.
#[must_use]
pub fn lines(text: &str) -> BTreeMap<String, String> {
    let (placed, noted): (Vec<_>, Vec<_>) = split(text).enumerate().partition(|(place, _)| *place < PLACES.len());
    let placed = placed.into_iter().zip(PLACES).map(|((_, value), name)| (name, value));
    let noted = noted.into_iter().filter_map(|(_, line)| line.split_once(' '));
    placed.chain(noted).filter(|(_, value)| !value.is_empty()).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// One line of the record that a key holds.
///
/// # Panics
///
/// When Redis cannot be reached.
pub async fn line(connection: &mut MultiplexedConnection, key: &str, name: &str) -> Option<String> {
    let text: Option<String> = redis::cmd("GET").arg(key).query_async(connection).await.expect("Redis is there");
    text.and_then(|text| lines(&text).remove(name))
}

/// Changes one line of the record that a key holds.
///
/// # Panics
///
/// When Redis cannot be reached, or the key holds no record.
pub async fn set(connection: &mut MultiplexedConnection, key: &str, name: &str, value: &str) {
    let text: String = redis::cmd("GET").arg(key).query_async(connection).await.expect("a record");
    let mut lines: Vec<String> = split(text.strip_suffix('\n').unwrap_or(&text)).map(str::to_owned).collect();
    if let Some(place) = PLACES.iter().position(|placed| *placed == name) {
        value.clone_into(&mut lines[place]);
    } else {
        lines.retain(|line| line.split_once(' ').is_none_or(|(noted, _)| noted != name));
        lines.push(format!("{name} {value}"));
    }
    let ends = |place: usize| if PLACES.get(place).is_some_and(|name| LAST.contains(name)) { "\t" } else { "\n" };
    let text: String = lines.iter().enumerate().flat_map(|(place, line)| [line.as_str(), ends(place)]).collect();
    redis::cmd("SET").arg(key).arg(text).exec_async(connection).await.expect("Redis is there");
}
