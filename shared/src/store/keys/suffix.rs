//! What the keys of a partition are called behind its root.

/// Names each suffix once, for this code and, in a list, for the scripts.
macro_rules! suffixes {
    ($($name:ident = $suffix:literal),* $(,)?) => {
        $(pub(super) const $name: &str = $suffix;)*

        /// The suffixes, under the names by which the scripts know them.
        pub(crate) const SUFFIXES: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

suffixes! {
    JOB = "job:",
    ENV = "env:",
    OUT = "out:",
    ERRORS = "errors:",
    READY = "ready:",
    QUEUE = "queue:",
    QUEUES = "queues",
    BELL = "bell:",
    DUE = "due",
    PARKED = "parked",
    LEASES = "leases",
    ENDED = "ended:",
    DEAD = "dead:",
    CLAIM = "claim:",
    CRON = "cron:",
    CRONS = "crons",
    DEF = "def:",
    DECLARED = "declared",
    LIVE = "live:",
    WAIT = "wait:",
    WAITING = "waiting",
    LEDGER = "ledger:",
    FLOW = "flow:",
    FLOWS = "flows",
    UNIQUE = "unique:",
    EXPIRES = "expires",
    TIMEOUTS = "timeouts",
    RATE = "rate:",
    LIMIT = "limit:",
    RUNNING = "running:",
    MINUTES = "minutes:",
    DONE = "done:",
    PROGRESS = "progress:",
    FENCE = "fence",
    REAPER = "reaper",
    EVENTS = "events",
    TOLD = "told",
    QUIET = "quiet",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suffix_the_scripts_know_is_a_key_of_its_own() {
        let mut seen: Vec<_> = SUFFIXES.iter().map(|(_, suffix)| suffix.trim_end_matches(':')).collect();
        seen.sort_unstable();
        seen.dedup();
        // `queue:` and `queues`, `cron:` and `crons` differ by more than the colon.
        assert_eq!(seen.len(), SUFFIXES.len());
    }
}
