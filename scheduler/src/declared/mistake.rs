//! What is wrong in a file, and where.

use std::fmt;

use serde_json::{Value, json};

/// A place in a text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    /// The place of a byte.
    pub(crate) fn of(text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self { line: 1 + before.matches('\n').count(), column: 1 + before[line_start..].chars().count() }
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The file, by its name within the directory; empty for the directory itself.
    pub(crate) file: String,
    /// Where in it, if the parser tells.
    pub(crate) place: Option<Place>,
    /// Which member, such as `entries[0].options.queue`; empty for the file as a whole.
    pub(crate) path: String,
    /// What is wrong, and what was expected.
    pub(crate) problem: String,
}

/// All the mistakes of a directory; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistakes(pub(crate) Vec<Mistake>);

impl Mistake {
    pub(crate) fn new(file: &str, problem: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: None, path: String::new(), problem: problem.into() }
    }

    pub(crate) fn at(self, place: Option<Place>) -> Self {
        Self { place, ..self }
    }

    pub(crate) fn path(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "file": self.file,
            "line": self.place.map(|place| place.line),
            "column": self.place.map(|place| place.column),
            "path": self.path,
            "problem": self.problem,
        })
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
            if let Some(Place { line, column }) = self.place {
                write!(f, "{line}:{column}:")?;
            }
            f.write_str(" ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.problem)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&shown.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_columns_are_characters() {
        let text = "a = 1\nß = x\n";
        let place = |byte| (Place::of(text, byte).line, Place::of(text, byte).column);
        assert_eq!([place(0), place(4), place(6), place(11)], [(1, 1), (1, 5), (2, 1), (2, 5)]);
        assert_eq!(place(999), (3, 1), "past the end");
    }

    #[test]
    fn a_mistake_says_as_much_of_its_place_as_is_known() {
        let mistake = Mistake::new("a.toml", "no");
        assert_eq!(mistake.to_string(), "a.toml: no");
        let place = Some(Place { line: 2, column: 5 });
        assert_eq!(mistake.at(place).path("entries[0].cron").to_string(), "a.toml:2:5: entries[0].cron: no");
        assert_eq!(Mistake::new("", "no").to_string(), "no");
    }
}
