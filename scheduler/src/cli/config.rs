//! `config`: the configuration in effect, where each value comes from, and what is wrong with it.

use std::collections::BTreeMap;
use std::io::stdout;
use std::path::PathBuf;

use carillon_shared::config::{
    CONFIG_ENV, CONFIG_FLAG, Origin, Program, RedisUrl, SETTINGS, SchedulerConfig, Scope, Setting, arguments,
    process_environment,
};
use clap::ArgMatches;
use serde_json::json;

use super::Failure;
use super::args::Format;
use super::table::{print, print_json};

pub(super) fn show(matches: &ArgMatches, format: Format) -> Result<(), Failure> {
    let layers = Layers::read(matches, &process_environment);
    let settings = SETTINGS.iter().filter(|setting| setting.scope != Scope::Worker);
    let rows = settings.map(|setting| {
        let (value, origin) = layers.value(setting);
        [setting.flag.to_owned(), shown(setting, value), origin.to_string()]
    });
    match format {
        Format::Table => print(&mut stdout(), &["SETTING", "VALUE", "FROM"], rows.map(Vec::from).collect())?,
        Format::Json => {
            let rows = rows.map(|[setting, value, from]| json!({"setting": setting, "value": value, "from": from}));
            print_json(&mut stdout(), &rows.collect::<Vec<_>>().into())?;
        }
    }
    // After the table, because whoever corrects a mistake wants to see where it came from.
    SchedulerConfig::read(matches, &process_environment).map(|_| ()).map_err(Failure::from)
}

/// The configuration that flags describe, read as `carillon-scheduler serve` reads them but for the environment: for
/// programs that run a scheduler within themselves.
///
/// # Errors
///
/// All mistakes at once; what is no flag at all is told as clap tells it.
pub fn configuration(flags: &[&str]) -> Result<SchedulerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let command = clap::Command::new("scheduler").args(arguments(Program::Scheduler));
    let matches = command.try_get_matches_from([&["scheduler"], flags].concat())?;
    Ok(SchedulerConfig::read(&matches, &|_| None)?)
}

/// Where the value of a setting comes from.
pub(crate) fn origin(matches: &ArgMatches, flag: &str) -> Option<Origin> {
    let setting = SETTINGS.iter().find(|setting| setting.flag == flag)?;
    Some(Layers::read(matches, &process_environment).value(setting).1)
}

fn shown(setting: &Setting, value: Option<String>) -> String {
    match value {
        None => String::new(),
        Some(value) if !setting.secret => value,
        // The one secret that is worth seeing in part.
        Some(value) => value.parse::<RedisUrl>().map_or_else(|_| "***".to_owned(), |url| url.to_string()),
    }
}

/// The layers of the configuration as text, before anything in them is judged.
struct Layers<'a> {
    matches: &'a ArgMatches,
    environment: &'a dyn Fn(&str) -> Option<String>,
    path: PathBuf,
    file: BTreeMap<String, String>,
}

impl<'a> Layers<'a> {
    fn read(matches: &'a ArgMatches, environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let flag = matches.try_get_one::<PathBuf>(CONFIG_FLAG).ok().flatten().cloned();
        let path = flag.or_else(|| environment(CONFIG_ENV).filter(|path| !path.is_empty()).map(PathBuf::from));
        let path = path.unwrap_or_default();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let file = text.parse::<toml::Table>().unwrap_or_default().into_iter().map(|(key, value)| (key, plain(&value)));
        Self { matches, environment, file: file.collect(), path }
    }

    fn value(&self, setting: &'static Setting) -> (Option<String>, Origin) {
        if let Some(text) = self.matches.try_get_one::<String>(setting.flag).ok().flatten() {
            return (Some(text.clone()), Origin::Flag(setting.flag));
        }
        if let Some(text) = (self.environment)(setting.env).filter(|text| !text.is_empty()) {
            return (Some(text), Origin::Environment(setting.env));
        }
        if let Some(text) = self.file.get(setting.flag) {
            let origin = Origin::File { path: self.path.clone(), key: setting.flag.to_owned() };
            return (Some(text.clone()), origin);
        }
        (setting.default.map(str::to_owned), Origin::Default(setting.flag))
    }
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::args;
    use super::*;

    #[test]
    fn each_value_says_where_it_comes_from_and_secrets_do_not_show() {
        let line = ["carillon-scheduler", "config", "--port", "81", "--redis-url", "redis://:hunter2@h:1"];
        let matches = args::command().get_matches_from(line);
        let (_, own) = matches.subcommand().expect("a command");
        let environment = |name: &str| (name == "OJS_API_KEY").then(|| "hunter2-hunter2".to_owned());
        let layers = Layers::read(own, &environment);
        let row = |flag: &str| {
            let setting = SETTINGS.iter().find(|setting| setting.flag == flag).expect("a setting");
            let (value, origin) = layers.value(setting);
            (shown(setting, value), origin.to_string())
        };
        assert_eq!(row("port"), ("81".to_owned(), "--port".to_owned()));
        assert_eq!(row("api-key"), ("***".to_owned(), "OJS_API_KEY".to_owned()));
        assert_eq!(row("namespace"), ("ojs".to_owned(), "namespace (default)".to_owned()));
        assert_eq!(row("redis-url").0, "redis://:***@h:1");
    }
}
