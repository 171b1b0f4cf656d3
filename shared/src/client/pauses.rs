//! Pauses of cron entries: begun and ended.

use serde_json::{Map, Value, json};

use super::entries::{TRIES_MAX, planned};
use super::{Client, ClientError};
use crate::clock::Timestamp;
use crate::cron::{Pause, read_span};
use crate::job::{Fields, Refusal};
use crate::name::CronName;
use crate::store::{EntryPut, StoredEntry, Told};

/// A pause that somebody asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PauseRequest {
    /// Why.
    pub note: Option<String>,
    /// Who asks.
    pub by: Option<String>,
    /// When it is to end by itself: a time (RFC 3339), or a length from now such as `2h`.
    pub until: Option<String>,
}

/// The longest text of a note, and of a name.
const NOTE_BYTES_MAX: usize = 1024;
const BY_BYTES_MAX: usize = 255;

impl PauseRequest {
    /// Reads a request: a JSON object, all of whose members may be left out.
    ///
    /// # Errors
    ///
    /// When a member is wrong, or is none of a pause.
    pub fn read(map: &Map<String, Value>) -> Result<Self, Refusal> {
        if let Some(unknown) = map.keys().find(|key| !["note", "by", "until"].contains(&key.as_str())) {
            let message = format!("a pause has no member `{unknown}`: expected note, by, until");
            return Err(Refusal::field(unknown.clone(), message));
        }
        let fields = Fields::new(map, "");
        let text = |name: &str| Ok::<_, Refusal>(fields.text(name)?.filter(|text| !text.is_empty()).map(str::to_owned));
        Ok(Self { note: text("note")?, by: text("by")?, until: text("until")? })
    }

    /// The pause that is asked for at `now`.
    fn begun(&self, now: Timestamp) -> Result<Pause, Refusal> {
        let until = self.until.as_deref().map(|text| read_until(text, now)).transpose()?;
        for (name, text, bytes_max) in [("note", &self.note, NOTE_BYTES_MAX), ("by", &self.by, BY_BYTES_MAX)] {
            if text.as_ref().is_some_and(|text| text.len() > bytes_max) {
                return Err(Refusal::field(name, format!("{name} must be at most {bytes_max} bytes")));
            }
        }
        Ok(Pause { since: now, until, note: self.note.clone(), by: self.by.clone() })
    }
}

fn read_until(text: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    let until = read_span(text).map(|span| now + span).or_else(|| text.parse().ok());
    let expected = "until must be an RFC 3339 time such as 2026-03-08T02:30:00Z, or a length from now such as 2h";
    let until = until.ok_or_else(|| Refusal::field("until", expected))?;
    if until <= now {
        return Err(Refusal::field("until", format!("until is {until}, which has passed: it is {now}")));
    }
    Ok(until)
}

impl Client {
    /// Pauses a cron entry, or says anew why, by whom and until when it is paused. Nothing that is registered ends a pause.
    ///
    /// # Errors
    ///
    /// When there is no such entry, the request is wrong, or Redis cannot be reached.
    pub async fn pause(&self, name: &CronName, request: &PauseRequest) -> Result<StoredEntry, ClientError> {
        self.change_pause(name, |entry, now| {
            let begun = request.begun(now)?;
            let pause = Pause { since: since(entry, now), ..begun };
            let data = json!({"cron_name": name, "since": pause.since, "until": pause.until, "note": pause.note, "by": pause.by});
            Ok(Some((pause, Told { kind: "cron.paused", data: data.to_string() })))
        })
        .await
    }

    /// Ends the pause of a cron entry, if one lasts.
    ///
    /// # Errors
    ///
    /// When there is no such entry, or Redis cannot be reached.
    pub async fn resume(&self, name: &CronName) -> Result<StoredEntry, ClientError> {
        self.change_pause(name, |entry, now| {
            let Some(pause) = entry.pause.clone().filter(|pause| pause.lasts(now)) else { return Ok(None) };
            let data = json!({"cron_name": name, "since": pause.since}).to_string();
            // What it covered until now is accounted for as paused.
            Ok(Some((Pause { until: Some(now), ..pause }, Told { kind: "cron.resumed", data })))
        })
        .await
    }

    async fn change_pause(
        &self,
        name: &CronName,
        decide: impl Fn(&StoredEntry, Timestamp) -> Result<Option<(Pause, Told)>, Refusal>,
    ) -> Result<StoredEntry, ClientError> {
        for _ in 0..TRIES_MAX {
            let entry = self.store.entry(name).await?.ok_or_else(|| ClientError::NoEntry(name.clone()))?;
            let now = entry.read_at;
            let Some((pause, told)) = decide(&entry, now)? else { return Ok(entry) };
            let change = planned(Some(&entry), &entry.definition, Some(pause), now)?;
            let put = EntryPut {
                definition: &entry.definition,
                partition: entry.partition,
                revision_seen: entry.revision,
                mark_seen: entry.next_mark,
                change,
                source: entry.source.as_ref(),
                told: Some(told),
            };
            if let Some(changed) = self.store.put_and_read(&put).await? {
                return Ok(changed);
            }
        }
        Err(ClientError::Contended(name.clone()))
    }
}

/// A pause that lasts keeps its beginning, and so does one over instants that are not decided on yet: they would count as
/// late, not as paused, if it were forgotten.
fn since(entry: &StoredEntry, now: Timestamp) -> Timestamp {
    let kept =
        entry.pause.as_ref().filter(|pause| pause.lasts(now) || entry.next_mark.is_some_and(|mark| pause.covers(mark)));
    kept.map_or(now, |pause| pause.since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_pause_is_a_time_or_a_length_and_lies_ahead() {
        let now: Timestamp = "2026-03-08T00:00:00Z".parse().expect("a time");
        let ends = |until: &str| {
            let request = PauseRequest { until: Some(until.to_owned()), ..PauseRequest::default() };
            request.begun(now).map(|pause| pause.until.expect("an end").to_string())
        };
        assert_eq!(ends("2h").as_deref(), Ok("2026-03-08T02:00:00Z"));
        assert_eq!(ends("PT90M").as_deref(), Ok("2026-03-08T01:30:00Z"));
        assert_eq!(ends("2026-03-09T00:00:00+01:00").as_deref(), Ok("2026-03-08T23:00:00Z"));
        for wrong in ["2026-03-07T00:00:00Z", "tomorrow", "0s", "-2h"] {
            assert_eq!(ends(wrong).expect_err(wrong).field, "until");
        }
    }

    #[test]
    fn a_member_that_no_pause_has_is_refused() {
        let map = json!({"note": "x", "untill": "2h"});
        assert_eq!(PauseRequest::read(map.as_object().expect("an object")).expect_err("a typo").field, "untill");
    }
}
