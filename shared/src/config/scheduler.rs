//! The configuration of a scheduler.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::ArgMatches;

use super::error::ConfigError;
use super::layers::Layers;
use super::redis::{CommonConfig, RedisConfig};
use super::retention::RetentionConfig;
use super::secret::Secret;
use super::setting;
use super::telemetry::TelemetryConfig;
use super::value::{Parsed, boolean, directory, duration, host, integer, name, port_or_off, whole_seconds};
use crate::name::OwnerName;

const LEDGER_AGE_MIN: Duration = Duration::from_secs(60);
const LEDGER_AGE_MAX: Duration = Duration::from_secs(3650 * 24 * 60 * 60);
const KEY_LENGTH_MIN: usize = 8;
const KEY_LENGTH_ADVISED: usize = 16;

/// Who may use the HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever bears the key.
    Key(Secret),
    /// Whoever reaches the port.
    Open,
}

/// Where the HTTP API listens, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// The address; port 0 takes any free one.
    pub address: SocketAddr,
    /// Who may use it.
    pub access: Access,
    /// Whether jobs may direct their workers, as test suites ask for.
    pub conformance_directives: bool,
    /// Whether everything may be deleted, as test suites ask for.
    pub admin_reset: bool,
}

/// Where the gRPC API listens. Who may use it is as over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcConfig {
    /// The address, and what to do when it is taken.
    pub listen: GrpcListen,
    /// Whether clients may ask for the definitions of its messages.
    pub reflection: bool,
}

/// An address of the gRPC API, and what to do when it is taken. Port 0 takes any free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrpcListen {
    /// Nowhere.
    Off,
    /// Here, or not at all: the scheduler does not start when it is taken.
    At(SocketAddr),
    /// Here if it is free. Nobody asked for this port, and others use it by default too.
    IfFree(SocketAddr),
    /// Here, or at any other port that is free.
    OrAnyPort(SocketAddr),
}

/// A directory of files that declare cron entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchedulesConfig {
    /// Where it is.
    pub directory: PathBuf,
    /// Whose entries it declares.
    pub owner: OwnerName,
}

/// The configuration of `carillon-scheduler serve` and `dev`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchedulerConfig {
    /// Where the data lives.
    pub redis: RedisConfig,
    /// What is logged, and how.
    pub telemetry: TelemetryConfig,
    /// Where the HTTP API listens, and to whom.
    pub http: HttpConfig,
    /// Where the gRPC API listens.
    pub grpc: GrpcConfig,
    /// The life of the leader lock, in whole seconds.
    pub leader_ttl: Duration,
    /// How long, and how many, of what has ended are kept.
    pub retention: RetentionConfig,
    /// Events kept on each partition's stream.
    pub events_kept: u64,
    /// Ledger rows kept for each cron entry.
    pub ledger_rows: u64,
    /// How long those rows are kept.
    pub ledger_age: Duration,
    /// The files that declare cron entries, if there are any.
    pub schedules: Option<SchedulesConfig>,
    /// How long a stop waits for what is under way.
    pub shutdown_grace: Duration,
}

impl SchedulerConfig {
    /// Reads flags, environment and file.
    ///
    /// # Errors
    ///
    /// All mistakes at once.
    pub fn read(matches: &ArgMatches, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut layers = Layers::new(matches, environment);
        let config = Self::take(&mut layers);
        layers.finish(config)
    }

    /// What is allowed but should be said aloud at start.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.access_warnings();
        if self.http.admin_reset {
            warnings.push("whoever may use the API may delete everything: admin-reset is on".to_owned());
        }
        if self.http.conformance_directives {
            warnings.push("whoever enqueues may stop workers: conformance-directives is on".to_owned());
        }
        warnings
    }

    fn access_warnings(&self) -> Vec<String> {
        match &self.http.access {
            Access::Open if !self.http.address.ip().is_loopback() => {
                vec![format!("anyone who reaches {} may use the API: no API key is set", self.http.address)]
            }
            Access::Key(key) if key.expose().len() < KEY_LENGTH_ADVISED => {
                vec![format!("the API key is short: {KEY_LENGTH_ADVISED} characters or more are advised")]
            }
            _ => Vec::new(),
        }
    }

    fn take(layers: &mut Layers<'_>) -> Self {
        let CommonConfig { redis, telemetry } = CommonConfig::take(layers);
        let http = HttpConfig::take(layers);
        Self {
            redis,
            telemetry,
            grpc: GrpcConfig::take(layers, http.address.ip()),
            http,
            leader_ttl: layers
                .required(&setting::LEADER_TTL, whole_seconds(Duration::from_secs(3)..=Duration::from_secs(60))),
            retention: RetentionConfig::take(layers),
            events_kept: layers.required(&setting::EVENTS_KEPT, integer(100..=10_000_000)),
            ledger_rows: layers.required(&setting::LEDGER_ROWS, integer(10..=100_000)),
            ledger_age: layers.required(&setting::LEDGER_AGE, duration(LEDGER_AGE_MIN..=LEDGER_AGE_MAX)),
            schedules: SchedulesConfig::take(layers),
            shutdown_grace: layers
                .required(&setting::SHUTDOWN_GRACE, duration(Duration::ZERO..=Duration::from_secs(600))),
        }
    }
}

