//! The record of a job, read by the names of its lines.

use super::PartitionKeys;
use super::fields::Named;
use crate::id::JobId;

/// The lines that every record has, in parts between tabs: what changes on a job's way; when it came to its place in its queue;
/// when and by whom it was asked for; and what its producer said of it, behind which notes follow.
const PLACES: [&str; 13] = [
    "state", "attempt", "lease", "worker", "held", "started", "ended", "seq", "enqueued", "created", "request",
    "queue", "type",
];

/// The lines of one record.
pub(super) struct JobLines<'a> {
    keys: &'a PartitionKeys,
    id: JobId,
    text: &'a str,
    placed: [&'a str; PLACES.len()],
    /// Names and what is noted under them; of a name that stands twice the first counts.
    notes: Vec<(&'a str, &'a str)>,
}

impl<'a> JobLines<'a> {
    /// Those of a text, which is the record of a job.
    pub(super) fn new(keys: &'a PartitionKeys, id: JobId, text: &'a str) -> Self {
        let mut notes = text;
        let placed = PLACES.map(|_| cut(&mut notes));
        Self { keys, id, text, placed, notes: notes.split('\n').filter_map(|line| line.split_once(' ')).collect() }
    }

    /// Whether there is no record.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// Takes away the first line, whether another follows or another part.
fn cut<'a>(text: &mut &'a str) -> &'a str {
    let end = text.bytes().position(|byte| matches!(byte, b'\n' | b'\t')).unwrap_or(text.len());
    let (line, behind) = text.split_at(end);
    *text = behind.get(1..).unwrap_or_default();
    line
}

impl Named for JobLines<'_> {
    fn key(&self) -> String {
        self.keys.job(self.id)
    }

    fn text(&self, field: &str) -> Option<&str> {
        let value = match PLACES.iter().position(|name| *name == field) {
            Some(place) => self.placed[place],
            None => self.notes.iter().find(|(name, _)| *name == field)?.1,
        };
        Some(value).filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::id::Partition;
    use crate::name::Namespace;
    use crate::store::Keys;

    #[test]
    fn lines_are_read_by_their_places_and_notes_by_their_names() {
        let keys = Keys::new(Namespace::default(), 1).partition(Partition(0));
        let id = JobId::random(Timestamp::from_secs(0), Partition(0));
        let placed: Vec<String> = (0..PLACES.len()).map(|place| format!("{place}")).collect();
        let parts = [0..7, 7..9, 9..11, 11..13].map(|part| placed[part].join("\n"));
        let text = format!("{}\nlimit a\tb \ndue 5\n", parts.join("\t"));
        let fields = JobLines::new(&keys, id, &text);
        for (place, name) in PLACES.into_iter().enumerate() {
            assert_eq!(fields.text(name), Some(placed[place].as_str()));
        }
        assert_eq!((fields.text("limit"), fields.text("due"), fields.text("told")), (Some("a\tb "), Some("5"), None));
        assert!(
            JobLines::new(&keys, id, "").is_empty() && JobLines::new(&keys, id, "active\n").text("lease").is_none()
        );
    }
}
