//! The scripts: each a file under `lua/`, opened there by its contract.
//!
//! A script of a partition is its own file behind the prelude, behind the names of keys as `keys.rs` has them. It is sent
//! by its SHA-1, and whole when Redis has forgotten it.

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
const LIFE: &str = include_str!("lua/life.lua");
const ATTEMPT: &str = include_str!("lua/attempt.lua");
const INTAKE: &str = include_str!("lua/intake.lua");
const FLOWS: &str = include_str!("lua/flow.lua");
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
        let names: String = SUFFIXES.iter().map(|(name, suffix)| format!("local {name} = '{suffix}' ")).collect();
        let shared = shared.concat();
        // Whatever way the script ends, what it has put off is written.
        let source = format!(
            "{shebang}\n{names}\n{NOW}{PRELUDE}{shared}local function script()\n{body}\nend\nlocal reply = script()\nsettle()\nreturn reply\n"
        );
        Self { name, sha: Sha1::from(&source).digest().to_string(), source }
    }
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
    enqueue: partition(FLOWS, LIFE, INTAKE),
    claim: partition(FLOWS, LIFE),
    promote: partition(LIFE),
    finish: partition(FLOWS, ATTEMPT),
    heartbeat: partition(),
    cancel: partition(FLOWS),
    overdue: partition(),
    reclaim: partition(FLOWS, ATTEMPT),
    trim: partition(AGED),
    flow_trim: partition(AGED),
    expire: partition(FLOWS, LIFE),
    overtime: partition(),
    progress: partition(),
    activate: partition(),
    revive: partition(),
    bury: partition(),
    queue_set: partition(),
    queue_tidy: partition(),
    flow_create: partition(FLOWS, LIFE, INTAKE),
    flow_cancel: partition(),
    cron_aside: partition(),
    cron_due: partition(ENTRY),
    cron_look: partition(ENTRY),
    cron_put: partition(),
    cron_remove: partition(),
    fire: partition(ENTRY),
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
