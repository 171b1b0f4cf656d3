//! Which events somebody wants to hear of.

use carillon_shared::event::Event;
use carillon_shared::name::{JobType, QueueName};
use serde_json::Value;

/// A choice of events. Each list that is empty chooses all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    types: Vec<Pattern>,
    queues: Vec<QueueName>,
    job_types: Vec<JobType>,
    subject: Option<String>,
}

/// A choice that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// Which list: `types`, `queues` or `job_types`.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Exactly(String),
    Below(String),
}

impl EventFilter {
    /// Reads a choice: event types such as `job.completed`, `job.*` or `*`; names of queues; job types.
    ///
    /// # Errors
    ///
    /// When an element has not the form of its kind.
    pub fn read(types: &[String], queues: &[String], job_types: &[String]) -> Result<Self, FilterError> {
        Ok(Self {
            types: types.iter().map(|text| pattern(text)).collect::<Result<_, _>>()?,
            queues: names(queues, "queues")?,
            job_types: names(job_types, "job_types")?,
            subject: None,
        })
    }

    /// Only what happens to this job, entry or worker.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        self.subject = Some(subject.to_owned());
        self
    }

    /// Only what happens in this queue.
    #[must_use]
    pub fn in_queue(mut self, queue: QueueName) -> Self {
        self.queues = vec![queue];
        self
    }

    /// Whether an event is chosen.
    #[must_use]
    pub fn admits(&self, event: &Event) -> bool {
        let of_type = self.types.is_empty() || self.types.iter().any(|pattern| pattern.admits(&event.kind));
        let about = self.subject.as_ref().is_none_or(|subject| *subject == event.subject);
        of_type && about && self.admits_data(event)
    }

    /// Reading the data is what costs, so it is read only when it matters.
    fn admits_data(&self, event: &Event) -> bool {
        if self.queues.is_empty() && self.job_types.is_empty() {
            return true;
        }
        let data = event.members();
        let is_in = |name: &str, chosen: &[&str]| {
            chosen.is_empty() || data.get(name).and_then(Value::as_str).is_some_and(|value| chosen.contains(&value))
        };
        let queues: Vec<_> = self.queues.iter().map(QueueName::as_str).collect();
        let job_types: Vec<_> = self.job_types.iter().map(JobType::as_str).collect();
        is_in("queue", &queues) && is_in("job_type", &job_types)
    }
}

impl Pattern {
    fn admits(&self, kind: &str) -> bool {
        match self {
            Self::Exactly(text) => text == kind,
            Self::Below(prefix) => kind.starts_with(prefix),
        }
    }
}

fn pattern(text: &str) -> Result<Pattern, FilterError> {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match text.strip_suffix('*') {
        Some("") => Ok(Pattern::Below(String::new())),
        Some(prefix) if prefix.strip_suffix('.').is_some_and(|prefix| prefix.split('.').all(word)) => {
            Ok(Pattern::Below(prefix.to_owned()))
        }
        None if text.split('.').all(word) => Ok(Pattern::Exactly(text.to_owned())),
        _ => {
            let short: String = text.chars().take(60).collect();
            let message = format!("types: `{short}` is no event type: expected one such as job.completed, or job.*");
            Err(FilterError { field: "types", message })
        }
    }
}

fn names<T: std::str::FromStr<Err: std::fmt::Display>>(
    texts: &[String],
    field: &'static str,
) -> Result<Vec<T>, FilterError> {
    let read = |text: &String| {
        text.parse().map_err(|error: T::Err| FilterError { field, message: format!("{field}: {error}") })
    };
    texts.iter().map(read).collect()
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
            subject: "s".to_owned(),
            at: Timestamp::from_ms(0),
            data: data.to_owned(),
        }
    }

    fn filter(types: &[&str], queues: &[&str], job_types: &[&str]) -> Result<EventFilter, FilterError> {
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        EventFilter::read(&own(types), &own(queues), &own(job_types))
    }

    #[test]
    fn types_are_chosen_one_by_one_or_by_their_family() {
        let admits = |types: &[&str], kind: &str| filter(types, &[], &[]).expect("valid").admits(&event(kind, "{}"));
        assert!(admits(&[], "job.started") && admits(&["*"], "cron.skipped") && admits(&["job.*"], "job.started"));
        assert!(admits(&["cron.skipped", "job.started"], "job.started"));
        assert!(!admits(&["job.*"], "cron.triggered") && !admits(&["job.start"], "job.started"));
    }

    #[test]
    fn queues_and_job_types_are_looked_up_in_the_data() {
        let event = event("job.started", r#"{"queue":"a","job_type":"echo"}"#);
        for (queues, job_types, expected) in [
            (vec!["a"], vec![], true),
            (vec!["b"], vec![], false),
            (vec!["a"], vec!["echo"], true),
            (vec![], vec!["x"], false),
        ] {
            assert_eq!(
                filter(&[], &queues, &job_types).expect("valid").admits(&event),
                expected,
                "{queues:?} {job_types:?}"
            );
        }
        assert!(EventFilter::default().about("s").admits(&event) && !EventFilter::default().about("t").admits(&event));
    }

    #[test]
    fn what_is_no_choice_is_refused_by_its_field() {
        for (types, queues, job_types, field) in [
            (vec!["job.*.x"], vec![], vec![], "types"),
            (vec!["Job"], vec![], vec![], "types"),
            (vec!["job*"], vec![], vec![], "types"),
            (vec![], vec!["A b"], vec![], "queues"),
            (vec![], vec![], vec!["1x"], "job_types"),
        ] {
            assert_eq!(filter(&types, &queues, &job_types).map_err(|error| error.field), Err(field));
        }
    }
}
