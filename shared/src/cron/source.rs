//! Where an entry comes from.
//!
//! An entry has a source if and only if a file declares it. Whoever owns that file owns the entry: nobody else changes what it
//! says, and it goes when it is no longer in the file.

use serde::{Deserialize, Serialize};

use crate::name::OwnerName;

/// The file that declares an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Whose file it is.
    pub owner: OwnerName,
    /// Its name within the directory.
    pub file: String,
    /// Whether the entry fires, if the file says so; if it does not, that is up to operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

impl Source {
    /// Whether the entry fires once this file declares it. `held` is what declared it so far, and whether it fired.
    ///
    /// What the file does not say keeps what is stored, but a word that was taken out of the file no longer counts.
    #[must_use]
    pub fn enables(&self, held: Option<(Option<&Self>, bool)>) -> bool {
        let kept = held.is_none_or(|(source, enabled)| enabled || source.is_some_and(|held| held.enabled.is_some()));
        self.enabled.unwrap_or(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(enabled: Option<bool>) -> Source {
        Source { owner: "default".parse().expect("a name"), file: "a.toml".to_owned(), enabled }
    }

    #[test]
    fn the_file_decides_what_it_says_and_operators_the_rest() {
        let (says_nothing, says_off) = (source(None), source(Some(false)));
        for (file, held, enabled) in [
            (&says_nothing, None, true),
            (&says_off, None, false),
            (&says_nothing, Some((Some(&says_nothing), false)), false),
            (&says_nothing, Some((Some(&says_nothing), true)), true),
            (&says_off, Some((Some(&says_nothing), true)), false),
            // The line was taken out.
            (&says_nothing, Some((Some(&says_off), false)), true),
        ] {
            assert_eq!(file.enables(held), enabled, "{file:?} after {held:?}");
        }
    }

    #[test]
    fn a_source_is_read_back_as_it_was_written() {
        for source in [source(None), source(Some(true))] {
            let json = serde_json::to_string(&source).expect("JSON");
            assert_eq!(serde_json::from_str::<Source>(&json).expect("a source"), source, "{json}");
        }
    }
}
