//! `@every 1h30m`: an interval counted from an anchor, independent of zones and of clock changes.

use super::error::{ScheduleError, ScheduleErrorKind as Kind};

/// The longest interval: a hundred years of 366 days, so that sums of instants cannot overflow.
const INTERVAL_SECS_MAX: u64 = 100 * 366 * 86_400;

const ALLOWED: &str = "whole seconds from 1s on, written with h, m and s, such as 30m, 1h30m or 45s";

/// Reads the duration after `@every`, in seconds. `offset` is where it begins.
pub(super) fn read(text: &str, offset: usize) -> Result<u64, ScheduleError> {
    let refuse = |problem| ScheduleError::new(Kind::Every, problem).token(text).at(offset).allowed(ALLOWED);
    if text.is_empty() {
        return Err(ScheduleError::new(Kind::Every, "has no duration").token("@every").at(0).allowed(ALLOWED));
    }
    let mut nanos: u128 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = read_part(rest).ok_or_else(|| refuse("is not a duration").suggest(repaired(text)))?;
        nanos = nanos.saturating_add(part);
        rest = after;
    }
    match u64::try_from(nanos / NANOS_PER_SEC) {
        _ if nanos < NANOS_PER_SEC => Err(refuse("is shorter than one second").suggest(Some("1s"))),
        _ if !nanos.is_multiple_of(NANOS_PER_SEC) => Err(refuse("is not a whole number of seconds")),
        Ok(secs) if secs <= INTERVAL_SECS_MAX => Ok(secs),
        _ => Err(refuse("is longer than 100 years")),
    }
}

/// The shortest writing of an interval, without units that are zero.
pub(super) fn write(secs: u64) -> String {
    let parts = [(secs / 3600, "h"), (secs / 60 % 60, "m"), (secs % 60, "s")];
    parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect()
}

const NANOS_PER_SEC: u128 = 1_000_000_000;

/// More digits than any allowed duration has; beyond them sums could overflow.
const DIGITS_MAX: usize = 18;

/// `1.5h` at the beginning of the text, in nanoseconds, and what follows it.
fn read_part(text: &str) -> Option<(u128, &str)> {
    let (whole, rest) = digits(text)?;
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest)?,
        None => ("0", rest),
    };
    let (unit, rest) = unit(rest)?;
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole = whole.parse::<u128>().ok()? * unit;
    let fraction = fraction.parse::<u128>().ok()? * unit / scale;
    Some((whole + fraction, rest))
}

fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    (1..=DIGITS_MAX).contains(&end).then(|| text.split_at(end))
}

fn unit(text: &str) -> Option<(u128, &str)> {
    let units =
        [("ms", NANOS_PER_SEC / 1000), ("h", 3600 * NANOS_PER_SEC), ("m", 60 * NANOS_PER_SEC), ("s", NANOS_PER_SEC)];
    let known = |&(name, nanos)| text.strip_prefix(name).map(|rest| (nanos, rest));
    units.iter().find_map(known)
}

/// `5 m`, `5M`, `5min`, `5`, `1d` as they were probably meant.
fn repaired(text: &str) -> Option<String> {
    let plain: String = text.to_ascii_lowercase().split_whitespace().collect();
    let end = plain.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(plain.len());
    let (count, unit) = plain.split_at(end);
    let count: u64 = count.parse().ok().filter(|count| (1..=100_000).contains(count))?;
    let meant = match unit {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => format!("{count}s"),
        "m" | "min" | "mins" | "minute" | "minutes" => format!("{count}m"),
        "h" | "hour" | "hours" | "hr" | "hrs" => format!("{count}h"),
        "d" | "day" | "days" => format!("{}h", count * 24),
        "w" | "week" | "weeks" => format!("{}h", count * 168),
        _ => return None,
    };
    Some(meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_seconds() {
        for (text, secs) in
            [("30m", 1800), ("1h30m", 5400), ("1.5h", 5400), ("45s", 45), ("90000ms", 90), ("1m0.5s500ms", 61)]
        {
            assert_eq!(read(text, 7), Ok(secs), "{text}");
            assert_eq!(read(&write(secs), 7), Ok(secs));
        }
    }

    #[test]
    fn what_is_no_whole_second_is_refused() {
        for text in
            ["", "0s", "500ms", "1.5s", "5", "m", "5 m", "-5m", "+5m", "1.h", ".5h", "1hour", "99999999999999999999ms"]
        {
            assert!(read(text, 7).is_err(), "{text}");
        }
        assert_eq!(read("5min", 7).unwrap_err().suggestion(), Some("5m"));
        assert_eq!(read("1d", 7).unwrap_err().suggestion(), Some("24h"));
    }
}
