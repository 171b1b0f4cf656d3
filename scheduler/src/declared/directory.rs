//! A directory of files, read whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use carillon_shared::name::{CronName, OwnerName};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::file::{self, Declared};
use super::mistake::{Mistake, Mistakes};
use super::syntax::Syntax;

/// Files read at most.
const FILES_MAX: usize = 1000;
/// The size of a file at most.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Entries declared at most.
const ENTRIES_MAX: usize = 10_000;

/// Files of entries by name, and the language of each.
type Files = Vec<(String, Syntax)>;

/// What the files of a directory declare together.
#[derive(Debug, Clone)]
pub(crate) struct Declaration {
    pub(crate) owner: OwnerName,
    /// The entries by name.
    pub(crate) entries: BTreeMap<CronName, Declared>,
    /// Tells this declaration from any that says something else.
    pub(crate) digest: String,
    /// What stands in the directory and was not read, because it is no file of entries.
    pub(crate) passed_over: Vec<String>,
}

/// Reads a directory. Hidden files are not looked at; folders in it, and files of other kinds, are passed over.
pub(crate) fn read(directory: &Path, owner: &OwnerName) -> Result<Declaration, Mistakes> {
    let unreadable = |error: io::Error| {
        Mistakes(vec![Mistake::new("", format!("cannot read the directory {}: {error}", directory.display()))])
    };
    let (files, passed_over) = list(directory).map_err(unreadable)?;
    if files.is_empty() {
        let problem = format!(
            "there is no .toml, .yaml, .yml or .json file in {}: to declare nothing, leave an empty one",
            directory.display()
        );
        return Err(Mistakes(vec![Mistake::new("", problem)]));
    }
    let (mut declared, mut mistakes) = (Vec::new(), Vec::new());
    for (name, syntax) in files.iter().take(FILES_MAX) {
        let text = text(&directory.join(name)).map_err(|problem| vec![Mistake::new(name, problem)]);
        match text.and_then(|text| file::read(name, *syntax, &text, owner)) {
            Ok(entries) => declared.extend(entries),
            Err(found) => mistakes.extend(found),
        }
    }
    for (what, count, count_max) in [("files", files.len(), FILES_MAX), ("entries", declared.len(), ENTRIES_MAX)] {
        if count > count_max {
            mistakes.push(Mistake::new("", format!("{count} {what} are more than the {count_max} that are read")));
        }
    }
    let entries = by_name(declared, &mut mistakes);
    if !mistakes.is_empty() {
        return Err(Mistakes(mistakes));
    }
    let digest = digest(&entries);
    Ok(Declaration { owner: owner.clone(), entries, digest, passed_over })
}

/// The files of entries, and what is passed over.
fn list(directory: &Path) -> io::Result<(Files, Vec<String>)> {
    let (mut files, mut passed_over) = (Vec::new(), Vec::new());
    for entry in directory.read_dir()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        // What a link leads to counts: files that are mounted into a container are often links.
        let is_file = directory.join(&name).metadata().is_ok_and(|metadata| metadata.is_file());
        match Syntax::of(&name).filter(|_| is_file) {
            Some(syntax) => files.push((name, syntax)),
            None => passed_over.push(name),
        }
    }
    files.sort_by(|(a, _), (b, _)| a.cmp(b));
    passed_over.sort();
    Ok((files, passed_over))
}

fn text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("larger than the {FILE_BYTES_MAX} bytes that are read of a file"));
    }
    String::from_utf8(bytes).map_err(|error| format!("not UTF-8 from byte {} on", error.utf8_error().valid_up_to()))
}

fn by_name(declared: Vec<Declared>, mistakes: &mut Vec<Mistake>) -> BTreeMap<CronName, Declared> {
    let mut entries: BTreeMap<CronName, Declared> = BTreeMap::new();
    for entry in declared {
        let name = &entry.definition.name;
        match entries.get(name) {
            Some(first) => {
                let place = first.place.map(|place| format!(", line {}", place.line)).unwrap_or_default();
                let problem = format!("the name `{name}` is declared in {}{place} already", first.source.file);
                mistakes.push(entry.mistake(problem));
            }
            None => _ = entries.insert(name.clone(), entry),
        }
    }
    entries
}

