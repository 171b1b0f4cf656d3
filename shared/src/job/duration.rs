//! ISO 8601 durations, as retry policies and delays write them: `PT30S`, `PT0.5S`, `P1DT2H`, `P2W`.
//!
//! Years and months have no fixed length and are refused. The wire echoes durations as ISO text, never as numbers.

use std::time::Duration;

/// Reads a duration; `None` if it is not one, is not bounded, or is finer than a millisecond.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let body = text.strip_prefix('P')?;
    let (days, time) = match body.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (body, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let ms = sum(days, &[('W', 604_800_000), ('D', 86_400_000)])?
        .checked_add(sum(time, &[('H', 3_600_000), ('M', 60_000), ('S', 1000)])?)?;
    Some(Duration::from_millis(ms))
}

/// Writes a duration, to the millisecond.
#[must_use]
pub fn format(duration: Duration) -> String {
    let ms = duration.as_millis();
    let (hours, minutes, seconds, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
    let mut text = "PT".to_owned();
    if hours > 0 {
        text += &format!("{hours}H");
    }
    if minutes > 0 {
        text += &format!("{minutes}M");
    }
    if rest > 0 {
        text += format!("{seconds}.{rest:03}").trim_end_matches('0');
        text += "S";
    } else if seconds > 0 || ms == 0 {
        text += &format!("{seconds}S");
    }
    text
}

/// Adds up `<number><unit>…`; the units must come in the order given, each at most once.
fn sum(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total_ms: u64 = 0;
    for &(unit, unit_ms) in units {
        let Some(end) = text.find(unit) else { continue };
        total_ms = total_ms.checked_add(part(&text[..end], unit_ms, unit == 'S')?)?;
        text = &text[end + 1..];
    }
    text.is_empty().then_some(total_ms)
}

fn part(number: &str, unit_ms: u64, fraction_allowed: bool) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 12 || !digits(whole) || !digits(fraction) {
        return None;
    }
    if number.contains('.') && (!fraction_allowed || fraction.is_empty() || fraction.len() > 9) {
        return None;
    }
    let fraction_ms = format!("{fraction:0<3}")[..3].parse::<u64>().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(unit_ms)?.checked_add(fraction_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_the_specification_are_read() {
        for (text, ms) in [
            ("PT1S", 1000),
            ("PT0.5S", 500),
            ("PT1M30S", 90_000),
            ("P1D", 86_400_000),
            ("P1DT1H", 90_000_000),
            ("P2W", 1_209_600_000),
            ("PT0S", 0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn other_text_is_refused() {
        for text in [
            "",
            "P",
            "PT",
            "1S",
            "PT1",
            "P1Y",
            "P1M",
            "PT-1S",
            "PT1S1M",
            "PT1.S",
            "PT.5S",
            "PT1.5M",
            "pt1s",
            "PT99999999999999S",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        for ms in [0, 1, 500, 1000, 1500, 60_000, 90_500, 3_600_000, 90_061_001] {
            let duration = Duration::from_millis(ms);
            assert_eq!(parse(&format(duration)), Some(duration), "{}", format(duration));
        }
        assert_eq!(format(Duration::from_secs(300)), "PT5M");
    }
}
