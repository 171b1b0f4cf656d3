//! What the calendar says: errors that help, warnings, and schedules in plain English.

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{Dialect, PreviewRequest, Schedule, ScheduleError, ScheduleOptions, Zone};
use serde_json::json;

fn read(dialect: Dialect, zone: &str, text: &str) -> Result<Schedule, ScheduleError> {
    let zone: Zone = zone.parse()?;
    Schedule::parse(text, &ScheduleOptions { dialect, zone, ..ScheduleOptions::default() })
}

#[test]
fn errors_name_the_field_the_token_its_position_and_what_was_meant() {
    use Dialect::{Ojs, Quartz};
    for (dialect, text, field, token, position, suggestion) in [
        (Ojs, "0 0 * * MONDAY", Some("day-of-week"), Some("MONDAY"), Some(9), Some("MON")),
        (Ojs, "0 0 * * MO-FR", Some("day-of-week"), Some("MO-FR"), Some(9), Some("MON-FRI")),
        (Ojs, "0 0 * * Thrusday", Some("day-of-week"), Some("Thrusday"), Some(9), Some("THU")),
        (Ojs, "0 0 * Sept *", Some("month"), Some("Sept"), Some(7), Some("SEP")),
        (Ojs, "0 0 ? * MON", Some("day-of-month"), Some("?"), Some(5), Some("*")),
        (Ojs, "0 24 * * *", Some("hour"), Some("24"), Some(3), Some("0")),
        (Ojs, "0,60 * * * *", Some("minute"), Some("60"), Some(3), Some("0")),
        (Ojs, "*/0 * * * *", Some("minute"), Some("*/0"), Some(1), Some("*")),
        (Ojs, "0 22-6 * * *", Some("hour"), Some("22-6"), Some(3), Some("22-23,0-6")),
        (Ojs, "0 0 * DEC-JAN *", Some("month"), Some("DEC-JAN"), Some(7), Some("12,1")),
        (Ojs, "0 0 1,,2 * *", Some("day-of-month"), Some(","), Some(7), None),
        (Ojs, "0 0 * * 5#6", Some("day-of-week"), Some("5#6"), Some(9), None),
        (Ojs, "0 0 12 * * * 2027", None, None, None, Some("0 0 12 * * *")),
        (Ojs, "@secondly", None, Some("@secondly"), Some(1), Some("* * * * * *")),
        (Ojs, "@every 5min", None, Some("5min"), Some(8), Some("5m")),
        (Ojs, "  @dayly", None, Some("@dayly"), Some(3), Some("@daily")),
        (Quartz, "0 12 * * ?", None, None, None, Some("0 0 12 * * ?")),
        (Quartz, "0 0 12 * * MON", Some("day-of-week"), Some("MON"), Some(12), Some("0 0 12 ? * MON")),
        (Quartz, "0 0 12 1 * MON", Some("day-of-week"), Some("MON"), Some(12), None),
    ] {
        let error = read(dialect, "UTC", text).expect_err(text);
        assert_eq!(error.field().map(|field| field.to_string()).as_deref(), field, "{text}");
        assert_eq!((error.token_text(), error.position()), (token, position), "{text}");
        assert_eq!(error.suggestion(), suggestion, "{text}");
        if let Some(mended) = suggestion.filter(|suggestion| suggestion.contains(' ') || suggestion.contains('@')) {
            assert!(read(dialect, "UTC", mended).is_ok(), "{mended}");
        }
    }
}

#[test]
fn a_zone_is_refused_with_the_one_that_was_meant() {
    for (text, suggestion) in [
        ("EST", Some("America/New_York")),
        ("europe/berlin", Some("Europe/Berlin")),
        ("+05:00", Some("Asia/Karachi")),
        ("Etc/GMT+5", Some("America/New_York")),
        ("CET", Some("Europe/Paris")),
        ("Local", None),
        ("", None),
    ] {
        let error = text.parse::<Zone>().expect_err(text);
        assert_eq!(error.suggestion(), suggestion, "{text}");
    }
    for text in ["UTC", "Etc/UTC", "Asia/Calcutta", "US/Eastern", "America/Argentina/Buenos_Aires"] {
        assert_eq!(text.parse::<Zone>().map(|zone| zone.to_string()).as_deref(), Ok(text));
    }
}

