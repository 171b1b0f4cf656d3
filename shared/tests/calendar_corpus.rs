//! The calendar against instants and refusals from independent oracles.

mod computing;

use std::time::Duration;

use carillon_shared::clock::Timestamp;
use carillon_shared::cron::{PreviewAnswer, PreviewRequest};
use computing::timed;
use serde_json::Value;

const SAMPLE: &str = include_str!("data/calendar-sample.jsonl");
const INVALID: &str = include_str!("data/calendar-invalid-sample.jsonl");

/// Every verdict must be computed within this; a debug build is some twenty times slower than what users run.
const VERDICT_TIME_MAX: Duration = Duration::from_millis(100);

fn rows(text: &str) -> impl Iterator<Item = Value> + '_ {
    text.lines().map(|line| serde_json::from_str(line).expect("the corpus is JSON lines"))
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

fn next(expr: &str, row: &Value, after: &str) -> PreviewAnswer {
    let request = PreviewRequest {
        expr: expr.to_owned(),
        tz: Some(text(row, "tz").to_owned()),
        after: Some(after.to_owned()),
        count: Some(8),
        dialect: Some(text(row, "dialect").to_owned()),
        ..PreviewRequest::default()
    };
    request.answer(Timestamp::from_ms(0))
}

#[test]
fn every_instant_of_the_sample_is_found() {
    let mut wrong = Vec::new();
    for row in rows(SAMPLE) {
        let PreviewAnswer::Next { next } = next(text(&row, "expr"), &row, text(&row, "after")) else {
            wrong.push(format!("{row}: refused"));
            continue;
        };
        let before_end = |at: &&Timestamp| row["until"].as_str().is_none_or(|until| at.to_string().as_str() < until);
        let found: Vec<_> = next.iter().filter(before_end).map(ToString::to_string).collect();
        let expected: Vec<_> = row["next"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if found != expected {
            wrong.push(format!("{row}: found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_refusal_of_the_sample_is_refused_at_once() {
    let mut wrong = Vec::new();
    let after = "2026-01-01T00:00:00Z";
    for row in rows(INVALID) {
        let expr = match row.get("expr_repeat") {
            Some(repeat) => {
                let count = usize::try_from(repeat["count"].as_u64().unwrap_or(0)).unwrap_or(0);
                text(repeat, "prefix").to_owned() + &text(repeat, "unit").repeat(count) + text(repeat, "suffix")
            }
            None => text(&row, "expr").to_owned(),
        };
        let (answer, took) = timed(|| next(&expr, &row, after));
        let refused = matches!(answer, PreviewAnswer::Refused { .. });
        let right = match (text(&row, "verdict"), row["means"].as_str()) {
            ("reject", _) => refused,
            (_, Some(means)) => refused || answer == next(means, &row, after),
            _ => true,
        };
        if !right || took > VERDICT_TIME_MAX {
            wrong.push(format!("{row}: {answer:?} in {took:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