fn digest(entries: &BTreeMap<CronName, Declared>) -> String {
    let mut hasher = Sha256::new();
    for entry in entries.values() {
        hasher.update(json!([entry.source, entry.definition.to_json()]).to_string());
        hasher.update("\n");
    }
    hasher.finalize()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn owner() -> OwnerName {
        "default".parse().expect("a name")
    }

    /// A directory of these files.
    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            fs::write(directory.path().join(name), text).expect("written");
        }
        directory
    }

    fn entry(name: &str) -> String {
        format!("name = '{name}'\ncron = '@daily'\ntype = 'echo'\n")
    }

    fn mistakes(files: &[(&str, &str)]) -> Vec<String> {
        let directory = directory(files);
        let mistakes = read(directory.path(), &owner()).expect_err("mistakes");
        mistakes.0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn files_of_all_kinds_make_one_declaration() {
        let yaml = "- {name: b, cron: '@daily', type: echo}\n";
        let directory = directory(&[("a.toml", &entry("a")), ("b.yml", yaml), ("README.md", "x"), (".c.toml", "=")]);
        fs::create_dir(directory.path().join("sub")).expect("created");
        let declaration = read(directory.path(), &owner()).expect("valid");
        assert_eq!(declaration.entries.keys().map(CronName::as_str).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(declaration.passed_over, ["README.md", "sub"]);
    }

    #[test]
    fn the_mistakes_of_all_files_are_told_together() {
        let found = mistakes(&[("a.toml", "x = "), ("b.json", "[1]"), ("c.toml", &entry("c"))]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("a.toml:1:") && found[1].starts_with("b.json: [0]: "), "{found:?}");
    }

    #[test]
    fn a_name_stands_in_one_place_only() {
        let found =
            mistakes(&[("a.toml", &entry("same")), ("b.json", r#"[{"name":"same","cron":"@daily","type":"x"}]"#)]);
        assert_eq!(found, ["b.json: [0]: the name `same` is declared in a.toml already"]);
    }

    #[test]
    fn a_directory_without_files_is_a_mistake_and_an_empty_file_is_not() {
        assert!(mistakes(&[("README.md", "")])[0].starts_with("there is no .toml"));
        let directory = directory(&[("nothing.toml", "# nothing\n"), ("nothing.yaml", ""), ("nothing.json", "")]);
        assert!(read(directory.path(), &owner()).expect("valid").entries.is_empty());
        assert!(read(Path::new("/nonexistent"), &owner()).is_err());
    }

    #[test]
    fn a_file_that_is_no_text_or_too_large_is_refused() {
        let (directory, large) = (directory(&[]), vec![b' '; usize::try_from(FILE_BYTES_MAX).expect("small") + 1]);
        fs::write(directory.path().join("a.toml"), [b'a', 0xff]).expect("written");
        fs::write(directory.path().join("b.toml"), large).expect("written");
        let found = read(directory.path(), &owner()).expect_err("mistakes").to_string();
        assert!(found.contains("a.toml: not UTF-8 from byte 1 on; b.toml: larger than"), "{found}");
    }

    #[test]
    fn the_digest_changes_with_what_is_said_and_not_with_how() {
        let digest = |text: &str| read(directory(&[("a.toml", text)]).path(), &owner()).expect("valid").digest;
        let plain = digest(&entry("a"));
        assert_eq!(plain, digest(&format!("# a comment\n\n{}timezone = 'UTC'\n", entry("a"))));
        assert_ne!(plain, digest(&entry("b")));
        assert_ne!(plain, digest(&format!("{}enabled = true\n", entry("a"))));
    }
}
