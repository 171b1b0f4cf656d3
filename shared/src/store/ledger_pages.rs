//! The rows of a ledger, read in pages from the newest to the oldest, while others append and cut.
//!
//! Rows are numbered without gaps, so where a row stands, counted from the last one, follows from the numbers of both. What is
//! appended between two pages moves all rows by as much: the next page begins with rows that were read before, which are left
//! out by their positions. What is cut meanwhile moves none of those that are left.

use super::fields::Fields;
use super::{Reply, Store, StoreError};
use crate::cron::position;

/// Rows in one page.
const ROWS_AT_ONCE: u16 = 1000;

/// One row of the list: its position, then fields and values by turns, joined by NUL.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// Time and number.
    pub(super) position: (u64, u64),
    text: String,
}

/// Reads a ledger.
pub(super) struct Pages<'a> {
    store: &'a Store,
    pub(super) key: String,
    descent: Descent,
}

/// How far a reader has come.
#[derive(Debug, Default)]
struct Descent {
    /// The position of the oldest row that was read.
    reached: Option<(u64, u64)>,
    /// The number of the last row of the list when the latest page was read.
    last: u64,
    is_over: bool,
}

impl Row {
    pub(super) fn read(key: &str, text: String) -> Result<Self, StoreError> {
        let place = text.split('\0').next().unwrap_or_default();
        let position = position(place).ok_or_else(|| StoreError::corrupt(key, format!("`{place}` is no position")))?;
        Ok(Self { position, text })
    }

    /// The position as it is written.
    pub(super) fn place(&self) -> &str {
        self.text.split('\0').next().unwrap_or_default()
    }

    pub(super) fn fields(&self, key: &str) -> Fields {
        let rest = self.text.split_once('\0').map_or("", |(_, rest)| rest);
        // What somebody said in his own words stands last and may hold anything.
        let (told, words) = rest.split_once("\0o\0").map_or((rest, None), |(told, words)| (told, Some(words)));
        let mut parts = told.split('\0');
        let pairs = std::iter::from_fn(|| parts.next().zip(parts.next()));
        Fields::named(key.to_owned(), pairs.chain(words.map(|words| ("o", words))))
    }
}

impl<'a> Pages<'a> {
    pub(super) fn new(store: &'a Store, key: String) -> Self {
        Self { store, key, descent: Descent::default() }
    }

    /// The next rows, the newest first; none behind the last.
    pub(super) async fn next(&mut self) -> Result<Vec<Row>, StoreError> {
        while let Some((from, to)) = self.descent.range() {
            let range = redis::cmd("LRANGE").arg(&self.key).arg(from).arg(to).to_owned();
            let texts = Reply::new("ledger", self.store.send(&range).await?)?.texts(0)?;
            let rows = texts.into_iter().map(|text| Row::read(&self.key, text)).collect::<Result<_, _>>()?;
            let rows = self.descent.take(rows);
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
        Ok(Vec::new())
    }

    /// Whether there were rows before those that were read, once all are.
    pub(super) fn was_cut(&self) -> bool {
        self.descent.reached.is_some_and(|(_, number)| number > 1)
    }
}

impl Descent {
    /// Which rows to read next, counted from the last one, which is -1; `None` when there are no more.
    fn range(&self) -> Option<(i64, i64)> {
        if self.is_over {
            return None;
        }
        // The row before the oldest that was read: -1 stands for `last`.
        let beyond_last = |(_, number): (u64, u64)| number.cast_signed().saturating_sub(self.last.cast_signed());
        let to = self.reached.map_or(-1, |reached| beyond_last(reached).saturating_sub(2));
        Some((to.saturating_sub(i64::from(ROWS_AT_ONCE) - 1), to))
    }

