//! The table of settings: a setting is here or it does not exist.

/// The flag that names the configuration file.
pub const CONFIG_FLAG: &str = "config";
/// The environment variable that names the configuration file.
pub const CONFIG_ENV: &str = "CARILLON_CONFIG";

/// The program a command line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `carillon-scheduler serve` and `dev`.
    Scheduler,
    /// `carillon-worker`.
    Worker,
    /// Commands that only talk to Redis, such as `carillon-scheduler events`.
    Client,
}

/// Who reads a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every program.
    Common,
    /// The scheduler alone.
    Scheduler,
    /// The worker alone.
    Worker,
}

impl Scope {
    /// Tells whether `program` reads settings of this scope.
    pub fn concerns(self, program: Program) -> bool {
        match self {
            Self::Common => true,
            Self::Scheduler => program == Program::Scheduler,
            Self::Worker => program == Program::Worker,
        }
    }
}

/// One setting: its names, its default and its meaning.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// The flag without its dashes, which is also the key in the file.
    pub flag: &'static str,
    /// The environment variable.
    pub env: &'static str,
    /// The default as a user would write it; none means "not set".
    pub default: Option<&'static str>,
    /// One line for `--help` and the README.
    pub help: &'static str,
    /// Who reads it.
    pub scope: Scope,
    /// Its value is, or may hold, a secret: no message repeats it.
    pub secret: bool,
    /// The flag may stand alone, meaning `true`.
    pub switch: bool,
}

impl Setting {
    const fn new(
        scope: Scope,
        flag: &'static str,
        env: &'static str,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self { flag, env, default: Some(default), help, scope, secret: false, switch: false }
    }

    const fn common(flag: &'static str, env: &'static str, default: &'static str, help: &'static str) -> Self {
        Self::new(Scope::Common, flag, env, default, help)
    }

    const fn scheduler(flag: &'static str, env: &'static str, default: &'static str, help: &'static str) -> Self {
        Self::new(Scope::Scheduler, flag, env, default, help)
    }

    const fn worker(flag: &'static str, env: &'static str, default: &'static str, help: &'static str) -> Self {
        Self::new(Scope::Worker, flag, env, default, help)
    }

