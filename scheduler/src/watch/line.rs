//! An event on one line, for a person at a terminal.

use carillon_shared::event::Event;
use serde_json::{Map, Value};

/// A value that a user chose is cut to this.
const SHOWN_CHARS_MAX: usize = 120;

/// The event as `12:00:05.012  job.completed   echo in 3 ms (default, attempt 1)  0195…`.
#[must_use]
pub fn line(event: &Event) -> String {
    let at = event.at.to_string();
    let time = at.get(11..).unwrap_or(&at).trim_end_matches('Z');
    let about = about(event, &event.members());
    printable(&format!("{time:<12}  {:<15} {about}", event.kind)).trim_end().to_owned()
}

fn about(event: &Event, data: &Map<String, Value>) -> String {
    let text = |name: &str| shown(data.get(name));
    let (subject, queue, job_type) = (&event.subject, text("queue"), text("job_type"));
    match event.kind.as_str() {
        "cron.triggered" => {
            let missed = data.get("missed_count").and_then(Value::as_u64).filter(|missed| *missed > 0);
            let missed = missed.map(|missed| format!(", for {missed} missed instants too")).unwrap_or_default();
            let kind = if data.get("manual") == Some(&Value::Bool(true)) { ", asked for by hand" } else { "" };
            let (run, job) = (text("run_count"), text("job_id"));
            format!("{subject} → {job_type} on {queue}, run {run}{kind}{missed}  {job}")
        }
        "cron.paused" => format!("{subject} by {} until {}: {}", text("by"), text("until"), text("note")),
        "cron.resumed" => subject.clone(),
        "cron.unreadable" => format!("{subject}: {}", text("problem")),
        "cron.skipped" => format!("{subject} because of {} at {}", text("reason"), text("scheduled_time")),
        "job.started" => format!("{job_type} (attempt {}) by {}  {subject}", text("attempt"), text("worker_id")),
        "job.completed" => {
            let result = data.get("result").map(|result| format!(" → {}", shown(Some(result)))).unwrap_or_default();
            format!("{job_type} in {} ms{result}  {subject}", text("duration_ms"))
        }
        "job.failed" => format!("{job_type} (attempt {}): {}  {subject}", text("attempt"), message(data.get("error"))),
        "job.retrying" => format!("{job_type} at {}  {subject}", text("next_retry_at")),
        "job.discarded" => format!("{job_type}: {}  {subject}", message(data.get("last_error"))),
        "job.cancelled" => format!("{job_type} by {}  {subject}", text("cancelled_by")),
        "job.scheduled" => format!("{job_type} on {queue} for {}  {subject}", text("scheduled_at")),
        kind if kind.starts_with("job.") => format!("{job_type} on {queue}  {subject}"),
        "worker.started" => format!("{subject} serves {}", listed(data.get("queues"))),
        "worker.stopped" => format!("{subject} ({})", text("reason")),
        "inbox.rejected" => format!("{}: {}", text("reason"), text("payload")),
        _ => format!("{subject} {}", shown(Some(&Value::Object(data.clone())))),
    }
}

fn listed(names: Option<&Value>) -> String {
    let names = names.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    shown(Some(&names.collect::<Vec<_>>().join(", ").into()))
}

fn message(error: Option<&Value>) -> String {
    let part = |name: &str| error.and_then(|error| error.get(name));
    part("message").or_else(|| part("code")).map_or_else(|| shown(error), |text| shown(Some(text)))
}

fn shown(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => return "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut short: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// What a user wrote must not steer the terminal.
fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

#[cfg(test)]
mod tests {
    use carillon_shared::clock::Timestamp;

    use super::*;

    fn event(kind: &str, data: &str) -> Event {
        Event {
            id: "evt_x".to_owned(),
            kind: kind.to_owned(),
            source: "api".to_owned(),
            subject: "tick".to_owned(),
            at: Timestamp::from_ms(1_772_947_800_050),
            data: data.to_owned(),
        }
    }

    #[test]
    fn each_kind_says_what_a_person_wants_to_know() {
        let cases = [
            (
                "cron.triggered",
                r#"{"job_type":"echo","queue":"q","run_count":3,"job_id":"J","missed_count":2}"#,
                "05:30:00.050  cron.triggered  tick → echo on q, run 3, for 2 missed instants too  J",
            ),
            (
                "job.completed",
                r#"{"job_type":"echo","duration_ms":7,"result":[1]}"#,
                "05:30:00.050  job.completed   echo in 7 ms → [1]  tick",
            ),
            (
                "job.failed",
                r#"{"job_type":"echo","attempt":2,"error":{"code":"x","message":"no"}}"#,
                "05:30:00.050  job.failed      echo (attempt 2): no  tick",
            ),
            ("worker.started", r#"{"queues":["a","b"]}"#, "05:30:00.050  worker.started  tick serves a, b"),
            ("queue.paused", r#"{"a":1}"#, r#"05:30:00.050  queue.paused    tick {"a":1}"#),
        ];
        for (kind, data, expected) in cases {
            assert_eq!(line(&event(kind, data)), expected);
        }
    }

    #[test]
    fn no_text_of_a_user_steers_the_terminal_or_fills_it() {
        let long = "x".repeat(5000);
        let data = format!(r#"{{"job_type":"echo","error":{{"message":"\u001b[2Ja\nb{long}"}}}}"#);
        let line = line(&event("job.failed", &data));
        assert!(line.contains(r"\u{1b}[2Ja\nb") && line.len() < 400, "{line}");
        assert!(!line.chars().any(char::is_control));
    }
}