impl SchedulesConfig {
    fn take(layers: &mut Layers<'_>) -> Option<Self> {
        let owner = layers.required(&setting::SCHEDULES_OWNER, name);
        layers.optional(&setting::SCHEDULES, directory).map(|directory| Self { directory, owner })
    }
}

impl HttpConfig {
    fn take(layers: &mut Layers<'_>) -> Self {
        let host = layers.required(&setting::HOST, host);
        let port = layers.required(&setting::PORT, integer(0..=u16::MAX));
        let access = layers.optional(&setting::API_KEY, api_key).map_or(Access::Open, Access::Key);
        let allow_open = layers.required(&setting::ALLOW_INSECURE_NO_AUTH, boolean);
        if access == Access::Open && !host.is_loopback() && !allow_open {
            layers.conflict(&setting::HOST, format!("{host} is not loopback, which {}", remedy()));
        }
        Self {
            address: SocketAddr::new(host, port),
            access,
            conformance_directives: layers.required(&setting::CONFORMANCE_DIRECTIVES, boolean),
            admin_reset: layers.required(&setting::ADMIN_RESET, boolean),
        }
    }
}

impl GrpcConfig {
    fn take(layers: &mut Layers<'_>, host: IpAddr) -> Self {
        let at = |port| SocketAddr::new(host, port);
        let usual = layers.default_of(&setting::GRPC_PORT, port_or_off).flatten();
        let listen = match layers.optional(&setting::GRPC_PORT, port_or_off) {
            None => usual.map_or(GrpcListen::Off, |port| GrpcListen::IfFree(at(port))),
            Some(asked) => asked.map_or(GrpcListen::Off, |port| GrpcListen::At(at(port))),
        };
        Self { listen, reflection: layers.required(&setting::GRPC_REFLECTION, boolean) }
    }
}

fn remedy() -> String {
    let (key, open) = (setting::API_KEY.env, setting::ALLOW_INSECURE_NO_AUTH.env);
    format!("needs a valid {key}, or {open}=true to go without")
}

