//! Instants and spans, between the messages' idea of them and ours.

use std::time::Duration;

use carillon_shared::clock::Timestamp;
use carillon_shared::name::NameError;
use serde_json::Value;

use super::error::RpcError;

const NANOS_PER_MS: i32 = 1_000_000;

/// An instant as messages have it.
pub(super) fn message(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.as_ms().rem_euclid(1000)).unwrap_or(0) * NANOS_PER_MS;
    prost_types::Timestamp { seconds: at.as_secs(), nanos }
}

/// An instant that stands in JSON.
pub(super) fn written(value: Option<&Value>) -> Option<prost_types::Timestamp> {
    value?.as_str()?.parse().ok().map(message)
}

/// The instant that a message has.
pub(super) fn instant(field: &str, at: prost_types::Timestamp) -> Result<Timestamp, RpcError> {
    let valid = (0..1_000_000_000).contains(&at.nanos)
        && (Timestamp::MIN.as_secs()..=Timestamp::MAX.as_secs()).contains(&at.seconds);
    if !valid {
        return Err(RpcError::invalid(field, format!("{field} must be a time from the year 1 to 9999")));
    }
    Ok(Timestamp::from_ms(at.seconds * 1000 + i64::from(at.nanos / NANOS_PER_MS)))
}

/// A span as messages have it.
pub(super) fn span_message(span: Duration) -> prost_types::Duration {
    let nanos = i32::try_from(span.subsec_nanos()).unwrap_or(0);
    prost_types::Duration { seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX), nanos }
}

/// A span in milliseconds that stands in JSON.
pub(super) fn written_span(ms: Option<&Value>) -> Option<prost_types::Duration> {
    ms?.as_u64().map(|ms| span_message(Duration::from_millis(ms)))
}

/// The span that a message has, in whole milliseconds.
pub(super) fn span(field: &str, span: prost_types::Duration) -> Result<Duration, RpcError> {
    let negative = || RpcError::invalid(field, format!("{field} must be a duration that is not negative"));
    let span = Duration::try_from(span).map_err(|_| negative())?;
    u64::try_from(span.as_millis()).map(Duration::from_millis).map_err(|_| negative())
}

/// A name that a message has.
pub(super) fn name<T: std::str::FromStr<Err = NameError>>(field: &str, text: &str) -> Result<T, RpcError> {
    text.parse().map_err(|error: NameError| RpcError::invalid(field, format!("{field}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_comes_back_as_it_went() {
        for ms in [0, -1, 1_772_947_800_050, Timestamp::MIN.as_ms(), Timestamp::MAX.as_ms()] {
            let at = Timestamp::from_ms(ms);
            assert_eq!(instant("x", message(at)), Ok(at), "{ms}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        let at = |seconds, nanos| prost_types::Timestamp { seconds, nanos };
        for strange in [at(i64::MAX, 0), at(0, -1), at(0, 1_000_000_000)] {
            assert_eq!(instant("delay_until", strange).expect_err("no time").field, "delay_until");
        }
        assert_eq!(span("ttl", prost_types::Duration { seconds: -1, nanos: 0 }).expect_err("negative").field, "ttl");
        assert_eq!(
            span("ttl", prost_types::Duration { seconds: 1, nanos: 1_500_000 }),
            Ok(Duration::from_millis(1001))
        );
    }
}
