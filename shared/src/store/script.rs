//! The scripts: each a file under `lua/`, opened there by its contract.
//!
//! Redis keeps them as the functions of one library, which is sent once and called by name: what they share, the rooms, is
//! made when the library is taken and not for each call, which cost more than most calls themselves. The library is named by
//! its text, so those of several versions stand side by side. It is sent again to a Redis that does not know it, and lasts
//! there as data does: it is kept in its files, and replicas have it.

use std::sync::LazyLock;

use sha1_smol::Sha1;

use super::keys::SUFFIXES;

/// A script, ready to be called.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    /// What it is called by.
    pub(crate) function: String,
    /// Its first line: how a script that is sent alone says what it needs.
    flags: &'static str,
}

/// The library: what `FUNCTION LOAD` takes.
pub(crate) static LIBRARY: LazyLock<String> =
    LazyLock::new(|| format!("#!lua name={0}\nlocal LIBRARY = '{0}'\n{REGISTER}{1}", &*NAME, &*TEXT));

const REGISTER: &str = "local function register(name, flags, callback)\n\
     redis.register_function{ function_name = LIBRARY .. '_' .. name, flags = flags, callback = callback }\nend\n";

/// What all of it is called.
static NAME: LazyLock<String> =
    LazyLock::new(|| format!("carillon_{:.16}", Sha1::from(format!("{REGISTER}{}", &*TEXT)).digest().to_string()));

/// The rooms, in the order in which they refer to each other, and then every script.
static TEXT: LazyLock<String> = LazyLock::new(|| {
    let rooms = ROOMS.concat();
    let scripts: String = FILES.iter().map(|file| file.registered()).collect();
    named(&format!("{rooms}{scripts}"))
});

const ROOMS: &[&str] = &[
    include_str!("lua/prelude.lua"),
    include_str!("lua/event.lua"),
    include_str!("lua/place.lua"),
    include_str!("lua/lines.lua"),
    include_str!("lua/record.lua"),
    include_str!("lua/move.lua"),
    include_str!("lua/ledger.lua"),
    include_str!("lua/run.lua"),
    include_str!("lua/flow.lua"),
    include_str!("lua/life.lua"),
    include_str!("lua/attempt.lua"),
    include_str!("lua/usual.lua"),
    include_str!("lua/intake.lua"),
    include_str!("lua/aged.lua"),
    include_str!("lua/entry.lua"),
    include_str!("lua/decided.lua"),
    include_str!("lua/library.lua"),
];

/// Where a script stands.
struct File {
    name: &'static str,
    text: &'static str,
    /// `partition` or `bare`, as library.lua has them.
    kind: &'static str,
}

impl File {
    fn flags(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default()
    }

    /// How the library takes it.
    fn registered(&self) -> String {
        let flags = self.flags().split_once("flags=").map_or("", |(_, flags)| flags);
        let flags: Vec<String> =
            flags.split(',').filter(|flag| !flag.is_empty()).map(|flag| format!("'{flag}'")).collect();
        let body = self.text.split_once('\n').map_or("", |(_, body)| body);
        format!("{}('{}', {{ {} }}, (function()\n{body}end)())\n", self.kind, self.name, flags.join(", "))
    }
}

impl Script {
    fn new(file: &File) -> Self {
        Self { name: file.name, function: format!("{}_{}", &*NAME, file.name), flags: file.flags() }
    }

    /// The script alone, for a Redis that takes no library because its memory is full: slower, since all of it is made anew.
    /// Its name is to stand behind its arguments: so there are no more texts for Redis to keep than sets of flags.
    pub(crate) fn alone(&self) -> String {
        format!(
            "{}\nlocal keys, args, wanted = KEYS, ARGV, nil\nlocal called = table.remove(args)\n\
             local function register(name, _, callback) if name == called then wanted = callback end end\n\
             {}return wanted(keys, args)\n",
            self.flags, &*TEXT
        )
    }
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
    ($($name:ident: $kind:ident),* $(,)?) => {
        $(
            #[doc = concat!("`lua/", stringify!($name), ".lua`")]
            #[expect(non_upper_case_globals, reason = "named as its file")]
            pub(crate) static $name: LazyLock<Script> = LazyLock::new(|| Script::new(&files::$name));
        )*

        #[expect(non_upper_case_globals, reason = "each named as its file")]
        mod files {
            use super::File;

            $(pub(super) const $name: File = File {
                name: stringify!($name),
                text: include_str!(concat!("lua/", stringify!($name), ".lua")),
                kind: stringify!($kind),
            };)*
        }

        const FILES: &[File] = &[$(files::$name),*];
    };
}

scripts! {
    enqueue: partition,
    claim: partition,
    promote: partition,
    finish: partition,
    heartbeat: partition,
    cancel: partition,
    overdue: partition,
    reclaim: partition,
    trim: partition,
    flow_trim: partition,
    expire: partition,
    overtime: partition,
    progress: partition,
    activate: partition,
    revive: partition,
    bury: partition,
    queue_set: partition,
    queue_tidy: partition,
    flow_create: partition,
    flow_cancel: partition,
    cron_aside: partition,
    cron_due: partition,
    cron_look: partition,
    cron_put: partition,
    cron_remove: partition,
    fire: partition,
    seal: partition,
    runs_look: partition,
    ledger_trim: partition,
    tell: partition,
    quiet: partition,
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
    fn a_script_is_taken_with_what_it_needs() {
        for file in FILES {
            assert!(file.flags().starts_with("#!lua"), "{}: {}", file.name, file.flags());
        }
        let taken = |file: &File| file.registered().lines().next().unwrap_or_default().to_owned();
        assert_eq!(taken(&files::claim), "partition('claim', { 'allow-oom' }, (function()");
        assert_eq!(taken(&files::enqueue), "partition('enqueue', {  }, (function()");
    }

    #[test]
    fn the_library_is_named_by_its_text() {
        let first = LIBRARY.lines().next().unwrap_or_default();
        assert_eq!(first, format!("#!lua name={}", &*NAME));
        assert!(claim.function.starts_with(&*NAME), "{}", claim.function);
    }
}