fn api_key(text: &str) -> Parsed<Secret> {
    if text.len() >= KEY_LENGTH_MIN && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Secret::new(text));
    }
    Err(format!("a key of {KEY_LENGTH_ADVISED} or more visible ASCII characters (at least {KEY_LENGTH_MIN})"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::Write;

    use super::super::{Program, SETTINGS, Scope, arguments};
    use super::*;

    fn read(flags: &[&str], environment: &[(&str, &str)]) -> Result<SchedulerConfig, ConfigError> {
        let command = clap::Command::new("demo").args(arguments(Program::Scheduler));
        let matches = command.get_matches_from([&["demo"], flags].concat());
        let map: HashMap<_, _> = environment.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        SchedulerConfig::read(&matches, &|name| map.get(name).cloned())
    }

    fn refusal(flags: &[&str], environment: &[(&str, &str)]) -> String {
        read(flags, environment).expect_err("a refusal").to_string()
    }

    #[test]
    fn every_default_is_valid() {
        let config = read(&[], &[]).expect("defaults");
        assert_eq!(config.leader_ttl, Duration::from_secs(10));
        let address = ([127, 0, 0, 1], 8080).into();
        let http = HttpConfig { address, access: Access::Open, conformance_directives: false, admin_reset: false };
        assert_eq!(config.http, http);
        assert_eq!(config.retention.discarded.age, Duration::from_secs(7 * 24 * 60 * 60));
        assert_eq!(config.warnings(), Vec::<String>::new());
    }

    #[test]
    fn a_flag_wins_over_the_environment_which_wins_over_the_file() {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        write!(file, "leader-ttl = '5s'\nport = 1\nledger-rows = 55").expect("written");
        let path = file.path().to_str().expect("a UTF-8 path");
        let environment = [("CARILLON_CONFIG", path), ("CARILLON_LEADER_TTL", "6s"), ("OJS_PORT", "2")];
        let config = read(&["--leader-ttl", "7s"], &environment).expect("valid");
        assert_eq!((config.leader_ttl.as_secs(), config.http.address.port(), config.ledger_rows), (7, 2, 55));
    }

    #[test]
    fn an_empty_environment_value_counts_as_absent() {
        assert_eq!(read(&[], &[("OJS_PORT", ""), ("OJS_API_KEY", "")]), read(&[], &[]));
    }

    #[test]
    fn all_mistakes_are_told_at_once_each_with_its_origin() {
        let error = refusal(&["--port", "70000"], &[("CARILLON_LEADER_TTL", "soon"), ("CARILLON_NAMESPACE", "A b")]);
        assert!(error.starts_with("3 mistakes in the configuration: "), "{error}");
        for part in ["--port: expected a whole number from 0 to 65535, found \"70000\"", "CARILLON_LEADER_TTL: "] {
            assert!(error.contains(part), "{part} in {error}");
        }
        assert!(error.contains("CARILLON_NAMESPACE: expected a namespace"), "{error}");
    }

    #[test]
    fn no_secret_is_shown_by_debug_or_by_errors() {
        let environment = [("OJS_API_KEY", "hunter2-hunter2"), ("REDIS_URL", "redis://:hunter2@localhost")];
        assert!(!format!("{:?}", read(&[], &environment)).contains("hunter2"));
        let wrong = [("OJS_API_KEY", "hunter2"), ("REDIS_URL", "redis//:hunter2@localhost")];
        let error = read(&[], &wrong).expect_err("a refusal");
        assert_eq!(error.mistakes().len(), 2);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }

    #[test]
    fn beyond_loopback_an_api_key_or_an_explicit_word_is_needed() {
        let error = refusal(&["--host", "0.0.0.0"], &[]);
        assert!(error.starts_with("--host: 0.0.0.0 is not loopback") && error.contains("OJS_API_KEY"), "{error}");
        let open = read(&["--host", "0.0.0.0", "--allow-insecure-no-auth"], &[]).expect("allowed");
        assert_eq!(open.warnings().len(), 1);
        let keyed = read(&["--host", "0.0.0.0"], &[("OJS_API_KEY", "0123456789abcdef")]).expect("allowed");
        assert_eq!(keyed.warnings().len(), 0);
    }

    #[test]
    fn a_grpc_port_that_was_asked_for_is_insisted_on_and_the_usual_one_is_not() {
        let listen = |flags: &[&str]| read(flags, &[]).expect("valid").grpc.listen;
        assert_eq!(listen(&[]), GrpcListen::IfFree(([127, 0, 0, 1], 9090).into()));
        assert_eq!(
            listen(&["--host", "::1", "--grpc-port", "9090"]),
            GrpcListen::At("[::1]:9090".parse().expect("one"))
        );
        assert_eq!(listen(&["--grpc-port", "off"]), GrpcListen::Off);
        assert!(
            refusal(&["--grpc-port", "no"], &[]).starts_with("--grpc-port: expected a port from 0 to 65535, or off")
        );
    }

    #[test]
    fn a_short_key_is_warned_of_and_a_very_short_one_refused() {
        assert_eq!(read(&["--api-key", "0123456789"], &[]).expect("allowed").warnings().len(), 1);
        assert!(refusal(&["--api-key", "0123"], &[]).starts_with("--api-key: expected a key of 16"));
    }

    #[test]
    fn a_file_may_also_hold_the_settings_of_the_worker() {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        writeln!(file, "concurrency = 3").expect("written");
        assert!(read(&["--config", file.path().to_str().expect("a UTF-8 path")], &[]).is_ok());
    }

    #[test]
    fn each_setting_of_the_scheduler_is_read() {
        let settings = SETTINGS.iter().filter(|setting| setting.scope != Scope::Worker);
        for setting in settings.filter(|setting| !["log", "queues"].contains(&setting.flag)) {
            let error = refusal(&[], &[(setting.env, "\u{1}")]);
            assert!(error.contains(setting.env), "{} in {error}", setting.env);
        }
    }
}
