//! What a schedule will do, before it is registered: the same answer on the command line and over HTTP.
//!
//! A request is plain text throughout, so that every mistake in it is answered with the same kind of error.

use std::str::FromStr;
use std::time::Duration;

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

use super::bounds::Bounds;
use super::dialect::{FieldCount, UnknownChoice};
use super::error::{ScheduleError, ScheduleErrorKind as Kind};
use super::occurrence::Occurrence;
use super::options::ScheduleOptions;
use super::schedule::Schedule;
use super::zone::Zone;

/// The most occurrences that one request is answered with.
pub const PREVIEW_COUNT_MAX: usize = 1000;

const PREVIEW_COUNT_DEFAULT: usize = 5;

/// A question: what comes next? Only `expr` is needed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewRequest {
    /// The expression.
    #[serde(alias = "expression", alias = "cron")]
    pub expr: String,
    /// The zone whose local time the fields mean; UTC if it is left out.
    #[serde(default, alias = "timezone", skip_serializing_if = "Option::is_none")]
    pub tz: Option<String>,
    /// The instant after which to look, and the anchor of `@every`; now if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// How many; 5 if it is left out, 1000 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// `ojs` or `quartz`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<String>,
    /// `auto`, `once` or `both`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst_fold: Option<String>,
    /// The number of fields that is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<u8>,
    /// The first instant that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    /// The first instant that does not count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<String>,
    /// The zone of whoever reads the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub viewer_tz: Option<String>,
}

/// A request that was understood.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The schedule it asks about.
    pub schedule: Schedule,
    /// Where to begin.
    pub after: Timestamp,
    /// Between which instants it fires.
    pub bounds: Bounds,
    /// How many occurrences to give.
    pub count: usize,
    /// The zone of whoever reads it.
    pub viewer: Option<Zone>,
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PreviewAnswer {
    /// The next fires; none of them if it never fires again.
    Next {
        /// In order.
        next: Vec<Timestamp>,
    },
    /// The request was wrong.
    Refused {
        /// What is wrong with it.
        error: ScheduleError,
    },
}

/// What one row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PreviewKind {
    /// A fire.
    Fire,
    /// A local time that a clock change skips.
    DstSkip,
}

/// One occurrence, in all the clocks that matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviewRow {
    /// Whether it fires.
    pub kind: PreviewKind,
    /// The local time in the schedule's zone; without an offset where it does not exist.
    pub local: String,
    /// The viewer's local time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub viewer: Option<String>,
    /// The instant.
    pub utc: Timestamp,
}

impl PreviewRequest {
    /// Reads the request; `now` stands in for a missing `after`.
    ///
    /// # Errors
    ///
    /// Says which part of the request is wrong.
    pub fn read(&self, now: Timestamp) -> Result<Preview, ScheduleError> {
        let after = self.after.as_deref().map_or(Ok(now), |text| read_instant("is no instant for `after`", text))?;
        let bound = |problem, text: Option<&str>| text.map(|text| read_instant(problem, text)).transpose();
        let bounds = Bounds {
            starts_at: bound("is no instant for `starts_at`", self.starts_at.as_deref())?,
            ends_at: bound("is no instant for `ends_at`", self.ends_at.as_deref())?,
            max_runs: None,
        };
        let options = ScheduleOptions {
            dialect: choice(self.dialect.as_deref())?,
            zone: self.tz.as_deref().map_or(Ok(Zone::UTC), Zone::from_str)?,
            dst_fold: choice(self.dst_fold.as_deref())?,
            fields: self
                .fields
                .map(FieldCount::try_from)
                .transpose()
                .map_err(|error| unknown(&self.fields.unwrap_or_default().to_string(), &error))?,
            anchor: after,
        };
        Ok(Preview {
            schedule: Schedule::parse(&self.expr, &options)?,
            after: bounds.starts_at.map_or(after, |starts_at| after.max(starts_at - Duration::from_millis(1))),
            bounds,
            count: read_count(self.count)?,
            viewer: self.viewer_tz.as_deref().map(Zone::from_str).transpose()?,
        })
    }

    /// Answers the request with its next fires, or with what is wrong with it.
    #[must_use]
    pub fn answer(&self, now: Timestamp) -> PreviewAnswer {
        match self.read(now) {
            Ok(preview) => PreviewAnswer::Next { next: preview.next() },
            Err(error) => PreviewAnswer::Refused { error },
        }
    }
}

impl Preview {
    /// The next fires.
    #[must_use]
    pub fn next(&self) -> Vec<Timestamp> {
        self.schedule.fires_after(self.after).take_while(|at| self.bounds.admit(*at)).take(self.count).collect()
    }

    /// The next occurrences, skipped ones among them.
    #[must_use]
    pub fn rows(&self) -> Vec<PreviewRow> {
        let occurrences = self.schedule.occurrences_after(self.after);
        let within = occurrences.take_while(|occurrence| self.bounds.admit(occurrence.at()));
        within.take(self.count).map(|occurrence| self.row(occurrence)).collect()
    }

    fn row(&self, occurrence: Occurrence) -> PreviewRow {
        let (at, zone) = (occurrence.at(), self.schedule.zone());
        let (kind, local) = match occurrence {
            Occurrence::Fire { .. } => (PreviewKind::Fire, local_text(zone, at)),
            Occurrence::DstSkip { local, .. } => (PreviewKind::DstSkip, local.format("%Y-%m-%dT%H:%M:%S").to_string()),
        };
        PreviewRow { kind, local, viewer: self.viewer.map(|viewer| local_text(viewer, at)), utc: at }
    }
}

fn local_text(zone: Zone, at: Timestamp) -> String {
    zone.to_local(at).to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

fn read_instant(problem: &'static str, text: &str) -> Result<Timestamp, ScheduleError> {
    text.parse().map_err(|_| {
        let allowed = "RFC 3339, such as 2026-03-08T02:30:00Z";
        ScheduleError::new(Kind::Request, problem).token(text).allowed(allowed)
    })
}

fn read_count(count: Option<u64>) -> Result<usize, ScheduleError> {
    let count = count.map_or(Some(PREVIEW_COUNT_DEFAULT), |count| usize::try_from(count).ok());
    count.filter(|count| *count <= PREVIEW_COUNT_MAX).ok_or_else(|| {
        ScheduleError::new(Kind::Request, "asks for too many occurrences in `count`").allowed("at most 1000")
    })
}

fn choice<T: FromStr<Err = UnknownChoice> + Default>(text: Option<&str>) -> Result<T, ScheduleError> {
    text.map_or_else(|| Ok(T::default()), |text| text.parse().map_err(|error| unknown(text, &error)))
}

fn unknown(text: &str, error: &UnknownChoice) -> ScheduleError {
    ScheduleError::new(Kind::Request, error.problem()).token(text).allowed(error.allowed())
}
