//! An error in one line.

use std::error::Error;

/// An error and everything behind it, in one line. Errors that repeat their cause are not told twice.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let refused = std::io::Error::other("Connection refused");
        assert_eq!(chain(&std::io::Error::other(refused)), "Connection refused");
    }
}
