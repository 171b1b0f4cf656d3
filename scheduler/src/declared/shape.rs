//! Where in a document its entries stand: alone, in a list, or in a list under `entries`.

use serde_json::{Map, Value};

use super::syntax::join;

/// The member that holds a list of entries.
const ENTRIES: &str = "entries";

/// An entry of a document, and its path there.
pub(super) type Found<'a> = (String, &'a Map<String, Value>);

/// What is wrong with a document, and the path at which.
pub(super) type Wrong = (String, String);

/// Finds the entries of a document. `at` is the path of the document itself.
pub(super) fn entries<'a>(document: &'a Value, at: &str) -> Result<Vec<Found<'a>>, Wrong> {
    match document {
        Value::Null => Ok(Vec::new()),
        Value::Object(map) if map.is_empty() => Ok(Vec::new()),
        Value::Object(map) if map.contains_key(ENTRIES) => listed(map, at),
        Value::Object(map) => Ok(vec![(at.to_owned(), map)]),
        Value::Array(items) => each(items, at),
        other => Err((at.to_owned(), format!("expected an entry, or a list of them under `{ENTRIES}`, found {other}"))),
    }
}

fn listed<'a>(map: &'a Map<String, Value>, at: &str) -> Result<Vec<Found<'a>>, Wrong> {
    if let Some(other) = map.keys().find(|key| *key != ENTRIES) {
        return Err((join(at, other), format!("unknown beside `{ENTRIES}`: what all entries share stands in each")));
    }
    let path = join(at, ENTRIES);
    match &map[ENTRIES] {
        Value::Array(items) => each(items, &path),
        Value::Null => Ok(Vec::new()),
        _ => Err((path, "expected a list of entries".to_owned())),
    }
}

fn each<'a>(items: &'a [Value], at: &str) -> Result<Vec<Found<'a>>, Wrong> {
    let entry = |(index, item): (usize, &'a Value)| {
        let path = format!("{at}[{index}]");
        match item {
            Value::Object(map) => Ok((path, map)),
            _ => Err((path, "expected an entry: a table of members such as name, cron, type".to_owned())),
        }
    };
    items.iter().enumerate().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_stand_alone_in_a_list_or_under_their_name() {
        let entry = json!({"name": "a"});
        for (document, paths) in [
            (entry.clone(), vec![""]),
            (json!([entry, entry]), vec!["[0]", "[1]"]),
            (json!({"entries": [entry]}), vec!["entries[0]"]),
            (json!({"entries": []}), vec![]),
            (json!({}), vec![]),
            (Value::Null, vec![]),
        ] {
            let found = entries(&document, "").expect("entries");
            assert_eq!(found.into_iter().map(|(path, _)| path).collect::<Vec<_>>(), paths, "{document}");
        }
    }

    #[test]
    fn anything_else_is_refused_at_its_path() {
        for (document, path) in [
            (json!("x"), ""),
            (json!([1]), "[0]"),
            (json!({"entries": {}}), "entries"),
            (json!({"entries": ["x"]}), "entries[0]"),
            (json!({"entries": [], "defaults": {}}), "defaults"),
        ] {
            assert_eq!(entries(&document, "").expect_err("refused").0, path, "{document}");
        }
    }
}
