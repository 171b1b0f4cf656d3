//! The scripts: each a file under `lua/`, opened there by its contract.
//!
//! A script of a partition is its own file behind the prelude and those rooms that it needs, with the names of keys as
//! `keys.rs` has them written out. It is sent by its SHA-1, and whole when Redis has forgotten it. All that stands before
//! its own lines is made anew for each call, which costs more than most calls themselves: hence no more than is needed.

use std::sync::LazyLock;

use sha1_smol::Sha1;

use super::keys::SUFFIXES;

/// A script, ready to be sent.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    pub(crate) source: String,
    pub(crate) sha: String,
}

const NOW: &str =
    "local function now_ms() local time = redis.call('TIME') return time[1] * 1000 + math.floor(time[2] / 1000) end\n";
const PRELUDE: &str = include_str!("lua/prelude.lua");
const EVENT: &str = include_str!("lua/event.lua");
const PLACE: &str = include_str!("lua/place.lua");
const RECORD: &str = include_str!("lua/record.lua");
const MOVE: &str = include_str!("lua/move.lua");
const LEDGER: &str = include_str!("lua/ledger.lua");
/// Its ledger keeps how a run ended.
const RUN: &str = concat!(include_str!("lua/ledger.lua"), include_str!("lua/run.lua"));
/// Made when the first step of a workflow ends; most jobs are none.
const FLOWS: &str = concat!("function flows.make()\n", include_str!("lua/flow.lua"), "\nend\n");
const LIFE: &str = include_str!("lua/life.lua");
const ATTEMPT: &str = include_str!("lua/attempt.lua");
const INTAKE: &str = include_str!("lua/intake.lua");
const AGED: &str = include_str!("lua/aged.lua");
const ENTRY: &str = include_str!("lua/entry.lua");

impl Script {
    /// A script that touches no partition.
    fn bare(name: &'static str, file: &str) -> Self {
        Self { name, source: file.to_owned(), sha: Sha1::from(file).digest().to_string() }
    }

    /// A script of a partition, behind what it shares with others.
    fn partition(name: &'static str, file: &str, shared: &[&str]) -> Self {
        let (shebang, body) = file.split_once('\n').unwrap_or((file, ""));
        let (near, far) = shared.split_at(shared.len().min(STOREY));
        // Whatever way the script ends, what it has put off is written.
        let run = format!(
            "local function script()\n{body}\nend\nlocal done, reply = pcall(script)\nsettle()\nif not done then error(reply) end\nreturn reply\n"
        );
        let above = storey(&near.concat(), &storey(&far.concat(), &run));
        let source = format!("{shebang}\n{}", named(&format!("{NOW}{PRELUDE}{EVENT}{PLACE}{above}")));
        Self { name, sha: Sha1::from(&source).digest().to_string(), source }
    }
}

/// As many rooms as have a function around them of their own.
const STOREY: usize = 2;

/// Rooms in a function of their own, and what comes after them. To make a function Redis looks up each local it refers to
/// among all that others have referred to before it in the same function: a tenth of a call for one job, if all were in one.
fn storey(rooms: &str, above: &str) -> String {
    format!("return (function()\n{rooms}{above}end)()\n")
}

/// The text without its comments, and with each name of a kind of key replaced by the key's beginning: a constant costs
/// nothing, while a local that so many functions refer to costs each of them.
fn named(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_once("-- ").map_or(line, |(code, _)| code).trim_end());
    lines.map(|line| named_in(line) + "\n").collect()
}

/// One line. Names between quotes are words of Redis.
fn named_in(line: &str) -> String {
    let quoted = |(i, part): (usize, &str)| if i % 2 == 1 { format!("'{part}'") } else { code(part) };
    line.split('\'').enumerate().map(quoted).collect()
}

fn code(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = text;
    let mut named = String::with_capacity(text.len());
    while !rest.is_empty() {
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(if word == 0 { rest.find(is_word).unwrap_or(rest.len()) } else { word });
        match SUFFIXES.iter().find(|(name, _)| *name == word) {
            Some((_, suffix)) => named.extend(["'", suffix, "'"]),
            None => named.push_str(word),
        }
        rest = behind;
    }
    named
}

macro_rules! scripts {
    ($($name:ident: $make:ident $(($($shared:ident),*))?),* $(,)?) => {
        $(
            #[doc = concat!("`lua/", stringify!($name), ".lua`")]
            #[expect(non_upper_case_globals, reason = "named as its file")]
            pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| {
                Script::$make(stringify!($name), include_str!(concat!("lua/", stringify!($name), ".lua")) $(, &[$($shared),*])?)
            });
        )*

        /// Every script.
        #[cfg(test)]
        pub(crate) fn all() -> Vec<&'static Script> {
            vec![$(&*$name),*]
        }
    };
}

scripts! {
    enqueue: partition(RECORD, MOVE, RUN, FLOWS, LIFE, INTAKE),
    claim: partition(RECORD, MOVE, RUN, FLOWS, LIFE),
    promote: partition(RECORD, MOVE, RUN, LIFE),
    finish: partition(RECORD, MOVE, RUN, FLOWS, ATTEMPT),
    heartbeat: partition(RECORD),
    cancel: partition(RECORD, MOVE, RUN, FLOWS),
    overdue: partition(RECORD),
    reclaim: partition(RECORD, MOVE, RUN, FLOWS, ATTEMPT),
    trim: partition(RECORD, AGED),
    flow_trim: partition(AGED),
    expire: partition(RECORD, MOVE, RUN, FLOWS, LIFE),
    overtime: partition(RECORD),
    progress: partition(RECORD),
    activate: partition(RECORD, MOVE),
    revive: partition(RECORD, MOVE),
    bury: partition(RECORD, MOVE, AGED),
    queue_set: partition(),
    queue_tidy: partition(),
    flow_create: partition(RECORD, MOVE, RUN, FLOWS, LIFE, INTAKE),
    flow_cancel: partition(),
    cron_aside: partition(),
    cron_due: partition(RECORD, ENTRY),
    cron_look: partition(RECORD, ENTRY),
    cron_put: partition(RECORD, ENTRY, LEDGER),
    cron_remove: partition(LEDGER),
    fire: partition(RECORD, MOVE, RUN, ENTRY),
    seal: partition(),
    runs_look: partition(),
    ledger_trim: partition(),
    tell: partition(),
    leader_acquire: bare,
    leader_renew: bare,
    leader_release: bare,
    leader_raise: bare,
    worker_note: bare,
    inbox_take: bare,
    inbox_settle: bare,
    rights: bare,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_keys_are_written_out_but_not_the_words_of_redis() {
        assert_eq!(named("local a = key(JOB, id) -- of a JOB"), "local a = key('job:', id)\n");
        let line = "redis.call('ZRANGE', key(DUE), 0, 1, 'LIMIT', LIMITS, x.DUE_AT)";
        assert_eq!(named(line), line.replace("(DUE)", "('due')") + "\n");
        assert_eq!(named("-- nothing is left of JOB"), "\n");
    }

    #[test]
    fn a_script_keeps_its_flags_in_front() {
        for script in all() {
            let first = script.source.lines().next().unwrap_or_default();
            assert!(first.starts_with("#!lua"), "{}: {first}", script.name);
        }
    }
}
