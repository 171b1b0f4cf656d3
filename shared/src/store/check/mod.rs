//! Whether a Redis will do: looked at when a program starts, and by `carillon-scheduler check`.
//!
//! A finding is *refused* when jobs or their order would silently be lost on such a Redis; it is *risky* when somebody should
//! know of it. What the user of Redis may not ask for is *unknown*, and holds nothing up.

use std::fmt;

use redis::{Cmd, Value};
use tracing::{info, warn};

use super::connection::Node;
use super::{Reply, Store, StoreError};
use crate::clock::{Timestamp, machine_time};
use crate::config::RedisCheck;

mod rights;
mod server;

pub use rights::acl_rules;
use server::Server;

/// What is to be thought of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// It is as it should be.
    Fine,
    /// It could not be looked at.
    Unknown,
    /// It works, and may do harm one day.
    Risky,
    /// It does not work, or loses what it should keep.
    Refused,
}

impl Grade {
    /// The word for it: `ok`, `unknown`, `risky`, `refused`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Unknown => "unknown",
            Self::Risky => "risky",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// `host:port` of the server; empty for what concerns all of them.
    pub server: String,
    /// What: `version`, `memory`, `persistence`, `cluster`, `clock`, `rights` or `partitions`.
    pub subject: &'static str,
    /// What is to be thought of it.
    pub grade: Grade,
    /// In words.
    pub message: String,
}

impl Finding {
    fn new(subject: &'static str, grade: Grade, message: impl Into<String>) -> Self {
        Self { server: String::new(), subject, grade, message: message.into() }
    }

    fn of(self, node: &Node) -> Self {
        Self { server: node.address(), ..self }
    }

    fn log(&self) {
        let Self { server, subject, grade, message } = self;
        match grade {
            Grade::Fine => info!(redis.server = server, "Redis {subject}: {message}"),
            Grade::Unknown => info!(redis.server = server, "Redis {subject} could not be checked: {message}"),
            Grade::Risky | Grade::Refused => warn!(redis.server = server, %grade, "Redis {subject}: {message}"),
        }
    }
}

/// A clock this far from another is an alarm.
const CLOCK_APART_MAX_MS: u64 = 30_000;

impl Store {
    /// Looks at the Redis servers.
    ///
    /// # Errors
    ///
    /// When one of them cannot be reached.
    pub async fn findings(&self) -> Result<Vec<Finding>, StoreError> {
        let mut found = Vec::new();
        let masters = self.0.connection.masters().await?;
        for node in &masters {
            found.extend(self.server_findings(node).await?.into_iter().map(|finding| finding.of(node)));
        }
        found.push(self.rights().await?);
        if self.0.connection.is_cluster() {
            found.push(spread(self.keys().partitions(), masters.len()));
        }
        Ok(found)
    }

    /// Looks at the Redis servers, says what was found, and refuses to work with one that loses what it should keep.
    ///
    /// # Errors
    ///
    /// When one of them cannot be reached, or will not do.
    pub async fn admit(&self) -> Result<(), StoreError> {
        let findings = self.findings().await?;
        findings.iter().for_each(Finding::log);
        if self.0.options.check == RedisCheck::Warn {
            return Ok(());
        }
        let refused = findings.iter().filter(|finding| finding.grade == Grade::Refused);
        match refused.map(|finding| finding.message.as_str()).collect::<Vec<_>>() {
            reasons if reasons.is_empty() => Ok(()),
            reasons => Err(StoreError::Unfit(reasons.join("; "))),
        }
    }

    async fn server_findings(&self, node: &Node) -> Result<Vec<Finding>, StoreError> {
        let mut found = match self.permitted(node, redis::cmd("INFO").arg("everything")).await? {
            None => vec![Finding::new("server", Grade::Unknown, "INFO is not permitted to this user")],
            Some(info) => {
                let info = text(&info);
                let server = Server::read(&info);
                let saves = self.permitted(node, redis::cmd("CONFIG").arg("GET").arg("save")).await?;
                let saves = saves.map(|saves| text(&saves));
                vec![server.version(), server.memory(), server.persistence(saves.as_deref())]
            }
        };
        found.push(self.clock_of(node).await?);
        Ok(found)
    }

    /// An answer, or none if the question is not permitted.
    async fn permitted(&self, node: &Node, question: &Cmd) -> Result<Option<Value>, StoreError> {
        match self.0.connection.ask(node, question).await {
            Ok(answer) => Ok(Some(answer)),
            // Some hosts remove the command altogether.
            Err(StoreError::Forbidden(_) | StoreError::Redis(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn clock_of(&self, node: &Node) -> Result<Finding, StoreError> {
        let Some(answer) = self.permitted(node, &redis::cmd("TIME")).await? else {
            return Ok(Finding::new("clock", Grade::Refused, "TIME is not permitted to this user"));
        };
        let time = Reply::new("TIME", answer)?;
        Ok(clock(Timestamp::from_ms(time.int(0)? * 1000 + time.int(1)? / 1000), machine_time()))
    }
}

/// What Redis decides by, against what people here see on their clocks.
fn clock(redis: Timestamp, machine: Timestamp) -> Finding {
    let apart_ms = redis.as_ms().abs_diff(machine.as_ms());
    let grade = if apart_ms > CLOCK_APART_MAX_MS { Grade::Risky } else { Grade::Fine };
    let direction = if redis < machine { "behind" } else { "ahead of" };
    let seconds = apart_ms as f64 / 1000.0;
    let told = if grade == Grade::Fine { "" } else { "; instants are decided by the clock of Redis" };
    Finding::new("clock", grade, format!("{seconds:.1} s {direction} this machine{told}"))
}

fn spread(partitions: u16, masters: usize) -> Finding {
    let grade = if usize::from(partitions) < masters { Grade::Risky } else { Grade::Fine };
    let message = format!("{partitions} partitions over {masters} masters");
    let told = if grade == Grade::Fine { "" } else { ": some masters have nothing to do" };
    Finding::new("partitions", grade, message + told)
}

/// The text of an answer; that of a map or a list is its parts.
fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        Value::Array(items) => items.last().map(text).unwrap_or_default(),
        Value::Map(pairs) => pairs.last().map(|(_, value)| text(value)).unwrap_or_default(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_far_from_ours_is_told_with_its_direction() {
        let at = Timestamp::from_secs;
        assert_eq!(clock(at(100), at(101)).grade, Grade::Fine);
        let behind = clock(at(100), at(200));
        assert_eq!(behind.grade, Grade::Risky);
        assert_eq!(behind.message, "100.0 s behind this machine; instants are decided by the clock of Redis");
    }

    #[test]
    fn fewer_partitions_than_masters_are_too_few() {
        assert_eq!(spread(16, 3).grade, Grade::Fine);
        assert_eq!(spread(1, 3).grade, Grade::Risky);
    }
}
