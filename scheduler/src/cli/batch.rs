//! `next --batch`: requests from standard input, one JSON object a line, each answered on a line before the next is read.
//!
//! Memory is bounded whatever comes in: a line that is too long is refused, and what is left of it is thrown away.

use std::io::{self, BufRead, Read as _, Write, stdin, stdout};

use carillon_shared::clock::{Timestamp, machine_time};
use carillon_shared::cron::PreviewRequest;
use serde_json::{Value, json};

use super::Failure;

/// A request is far shorter.
const LINE_BYTES_MAX: usize = 64 * 1024;

pub(super) fn answer() -> Result<(), Failure> {
    answer_all(stdin().lock(), stdout().lock(), machine_time)
}

fn answer_all(mut input: impl BufRead, mut output: impl Write, now: impl Fn() -> Timestamp) -> Result<(), Failure> {
    let mut line = Vec::new();
    while read_line(&mut input, &mut line)
        .map_err(|error| Failure::new(super::failure::NO_INPUT, format!("cannot read: {error}")))?
    {
        let answer = answer_one(&line, now());
        writeln!(output, "{answer}")?;
        // At once, because whoever asked may wait for it before asking again.
        output.flush()?;
    }
    Ok(())
}

fn answer_one(line: &[u8], now: Timestamp) -> Value {
    if line.len() > LINE_BYTES_MAX {
        return unreadable(&format!("the line is longer than {LINE_BYTES_MAX} bytes"));
    }
    match serde_json::from_slice::<PreviewRequest>(line) {
        Ok(request) => json!(request.answer(now)),
        Err(error) => {
            let example = r#"{"expr":"0 9 * * *","tz":"Europe/Berlin","count":3}"#;
            unreadable(&format!("the line is no request such as {example}: {error}"))
        }
    }
}

/// An error in the shape of those that the calendar gives.
fn unreadable(message: &str) -> Value {
    json!({"error": {
        "kind": "request", "message": message, "field": null, "token": null, "position": null, "allowed": null,
        "suggestion": null,
    }})
}

/// Reads a line of at most one byte more than is allowed, and skips what is left of it. False at the end.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let most = LINE_BYTES_MAX as u64 + 1;
    if input.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LINE_BYTES_MAX {
        input.skip_until(b'\n')?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(input: &str) -> Vec<Value> {
        let mut output = Vec::new();
        let now = || Timestamp::from_secs(1_772_947_800);
        answer_all(input.as_bytes(), &mut output, now).expect("memory");
        let text = String::from_utf8(output).expect("JSON is UTF-8");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    #[test]
    fn each_line_is_answered_in_its_place_whatever_the_others_are() {
        let long = "x".repeat(3 * LINE_BYTES_MAX);
        let input = format!(
            "{}\nnonsense\n\n{long}\n{}\n{{\"expr\":5}}\n{}",
            r#"{"expr":"0 9 * * *","after":"2026-01-01T00:00:00Z","count":2}"#,
            r#"{"expr":"61 * * * *"}"#,
            r#"{"expr":"@hourly","tz":"Mars/Base"}"#,
        );
        let answers = answers(&input);
        assert_eq!(answers.len(), 7);
        assert_eq!(answers[0], json!({"next": ["2026-01-01T09:00:00Z", "2026-01-02T09:00:00Z"]}));
        for (index, answer) in answers.iter().enumerate().skip(1) {
            assert!(answer["error"]["message"].is_string(), "{index}: {answer}");
        }
        assert_eq!((&answers[4]["error"]["field"], &answers[6]["error"]["kind"]), (&"minute".into(), &"zone".into()));
    }

    #[test]
    fn the_last_line_needs_no_end() {
        assert_eq!(answers(r#"{"expr":"@daily","count":1}"#).len(), 1);
        assert_eq!(answers("").len(), 0);
    }
}
