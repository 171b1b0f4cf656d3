//! The words of an expression with their places. More than eight need not be told apart.

const WORDS_MAX: usize = 8;

/// Up to eight words, separated by blanks, tabs or line ends.
#[derive(Debug)]
pub(super) struct Words<'a> {
    text: &'a str,
    words: [(usize, &'a str); WORDS_MAX],
    count: usize,
}

impl<'a> Words<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut words = Self { text, words: [(0, ""); WORDS_MAX], count: 0 };
        let bytes = text.as_bytes();
        let mut start = 0;
        while let Some(skipped) = bytes[start..].iter().position(|byte| !byte.is_ascii_whitespace()) {
            start += skipped;
            let rest = &bytes[start..];
            let length = rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len());
            if words.count < WORDS_MAX {
                words.words[words.count] = (start, &text[start..start + length]);
                words.count += 1;
            }
            start += length;
        }
        words
    }

    /// At most eight.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// The word and its offset; an empty one after the last.
    pub(super) const fn at(&self, index: usize) -> (usize, &'a str) {
        self.words[index]
    }

    pub(super) const fn first(&self) -> (usize, &'a str) {
        self.at(0)
    }

    /// All that follows the first word, blanks inside it included.
    pub(super) fn after_first(&self) -> (usize, &'a str) {
        match self.at(1) {
            (_, "") => (0, ""),
            (offset, _) => (offset, self.text[offset..].trim_ascii_end()),
        }
    }

    pub(super) fn joined(&self) -> String {
        self.join(self.written().map(|(_, word)| word))
    }

    pub(super) fn joined_with(&self, index: usize, word: &'a str) -> String {
        self.join(self.written().enumerate().map(|(at, (_, written))| if at == index { word } else { written }))
    }

    pub(super) fn without_first(&self) -> Option<String> {
        Some(self.join(self.written().skip(1).map(|(_, word)| word)))
    }

    pub(super) fn without_last(&self) -> Option<String> {
        Some(self.join(self.written().take(self.count - 1).map(|(_, word)| word)))
    }

    fn written(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.words.iter().take(self.count).copied()
    }

    fn join(&self, words: impl Iterator<Item = &'a str>) -> String {
        let mut joined = String::with_capacity(self.text.len());
        for word in words {
            if !joined.is_empty() {
                joined.push(' ');
            }
            joined.push_str(word);
        }
        joined
    }
}
