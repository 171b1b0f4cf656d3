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
    /// A stream: how many entries there are, and the newest.
    Stream(usize, String),
}

impl Snapshot {
    /// Reads everything.
    ///
    /// # Panics
    ///
    /// When Redis cannot be reached.
    pub async fn take(server: &Server, keys: &Keys) -> Self {
        let mut connection = server.connection().await;
        let mut held = BTreeMap::new();
        for pattern in keys.pattern() {
            for key in scan(&mut connection, &pattern).await {
                if let Some(value) = read(&mut connection, &key).await {
                    held.insert(key, value);
                }
            }
        }
        Self(held)
    }

    /// The same without keys that end in one of these.
    #[must_use]
    pub fn without(mut self, suffixes: &[&str]) -> Self {
        self.0.retain(|key, _| !suffixes.iter().any(|suffix| key.ends_with(suffix)));
        self
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

async fn read(connection: &mut MultiplexedConnection, key: &str) -> Option<Held> {
    async fn ask<T: redis::FromRedisValue>(connection: &mut MultiplexedConnection, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query_async(connection).await.expect("Redis is there")
    }
    let kind: String = ask(connection, &["TYPE", key]).await;
    Some(match kind.as_str() {
        "string" => Held::Text(ask::<Option<String>>(connection, &["GET", key]).await?),
        "hash" => Held::Hash(ask(connection, &["HGETALL", key]).await),
        "zset" => Held::Scores(ask(connection, &["ZRANGE", key, "0", "-1", "WITHSCORES"]).await),
        "list" => Held::List(ask(connection, &["LRANGE", key, "0", "-1"]).await),
        "set" => {
            let mut members: Vec<String> = ask(connection, &["SMEMBERS", key]).await;
            members.sort();
            Held::Set(members)
        }
        "stream" => {
            let length: usize = ask(connection, &["XLEN", key]).await;
            let newest: Value = ask(connection, &["XREVRANGE", key, "+", "-", "COUNT", "1"]).await;
            Held::Stream(length, format!("{newest:?}"))
        }
        _ => return None,
    })
}