    const fn optional(mut self) -> Self {
        self.default = None;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn switch(mut self) -> Self {
        self.switch = true;
        self
    }
}

macro_rules! settings {
    ($($name:ident = $setting:expr;)*) => {
        $(pub(super) static $name: Setting = $setting;)*

        /// Every setting, in the order in which help and README show them.
        pub static SETTINGS: &[&Setting] = &[$(&$name),*];
    };
}

settings! {
    REDIS_URL = Setting::common("redis-url", "REDIS_URL", "redis://127.0.0.1:6379",
        "Redis to use: redis://, redis+sentinel://, redis+cluster:// (rediss… with TLS) or unix://; see below").secret();
    REDIS_CA = Setting::common("redis-ca", "CARILLON_REDIS_CA", "",
        "PEM file of the authorities that may vouch for Redis, in place of those that the machine trusts").optional();
    REDIS_CERT = Setting::common("redis-cert", "CARILLON_REDIS_CERT", "",
        "PEM file of our own certificate, for a Redis that asks for one").optional();
    REDIS_KEY = Setting::common("redis-key", "CARILLON_REDIS_KEY", "",
        "PEM file of the private key of that certificate").optional();
    NAMESPACE = Setting::common("namespace", "CARILLON_NAMESPACE", "ojs",
        "Prefix of every Redis key; deployments with different namespaces share a Redis unseen");
    PARTITIONS = Setting::common("partitions", "CARILLON_PARTITIONS", "",
        "Partitions of the namespace, fixed when it is first used; unless set, 1, and 16 on a cluster").optional();
    REDIS_TIMEOUT = Setting::common("redis-timeout", "CARILLON_REDIS_TIMEOUT", "2s",
        "Longest wait for Redis to accept a connection or answer a command");
    REDIS_CONNECTIONS = Setting::common("redis-connections", "CARILLON_REDIS_CONNECTIONS", "4",
        "Shared connections to Redis, 1 to 16");
    REDIS_CHECK = Setting::common("redis-check", "CARILLON_REDIS_CHECK", "refuse",
        "What follows when Redis would lose what it should keep: refuse to start, or warn");
    LOG = Setting::common("log", "CARILLON_LOG", "info",
        "What to log, as a tracing filter: info, or warn,carillon_shared=debug");
    LOG_FORMAT = Setting::common("log-format", "CARILLON_LOG_FORMAT", "pretty",
        "How to log to standard error: pretty or json");

    HOST = Setting::scheduler("host", "OJS_HOST", "127.0.0.1",
        "Address the HTTP and gRPC APIs listen on; other than loopback it needs an API key");
    PORT = Setting::scheduler("port", "OJS_PORT", "8080",
        "Port of the HTTP API; 0 takes any free one");
    GRPC_PORT = Setting::scheduler("grpc-port", "OJS_GRPC_PORT", "9090",
        "Port of the gRPC API: 0 takes any free one, off goes without; unless set, a port that is taken is gone without");
    GRPC_REFLECTION = Setting::scheduler("grpc-reflection", "CARILLON_GRPC_REFLECTION", "false",
        "Let gRPC clients ask for the definitions of its messages").switch();
    API_KEY = Setting::scheduler("api-key", "OJS_API_KEY", "",
        "Key that every request but health must bear (Authorization: Bearer)").optional().secret();
    ALLOW_INSECURE_NO_AUTH = Setting::scheduler("allow-insecure-no-auth", "OJS_ALLOW_INSECURE_NO_AUTH", "false",
        "Listen beyond loopback although no API key is set").switch();
    CONFORMANCE_DIRECTIVES = Setting::scheduler("conformance-directives", "CARILLON_CONFORMANCE_DIRECTIVES", "false",
        "For test suites: let `meta.test_directive` of a running job answer its worker's heartbeat").switch();
    ADMIN_RESET = Setting::scheduler("admin-reset", "CARILLON_ADMIN_RESET", "false",
        "For test suites: let POST /ojs/v1/admin/reset delete every key of the namespace").switch();
    LEADER_TTL = Setting::scheduler("leader-ttl", "CARILLON_LEADER_TTL", "10s",
        "Life of the leader lock without renewal, in whole seconds, 3s to 1m");
    RETENTION_COMPLETED = Setting::scheduler("retention-completed", "CARILLON_RETENTION_COMPLETED", "24h",
        "How long completed jobs are kept");
    RETENTION_COMPLETED_COUNT = Setting::scheduler("retention-completed-count", "CARILLON_RETENTION_COMPLETED_COUNT",
        "100000", "Completed jobs kept at most in each partition, whatever their age");
    RETENTION_CANCELLED = Setting::scheduler("retention-cancelled", "CARILLON_RETENTION_CANCELLED", "24h",
        "How long cancelled jobs are kept");
    RETENTION_CANCELLED_COUNT = Setting::scheduler("retention-cancelled-count", "CARILLON_RETENTION_CANCELLED_COUNT",
        "100000", "Cancelled jobs kept at most in each partition");
    RETENTION_DISCARDED = Setting::scheduler("retention-discarded", "CARILLON_RETENTION_DISCARDED", "7d",
        "How long discarded jobs are kept that are no dead letters");
    RETENTION_DISCARDED_COUNT = Setting::scheduler("retention-discarded-count", "CARILLON_RETENTION_DISCARDED_COUNT",
        "100000", "Discarded jobs that are no dead letters kept at most in each partition");
    RETENTION_DEAD_LETTERS = Setting::scheduler("retention-dead-letters", "CARILLON_RETENTION_DEAD_LETTERS", "30d",
        "How long dead letters are kept");
    RETENTION_DEAD_LETTERS_COUNT = Setting::scheduler("retention-dead-letters-count",
        "CARILLON_RETENTION_DEAD_LETTERS_COUNT", "100000", "Dead letters kept at most in each partition");
    RETENTION_WORKFLOWS = Setting::scheduler("retention-workflows", "CARILLON_RETENTION_WORKFLOWS", "7d",
        "How long workflows that have ended are kept");
    RETENTION_WORKFLOWS_COUNT = Setting::scheduler("retention-workflows-count", "CARILLON_RETENTION_WORKFLOWS_COUNT",
        "100000", "Ended workflows kept at most in each partition");
    RETENTION_QUEUES = Setting::scheduler("retention-queues", "CARILLON_RETENTION_QUEUES", "7d",
        "How long a queue without jobs, dead letters and limits is listed; its counters go with it");
    EVENTS_KEPT = Setting::scheduler("events-kept", "CARILLON_EVENTS_KEPT", "20000",
        "Events kept at most on each partition's stream");
    LEDGER_ROWS = Setting::scheduler("ledger-rows", "CARILLON_LEDGER_ROWS", "1000",
        "Decisions kept at most in the ledger of each cron entry, 10 to 100000");
    LEDGER_AGE = Setting::scheduler("ledger-age", "CARILLON_LEDGER_AGE", "90d",
        "How long a decision and the end of its run are kept in the ledger, 1m to 10 years");
    SCHEDULES = Setting::scheduler("schedules", "CARILLON_SCHEDULES", "",
        "Directory of TOML, YAML and JSON files that declare cron entries, read at start and when they change").optional();
    SCHEDULES_OWNER = Setting::scheduler("schedules-owner", "CARILLON_SCHEDULES_OWNER", "default",
        "Whose entries that directory declares; two directories of one namespace need two owners");
    SHUTDOWN_GRACE = Setting::scheduler("shutdown-grace", "CARILLON_SHUTDOWN_GRACE", "10s",
        "How long a stop waits for open HTTP requests and running duties");

    QUEUES = Setting::worker("queues", "CARILLON_QUEUES", "default",
        "Queues to serve, separated by commas, the first first");
    CONCURRENCY = Setting::worker("concurrency", "CARILLON_CONCURRENCY", "10",
        "Jobs run at the same time at most, 1 to 10000");
    LEASE = Setting::worker("lease", "CARILLON_LEASE", "30s",
        "Life of a claim without a heartbeat, 2s to 1h; after it another worker may take the job");
    POLL_INTERVAL = Setting::worker("poll-interval", "CARILLON_POLL", "1s",
        "How often an idle worker looks for jobs although no bell rang");
    GRACE = Setting::worker("grace", "CARILLON_GRACE", "25s",
        "How long a stop waits for running jobs before it gives them back");
    HANDLERS = Setting::worker("handlers", "CARILLON_HANDLERS", "",
        "TOML file of handlers that run commands or call URLs").optional();
    WORKER_ID = Setting::worker("worker-id", "CARILLON_WORKER_ID", "",
        "Name of this worker in registry, logs and events; one is made up when absent").optional();
    METRICS_ADDR = Setting::worker("metrics-addr", "CARILLON_METRICS_ADDR", "127.0.0.1:9091",
        "Address of the worker's Prometheus endpoint, or off");
    UNHANDLED_MAX = Setting::worker("unhandled-max", "CARILLON_UNHANDLED_MAX", "20",
        "Times a job without a handler is given back before it goes to the dead letters");
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_settings_share_a_flag_or_an_environment_name() {
        let flags: HashSet<_> = SETTINGS.iter().map(|setting| setting.flag).collect();
        let names: HashSet<_> = SETTINGS.iter().map(|setting| setting.env).collect();
        assert_eq!((flags.len(), names.len()), (SETTINGS.len(), SETTINGS.len()));
    }

    #[test]
    fn flags_are_kebab_case_and_environment_names_are_upper_case() {
        for setting in SETTINGS {
            assert!(setting.flag.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", setting.flag);
            assert!(setting.env.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{}", setting.env);
        }
    }
}
