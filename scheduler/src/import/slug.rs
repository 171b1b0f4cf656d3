//! Names of entries from whatever they were called.

use std::collections::HashSet;

use carillon_shared::name::CronName;

/// The length of a name that is made up, at most.
const CHARS_MAX: usize = 60;

/// The names that are taken.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// A name like the one that is wanted, which no other entry has.
    pub(super) fn take(&mut self, wanted: &str) -> String {
        let plain = slug(wanted);
        let mut name = plain.clone();
        let mut number = 1;
        while !self.0.insert(name.clone()) {
            number += 1;
            name = format!("{plain}-{number}");
        }
        name
    }
}

/// A name as entries have them; one that is such a name already stays as it is.
fn slug(text: &str) -> String {
    if text.parse::<CronName>().is_ok() && text.len() <= 200 {
        return text.to_owned();
    }
    let mut slug = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' => slug.push(c),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
        if slug.len() >= CHARS_MAX {
            break;
        }
    }
    let slug = slug.trim_matches(['-', '.']);
    if slug.is_empty() { "entry".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_makes_a_name_of_its_own() {
        let mut names = Names::default();
        for (wanted, name) in [
            ("nightly", "nightly"),
            ("Nightly", "nightly-2"),
            ("nightly", "nightly-3"),
            ("My Report_Job!", "my-report-job"),
            ("…", "entry"),
            ("", "entry-2"),
        ] {
            assert_eq!(names.take(wanted), name, "{wanted}");
            assert!(name.parse::<CronName>().is_ok());
        }
        assert!(names.take(&"x!".repeat(500)).len() <= CHARS_MAX);
    }
}
