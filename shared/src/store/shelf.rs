//! Shelves: the indexes in which jobs stand, in the order in which they are listed, and places among them.

use std::fmt;
use std::str::FromStr;

use super::PartitionKeys;
use crate::id::JobId;
use crate::job::JobState;
use crate::name::QueueName;

/// A place in a list, as a client sends it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCursor {
    pub(super) shelf: Shelf,
    /// Score and id of the last job looked at; none before the first of its index.
    pub(super) behind: Option<(String, JobId)>,
}

/// The text was not a place in a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not the next_cursor of an earlier answer")]
pub struct JobCursorError;

/// An index, in the order in which indexes are listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shelf {
    pub(super) partition: u16,
    pub(super) kind: Kind,
    /// Of available jobs only.
    pub(super) queue: Option<QueueName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Ready,
    Waiting,
    Due,
    Parked,
    Leases,
    Completed,
    Cancelled,
    Discarded,
    Dead,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::Ready,
        Self::Waiting,
        Self::Due,
        Self::Parked,
        Self::Leases,
        Self::Completed,
        Self::Cancelled,
        Self::Discarded,
        Self::Dead,
    ];

    pub(super) const fn holds(self, state: JobState) -> bool {
        match state {
            JobState::Available => matches!(self, Self::Ready | Self::Waiting),
            JobState::Scheduled | JobState::Retryable => matches!(self, Self::Due),
            JobState::Pending => matches!(self, Self::Parked),
            JobState::Active => matches!(self, Self::Leases),
            JobState::Completed => matches!(self, Self::Completed),
            JobState::Cancelled => matches!(self, Self::Cancelled),
            JobState::Discarded => matches!(self, Self::Discarded | Self::Dead),
        }
    }

    pub(super) const fn is_newest_first(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Discarded | Self::Dead)
    }
}

impl Shelf {
    pub(super) fn key(&self, keys: &PartitionKeys) -> String {
        match (self.kind, &self.queue) {
            (Kind::Ready, Some(queue)) => keys.ready(queue),
            (Kind::Ready, None) => keys.ready(&QueueName::default()),
            (Kind::Waiting, _) => keys.waiting(),
            (Kind::Due, _) => keys.due(),
            (Kind::Parked, _) => keys.parked(),
            (Kind::Leases, _) => keys.leases(),
            (Kind::Completed, _) => keys.ended("completed"),
            (Kind::Cancelled, _) => keys.ended("cancelled"),
            (Kind::Discarded, _) => keys.ended("discarded"),
            (Kind::Dead, _) => keys.ended("dead"),
        }
    }

    /// Members of one score stand in the order of their ids, or in the reverse.
    pub(super) fn is_behind(&self, start: Option<&(String, JobId)>, (score, id): &(String, JobId)) -> bool {
        let Some((_, last)) = start.filter(|(other, _)| other == score) else { return true };
        if self.kind.is_newest_first() { id < last } else { id > last }
    }
}

/// `<partition>:<kind>:<queue>:<score>:<id>`; queue, score and id may be empty.
impl fmt::Display for JobCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shelf { partition, kind, queue } = &self.shelf;
        let kind = Kind::ALL.iter().position(|other| other == kind).unwrap_or_default();
        write!(f, "{partition}:{kind}:{}:", queue.as_ref().map_or("", QueueName::as_str))?;
        match &self.behind {
            Some((score, id)) => write!(f, "{score}:{id}"),
            None => f.write_str(":"),
        }
    }
}

impl FromStr for JobCursor {
    type Err = JobCursorError;
    fn from_str(text: &str) -> Result<Self, JobCursorError> {
        let parts: Vec<&str> = text.split(':').collect();
        let [partition, kind, queue, score, id] = parts[..] else { return Err(JobCursorError) };
        let kind = kind.parse().ok().and_then(|place: usize| Kind::ALL.get(place).copied()).ok_or(JobCursorError)?;
        let partition = partition.parse().map_err(|_| JobCursorError)?;
        let queue = if queue.is_empty() { None } else { Some(queue.parse().map_err(|_| JobCursorError)?) };
        let behind = if score.is_empty() && id.is_empty() {
            None
        } else {
            let number: f64 = score.parse().map_err(|_| JobCursorError)?;
            Some((
                number.is_finite().then(|| score.to_owned()).ok_or(JobCursorError)?,
                id.parse().map_err(|_| JobCursorError)?,
            ))
        };
        Ok(Self { shelf: Shelf { partition, kind, queue }, behind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Partition;

    #[test]
    fn a_cursor_reads_back_as_itself() {
        let shelf = Shelf { partition: 3, kind: Kind::Ready, queue: "mail.eu".parse().ok() };
        let id = JobId::random(crate::clock::Timestamp::from_ms(1), Partition(3));
        for behind in [None, Some(("3518437208883201".to_owned(), id))] {
            let cursor = JobCursor { shelf: shelf.clone(), behind };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for wrong in ["", "1", "0:9:::", "0:0:Q::", "0:0::x:y", "0:0::inf:", "0:0::1"] {
            assert_eq!(wrong.parse::<JobCursor>(), Err(JobCursorError), "{wrong}");
        }
    }

    #[test]
    fn every_state_stands_in_an_index() {
        for state in JobState::ALL {
            assert!(Kind::ALL.into_iter().any(|kind| kind.holds(state)), "{state}");
        }
    }
}
