//! The layers on top of each other: flag over environment over file over default.

use std::path::PathBuf;

use clap::ArgMatches;

use super::error::{ConfigError, Mistake, Origin};
use super::file::FileLayer;
use super::setting::{CONFIG_ENV, CONFIG_FLAG, Setting};
use super::value::Parsed;

/// Reads the environment of this process.
pub fn process_environment(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Reads settings one by one and gathers what is wrong with them.
pub(super) struct Layers<'a> {
    matches: &'a ArgMatches,
    environment: &'a dyn Fn(&str) -> Option<String>,
    file: FileLayer,
    mistakes: Vec<Mistake>,
}

impl<'a> Layers<'a> {
    /// Opens the layers; the file is the one that `--config` or `CARILLON_CONFIG` names, if any.
    pub(super) fn new(matches: &'a ArgMatches, environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        let mut layers = Self { matches, environment, file: FileLayer::default(), mistakes: Vec::new() };
        if let Some((path, named_by)) = layers.config_file() {
            layers.file = FileLayer::read(&path, named_by, &mut layers.mistakes);
        }
        layers
    }

    /// The value of a setting that has a default. A mistaken value is noted, and the default stands in for it.
    pub(super) fn required<T>(&mut self, setting: &'static Setting, parse: impl Fn(&str) -> Parsed<T>) -> T {
        if let Some(value) = self.optional(setting, &parse) {
            return value;
        }
        self.default_of(setting, parse)
            .expect("a setting read as required has a default, and a test parses every default")
    }

    /// The default of a setting, whatever was given for it.
    pub(super) fn default_of<T>(&self, setting: &'static Setting, parse: impl Fn(&str) -> Parsed<T>) -> Option<T> {
        setting.default.and_then(|default| parse(default).ok())
    }

    /// The value of a setting that may be absent.
    pub(super) fn optional<T>(&mut self, setting: &'static Setting, parse: impl Fn(&str) -> Parsed<T>) -> Option<T> {
        let (text, origin) = self.text(setting)?;
        parse(&text).map_err(|expected| self.note(setting, origin, &expected, &text)).ok()
    }

    /// Notes a mistake that lies between settings, at the place where `setting` was given.
    pub(super) fn conflict(&mut self, setting: &'static Setting, problem: String) {
        let origin = self.text(setting).map_or(Origin::Default(setting.flag), |(_, origin)| origin);
        self.mistakes.push(Mistake { origin, problem });
    }

    /// Hands over the finished configuration, or every mistake made in it.
    pub(super) fn finish<T>(self, config: T) -> Result<T, ConfigError> {
        ConfigError::check(self.mistakes).map(|()| config)
    }

    fn note(&mut self, setting: &Setting, origin: Origin, expected: &str, text: &str) {
        let found = if setting.secret { String::new() } else { format!(", found {text:?}") };
        self.mistakes.push(Mistake { origin, problem: format!("expected {expected}{found}") });
    }

    fn text(&self, setting: &'static Setting) -> Option<(String, Origin)> {
        let flag = || self.flag(setting.flag).map(|text: String| (text, Origin::Flag(setting.flag)));
        let variable = || self.variable(setting.env).map(|text| (text, Origin::Environment(setting.env)));
        flag().or_else(variable).or_else(|| self.file.value(setting))
    }

    fn config_file(&self) -> Option<(PathBuf, Origin)> {
        let flag = self.flag(CONFIG_FLAG).map(|path| (path, Origin::Flag(CONFIG_FLAG)));
        flag.or_else(|| self.variable(CONFIG_ENV).map(|path| (path.into(), Origin::Environment(CONFIG_ENV))))
    }

    /// A flag that this command line does not offer counts as absent.
    fn flag<T: Clone + Send + Sync + 'static>(&self, name: &str) -> Option<T> {
        self.matches.try_get_one::<T>(name).ok().flatten().cloned()
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.is_empty())
    }
}
