//! Everything that a namespace holds, to be compared and to be judged.

use std::collections::BTreeMap;

use carillon_shared::store::Keys;
use redis::Value;
use redis::aio::MultiplexedConnection;

use crate::redis::Server;

/// Every key of a namespace with what it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot(pub BTreeMap<String, Held>);

/// What a key holds, in an order of its own.
#[derive(Debug, Clone, PartialEq)]
pub enum Held {
    /// A string.
    Text(String),
    /// A hash, by field.
    Hash(BTreeMap<String, String>),
    /// A sorted set, by member.
    Scores(BTreeMap<String, f64>),
    /// A set, sorted.
    Set(Vec<String>),
    /// A list.
    List(Vec<String>),
    /// A stream, by id: fields and values by turns.
    Stream(BTreeMap<String, Vec<String>>),
}

/// How many keys are read in one go.
const READ_AT_ONCE: usize = 500;

impl Snapshot {
    /// Reads everything.
    ///
    /// # Panics
    ///
    /// When Redis cannot be reached.
    pub async fn take(server: &Server, keys: &Keys) -> Self {
        Self::of(std::iter::once(server), keys).await
    }

    /// Reads everything from several servers, each of which has a part.
    ///
    /// # Panics
    ///
    /// When one of them cannot be reached.
    pub async fn of(servers: impl IntoIterator<Item = &Server>, keys: &Keys) -> Self {
        let mut held = BTreeMap::new();
        for server in servers {
            let mut connection = server.connection().await;
            let mut found = Vec::new();
            for pattern in keys.pattern() {
                found.extend(scan(&mut connection, &pattern).await);
            }
            for some in found.chunks(READ_AT_ONCE) {
                held.extend(read(&mut connection, some).await);
            }
        }
        Self(held)
    }

    /// What another has that this has not, or has otherwise: a line for each key.
    #[must_use]
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let keys = self.0.keys().chain(other.0.keys().filter(|key| !self.0.contains_key(*key)));
        let changed = keys.filter(|key| self.0.get(*key) != other.0.get(*key));
        changed.map(|key| format!("{key}: {:?} became {:?}", self.0.get(key), other.0.get(key))).collect()
    }

    /// The same without keys that end in one of these.
    #[must_use]
    pub fn without(mut self, suffixes: &[&str]) -> Self {
        self.0.retain(|key, _| !suffixes.iter().any(|suffix| key.ends_with(suffix)));
        self
    }

    /// The text; empty if it is absent.
    #[must_use]
    pub fn text(&self, key: &str) -> String {
        match self.0.get(key) {
            Some(Held::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    /// The fields of a hash; none if it is absent.
    #[must_use]
    pub fn hash(&self, key: &str) -> BTreeMap<String, String> {
        match self.0.get(key) {
            Some(Held::Hash(fields)) => fields.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// The members of a sorted set; none if it is absent.
    #[must_use]
    pub fn scores(&self, key: &str) -> BTreeMap<String, f64> {
        match self.0.get(key) {
            Some(Held::Scores(members)) => members.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// The members of a set, sorted; none if it is absent.
    #[must_use]
    pub fn members(&self, key: &str) -> Vec<String> {
        match self.0.get(key) {
            Some(Held::Set(members)) => members.clone(),
            _ => Vec::new(),
        }
    }

    /// The items of a list; none if it is absent.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<String> {
        match self.0.get(key) {
            Some(Held::List(items)) => items.clone(),
            _ => Vec::new(),
        }
    }
}

async fn scan(connection: &mut MultiplexedConnection, pattern: &str) -> Vec<String> {
    let (mut cursor, mut found) = (0_u64, Vec::new());
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(1000);
        let (next, some): (u64, Vec<String>) = scan.query_async(connection).await.expect("Redis is there");
        found.extend(some);
        cursor = next;
        if cursor == 0 {
            return found;
        }
    }
}

/// Two round trips for many keys; what vanishes between them is left out.
async fn read(connection: &mut MultiplexedConnection, keys: &[String]) -> Vec<(String, Held)> {
    let mut types = redis::pipe();
    for key in keys {
        types.cmd("TYPE").arg(key);
    }
    let kinds: Vec<String> = types.query_async(connection).await.expect("Redis is there");
    let mut contents = redis::pipe();
    for (key, kind) in keys.iter().zip(&kinds) {
        match kind.as_str() {
            "string" => contents.cmd("GET").arg(key),
            "hash" => contents.cmd("HGETALL").arg(key),
            "zset" => contents.cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES"),
            "list" => contents.cmd("LRANGE").arg(key).arg(0).arg(-1),
            "set" => contents.cmd("SMEMBERS").arg(key),
            "stream" => contents.cmd("XRANGE").arg(key).arg("-").arg("+"),
            _ => contents.cmd("TYPE").arg(key),
        };
    }
    let contents: Vec<Value> = contents.query_async(connection).await.expect("Redis is there");
    let held = keys.iter().zip(kinds).zip(contents);
    held.filter_map(|((key, kind), value)| Some((key.clone(), understood(&kind, value)?))).collect()
}

fn understood(kind: &str, value: Value) -> Option<Held> {
    fn from<T: redis::FromRedisValue>(value: Value) -> T {
        redis::from_redis_value(value).expect("Redis answers as the type says")
    }
    if matches!(value, Value::Nil) {
        return None;
    }
    Some(match kind {
        "string" => Held::Text(from(value)),
        "hash" => Held::Hash(from(value)),
        "zset" => Held::Scores(from(value)),
        "list" => Held::List(from(value)),
        "set" => {
            let mut members: Vec<String> = from(value);
            members.sort();
            Held::Set(members)
        }
        "stream" => Held::Stream(stream(value)),
        _ => return None,
    })
}

/// Entries by their id, each with its fields and values by turns.
fn stream(entries: Value) -> BTreeMap<String, Vec<String>> {
    let entries: Vec<(String, Vec<String>)> = redis::from_redis_value(entries).expect("XRANGE answers pairs");
    entries.into_iter().collect()
}
