//! What the README shows of the programs is what they have. `UPDATE_README=1` writes it anew.

use std::path::Path;

use carillon_shared::config::settings_markdown;
use carillon_shared::telemetry::metrics_markdown;

/// The README with the text between `<!-- name -->` and `<!-- /name -->` replaced.
fn with(readme: &str, name: &str, text: &str) -> String {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = readme.split_once(&start).unwrap_or_else(|| panic!("the README has the marker {start}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the README has the marker {end}"));
    format!("{before}{start}\n{}\n\n{end}{after}", text.trim())
}

#[test]
fn the_tables_of_the_readme_are_those_of_the_programs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(&path).expect("the README is there");
    let current = with(&with(&readme, "settings", &settings_markdown()), "metrics", &metrics_markdown());
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, current).expect("the README can be written");
        return;
    }
    assert!(readme == current, "the README is behind: run UPDATE_README=1 cargo test -p carillon-tests --test readme");
}
