//! Events: what happened, as every dashboard hears it (OJS events).
//!
//! A script tells an event from the change that it makes, on its partition's stream, which can be resumed, and on the
//! channel, which is faster and may lose. Both carry the same envelope: the script renders it for the channel, [`Event`]
//! renders it from the stream, to the same text.

use serde_json::{Map, Value};
use sha1_smol::Sha1;

use crate::clock::Timestamp;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `evt_` and a UUIDv7.
    pub id: String,
    /// Such as `job.completed`.
    pub kind: String,
    /// Which part of the system: `api`, `scheduler`, `cron` or `workers`.
    pub source: String,
    /// What it happened to: a job id, or the name of a cron entry or a worker.
    pub subject: String,
    /// When.
    pub at: Timestamp,
    /// A JSON object: the members are those of the event's type.
    pub data: String,
}

impl Event {
    /// The envelope, as it is published.
    #[must_use]
    pub fn to_json(&self) -> String {
        let Self { id, kind, source, subject, at, data } = self;
        format!(
            r#"{{"specversion":"1.0","id":"{id}","type":"{kind}","event":"{kind}","source":"ojs://carillon/{source}","time":"{at}","timestamp":"{at}","subject":"{subject}","data":{data}}}"#
        )
    }

    /// The members of `data`; none if it is not an object.
    #[must_use]
    pub fn members(&self) -> Map<String, Value> {
        serde_json::from_str(&self.data).unwrap_or_default()
    }
}

/// The id of the event at a place, from 0, in the entry `<ms>-<seq>` of the stream of the partition whose keys begin with
/// `root`.
#[must_use]
pub(crate) fn event_id(root: &str, at: Timestamp, seq: u64, place: usize) -> String {
    let hash = Sha1::from(format!("{root}{}-{seq}", at.as_ms())).digest().to_string();
    let time = format!("{:012x}", at.as_ms());
    let variant = 8 + u8::from_str_radix(&hash[..1], 16).unwrap_or(0) % 4;
    format!(
        "evt_{}-{}-7{:03x}-{variant:x}{}-{}{place:04x}",
        &time[..8],
        &time[8..],
        seq % 4096,
        &hash[1..4],
        &hash[4..12]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_json_with_the_names_that_all_clients_read() {
        let event = Event {
            id: event_id("ojs:{p00}:", Timestamp::from_ms(1_772_947_800_050), 7, 0),
            kind: "job.completed".to_owned(),
            source: "workers".to_owned(),
            subject: "x".to_owned(),
            at: Timestamp::from_ms(1_772_947_800_050),
            data: r#"{"attempt":1}"#.to_owned(),
        };
        let value: Value = serde_json::from_str(&event.to_json()).expect("JSON");
        assert_eq!(value["type"], value["event"]);
        assert_eq!(value["time"], "2026-03-08T05:30:00.050Z");
        assert_eq!(value["data"]["attempt"], 1);
        let uuid = value["id"].as_str().and_then(|id| id.strip_prefix("evt_")).expect("an id");
        assert!(uuid.parse::<crate::id::JobId>().is_ok(), "{uuid} is a UUIDv7");
    }
}
