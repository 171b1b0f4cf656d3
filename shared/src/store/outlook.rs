//! What comes next in a partition, read for the leader.
//!
//! It is asked for several times a second for as long as nothing happens. Hence a few plain reads and no script, which would
//! cost Redis three times as much.

use redis::Pipeline;

use super::{LeaderToken, PartitionKeys, Reply, Store, StoreError};
use crate::clock::{BootInstant, Timestamp};
use crate::id::Partition;

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coming {
    /// An instant of a cron entry is to be decided on.
    Instant,
    /// A scheduled or retryable job is due.
    DueJob,
    /// A lease ends.
    LeaseEnd,
    /// A job that was not claimed expires.
    Expiry,
    /// An attempt has taken as long as it may.
    TimeLimit,
}

/// Every kind of what may come.
const ALL: [Coming; 5] = [Coming::Instant, Coming::DueJob, Coming::LeaseEnd, Coming::Expiry, Coming::TimeLimit];

/// When the first of each kind comes, in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    next: [Option<Timestamp>; ALL.len()],
}

impl Outlook {
    /// When the first of a kind comes, or came if nobody has seen to it; `None` when there is none.
    #[must_use]
    pub fn next(&self, coming: Coming) -> Option<Timestamp> {
        self.next[coming as usize]
    }

    /// When the first of any kind comes.
    #[must_use]
    pub fn earliest(&self) -> Option<Timestamp> {
        self.next.iter().flatten().min().copied()
    }
}

impl Store {
    /// Reads what comes next in a partition. `None` when the token is not its fence: somebody else leads, or Redis was
    /// emptied.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is no index.
    pub async fn outlook(&self, partition: Partition, token: &LeaderToken) -> Result<Option<Outlook>, StoreError> {
        let sent = BootInstant::now();
        let answer = self.0.connection.transaction(&reads(&self.key(partition))).await?;
        let reply = Reply::new("outlook", answer)?;
        let time = reply.list(1)?;
        self.0.clock.observe(Timestamp::from_ms(time.int(0)? * 1000 + time.int(1)? / 1000), sent);
        if reply.text(0)? != token.as_str() {
            return Ok(None);
        }
        let mut next = [None; ALL.len()];
        for (i, next) in next.iter_mut().enumerate() {
            *next = score(&reply.list(i + 2)?)?;
        }
        Ok(Some(Outlook { next }))
    }
}

/// The fence first: it says where in a cluster all of them belong.
fn reads(keys: &PartitionKeys) -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.atomic().cmd("GET").arg(keys.fence()).cmd("TIME");
    for coming in ALL {
        pipe.cmd("ZRANGE").arg(index(keys, coming)).arg(0).arg(0).arg("WITHSCORES");
    }
    pipe
}

fn index(keys: &PartitionKeys, coming: Coming) -> String {
    match coming {
        Coming::Instant => keys.crons(),
        Coming::DueJob => keys.due(),
        Coming::LeaseEnd => keys.leases(),
        Coming::Expiry => keys.expires(),
        Coming::TimeLimit => keys.timeouts(),
    }
}

/// The score of the first member. What has none that is finite never comes.
fn score(first: &Reply) -> Result<Option<Timestamp>, StoreError> {
    if first.len() == 0 {
        return Ok(None);
    }
    let ms = first.text(1)?.parse::<f64>().ok().filter(|ms| ms.is_finite());
    #[expect(clippy::cast_possible_truncation, reason = "a score in milliseconds, far below 2^53")]
    Ok(ms.map(|ms| Timestamp::from_ms(ms as i64)))
}
