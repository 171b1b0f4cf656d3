//! What an import has read: drafts of entries, which become entries when all of them are known.

use std::fmt;

use carillon_shared::cron::{Definition, MEMBERS};
use serde_json::{Map, Value};

use super::slug::Names;

/// Something that is not carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loss {
    /// The line it stood at, from 1; 0 when the parser does not tell.
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// A command that the worker runs for the jobs of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) words: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
}

/// An entry that can be declared.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The members, in the order in which people read them.
    pub(crate) members: Vec<(&'static str, Value)>,
    pub(crate) losses: Vec<Loss>,
}

/// All that was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Import {
    pub(crate) entries: Vec<Entry>,
    /// What belongs to no entry that is written.
    pub(crate) losses: Vec<Loss>,
    /// What to know about all entries.
    pub(crate) remarks: Vec<String>,
    /// The commands by job type.
    pub(crate) commands: Vec<(String, Command)>,
}

impl Import {
    /// Everything that is not carried over, in the order of the file.
    pub(crate) fn all_losses(&self) -> Vec<&Loss> {
        let mut losses: Vec<_> =
            self.losses.iter().chain(self.entries.iter().flat_map(|entry| &entry.losses)).collect();
        losses.sort_by_key(|loss| loss.line);
        losses
    }
}

/// What the jobs of a draft are.
#[derive(Debug, Clone)]
pub(super) enum Job {
    /// Of this type, whoever handles it.
    Type(String),
    /// Of a type of their own, which begins with this word; the worker runs a command for it.
    Own(&'static str, Option<Command>),
}

/// An entry whose name others may want too.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    line: usize,
    name: String,
    job: Job,
    members: Vec<(&'static str, Value)>,
    losses: Vec<String>,
}

impl Draft {
    pub(super) fn new(line: usize, name: impl Into<String>, job: Job) -> Self {
        Self { line, name: name.into(), job, members: Vec::new(), losses: Vec::new() }
    }

    /// Says something of the entry, if entries can say it.
    pub(super) fn say(&mut self, member: &'static str, value: impl Into<Value>) {
        let value = value.into();
        if MEMBERS.contains(&member) {
            self.members.push((member, value));
        } else {
            self.lose(format!("an entry cannot say {member} = {value}"));
        }
    }

    pub(super) fn lose(&mut self, what: impl Into<String>) {
        self.losses.push(what.into());
    }
}

/// Drafts and losses, gathered in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    pub(super) drafts: Vec<Draft>,
    pub(super) losses: Vec<Loss>,
    pub(super) remarks: Vec<String>,
}

impl Gathering {
    pub(super) fn lose(&mut self, line: usize, what: impl Into<String>) {
        self.losses.push(Loss { line, what: what.into() });
    }

    /// Gives each draft its name, and drops those that are no entries.
    pub(super) fn finish(self) -> Import {
        let mut import = Import { losses: self.losses, remarks: self.remarks, ..Import::default() };
        let mut names = Names::default();
        for draft in self.drafts {
            let (line, name) = (draft.line, names.take(&draft.name));
            match finish(draft, &name) {
                Ok((entry, command)) => {
                    import.entries.push(entry);
                    import.commands.extend(command);
                }
                Err(problem) => import.losses.push(Loss { line, what: format!("{name} is left out: {problem}") }),
            }
        }
        import
    }
}

fn finish(draft: Draft, name: &str) -> Result<(Entry, Option<(String, Command)>), String> {
    let (job_type, command) = match draft.job {
        Job::Type(job_type) => (job_type, None),
        Job::Own(prefix, command) => (format!("{prefix}.{}", word(name)), command),
    };
    let mut members = vec![("name", Value::from(name)), ("type", job_type.as_str().into())];
    members.extend(draft.members);
    members.sort_by_key(|(member, _)| ORDER.iter().position(|known| known == member).unwrap_or(ORDER.len()));
    let json: Map<String, Value> =
        members.iter().map(|(member, value)| ((*member).to_owned(), value.clone())).collect();
    Definition::read(&Value::Object(json)).map_err(|refusal| refusal.message)?;
    let loss = |what| Loss { line: draft.line, what: format!("{name}: {what}") };
    let entry = Entry { members, losses: draft.losses.into_iter().map(loss).collect() };
    Ok((entry, command.map(|command| (job_type, command))))
}

/// The members in the order in which people read them.
const ORDER: [&str; 9] =
    ["name", "description", "cron", "dialect", "timezone", "type", "args", "meta", "overlap_policy"];

/// A word of a job type from a name.
fn word(name: &str) -> String {
    let word = name.replace('.', "-");
    if word.starts_with(|c: char| c.is_ascii_digit()) { format!("n{word}") } else { word }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.what),
            line => write!(f, "line {line}: {}", self.what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_entries_cannot_say_is_a_loss_and_what_is_no_entry_is_left_out() {
        let mut gathering = Gathering::default();
        let mut good = Draft::new(3, "A good one", Job::Own("crontab", None));
        good.say("cron", "@daily");
        good.say("colour", "red");
        let mut bad = Draft::new(4, "bad", Job::Type("echo".to_owned()));
        bad.say("cron", "61 * * * *");
        gathering.drafts = vec![good, bad];
        let import = gathering.finish();
        assert_eq!(import.entries.len(), 1);
        let losses: Vec<_> = import.all_losses().iter().map(ToString::to_string).collect();
        assert_eq!(losses[0], "line 3: a-good-one: an entry cannot say colour = \"red\"");
        assert!(losses[1].starts_with("line 4: bad is left out: cron: `61`"), "{losses:?}");
        assert_eq!(import.entries[0].members[2], ("type", "crontab.a-good-one".into()));
    }
}
