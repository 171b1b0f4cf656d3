//! What was probably meant by a name that is no zone.

use chrono_tz::TZ_VARIANTS;

/// What common abbreviations, country names and POSIX names stand for. Where an abbreviation names several, the most
/// populous; it is a suggestion, not a reading.
const MEANINGS: [(&str, &str); 68] = [
    ("EST", "America/New_York"),
    ("EDT", "America/New_York"),
    ("ET", "America/New_York"),
    ("EST5EDT", "America/New_York"),
    ("CST", "America/Chicago"),
    ("CDT", "America/Chicago"),
    ("CT", "America/Chicago"),
    ("CST6CDT", "America/Chicago"),
    ("MST", "America/Denver"),
    ("MDT", "America/Denver"),
    ("MT", "America/Denver"),
    ("MST7MDT", "America/Denver"),
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
    ("PT", "America/Los_Angeles"),
    ("PST8PDT", "America/Los_Angeles"),
    ("AST", "America/Halifax"),
    ("ADT", "America/Halifax"),
    ("AKST", "America/Anchorage"),
    ("AKDT", "America/Anchorage"),
    ("HST", "Pacific/Honolulu"),
    ("NST", "America/St_Johns"),
    ("BRT", "America/Sao_Paulo"),
    ("ART", "America/Argentina/Buenos_Aires"),
    ("GMT", "UTC"),
    ("UTC", "UTC"),
    ("UCT", "UTC"),
    ("Z", "UTC"),
    ("ZULU", "UTC"),
    ("UNIVERSAL", "UTC"),
    ("GREENWICH", "UTC"),
    ("ETC/GMT", "UTC"),
    ("ETC/UCT", "UTC"),
    ("ETC/ZULU", "UTC"),
    ("ETC/UNIVERSAL", "UTC"),
    ("BST", "Europe/London"),
    ("GB", "Europe/London"),
    ("WET", "Europe/Lisbon"),
    ("WEST", "Europe/Lisbon"),
    ("CET", "Europe/Paris"),
    ("CEST", "Europe/Paris"),
    ("MET", "Europe/Paris"),
    ("EET", "Europe/Helsinki"),
    ("EEST", "Europe/Helsinki"),
    ("MSK", "Europe/Moscow"),
    ("W-SU", "Europe/Moscow"),
    ("TRT", "Europe/Istanbul"),
    ("IST", "Asia/Kolkata"),
    ("PKT", "Asia/Karachi"),
    ("ICT", "Asia/Bangkok"),
    ("WIB", "Asia/Jakarta"),
    ("SGT", "Asia/Singapore"),
    ("HKT", "Asia/Hong_Kong"),
    ("PRC", "Asia/Shanghai"),
    ("ROC", "Asia/Taipei"),
    ("ROK", "Asia/Seoul"),
    ("KST", "Asia/Seoul"),
    ("JST", "Asia/Tokyo"),
    ("JAPAN", "Asia/Tokyo"),
    ("IRAN", "Asia/Tehran"),
    ("AWST", "Australia/Perth"),
    ("AEST", "Australia/Sydney"),
    ("AEDT", "Australia/Sydney"),
    ("NZ", "Pacific/Auckland"),
    ("NZST", "Pacific/Auckland"),
    ("NZ-CHAT", "Pacific/Chatham"),
    ("SAST", "Africa/Johannesburg"),
    ("WAT", "Africa/Lagos"),
];

/// A zone for each whole hour east of Greenwich, from -11 to +13.
const BY_HOUR: [&str; 25] = [
    "Pacific/Pago_Pago",
    "Pacific/Honolulu",
    "America/Anchorage",
    "America/Los_Angeles",
    "America/Denver",
    "America/Chicago",
    "America/New_York",
    "America/Halifax",
    "America/Sao_Paulo",
    "Atlantic/South_Georgia",
    "Atlantic/Azores",
    "UTC",
    "Europe/Berlin",
    "Europe/Helsinki",
    "Europe/Istanbul",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Noumea",
    "Pacific/Auckland",
    "Pacific/Tongatapu",
];

/// `+05:00`, `UTC-8`, `GMT+5`, `Etc/GMT+5`
pub(super) fn is_offset(text: &str) -> bool {
    hours_east(text).is_some()
}

/// The zone that was probably meant, if one is obvious.
pub(super) fn meant(text: &str) -> Option<&'static str> {
    if let Some(hours) = hours_east(text) {
        return BY_HOUR.get(usize::try_from(hours + 11).ok()?).copied();
    }
    let tidy: String = text.trim().chars().map(|c| if c == ' ' { '_' } else { c }).collect();
    let upper = tidy.to_ascii_uppercase();
    let known = MEANINGS.iter().find(|(name, _)| *name == upper).map(|(_, zone)| *zone);
    known.or_else(|| alike(&tidy)).or_else(|| nearest(&tidy))
}

/// A sign and at most two digits of hours, after what usually precedes them.
fn hours_east(text: &str) -> Option<i32> {
    let posix = text.strip_prefix("Etc/GMT");
    let rest = posix.or_else(|| text.strip_prefix("UTC")).or_else(|| text.strip_prefix("GMT")).unwrap_or(text);
    let sign = match rest.chars().next()? {
        '+' => 1,
        '-' | '\u{2212}' => -1,
        _ => return None,
    };
    let digits = rest.trim_start_matches(['+', '-', '\u{2212}']);
    let end = digits.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let hours: i32 = digits.get(..end.min(2))?.parse().ok()?;
    // POSIX counts west of Greenwich as positive, and Etc/ follows it.
    Some(if posix.is_some() { -sign * hours } else { sign * hours })
}

/// The same name in other capitals, or the location without its area.
fn alike(name: &str) -> Option<&'static str> {
    let whole = |zone: &&'static str| zone.eq_ignore_ascii_case(name);
    let location = |zone: &&'static str| zone.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(name));
    zones().find(whole).or_else(|| zones().find(location))
}

/// A name that two letters at most tell apart.
fn nearest(name: &str) -> Option<&'static str> {
    if name.len() < 6 || name.len() > 32 || !name.is_ascii() {
        return None;
    }
    let close = zones().filter(|zone| zone.len().abs_diff(name.len()) <= 2);
    let (distance, zone) = close.map(|zone| (strsim::osa_distance(zone, name), zone)).min()?;
    (distance <= 2).then_some(zone)
}

/// The names that are accepted; areas of old, such as `US/Eastern`, after the others.
fn zones() -> impl Iterator<Item = &'static str> {
    let names = TZ_VARIANTS.iter().map(|zone| zone.name());
    names.filter(|name| name.contains('/') && !name.starts_with("Etc/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_that_was_meant_is_named() {
        for (text, zone) in [
            ("EST", "America/New_York"),
            ("europe/berlin", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("New York", "America/New_York"),
            ("Europe/Berlim", "Europe/Berlin"),
            ("USA/Eastern", "US/Eastern"),
            (" Europe/Berlin", "Europe/Berlin"),
            ("+05:00", "Asia/Karachi"),
            ("Etc/GMT+5", "America/New_York"),
            ("utc", "UTC"),
        ] {
            assert_eq!(meant(text), Some(zone), "{text}");
        }
    }

    #[test]
    fn every_suggestion_is_accepted() {
        for zone in MEANINGS.iter().map(|(_, zone)| zone).chain(&BY_HOUR) {
            assert!(zone.parse::<super::super::Zone>().is_ok(), "{zone}");
        }
    }
}