    /// Those of the rows in that range, the oldest first, that were not read before, the newest first.
    fn take(&mut self, mut rows: Vec<Row>) -> Vec<Row> {
        let Some((_, to)) = self.range() else { return Vec::new() };
        // Fewer than asked for: they begin with the first of the list.
        self.is_over = rows.len() < usize::from(ROWS_AT_ONCE);
        if let Some(row) = rows.last() {
            self.last = row.position.1.wrapping_add_signed((-1_i64).saturating_sub(to));
            // Later than what was read and yet numbered before it: this list is another, which was begun since.
            self.is_over |= self.reached.is_some_and(|reached| row.position > reached && row.position.1 < reached.1);
        }
        rows.retain(|row| self.reached.is_none_or(|reached| row.position < reached));
        self.reached = rows.first().map(|row| row.position).or(self.reached);
        self.is_over |= self.reached.is_none_or(|(_, number)| number <= 1);
        rows.reverse();
        rows
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::store::fields::Named as _;

    /// A list as Redis keeps it.
    #[derive(Default)]
    struct List {
        rows: VecDeque<String>,
        appended: u64,
    }

    impl List {
        fn append(&mut self, count: u64) {
            for _ in 0..count {
                self.appended += 1;
                // Seven rows in a millisecond.
                self.rows.push_back(format!("{}-{}\0x\0enabled", self.appended / 7, self.appended));
            }
        }

        fn cut(&mut self, count: usize) {
            self.rows.drain(..count.min(self.rows.len()));
        }

        fn range(&self, from: i64, to: i64) -> Vec<Row> {
            let length = i64::try_from(self.rows.len()).expect("a short list");
            let (from, to) = ((length + from).max(0), length + to);
            let rows = (from..=to).map(|i| self.rows[usize::try_from(i).expect("within the list")].clone());
            rows.map(|text| Row::read("ledger", text).expect("a row")).collect()
        }
    }

    /// The numbers of all rows in the order in which they are read, while `meanwhile` happens after each page.
    fn read(list: &mut List, mut meanwhile: impl FnMut(&mut List)) -> Vec<u64> {
        let (mut descent, mut numbers, mut pages) = (Descent::default(), Vec::new(), 0);
        while let Some((from, to)) = descent.range() {
            pages += 1;
            assert!(pages < 100, "it comes to an end");
            numbers.extend(descent.take(list.range(from, to)).iter().map(|row| row.position.1));
            meanwhile(list);
        }
        numbers
    }

    fn list(rows: u64) -> List {
        let mut list = List::default();
        list.append(rows);
        list
    }

    #[test]
    fn all_rows_are_read_once_from_the_newest_to_the_oldest() {
        for count in [0, 1, 2, 999, 1000, 1001, 2000, 4321] {
            assert_eq!(read(&mut list(count), |_| {}), (1..=count).rev().collect::<Vec<_>>(), "{count} rows");
        }
    }

    #[test]
    fn what_is_appended_between_two_pages_repeats_and_hides_no_row() {
        // More than a page, too: then a page has nothing new, and the reader learns from it where to go on.
        for appended in [1, 7, 999, 1000, 1001] {
            let mut times = 5;
            let numbers = read(&mut list(4321), |list| {
                times -= 1;
                list.append(if times > 0 { appended } else { 0 });
            });
            assert_eq!(numbers, (1..=4321).rev().collect::<Vec<_>>(), "{appended} after each page");
        }
    }

    #[test]
    fn what_is_cut_between_two_pages_ends_the_reading_earlier() {
        for (appended, cut) in [(0, 1), (0, 700), (20, 700), (1000, 1000), (0, 4321)] {
            let numbers = read(&mut list(4321), |list| {
                list.append(appended);
                list.cut(cut);
            });
            let oldest = *numbers.last().expect("a page at least");
            assert_eq!(numbers, (oldest..=4321).rev().collect::<Vec<_>>(), "{appended} appended, {cut} cut");
            assert!(oldest > 1, "{cut} were cut, and it shows");
        }
    }

    #[test]
    fn a_ledger_that_was_begun_anew_is_not_taken_for_the_one_that_was_read() {
        for rows in [0, 1, 2000, 3000] {
            let numbers = read(&mut list(4321), |list| {
                let anew = (1..=rows).map(|number| format!("9999-{number}\0x\0enabled"));
                list.rows = anew.collect();
            });
            assert_eq!(numbers, (3322..=4321).rev().collect::<Vec<_>>(), "{rows} rows");
        }
    }

    #[test]
    fn words_of_others_may_hold_what_separates_fields() {
        let row = Row::read("ledger", "5-1\0e\0discarded\0b\0\0o\0no\0b\0luck".to_owned()).expect("a row");
        let fields = row.fields("ledger");
        assert_eq!((row.position, row.place(), fields.text("b")), ((5, 1), "5-1", None));
        assert_eq!((fields.text("e"), fields.text("o")), (Some("discarded"), Some("no\0b\0luck")));
        assert!(Row::read("ledger", "somebody else's".to_owned()).is_err());
    }
}
