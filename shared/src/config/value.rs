//! The grammar of values: each function parses text or says what was expected.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::name::NameError;

/// A value, or what was expected, worded to follow "expected".
pub(super) type Parsed<T> = Result<T, String>;

/// A duration such as `500ms`, `10s`, `5m`, within bounds.
pub(super) fn duration(range: RangeInclusive<Duration>) -> impl Fn(&str) -> Parsed<Duration> {
    move |text| {
        let value = humantime::parse_duration(text).ok().filter(|value| range.contains(value));
        value.ok_or_else(|| {
            let [low, high] = [range.start(), range.end()].map(|bound| humantime::format_duration(*bound));
            format!("a duration with its unit, such as 500ms, 10s or 5m, from {low} to {high}")
        })
    }
}

/// A duration of whole seconds, within bounds.
pub(super) fn whole_seconds(range: RangeInclusive<Duration>) -> impl Fn(&str) -> Parsed<Duration> {
    let duration = duration(range);
    move |text| {
        let value = duration(text)?;
        if value.subsec_nanos() == 0 { Ok(value) } else { Err("whole seconds, such as 10s".to_owned()) }
    }
}

/// A whole number within bounds.
pub(super) fn integer<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Parsed<T>
where
    T: FromStr + PartialOrd + Display,
{
    move |text| {
        let value = text.parse().ok().filter(|value| range.contains(value));
        value.ok_or_else(|| format!("a whole number from {} to {}", range.start(), range.end()))
    }
}

/// A value whose own parser says what it expects.
pub(super) fn parsed<T: FromStr<Err: Display>>(text: &str) -> Parsed<T> {
    text.parse().map_err(|expected: T::Err| expected.to_string())
}

/// A name with a grammar of its own.
pub(super) fn name<T: FromStr<Err = NameError>>(text: &str) -> Parsed<T> {
    text.parse().map_err(|error: NameError| format!("a {} of {}", error.what, error.expected))
}

/// A list separated by commas, without repetitions, at least one element.
pub(super) fn list<T: PartialEq>(element: impl Fn(&str) -> Parsed<T>) -> impl Fn(&str) -> Parsed<Vec<T>> {
    move |text| {
        let mut values = Vec::new();
        for part in text.split(',').map(str::trim) {
            let value = element(part)?;
            if values.contains(&value) {
                return Err(format!("each name once, but {part} stands twice"));
            }
            values.push(value);
        }
        Ok(values)
    }
}

/// `true` or `false`.
pub(super) fn boolean(text: &str) -> Parsed<bool> {
    match text {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err("true or false".to_owned()),
    }
}

/// An IP address to listen on, or `localhost`.
pub(super) fn host(text: &str) -> Parsed<IpAddr> {
    if text == "localhost" {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    text.parse().map_err(|_| "an IP address to listen on, such as 127.0.0.1, 0.0.0.0 or ::".to_owned())
}

/// A port, or `off`.
pub(super) fn port_or_off(text: &str) -> Parsed<Option<u16>> {
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| format!("a port from 0 to {}, or off", u16::MAX))
}

/// A directory that can be read.
pub(super) fn directory(text: &str) -> Parsed<PathBuf> {
    let path = PathBuf::from(text);
    if path.read_dir().is_ok() { Ok(path) } else { Err("a directory that can be read".to_owned()) }
}

/// An address with its port, or `off`.
pub(super) fn address_or_off(text: &str) -> Parsed<Option<SocketAddr>> {
    if text == "off" {
        return Ok(None);
    }
    let address = text.parse().map_err(|_| "an IP address with a port, such as 127.0.0.1:9091, or off".to_owned());
    address.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_duration_needs_its_unit_and_keeps_to_its_bounds() {
        let parse = duration(SECOND..=SECOND * 60);
        assert_eq!(parse("1m"), Ok(SECOND * 60));
        for text in ["10", "soon", "999ms", "61s", "-1s", ""] {
            let expected = "a duration with its unit, such as 500ms, 10s or 5m, from 1s to 1m";
            assert_eq!(parse(text), Err(expected.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn parts_of_a_second_are_refused_where_seconds_count() {
        assert_eq!(whole_seconds(SECOND..=SECOND * 9)("1500ms"), Err("whole seconds, such as 10s".to_owned()));
    }

    #[test]
    fn a_number_keeps_to_its_bounds() {
        let parse = integer(1u16..=16);
        assert_eq!((parse("1"), parse("16")), (Ok(1), Ok(16)));
        for text in ["0", "17", "99999", "1.5", "-1", ""] {
            assert_eq!(parse(text), Err("a whole number from 1 to 16".to_owned()), "{text:?}");
        }
    }

    #[test]
    fn a_list_trims_its_elements_and_refuses_repetition() {
        let parse = list(integer(1..=9));
        assert_eq!(parse("3, 1,2"), Ok(vec![3, 1, 2]));
        assert_eq!(parse("3,1,3"), Err("each name once, but 3 stands twice".to_owned()));
        assert!(parse("3,,1").is_err());
    }
}
