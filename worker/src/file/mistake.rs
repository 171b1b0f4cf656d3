//! Mistakes in a file of handlers, told all together.

use std::fmt;
use std::path::PathBuf;

/// One mistake: the line, the key, what is wrong and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The key, as TOML writes it; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub problem: String,
}

/// A file of handlers cannot be used.
#[derive(Debug)]
pub enum FileError {
    /// It cannot be read at all.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There are mistakes in it.
    Mistakes {
        /// The file.
        path: PathBuf,
        /// All of them, in the order of the file.
        mistakes: Vec<Mistake>,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => {
                write!(f, "cannot read the handlers file {}: {source}", path.display())
            }
            Self::Mistakes { path, mistakes } => {
                if mistakes.len() > 1 {
                    write!(f, "{} mistakes in the handlers file: ", mistakes.len())?;
                }
                for (i, mistake) in mistakes.iter().enumerate() {
                    let separator = if i == 0 { "" } else { "; " };
                    write!(f, "{separator}{}:{mistake}", path.display())?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for FileError {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)
    }
}
