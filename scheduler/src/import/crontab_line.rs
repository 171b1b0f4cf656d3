//! One line of a crontab.

use super::Table;

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Blank,
    Comment(&'a str),
    Variable {
        name: &'a str,
        value: &'a str,
    },
    Job {
        schedule: String,
        user: Option<&'a str>,
        command: &'a str,
    },
    /// A word with `@` that is no schedule, such as `@reboot`.
    Nickname(&'a str),
    /// Neither.
    Unknown,
}

/// The words for schedules.
const NICKNAMES: [(&str, &str); 8] = [
    ("@yearly", "@yearly"),
    ("@annually", "@annually"),
    ("@monthly", "@monthly"),
    ("@weekly", "@weekly"),
    ("@daily", "@daily"),
    ("@midnight", "@midnight"),
    ("@hourly", "@hourly"),
    ("@every_minute", "* * * * *"),
];

impl<'a> Line<'a> {
    pub(super) fn read(text: &'a str, table: Table) -> Self {
        let text = text.trim();
        if text.is_empty() {
            return Self::Blank;
        }
        if let Some(comment) = text.strip_prefix('#') {
            return Self::Comment(comment.trim_start_matches('#').trim());
        }
        variable(text).unwrap_or_else(|| job(text, table))
    }
}

/// `NAME = value`, either in quotes or not.
fn variable(text: &str) -> Option<Line<'_>> {
    let (name, value) = text.split_once('=')?;
    let name = unquoted(name.trim());
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    valid.then(|| Line::Variable { name, value: unquoted(value.trim()) })
}

fn unquoted(text: &str) -> &str {
    let within = |quote: char| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(text)
}

fn job(text: &str, table: Table) -> Line<'_> {
    let (schedule, rest) = if text.starts_with('@') {
        let (nickname, rest) = word(text);
        let known = NICKNAMES.iter().find(|(name, _)| nickname.eq_ignore_ascii_case(name));
        let Some((_, schedule)) = known else { return Line::Nickname(nickname) };
        ((*schedule).to_owned(), rest)
    } else {
        let (mut fields, mut rest) = (Vec::new(), text);
        for _ in 0..5 {
            let (field, after) = word(rest);
            fields.push(field);
            rest = after;
        }
        (fields.join(" "), rest)
    };
    let (user, command) = match table {
        Table::User => (None, rest),
        Table::System => {
            let (user, command) = word(rest);
            (Some(user), command)
        }
    };
    if command.is_empty() { Line::Unknown } else { Line::Job { schedule, user, command } }
}

/// The first word, and what follows it.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job<'a>(schedule: &str, user: Option<&'a str>, command: &'a str) -> Line<'a> {
        Line::Job { schedule: schedule.to_owned(), user, command }
    }

    #[test]
    fn each_sort_of_line_is_told_apart() {
        for (text, line) in [
            ("  ", Line::Blank),
            ("## a note", Line::Comment("a note")),
            ("A=1", Line::Variable { name: "A", value: "1" }),
            (" \"A\" = ' x y '", Line::Variable { name: "A", value: " x y " }),
            ("*/5 * * * *  A=1 run", job("*/5 * * * *", None, "A=1 run")),
            ("0\t0 1 * *\t echo  a", job("0 0 1 * *", None, "echo  a")),
            ("@Daily run", job("@daily", None, "run")),
            ("@reboot run", Line::Nickname("@reboot")),
            ("@every 5m run", Line::Nickname("@every")),
            ("0 0 * * *", Line::Unknown),
            ("nonsense", Line::Unknown),
        ] {
            assert_eq!(Line::read(text, Table::User), line, "{text}");
        }
        assert_eq!(Line::read("@daily root run -x", Table::System), job("@daily", Some("root"), "run -x"));
        assert_eq!(Line::read("@daily root", Table::System), Line::Unknown);
    }
}
