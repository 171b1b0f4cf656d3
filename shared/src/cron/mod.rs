//! The calendar: when a schedule fires, decided from arguments alone.
//!
//! An expression is read once ([`Schedule::parse`]), compiled to bit sets and day masks, and walked in *civil* time, that of
//! the local clock; only then is a civil time resolved in its zone. The `cron` crate reads ranges, lists and the steps over
//! them; stars, `L`, `W`, `#`, `?`, years, names, both Sundays and ranges that go round are read here, and our grammar
//! decides before either. There is no clock and no store in here: `now` is an argument.
//!
//! ```
//! use carillon_shared::clock::Timestamp;
//! use carillon_shared::cron::{Schedule, ScheduleOptions};
//!
//! let options = ScheduleOptions { zone: "America/New_York".parse()?, ..ScheduleOptions::default() };
//! let schedule = Schedule::parse("0 9 * * MON-FRI", &options)?;
//! let friday: Timestamp = "2026-03-06T14:00:00Z".parse()?;
//! assert_eq!(schedule.next_fire_after(friday), Some("2026-03-09T13:00:00Z".parse()?));
//! assert_eq!(schedule.describe(), "At 09:00 on Monday to Friday, New York time");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is read
//!
//! | | OJS dialect | Quartz dialect |
//! |---|---|---|
//! | fields | 5, or 6 with seconds first | 6, or 7 with a year last |
//! | weekdays | 0-7, both ends Sunday | 1-7 from Sunday |
//! | day fields | days that match either, if neither is literally `*` | exactly one of them is `?` |
//! | ranges | only forwards, or up to Sunday (`FRI-SUN`) | may go round (`22-2`, `NOV-FEB`), years only forwards |
//! | `@daily`, `@every 1h30m` | yes | no |
//!
//! In both: names of three letters in any case; `5/15` is `5-59/15`, for OJS weekdays up to 7; a step counts wherever it
//! stands, after names too; `L`, `L-3`, `LW`, `L-3W`, `15W` among days of the month, `5L` and `5#3` among weekdays; at most
//! 256 bytes. Zones are `UTC` or IANA names with an area and a location, spelt exactly (OJS scheduling, time zones).
//!
//! # Clock changes
//!
//! * A local time that does not exist does not fire, in no schedule. One that names its hours says so with one
//!   [`Occurrence::DstSkip`] for each gap, whose local time is the first of those it names; one that runs in every hour is
//!   tied to none, keeps its rhythm, and skips nothing.
//! * A local time that comes twice fires once, at the first pass, for a schedule that names its hours; at both for one that
//!   runs in every hour. [`DstFold`] states it for an entry.
//! * A schedule runs in every hour if all 24 are in its set, however they are written.
//! * `@every` knows of no clock changes. It counts from its anchor, whole seconds, without drift.
//! * `L`, `W` and `#` are taken on the calendar, even in a month of which a zone left out a day.
//!
//! The calendar begins in 1970 and ends with 9999. Changes of the zones are those of `chrono-tz`, and from 2100 on those of
//! the rules in force.
//!
//! # Where others read otherwise
//!
//! * `croner` moves a fixed time out of the gap (02:30 fires at 03:00); here it is skipped, as OJS demands. It reads no
//!   `5/15`, and needs milliseconds to give up on a February 30, each time it is asked.
//! * `cron` fires a fixed time at both passes, and what it gives around a repeated hour is not in order. It wants both day
//!   fields to match, counts weekdays from Sunday = 1, refuses steps wider than a field, takes full names, ends in 2100.
//! * Quartz ignores the step in `MON-FRI/2` and reads `*/0` as every value.
//! * Vixie cron takes `*/2` for a star when it joins the day fields; POSIX, and we, only the literal `*`.

mod alias;
mod bounds;
mod change;
mod civil;
mod days;
mod decide;
mod definition;
mod describe;
mod dialect;
mod element;
mod error;
mod every;
mod expression;
mod field;
mod interval;
mod jitter;
mod kept;
mod ledger;
mod ledger_query;
mod mark;
mod masks;
mod name_hint;
mod occurrence;
mod options;
mod pattern;
mod pause;
mod phrase;
mod plain;
mod policy;
mod preview;
mod registration;
mod schedule;
mod source;
mod span;
mod special;
mod status;
mod times;
mod timetable;
mod transitions;
mod walk;
mod warning;
pub mod why;
mod words;
mod zone;
mod zone_hint;

pub use bounds::Bounds;
pub use change::{Change, GivenUp, Standing, change};
pub use decide::{
    Decided, Decision, Due, FireKind, LiveRuns, MISSED_EACH_MAX, SkipReason, WAITING_TOLD, decide, decide_asked,
    overlap,
};
pub use definition::Definition;
pub use dialect::{Dialect, DstFold, FieldCount, UnknownChoice};
pub use error::{ScheduleError, ScheduleErrorKind};
pub use field::Field;
pub use ledger::{EntryChange, LedgerDecision, LedgerNote, LedgerRow, LiveRun, RunEnd};
pub(crate) use ledger_query::position;
pub use ledger_query::{
    DecisionWord, KindWord, LedgerCursor, LedgerFilter, LedgerOrder, LedgerQuery, LedgerQueryError, ReasonWord,
    comes_before,
};
pub use mark::{is_skip_mark, next_mark};
pub use occurrence::Occurrence;
pub use options::ScheduleOptions;
pub use pause::Pause;
pub use policy::{Lateness, Misfire, OverlapPolicy};
pub use preview::{PREVIEW_COUNT_MAX, Preview, PreviewAnswer, PreviewKind, PreviewRequest, PreviewRow};
pub use registration::{MEMBERS, Spelling};
pub use schedule::Schedule;
pub use source::Source;
pub use span::read as read_span;
pub use status::{EntryStatus, to_wire};
pub use timetable::Timetable;
pub use warning::Warning;
pub use zone::Zone;
