//! Imports as text: the entries, and the handlers of the worker.

use std::fmt::Write as _;

use serde_json::Value;

use super::draft::{Command, Import};

/// The entries, with what is not carried over as comments. `what` says where they are from.
pub(crate) fn entries(import: &Import, what: &str) -> String {
    let mut text = String::new();
    comment(&mut text, &format!("Entries from {what}, to be applied with `carillon-scheduler apply DIR`."));
    for remark in &import.remarks {
        comment(&mut text, remark);
    }
    if !import.losses.is_empty() {
        text.push('\n');
        comment(&mut text, "Not carried over:");
        import.losses.iter().for_each(|loss| comment(&mut text, &format!("- {loss}")));
    }
    if import.entries.is_empty() {
        text.push_str("\nentries = []\n");
    }
    for entry in &import.entries {
        text.push('\n');
        for loss in &entry.losses {
            comment(&mut text, &format!("Not carried over: {}", loss.what));
        }
        text.push_str("[[entries]]\n");
        for (member, value) in &entry.members {
            line(&mut text, member, &toml(value));
        }
    }
    text
}

/// The handlers file of a worker that runs the commands; empty if there are none.
pub(crate) fn handlers(import: &Import) -> String {
    let mut text = String::new();
    if import.commands.is_empty() {
        return text;
    }
    comment(
        &mut text,
        "The commands of the imported entries, for `carillon-worker --handlers FILE`. They run with the",
    );
    comment(&mut text, "environment and in the directory of the worker.");
    for (job_type, Command { words, env }) in &import.commands {
        _ = write!(text, "\n[handlers.{}]\n", toml::Value::from(job_type.as_str()));
        line(&mut text, "command", &words.clone().into());
        if !env.is_empty() {
            let table: toml::Table = env.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            line(&mut text, "env", &toml::Value::Table(table));
        }
    }
    text
}

/// The same text, as a comment behind the entries.
pub(crate) fn commented(handlers: &str) -> String {
    handlers.lines().map(|line| format!("#{}{line}\n", if line.is_empty() { "" } else { " " })).collect()
}

fn line(text: &mut String, key: &str, value: &toml::Value) {
    _ = writeln!(text, "{key} = {value}");
}

/// Whatever stands in it, it stays a comment, and what steers terminals is spelled out.
fn comment(text: &mut String, what: &str) {
    for line in what.lines() {
        text.push_str("# ");
        for c in line.chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
        text.push('\n');
    }
}

fn toml(value: &Value) -> toml::Value {
    match value {
        // TOML has no null; importers say none.
        Value::Null => String::new().into(),
        Value::Bool(truth) => (*truth).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(toml).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            toml::Value::Table(members.iter().map(|(name, value)| (name.clone(), toml(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_stays_one_and_does_not_steer_a_terminal() {
        let mut text = String::new();
        comment(&mut text, "a\nb\u{1b}[2J\rc");
        assert_eq!(text, "# a\n# b\\u{1b}[2J\\rc\n");
    }

    #[test]
    fn commented_handlers_are_handlers_again_without_the_mark() {
        let handlers = "# x\n\n[handlers.\"a.b\"]\ncommand = [\"a\"]\n";
        assert_eq!(commented(handlers), "# # x\n#\n# [handlers.\"a.b\"]\n# command = [\"a\"]\n");
    }
}
