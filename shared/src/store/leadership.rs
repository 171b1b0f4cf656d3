//! Leadership in Redis: the lock, its token, and the fence of each partition.
//!
//! The lock (`SET NX EX`) says who should lead. It cannot keep a process that was stopped from waking up and going on, so
//! what makes leading safe is the fence: before its first fire a leader seals every partition with its token, and from then
//! on no other token fires there.

use std::fmt;
use std::time::Duration;

use redis::Value;

use super::{Reply, Store, StoreError, script};
use crate::clock::{BootInstant, Timestamp};
use crate::cron::why::{Leadership, Leaderships};
use crate::id::{Partition, nonce};

/// One leadership: `<epoch>:<nonce>:<instance>`. No two are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderToken(String);

impl LeaderToken {
    /// The token as it stands in Redis.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Higher with every leadership.
    #[must_use]
    pub fn epoch(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }

    /// Who leads.
    #[must_use]
    pub fn instance(&self) -> &str {
        self.0.splitn(3, ':').nth(2).unwrap_or_default()
    }
}

impl fmt::Display for LeaderToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a candidate saw of the leader: two equal sights, far enough apart, mean that it is dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderSeen {
    /// Who leads.
    pub token: LeaderToken,
    /// Its latest renewal.
    pub beat: String,
}

/// What became of a candidacy.
#[derive(Debug, Clone)]
pub enum Acquired {
    /// We lead.
    Leads(LeaderToken),
    /// Somebody else does.
    Held {
        /// Who, and the renewal we saw.
        seen: LeaderSeen,
        /// For how long its lock still lasts if it is not renewed.
        expires_in: Duration,
    },
}

/// What became of a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    /// The partition is ours.
    Sealed,
    /// A later leadership was here already.
    Fenced,
}

impl Store {
    /// Takes the leadership if nobody has it, or if its holder is still as `dead` describes it.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn acquire_leadership(
        &self,
        instance: &str,
        ttl: Duration,
        dead: Option<&LeaderSeen>,
    ) -> Result<Acquired, StoreError> {
        let names = self.keys();
        let keys = [names.leader(), names.leader_epoch(), names.leader_beat(), names.leader_terms()];
        let args = [
            format!("{}{}:{instance}", nonce(), nonce()).into(),
            seconds(ttl).into(),
            dead.map(|seen| seen.token.as_str()).unwrap_or_default().into(),
            dead.map(|seen| seen.beat.as_str()).unwrap_or_default().into(),
            TERMS_KEPT.into(),
        ];
        let sent = BootInstant::now();
        let reply = self.run_bare(&script::leader_acquire, &keys, &args).await?;
        self.heard(&reply, 1, sent)?;
        let token = LeaderToken(reply.text(2)?);
        if reply.int(0)? == 1 {
            return Ok(Acquired::Leads(token));
        }
        let expires_in = Duration::from_millis(u64::try_from(reply.int(4)?).unwrap_or(0));
        Ok(Acquired::Held { seen: LeaderSeen { token, beat: reply.text(3)? }, expires_in })
    }

    /// Renews a leadership; false when it is ours no more.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached: it may or may not be renewed.
    pub async fn renew_leadership(&self, token: &LeaderToken, ttl: Duration) -> Result<bool, StoreError> {
        let keys = [self.keys().leader(), self.keys().leader_beat(), self.keys().leader_terms()];
        let sent = BootInstant::now();
        let reply = self.run_bare(&script::leader_renew, &keys, &[token.as_str().into(), seconds(ttl).into()]).await?;
        self.heard(&reply, 1, sent)?;
        Ok(reply.int(0)? == 1)
    }

    /// Gives a leadership up, and wakes one standby. False when it was ours no more.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn release_leadership(&self, token: &LeaderToken) -> Result<bool, StoreError> {
        let keys = [self.keys().leader(), self.keys().leader_bell(), self.keys().leader_terms()];
        let reply = self.run_bare(&script::leader_release, &keys, &[token.as_str().into()]).await?;
        Ok(reply.int(0)? == 1)
    }

    /// Says who leads.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn leader(&self) -> Result<Option<LeaderToken>, StoreError> {
        match self.send(redis::cmd("GET").arg(self.keys().leader())).await? {
            Value::BulkString(bytes) => Ok(Some(LeaderToken(String::from_utf8_lossy(&bytes).into_owned()))),
            _ => Ok(None),
        }
    }

    /// Says who leads, and who led before. A hint for people; nothing is decided by it.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn leaderships(&self) -> Result<Leaderships, StoreError> {
        let leader = self.leader().await?;
        let key = self.keys().leader_terms();
        let terms = Reply::new("terms", self.send(redis::cmd("LRANGE").arg(&key).arg(0).arg(-1)).await?)?.texts(0)?;
        let read = |text: &String| {
            let term = leadership(text).ok_or_else(|| StoreError::corrupt(&key, text.as_str()))?;
            Ok(Leadership { leads: leader.as_ref().is_some_and(|leader| leader.as_str() == term.0), ..term.1 })
        };
        Ok(Leaderships(terms.iter().map(read).collect::<Result<_, StoreError>>()?))
    }

    /// Gives a partition to a leadership: from here on no other fires there.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn seal(&self, partition: Partition, token: &LeaderToken) -> Result<Sealed, StoreError> {
        let keys = self.key(partition);
        let args = vec![token.epoch().into(), token.as_str().into()];
        let reply = self.run(&script::seal, &keys, vec![keys.fence()], args).await?;
        Ok(if reply.text(0)? == "ok" { Sealed::Sealed } else { Sealed::Fenced })
    }

    /// Raises the epoch past what partitions remember, so that the next leadership is later than any that sealed them. A
    /// Redis that came back with less than it had acknowledged may know a lower one. False when none was higher.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached.
    pub async fn raise_epoch(&self) -> Result<bool, StoreError> {
        let mut highest = 0;
        for partition in self.partitions() {
            if let Value::BulkString(bytes) = self.send(redis::cmd("GET").arg(self.key(partition).fence())).await? {
                let token = LeaderToken(String::from_utf8_lossy(&bytes).into_owned());
                highest = highest.max(token.epoch().parse().unwrap_or(0));
            }
        }
        let reply = self.run_bare(&script::leader_raise, &[self.keys().leader_epoch()], &[highest.into()]).await?;
        Ok(reply.int(0)? == 1)
    }
}

/// So many leaderships are remembered.
const TERMS_KEPT: i64 = 64;

/// Reads `<since> <last beat> <until or -> <token>`.
fn leadership(text: &str) -> Option<(&str, Leadership)> {
    let mut parts = text.splitn(4, ' ');
    let mut time = || parts.next().map(|text| text.parse().ok().map(Timestamp::from_ms));
    let (since, seen_at, until) = (time()??, time()??, time()?);
    let token = parts.next()?;
    let instance = LeaderToken(token.to_owned()).instance().to_owned();
    Some((token, Leadership { instance, since, seen_at, until, leads: false }))
}

fn seconds(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_secs().max(1)).unwrap_or(i64::MAX)
}
