//! Mistakes in the configuration, told all together.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A command-line flag, named without its dashes.
    Flag(&'static str),
    /// An environment variable.
    Environment(&'static str),
    /// A key of the configuration file; an empty key is the file itself.
    File {
        /// The file.
        path: PathBuf,
        /// The key in it.
        key: String,
    },
    /// Nobody said anything: the default.
    Default(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Environment(name) => f.write_str(name),
            Self::File { path, key } if key.is_empty() => write!(f, "{}", path.display()),
            Self::File { path, key } => write!(f, "{}:{key}", path.display()),
            Self::Default(flag) => write!(f, "{flag} (default)"),
        }
    }
}

/// One mistake: where, what is wrong, what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {problem}")]
pub struct Mistake {
    /// Where the value came from.
    pub origin: Origin,
    /// What was expected, and what was found unless it is secret.
    pub problem: String,
}

/// All mistakes of a configuration, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    mistakes: Vec<Mistake>,
}

impl ConfigError {
    /// Succeeds if there are no mistakes.
    pub(super) fn check(mistakes: Vec<Mistake>) -> Result<(), Self> {
        if mistakes.is_empty() { Ok(()) } else { Err(Self { mistakes }) }
    }

    /// The mistakes, in the order of the table of settings.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mistakes.len() > 1 {
            write!(f, "{} mistakes in the configuration: ", self.mistakes.len())?;
        }
        for (index, mistake) in self.mistakes.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_stand_on_one_line() {
        let mistake = |origin| Mistake { origin, problem: "expected more".into() };
        let file = Origin::File { path: "a.toml".into(), key: "port".into() };
        let error = ConfigError { mistakes: vec![mistake(Origin::Flag("host")), mistake(file)] };
        let line = "2 mistakes in the configuration: --host: expected more; a.toml:port: expected more";
        assert_eq!(error.to_string(), line);
    }
}
