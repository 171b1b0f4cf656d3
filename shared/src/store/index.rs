//! Lists of jobs, page by page, over the indexes in which jobs stand.
//!
//! There is one index per state (available jobs have one per queue), so a page is read where the previous one ended: by the
//! score and the id of the last job looked at. A job that changes its state meanwhile may be seen twice or not at all; one
//! that does not is seen once.

use super::fields::Named as _;
use super::job_lines::JobLines;
use super::shelf::{JobCursor, Kind, Shelf};
use super::{PartitionKeys, Reply, Store, StoreError};
use crate::id::{JobId, Partition};
use crate::job::{Job, JobState};
use crate::name::{JobType, QueueName};

/// Which jobs are asked for.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Those of one queue.
    pub queue: Option<QueueName>,
    /// Those in one state.
    pub state: Option<JobState>,
    /// Those of one type.
    pub job_type: Option<JobType>,
}

/// Part of a list.
#[derive(Debug)]
pub struct JobPage {
    /// These.
    pub jobs: Vec<Job>,
    /// Where to go on; `None` when these were the last.
    pub next: Option<JobCursor>,
}

/// A filter looks at no more jobs than this for one page; the cursor says where to go on.
const SCANNED_MAX: usize = 10_000;
const SCANNED_AT_ONCE: usize = 500;

impl Store {
    /// Lists jobs, at most `most`. Available jobs come in the order in which they will be claimed, then runs that wait behind
    /// others of their entry; ended jobs come newest first.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not a job.
    pub async fn list_jobs(
        &self,
        filter: &JobFilter,
        after: Option<JobCursor>,
        most: usize,
    ) -> Result<JobPage, StoreError> {
        let mut page = JobPage { jobs: Vec::new(), next: None };
        let mut scanned = 0;
        for shelf in self.shelves(filter).await? {
            if after.as_ref().is_some_and(|cursor| shelf < cursor.shelf) {
                continue;
            }
            let start = after.as_ref().filter(|cursor| cursor.shelf == shelf).and_then(|cursor| cursor.behind.clone());
            self.list_shelf(&shelf, filter, start, most, &mut scanned, &mut page).await?;
            if page.next.is_some() {
                break;
            }
        }
        Ok(page)
    }

    /// The indexes in which jobs of a filter may stand, in order.
    async fn shelves(&self, filter: &JobFilter) -> Result<Vec<Shelf>, StoreError> {
        let mut shelves = Vec::new();
        let home = filter.queue.as_ref().map(|queue| self.keys().partition_of(queue));
        for partition in self.partitions().filter(|partition| home.is_none_or(|home| home == *partition)) {
            let shelf = |kind, queue| Shelf { partition: partition.0, kind, queue };
            for kind in Kind::ALL.into_iter().filter(|kind| filter.state.is_none_or(|state| kind.holds(state))) {
                match (&filter.queue, kind) {
                    (Some(queue), Kind::Ready) => shelves.push(shelf(kind, Some(queue.clone()))),
                    (None, Kind::Ready) => {
                        let queues = self.queue_names(partition).await?;
                        shelves.extend(queues.into_iter().map(|queue| shelf(kind, Some(queue))));
                    }
                    _ => shelves.push(shelf(kind, None)),
                }
            }
        }
        shelves.sort();
        Ok(shelves)
    }

    async fn list_shelf(
        &self,
        shelf: &Shelf,
        filter: &JobFilter,
        start: Option<(String, JobId)>,
        most: usize,
        scanned: &mut usize,
        page: &mut JobPage,
    ) -> Result<(), StoreError> {
        let keys = self.key(Partition(shelf.partition));
        let mut behind = start.clone();
        for turn in 0.. {
            let range = self.range(&keys, shelf, start.as_ref(), turn * SCANNED_AT_ONCE).await?;
            let is_last = range.len() < SCANNED_AT_ONCE;
            let unseen: Vec<_> = range.into_iter().filter(|place| shelf.is_behind(start.as_ref(), place)).collect();
            let admitted = self.admitted(&keys, filter, &unseen).await?;
            *scanned += unseen.len();
            let (mut taken, mut is_full) = (Vec::new(), false);
            for (place, admitted) in unseen.into_iter().zip(admitted) {
                is_full = admitted && page.jobs.len() + taken.len() == most;
                if is_full {
                    break;
                }
                taken.extend(admitted.then_some(place.1));
                behind = Some(place);
            }
            page.jobs.extend(self.jobs_in(keys.partition(), &taken).await?.into_iter().flatten());
            if is_full || (*scanned >= SCANNED_MAX && !is_last) {
                page.next = Some(JobCursor { shelf: shelf.clone(), behind });
                return Ok(());
            }
            if is_last {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn range(
        &self,
        keys: &PartitionKeys,
        shelf: &Shelf,
        start: Option<&(String, JobId)>,
        offset: usize,
    ) -> Result<Vec<(String, JobId)>, StoreError> {
        let newest_first = shelf.kind.is_newest_first();
        let (low, high) = if newest_first { ("+inf", "-inf") } else { ("-inf", "+inf") };
        let mut range = redis::cmd("ZRANGE");
        range.arg(shelf.key(keys)).arg(start.map_or(low, |(score, _)| score)).arg(high).arg("BYSCORE");
        if newest_first {
            range.arg("REV");
        }
        range.arg("LIMIT").arg(offset).arg(SCANNED_AT_ONCE).arg("WITHSCORES");
        let texts = Reply::new("index", self.send(&range).await?)?.texts(0)?;
        Ok(texts.chunks(2).filter_map(|pair| Some((pair.get(1)?.clone(), pair.first()?.parse().ok()?))).collect())
    }

    /// Which of these jobs a filter admits.
    async fn admitted(
        &self,
        keys: &PartitionKeys,
        filter: &JobFilter,
        places: &[(String, JobId)],
    ) -> Result<Vec<bool>, StoreError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipe = redis::pipe();
        for (_, id) in places {
            pipe.cmd("GET").arg(keys.job(*id));
        }
        let records = Reply::new("index", self.0.connection.transaction(&pipe).await?)?.texts(0)?;
        Ok(records.iter().zip(places).map(|(text, (_, id))| filter.admits(&JobLines::new(keys, *id, text))).collect())
    }
}

impl JobFilter {
    fn admits(&self, record: &JobLines<'_>) -> bool {
        let is = |wanted: Option<&str>, line: &str| wanted.is_none_or(|wanted| record.text(line) == Some(wanted));
        !record.is_empty()
            && is(self.state.map(JobState::as_str), "state")
            && is(self.queue.as_ref().map(QueueName::as_str), "queue")
            && is(self.job_type.as_ref().map(JobType::as_str), "type")
    }
}
