//! What the README shows of the programs is what they have. `UPDATE_README=1` writes it anew.

use std::path::Path;

use carillon_shared::config::settings_markdown;
use carillon_shared::name::Namespace;
use carillon_shared::store::acl_rules;
use carillon_shared::telemetry::metrics_markdown;

/// The README with the text between `<!-- name -->` and `<!-- /name -->` replaced.
fn with(readme: &str, name: &str, text: &str) -> String {
    let (start, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = readme.split_once(&start).unwrap_or_else(|| panic!("the README has the marker {start}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("the README has the marker {end}"));
    format!("{before}{start}\n{}\n\n{end}{after}", text.trim())
}

/// The rules of the user with the least rights, a few to a line.
fn acl_markdown() -> String {
    let rules = acl_rules(&Namespace::default());
    let mut lines = vec![String::new()];
    for rule in rules.split(' ') {
        if lines.last().is_some_and(|line| line.len() + rule.len() > 115) {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(rule);
        }
    }
    format!("```\n{}\n```", lines.join("\n"))
}

#[test]
fn the_tables_of_the_readme_are_those_of_the_programs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(&path).expect("the README is there");
    let current = with(&with(&readme, "settings", &settings_markdown()), "metrics", &metrics_markdown());
    let current = with(&current, "acl", &acl_markdown());
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, current).expect("the README can be written");
        return;
    }
    assert!(readme == current, "the README is behind: run UPDATE_README=1 cargo test -p carillon-tests --test readme");
}
