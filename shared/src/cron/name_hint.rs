//! The name that was probably meant by a word that is none.

use super::field::Field;

/// The element with every word put right, if each abbreviates a name, is one, or nearly is one.
pub(super) fn meant(token: &str, field: Field) -> Option<String> {
    let mut repaired = token.to_owned();
    for word in token.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
        repaired = repaired.replacen(word, &nearest_name(word, field)?, 1);
    }
    (repaired != token).then_some(repaired)
}

fn nearest_name(word: &str, field: Field) -> Option<String> {
    let word = word.to_ascii_lowercase();
    let near = |name: &&&str| {
        let name = name.to_ascii_lowercase();
        let (full, short) = (strsim::osa_distance(&name, &word), strsim::osa_distance(&name[..3], &word));
        (word.len() >= 2 && name.starts_with(&word)) || full <= 2 || word.len() == 3 && short == 1
    };
    let exact = field.names().iter().find(|name| name.to_ascii_lowercase().starts_with(&word) && word.len() >= 2);
    let name = exact.or_else(|| field.names().iter().find(near))?;
    Some(name[..3].to_ascii_uppercase())
}
