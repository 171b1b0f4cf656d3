//! What became of the jobs of a queue within the last hour: counted by the minute by the scripts that end attempts.

use std::collections::BTreeMap;

use super::{Reply, Store, StoreError};
use crate::clock::Timestamp;
use crate::name::QueueName;

/// The last hour of a queue: the present minute and the 59 before it. Zeros and averages of nothing are 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Recent {
    /// Jobs that completed.
    pub completed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// How long the attempts of those that completed took on average, in milliseconds.
    pub avg_duration_ms: f64,
    /// How long those had been available on average before they were claimed, in milliseconds.
    pub avg_wait_ms: f64,
    /// Jobs that completed each second, over the present minute and the one before it.
    pub throughput_per_second: f64,
}

/// One minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Minute {
    completed: u64,
    failed: u64,
    ran_ms: u64,
    waited_ms: u64,
}

const MINUTES: i64 = 60;
/// A hash holds so many minutes.
const BLOCK: i64 = 10;
/// Where the number of jobs begins in the sum that also holds how long they ran.
const COUNT_SHIFT: u32 = 40;

impl Store {
    /// Reads the last hour of a queue.
    ///
    /// # Errors
    ///
    /// When Redis cannot be reached, or what it holds is not as the scripts write it.
    pub async fn recent(&self, queue: &QueueName) -> Result<Recent, StoreError> {
        let now = self.clock().now();
        let keys = self.key(self.keys().partition_of(queue));
        let newest = minute_of(now) / BLOCK;
        let mut pipe = redis::pipe();
        for block in newest - MINUTES / BLOCK..=newest {
            pipe.cmd("HGETALL").arg(keys.minutes(queue, block));
        }
        let mut minutes = BTreeMap::new();
        for block in Reply::new("minutes", self.0.connection.transaction(&pipe).await?)?.lists(0)? {
            for (field, value) in block.pairs()? {
                add(&mut minutes, &field, &value)
                    .ok_or_else(|| StoreError::corrupt(keys.minutes(queue, newest), format!("{field} is `{value}`")))?;
            }
        }
        Ok(Recent::of(now, &minutes))
    }
}

impl Recent {
    fn of(now: Timestamp, minutes: &BTreeMap<i64, Minute>) -> Self {
        let present = minute_of(now);
        let hour = minutes.range(present - MINUTES + 1..=present).map(|(_, minute)| minute);
        let (mut sum, mut lately) = (Minute::default(), 0);
        for minute in hour {
            sum.completed += minute.completed;
            sum.failed += minute.failed;
            sum.ran_ms += minute.ran_ms;
            sum.waited_ms += minute.waited_ms;
        }
        for (_, minute) in minutes.range(present - 1..=present) {
            lately += minute.completed;
        }
        let seconds = 60.0 + real(now.as_ms().rem_euclid(60_000).unsigned_abs()) / 1000.0;
        Self {
            completed: sum.completed,
            failed: sum.failed,
            avg_duration_ms: average(sum.ran_ms, sum.completed),
            avg_wait_ms: average(sum.waited_ms, sum.completed),
            throughput_per_second: real(lately) / seconds,
        }
    }
}

/// Adds a field as `attempt.lua` writes it.
fn add(minutes: &mut BTreeMap<i64, Minute>, field: &str, value: &str) -> Option<()> {
    let (kind, minute) = field.split_at_checked(1)?;
    let (value, minute): (u64, i64) = (value.parse().ok()?, minute.parse().ok()?);
    let minute = minutes.entry(minute).or_default();
    match kind {
        "c" => {
            minute.completed = value >> COUNT_SHIFT;
            minute.ran_ms = value & ((1 << COUNT_SHIFT) - 1);
        }
        "w" => minute.waited_ms = value,
        "f" => minute.failed = value,
        _ => return None,
    }
    Some(())
}

fn minute_of(at: Timestamp) -> i64 {
    at.as_ms().div_euclid(60_000)
}

fn average(sum: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { real(sum) / real(count) }
}

#[expect(clippy::cast_precision_loss, reason = "an average needs no more digits than a double has")]
fn real(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(fields: &[(&str, u64)]) -> BTreeMap<i64, Minute> {
        let mut minutes = BTreeMap::new();
        for (field, value) in fields {
            add(&mut minutes, field, &value.to_string()).expect("as the scripts write it");
        }
        minutes
    }

    #[test]
    fn an_hour_is_the_present_minute_and_the_59_before_it() {
        let now = Timestamp::from_ms(1000 * 60_000 + 30_000);
        let jobs = |n: u64, ran_ms: u64| (n << COUNT_SHIFT) + ran_ms;
        let found = Recent::of(
            now,
            &minutes(&[("c940", jobs(99, 1)), ("c941", jobs(1, 10)), ("c999", jobs(3, 40)), ("w999", 8), ("f1000", 2)]),
        );
        assert_eq!((found.completed, found.failed), (4, 2));
        assert_eq!((found.avg_duration_ms, found.avg_wait_ms), (12.5, 2.0));
        assert!((found.throughput_per_second - 3.0 / 90.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn nothing_has_averages_of_nothing() {
        assert_eq!(Recent::of(Timestamp::from_ms(0), &BTreeMap::new()), Recent::default());
    }

    #[test]
    fn what_no_script_wrote_is_not_read() {
        for (field, value) in [("z1", "1"), ("c", "1"), ("c1", "x"), ("", "1"), ("ç1", "1")] {
            assert_eq!(add(&mut BTreeMap::new(), field, value), None, "{field}");
        }
    }
}
