//! What the user of Redis must be permitted to do.
//!
//! Within a script Redis does not say which command was forbidden, and some forbidden commands would only be missed later
//! (an event that is never told). So each is asked about beforehand.

use super::{Finding, Grade};
use crate::id::Partition;
use crate::name::Namespace;
use crate::store::connection::Arg;
use crate::store::{Keys, Store, StoreError, script};

/// One call of each command that the store sends or runs in a script. `KEY` stands for a key of a partition, a bar stands
/// before the second word of a command.
const CALLS: &[&str] = &[
    "BLMOVE KEY KEY RIGHT RIGHT 1",
    "BLPOP KEY 1",
    "DEL KEY",
    "EVAL script 1 KEY",
    "EXEC",
    "EXISTS KEY",
    "EXPIRE KEY 1",
    "FCALL function 1 KEY",
    "FUNCTION|LOAD library",
    "GET KEY",
    "GETEX KEY EX 1",
    "HDEL KEY field",
    "HGET KEY field",
    "HGETALL KEY",
    "HINCRBY KEY field 1",
    "HMGET KEY field",
    "HSET KEY field value",
    "HSETNX KEY field value",
    "INCR KEY",
    "LINDEX KEY 0",
    "LLEN KEY",
    "LPOP KEY",
    "LPUSH KEY value",
    "LRANGE KEY 0 1",
    "LREM KEY 1 value",
    "LSET KEY 0 value",
    "LTRIM KEY 0 1",
    "MGET KEY KEY",
    "MSET KEY value",
    "MULTI",
    "PERSIST KEY",
    "PEXPIRE KEY 1",
    "PING",
    "PTTL KEY",
    "RPUSH KEY value",
    "SADD KEY member",
    "SCARD KEY",
    "SET KEY value",
    "SMEMBERS KEY",
    "SREM KEY member",
    "SSCAN KEY 0",
    "TIME",
    "UNWATCH",
    "XADD KEY * field value",
    "XLEN KEY",
    "XRANGE KEY - +",
    "XREAD COUNT 1 STREAMS KEY 0",
    "XREVRANGE KEY + -",
    "XTRIM KEY MAXLEN 1",
    "ZADD KEY 1 member",
    "ZCARD KEY",
    "ZCOUNT KEY 0 1",
    "ZRANGE KEY 0 1",
    "ZREM KEY member",
    "ZREMRANGEBYSCORE KEY 0 1",
    "ZSCAN KEY 0",
    "ZSCORE KEY member",
];

/// Asked for by those who listen, and granted as one.
const LISTENING: &[&str] = &["publish", "spublish", "subscribe", "unsubscribe"];
/// Roles and slots, which make the way to Redis, and what can be done without: questions about listeners, without whose
/// answers every event is published, and those of the boot check.
const FINDING: &[&str] =
    &["role", "cluster|slots", "pubsub|numsub", "pubsub|numpat", "pubsub|shardnumsub", "info", "config|get"];

/// The rules of an ACL user that may do what Carillon needs in a namespace and nothing else, to stand behind its password in
/// `ACL SETUSER` or in a line of an ACL file.
#[must_use]
pub fn acl_rules(namespace: &Namespace) -> String {
    let commands = CALLS.iter().filter_map(|call| call.split(' ').next()).map(str::to_lowercase);
    let commands: Vec<String> = commands
        .chain(LISTENING.iter().chain(FINDING).map(|command| (*command).to_owned()))
        .map(|command| format!("+{command}"))
        .collect();
    format!("resetkeys ~{namespace}:* ~{{{namespace}:* resetchannels &{namespace}:* -@all {}", commands.join(" "))
}

impl Store {
    /// Which of the calls above are not permitted.
    pub(super) async fn rights(&self) -> Result<Finding, StoreError> {
        let calls = self.calls();
        let args: Vec<Arg<'_>> = calls.iter().map(|call| call.as_str().into()).collect();
        let reply = match self.run_bare(&script::rights, &[self.keys().meta()], &args).await {
            Ok(reply) => reply,
            Err(StoreError::Forbidden(error)) => {
                return Ok(Finding::new("rights", Grade::Refused, error.to_string()));
            }
            Err(StoreError::Redis(error)) => return Ok(Finding::new("rights", Grade::Unknown, error.to_string())),
            Err(error) => return Err(error),
        };
        Ok(judge(&reply.texts(0)?))
    }

    /// The calls with real names: of a partition, of what is outside partitions, of channels.
    fn calls(&self) -> Vec<String> {
        let keys: &Keys = self.keys();
        let mut calls: Vec<String> = Vec::new();
        let partition = keys.partition(Partition(0));
        calls.extend(CALLS.iter().map(|call| call.replace('|', " ").replace("KEY", &partition.events())));
        let publish = if self.0.connection.is_cluster() { "SPUBLISH" } else { "PUBLISH" };
        calls.push(format!("{publish} {} event", self.events_channel(&partition)));
        for key in [keys.meta(), keys.leader_epoch(), keys.inbox(), keys.inbox_taken()] {
            calls.push(format!("GET {key}"));
        }
        let nudge = keys.worker_channel("worker");
        calls.extend([format!("PUBLISH {nudge} job"), format!("SUBSCRIBE {nudge}")]);
        calls
    }
}

/// What is to be thought of the calls that are not permitted.
fn judge(missing: &[String]) -> Finding {
    match missing {
        [] => Finding::new("rights", Grade::Fine, "every command, key and channel that is needed"),
        [first, rest @ ..] => {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            Finding::new("rights", Grade::Refused, format!("the ACL of this user forbids `{first}`{more}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn named() -> BTreeSet<String> {
        let calls = CALLS.iter().filter_map(|call| call.split(' ').next()).map(str::to_owned);
        let others = LISTENING.iter().chain(FINDING).filter_map(|command| command.split('|').next());
        calls.chain(others.map(str::to_uppercase)).collect()
    }

    #[test]
    fn every_command_of_every_script_is_asked_about() {
        for part in script::LIBRARY.split("redis.call('").chain(script::LIBRARY.split("redis.pcall('")).skip(1) {
            let command = part.split('\'').next().unwrap_or_default();
            let is_command = !command.is_empty() && command.bytes().all(|byte| byte.is_ascii_uppercase());
            assert!(!is_command || named().contains(command), "{command} is not asked about");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let call = |text: &str| text.to_owned();
        assert_eq!(judge(&[]).grade, Grade::Fine);
        let one = judge(&[call("XADD ojs:{p00}:events * field value"), call("BLPOP k 1")]);
        assert_eq!(one.grade, Grade::Refused);
        assert_eq!(one.message, "the ACL of this user forbids `XADD ojs:{p00}:events * field value` and 1 more");
    }
}
