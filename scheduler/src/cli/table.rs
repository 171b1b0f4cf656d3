//! Tables for people: plain columns, so that `grep` and `awk` can read them too.

use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde_json::Value;

/// Prints rows under their headings.
pub(super) fn print(out: &mut impl Write, headings: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(headings.to_vec());
    table.add_rows(rows.into_iter().map(|row| row.into_iter().map(printable).collect::<Vec<_>>()));
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Prints a row that comes by itself, under headings that stand far above.
pub(super) fn print_row(out: &mut impl Write, cells: Vec<String>) -> io::Result<()> {
    let cells: Vec<String> = cells.into_iter().map(printable).collect();
    writeln!(out, "{}", cells.join("  ").trim_end())
}

/// Prints JSON for people.
pub(super) fn print_json(out: &mut impl Write, value: &Value) -> io::Result<()> {
    writeln!(out, "{value:#}")
}

/// What a user wrote must neither steer the terminal nor break the line.
fn printable(text: String) -> String {
    if text.chars().any(char::is_control) {
        return text
            .chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_where_their_text_does() {
        let mut out = Vec::new();
        let rows = vec![vec!["a".to_owned(), "long one".to_owned()], vec!["bcd".to_owned(), "x\n\u{1b}y".to_owned()]];
        print(&mut out, &["NAME", "WHAT"], rows).expect("memory");
        assert_eq!(String::from_utf8(out).expect("text"), "NAME  WHAT\na     long one\nbcd   x\\n\\u{1b}y\n");
    }
}
