//! Configuration: every setting once, from flags, environment and file to validated structs.
//!
//! One table, [`SETTINGS`], names each setting. From it come the command-line flags ([`arguments`]), the environment
//! and file layers, and the table in the README ([`settings_markdown`]). A flag wins over the environment, the
//! environment over the file, the file over the default; an empty environment value counts as absent.
//!
//! Reading never stops at the first mistake: a [`ConfigError`] holds all of them, each naming where its value came
//! from. Secrets are typed as [`Secret`] or [`RedisUrl`] and appear in no message.
//!
//! ```
//! use carillon_shared::config::{Program, SchedulerConfig, arguments};
//!
//! let command = clap::Command::new("demo").args(arguments(Program::Scheduler));
//! let matches = command.try_get_matches_from(["demo", "--port", "9000"])?;
//! let config = SchedulerConfig::read(&matches, &|_| None)?;
//! assert_eq!(config.http.address.port(), 9000);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod arguments;
mod error;
mod file;
mod layers;
mod markdown;
mod redis;
mod redis_tls;
mod redis_url;
mod retention;
mod scheduler;
mod secret;
mod setting;
mod telemetry;
mod value;
mod worker;

pub use arguments::arguments;
pub use error::{ConfigError, Mistake, Origin};
pub use layers::process_environment;
pub use markdown::settings_markdown;
pub use redis::{CommonConfig, RedisCheck, RedisConfig};
pub use redis_tls::{Pem, RedisTls};
pub(crate) use redis_url::Place;
pub use redis_url::RedisUrl;
pub use retention::{Keep, RetentionConfig};
pub use scheduler::{Access, GrpcConfig, GrpcListen, HttpConfig, SchedulerConfig, SchedulesConfig};
pub use secret::Secret;
pub use setting::{CONFIG_ENV, CONFIG_FLAG, Program, SETTINGS, Scope, Setting};
pub use telemetry::{LogFormat, TelemetryConfig};
pub use worker::WorkerConfig;
