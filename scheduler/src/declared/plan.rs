//! What is to be done so that the store says what the files say: decided whole, before anything is done.

use std::collections::BTreeMap;

use carillon_shared::clock::Timestamp;
use carillon_shared::id::Partition;
use carillon_shared::name::{CronName, QueueName};
use carillon_shared::store::StoredEntry;

use super::difference::{Difference, differences};
use super::directory::Declaration;
use super::file::Declared;
use super::mistake::{Mistake, Mistakes};

/// What is to become of an entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// There is none yet.
    Add,
    /// These members change.
    Change(Vec<Difference>),
    /// No file declares it any more.
    Remove,
    /// It is as declared.
    Keep,
}

/// An entry and what is to become of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) name: CronName,
    /// The file that declares it, or did.
    pub(crate) file: String,
    pub(crate) action: Action,
}

/// All the steps, by name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan(pub(crate) Vec<Step>);

impl Plan {
    /// Compares a declaration with the entries of its names and those that its owner declared before. `home` tells in which
    /// partition a queue lives.
    pub(super) fn make(
        declaration: &Declaration,
        stored: &[StoredEntry],
        home: impl Fn(&QueueName) -> Partition,
    ) -> Result<Self, Mistakes> {
        let stored: BTreeMap<_, _> = stored.iter().map(|entry| (&entry.definition.name, entry)).collect();
        let (mut steps, mut mistakes) = (Vec::new(), Vec::new());
        for (name, declared) in &declaration.entries {
            match action(declared, stored.get(name).copied(), &home) {
                Ok(action) => steps.push(Step { name: name.clone(), file: declared.source.file.clone(), action }),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        for (name, entry) in stored {
            let ours = entry.source.as_ref().filter(|source| source.owner == declaration.owner);
            if let Some(source) = ours.filter(|_| !declaration.entries.contains_key(name)) {
                steps.push(Step { name: name.clone(), file: source.file.clone(), action: Action::Remove });
            }
        }
        steps.sort_by(|a, b| a.name.cmp(&b.name));
        if mistakes.is_empty() { Ok(Self(steps)) } else { Err(Mistakes(mistakes)) }
    }

    /// How many entries are added, changed, removed and kept.
    pub(crate) fn counts(&self) -> [usize; 4] {
        self.0.iter().fold([0; 4], |mut counts, step| {
            let place = match step.action {
                Action::Add => 0,
                Action::Change(_) => 1,
                Action::Remove => 2,
                Action::Keep => 3,
            };
            counts[place] += 1;
            counts
        })
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_done(&self) -> bool {
        self.0.iter().all(|step| step.action == Action::Keep)
    }
}

fn action(
    declared: &Declared,
    stored: Option<&StoredEntry>,
    home: impl Fn(&QueueName) -> Partition,
) -> Result<Action, Mistake> {
    let Some(stored) = stored else { return Ok(Action::Add) };
    match &stored.source {
        None => {
            let problem = "an entry of this name was registered by a client: remove it, or give one another name";
            return Err(declared.mistake(problem));
        }
        Some(held) if held.owner != declared.source.owner => {
            let problem = format!("an entry of this name is declared in {} of the owner {}", held.file, held.owner);
            return Err(declared.mistake(problem));
        }
        Some(_) => {}
    }
    let queue = declared.definition.envelope(Timestamp::from_ms(0), &[]).map(|envelope| envelope.queue);
    if queue.is_ok_and(|queue| home(&queue) != stored.partition) {
        let problem = "its new queue lives in another partition: declare it under another name";
        return Err(declared.mistake(problem));
    }
    let differences = differences(stored, declared);
    Ok(if differences.is_empty() { Action::Keep } else { Action::Change(differences) })
}

#[cfg(test)]
mod tests {
    use carillon_shared::cron::{Definition, Source};
    use serde_json::{Value, json};

    use super::*;

    const P0: Partition = Partition(0);

    fn declared(json: &Value) -> Declared {
        let (definition, _) = Definition::read(json).expect("a definition");
        let owner = "default".parse().expect("a name");
        let source = Source { owner, file: "a.toml".to_owned(), enabled: definition.enabled };
        Declared { definition, source, path: String::new(), place: None }
    }

    fn entry(name: &str) -> Value {
        json!({"name": name, "cron": "@daily", "type": "echo", "options": {"queue": "q"}})
    }

    fn stored(json: &Value, source: Option<Source>) -> StoredEntry {
        let at = Timestamp::from_ms(0);
        StoredEntry {
            definition: declared(json).definition,
            partition: P0,
            revision: 1,
            uid: String::new(),
            anchor: at,
            next_mark: None,
            enabled: true,
            pause: None,
            scheduled_runs: 0,
            read_at: at,
            last_run_at: None,
            run_count: 7,
            created_at: at,
            updated_at: at,
            live: Vec::new(),
            waiting: 0,
            source,
        }
    }

    fn declaration(entries: &[Value]) -> Declaration {
        let entries = entries.iter().map(declared).map(|entry| (entry.definition.name.clone(), entry)).collect();
        let owner = "default".parse().expect("a name");
        Declaration { owner, entries, digest: String::new(), passed_over: Vec::new() }
    }

    fn ours(json: &Value) -> StoredEntry {
        stored(json, Some(declared(json).source))
    }

    fn plan(entries: &[Value], stored: &[StoredEntry]) -> Result<Plan, Mistakes> {
        Plan::make(&declaration(entries), stored, |_| P0)
    }

    #[test]
    fn what_is_new_changed_gone_and_the_same_is_told_apart() {
        let mut changed = entry("changed");
        changed["options"]["queue"] = "other".into();
        changed["cron"] = "@hourly".into();
        let there = [ours(&entry("changed")), ours(&entry("gone")), ours(&entry("same"))];
        let plan = plan(&[entry("new"), changed, entry("same")], &there).expect("a plan");
        let actions: Vec<_> = plan.0.iter().map(|step| (step.name.as_str(), &step.action)).collect();
        let Action::Change(members) = actions[0].1 else { panic!("{actions:?}") };
        let members: Vec<_> = members.iter().map(ToString::to_string).collect();
        assert_eq!(members, [r#"cron: "@daily" → "@hourly""#, r#"options.queue: "q" → "other""#]);
        assert_eq!(actions[1..], [("gone", &Action::Remove), ("new", &Action::Add), ("same", &Action::Keep)]);
        assert!(!plan.is_done());
    }

    #[test]
    fn nobody_elses_entry_is_touched() {
        let mut theirs = declared(&entry("theirs")).source;
        theirs.owner = "team-b".parse().expect("a name");
        let others = [stored(&entry("of-a-client"), None), stored(&entry("theirs"), Some(theirs.clone()))];
        assert!(plan(&[], &others).expect("a plan").0.is_empty(), "not removed either");
        for name in ["of-a-client", "theirs"] {
            assert_eq!(plan(&[entry(name), entry("new")], &others).expect_err("a clash").0.len(), 1, "{name}");
        }
    }

    #[test]
    fn being_enabled_is_compared_only_if_the_file_says_it() {
        let off = StoredEntry { enabled: false, ..ours(&entry("n")) };
        assert!(plan(&[entry("n")], std::slice::from_ref(&off)).expect("a plan").is_done());
        let mut says_on = entry("n");
        says_on["enabled"] = true.into();
        assert!(!plan(&[says_on], &[off]).expect("a plan").is_done());
    }

    #[test]
    fn an_entry_does_not_move_to_another_partition() {
        let plan = Plan::make(&declaration(&[entry("n")]), &[ours(&entry("n"))], |_| Partition(1));
        assert!(plan.expect_err("refused").to_string().contains("another partition"));
    }
}
