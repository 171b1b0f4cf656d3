//! Schedules of other systems, written as files that declare entries.
//!
//! An import reads what there is, says all of it that entries can say, and *names* the rest: whatever is not carried over is
//! a *loss*, which stands as a comment in the file and is told to whoever imports. Nothing is guessed silently, and an entry
//! that would ring at other times than it did is not written at all.
//!
//! Commands do not travel in jobs. Where the other system runs commands, the entry names a job type of its own, and the
//! command goes into the handlers of the worker: whoever may enqueue jobs may then run what is there, and nothing else.

mod camel;
mod crontab;
mod crontab_line;
mod draft;
mod k8s;
mod k8s_pod;
mod nuxeo;
mod quartz;
mod quartz_trigger;
mod script;
mod slug;
mod write;
mod xml;

use carillon_shared::cron::Zone;

pub(crate) use draft::Import;
pub(crate) use write::{commented, entries, handlers};

/// What the file does not say of itself.
#[derive(Debug, Clone)]
pub(crate) struct Circumstances {
    /// The zone of entries that name none.
    pub(crate) zone: Zone,
    /// Whose table a crontab is.
    pub(crate) table: Table,
}

/// Whose table a crontab is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// One user's.
    User,
    /// The system's: the sixth column is a user.
    System,
}

/// Reads a crontab.
pub(crate) fn crontab(text: &str, circumstances: &Circumstances) -> Import {
    crontab::read(text, circumstances)
}

/// Reads the jobs and triggers of Quartz, as XML or as lines of `name = expression`.
///
/// # Errors
///
/// When it is neither.
pub(crate) fn quartz(text: &str, circumstances: &Circumstances) -> Result<Import, String> {
    quartz::read(text, circumstances)
}

/// Reads the contributions of schedules to Nuxeo.
///
/// # Errors
///
/// When it is not XML.
pub(crate) fn nuxeo(text: &str, circumstances: &Circumstances) -> Result<Import, String> {
    nuxeo::read(text, circumstances)
}

/// Reads CronJobs of Kubernetes.
///
/// # Errors
///
/// When it is not YAML.
pub(crate) fn k8s(text: &str, circumstances: &Circumstances) -> Result<Import, String> {
    k8s::read(text, circumstances)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLES: [&str; 4] = [
        include_str!("../../samples/import/crontab"),
        include_str!("../../samples/import/quartz.xml"),
        include_str!("../../samples/import/nuxeo.xml"),
        include_str!("../../samples/import/cronjobs.yaml"),
    ];

    /// Reads a text as everything, and what is written of it as what it should be.
    fn read_all(text: &str) {
        let circumstances = |table| Circumstances { zone: Zone::UTC, table };
        let user = circumstances(Table::User);
        let mut imports = vec![crontab(text, &user), crontab(text, &circumstances(Table::System))];
        imports.extend([quartz(text, &user), nuxeo(text, &user), k8s(text, &user)].into_iter().flatten());
        for import in imports {
            let written = entries(&import, "a test");
            let table: toml::Table = written.parse().unwrap_or_else(|error| panic!("{error} in {written}"));
            let count = table.get("entries").map_or(0, |entries| entries.as_array().map_or(0, Vec::len));
            assert_eq!(count, import.entries.len(), "{written}");
            let text = handlers(&import);
            text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{error} in {text}"));
        }
    }

    #[test]
    fn what_is_nested_deeply_ends_no_program() {
        for (open, close) in [("<a>", "</a>"), ("[", "]"), ("{a: ", "}"), ("- ", "")] {
            read_all(&format!("{}{}", open.repeat(20_000), close.repeat(20_000)));
        }
    }

    #[test]
    fn entities_are_not_expanded_and_nothing_outside_is_read() {
        let text = r#"<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>"#;
        let circumstances = Circumstances { zone: Zone::UTC, table: Table::User };
        for refused in [quartz(text, &circumstances), nuxeo(text, &circumstances)] {
            assert!(refused.expect_err("it is refused").contains("DOCTYPE"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn no_text_ends_a_program_or_leads_to_a_file_that_cannot_be_read(text in "(?s).{0,200}") {
            read_all(&text);
        }

        #[test]
        fn a_sample_that_was_cut_and_stitched_is_read_too(
            which in 0..SAMPLES.len(), from in 0.0..1.0_f64, to in 0.0..1.0_f64, insert in "[\\PC\n\t\u{1}\"'%]{0,12}",
        ) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
                reason = "a place within a short text")]
            let place = |part: f64| {
                let mut at = (part * SAMPLES[which].len() as f64) as usize;
                while !SAMPLES[which].is_char_boundary(at) { at -= 1; }
                at
            };
            let text = format!("{}{insert}{}", &SAMPLES[which][..place(from)], &SAMPLES[which][place(to)..]);
            read_all(&text);
        }
    }
}