#[test]
fn an_error_is_one_sentence_and_its_parts() {
    let error = read(Dialect::Ojs, "UTC", "0 0 * * MONDAY").expect_err("no name");
    let allowed = "0-7 or SUN-SAT (0 and 7 are Sunday) with * , - / and 5L, 5#3";
    let message = format!(
        "`MONDAY` in the day-of-week field (position 9) is neither a number nor a name; allowed: {allowed}; did you mean `MON`?"
    );
    assert_eq!(error.to_string(), message);
    let parts = json!({
        "kind": "name", "message": message, "field": "day-of-week", "token": "MONDAY", "position": 9,
        "allowed": allowed, "suggestion": "MON",
    });
    assert_eq!(serde_json::to_value(&error).expect("JSON"), parts);
}

#[test]
fn what_is_allowed_and_hardly_meant_is_warned_of() {
    let now: Timestamp = "2026-01-15T00:00:00Z".parse().expect("an instant");
    for (dialect, zone, text, codes) in [
        (Dialect::Ojs, "UTC", "0 9 * * MON-FRI", &[][..]),
        (Dialect::Ojs, "UTC", "*/7 * * * *", &["uneven_step"][..]),
        (Dialect::Ojs, "UTC", "*/90 * * * *", &["wide_step"]),
        (Dialect::Ojs, "UTC", "0 0 31 * *", &["short_months"]),
        (Dialect::Ojs, "UTC", "0 0 31W * *", &["short_months"]),
        (Dialect::Ojs, "UTC", "0 0 * * 1#5", &["fifth_weekday"]),
        (Dialect::Ojs, "UTC", "0 0 13 * FRI", &["day_union"]),
        (Dialect::Ojs, "UTC", "0 0 30 2 *", &["never_fires"]),
        (Dialect::Ojs, "America/New_York", "30 2 * * *", &["dst_gap"]),
        (Dialect::Ojs, "America/New_York", "30 1 * * *", &["dst_fold"]),
        (Dialect::Ojs, "America/New_York", "0 0-3 * * *", &["dst_gap", "dst_fold"]),
        (Dialect::Ojs, "America/New_York", "30 * * * *", &["dst_fold"]),
        (Dialect::Ojs, "America/New_York", "0 9 * * *", &[]),
        (Dialect::Quartz, "UTC", "0 0 9 ? * MON-FRI/2", &["quartz_named_step"]),
        (Dialect::Quartz, "UTC", "0 0 9 ? * 2-6", &["quartz_weekday"]),
        (Dialect::Quartz, "UTC", "0 0 0 1 1 ? 2020", &["no_more_fires"]),
    ] {
        let warnings = read(dialect, zone, text).expect(text).warnings(now);
        let found: Vec<_> = warnings.iter().map(|warning| warning.code).collect();
        assert_eq!(found, codes, "{text}: {warnings:?}");
    }
}

#[test]
fn a_schedule_is_said_in_plain_english() {
    use Dialect::{Ojs, Quartz};
    for (dialect, zone, text, said) in [
        (Ojs, "America/New_York", "0 9 * * MON-FRI", "At 09:00 on Monday to Friday, New York time"),
        (Ojs, "UTC", "@daily", "At 00:00 every day, UTC"),
        (Ojs, "Europe/Berlin", "*/15 * * * *", "Every 15 minutes, Berlin time"),
        (Ojs, "UTC", "* * * * * *", "Every second, UTC"),
        (Ojs, "UTC", "*/10 9-17 * * *", "Every 10 minutes from 09:00 to 17:59, UTC"),
        (Ojs, "UTC", "30 * * * *", "At minute 30 of every hour, UTC"),
        (Ojs, "UTC", "0 */2 * * *", "At minute 0 of every 2nd hour, UTC"),
        (Ojs, "UTC", "15 0,12 1,15 MAR-MAY *", "At 00:15 and 12:15 on days 1 and 15 of the month in March to May, UTC"),
        (Ojs, "UTC", "0 0 L * *", "At 00:00 on the last day of the month, UTC"),
        (Ojs, "UTC", "0 0 13 * FRI", "At 00:00 on day 13 of the month, or on Friday, UTC"),
        (Ojs, "UTC", "0 0 * * 5#3,1L", "At 00:00 on the 3rd Friday of the month and the last Monday of the month, UTC"),
        (
            Ojs,
            "UTC",
            "0 0 30 2 *",
            "At 00:00 on day 30 of the month in February, UTC; no such date exists, so it never fires",
        ),
        (Ojs, "UTC", "@every 90m", "Every 1h30m from 1970-01-01T00:00:00Z on"),
        (
            Quartz,
            "UTC",
            "30 0 22 ? NOV-FEB 6L",
            "At 22:00:30 on the last Friday of the month in November to February, UTC",
        ),
        (Quartz, "UTC", "0 0 8 15W * ? 2027", "At 08:00 on the weekday nearest to day 15 of the month of 2027, UTC"),
    ] {
        assert_eq!(read(dialect, zone, text).expect(text).describe(), said, "{text}");
    }
}

#[test]
fn a_preview_answers_with_instants_or_with_what_is_wrong() {
    let now: Timestamp = "2026-03-07T00:00:00Z".parse().expect("an instant");
    let answer = |request: serde_json::Value| {
        let request: PreviewRequest = serde_json::from_value(request).expect("a request");
        serde_json::to_value(request.answer(now)).expect("JSON")
    };
    let request = json!({"expr": "30 2 * * *", "tz": "America/New_York", "count": 2});
    assert_eq!(answer(request), json!({"next": ["2026-03-07T07:30:00Z", "2026-03-09T06:30:00Z"]}));
    assert_eq!(answer(json!({"expr": "0 0 30 2 *"})), json!({"next": []}));
    for wrong in [
        json!({"expr": "60 * * * *"}),
        json!({"expr": "* * * * *", "tz": "EST"}),
        json!({"expr": "* * * * *", "after": "yesterday"}),
        json!({"expr": "* * * * *", "count": 1_000_000}),
        json!({"expr": "* * * * *", "dialect": "vixie"}),
        json!({"expr": "* * * * *", "dst_fold": "twice"}),
        json!({"expr": "* * * * *", "fields": 4}),
    ] {
        assert!(answer(wrong.clone())["error"]["message"].is_string(), "{wrong}");
    }
}

#[test]
fn the_rows_of_a_preview_show_every_clock_and_what_is_skipped() {
    let request = PreviewRequest {
        expr: "30 2 * * *".to_owned(),
        tz: Some("America/New_York".to_owned()),
        viewer_tz: Some("Europe/Berlin".to_owned()),
        count: Some(2),
        ..PreviewRequest::default()
    };
    let now: Timestamp = "2026-03-08T00:00:00Z".parse().expect("an instant");
    let rows = request.read(now).expect("a request").rows();
    let skip = json!({
        "kind": "dst_skip", "local": "2026-03-08T02:30:00", "viewer": "2026-03-08T08:00:00+01:00", "utc": "2026-03-08T07:00:00Z",
    });
    let fire = json!({
        "kind": "fire", "local": "2026-03-09T02:30:00-04:00", "viewer": "2026-03-09T07:30:00+01:00",
        "utc": "2026-03-09T06:30:00Z",
    });
    assert_eq!(serde_json::to_value(&rows).expect("JSON"), json!([skip, fire]));
}
