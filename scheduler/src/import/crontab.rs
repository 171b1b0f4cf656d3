//! Crontabs, of a user or of the system.

use serde_json::json;

use super::crontab_line::Line;
use super::draft::{Draft, Gathering, Import, Job};
use super::script::{self, Setting};
use super::{Circumstances, Table};

const REMARKS: [&str; 3] = [
    "Cron runs a command once however it ends, lets runs overlap, and forgets what it missed while it was down; so do these",
    "entries. Each has a job type of its own, for which the worker runs the command (see the handlers).",
    "Unlike cron, a local time that the clocks skip does not ring.",
];

/// The length of a description at most.
const DESCRIPTION_CHARS_MAX: usize = 300;

/// What the lines so far have set for those that follow.
#[derive(Debug)]
struct Settings {
    table: Table,
    zone: String,
    shell: String,
    env: Vec<(String, String)>,
    delay_minutes: Option<u32>,
    /// The comment that stands right above.
    comment: Vec<String>,
}

pub(super) fn read(text: &str, circumstances: &Circumstances) -> Import {
    let mut settings = Settings {
        table: circumstances.table,
        zone: circumstances.zone.to_string(),
        shell: script::SHELL.to_owned(),
        env: Vec::new(),
        delay_minutes: None,
        comment: Vec::new(),
    };
    let mut gathering = Gathering { remarks: REMARKS.map(str::to_owned).to_vec(), ..Gathering::default() };
    for (index, line) in text.lines().enumerate() {
        settings.take(index + 1, &Line::read(line, settings.table), &mut gathering);
    }
    gathering.finish()
}

impl Settings {
    fn take(&mut self, number: usize, line: &Line<'_>, gathering: &mut Gathering) {
        let comment = std::mem::take(&mut self.comment);
        match line {
            Line::Blank => {}
            Line::Comment(text) => self.comment = [comment, vec![(*text).to_owned()]].concat(),
            Line::Variable { name, value } => self.set(number, name, value, gathering),
            Line::Job { schedule, user, command } => match disagreement(schedule) {
                Some(problem) => gathering.lose(number, format!("`{schedule} {command}` is left out: {problem}")),
                None => gathering.drafts.push(self.draft(number, schedule, *user, command, &comment)),
            },
            Line::Nickname("@reboot") => {
                gathering.lose(number, "@reboot is left out: nothing here starts with a machine")
            }
            Line::Nickname(other) => gathering.lose(number, format!("{other} is left out: no schedule is called so")),
            Line::Unknown => gathering.lose(number, "is left out: neither a variable nor five fields and a command"),
        }
    }

    fn set(&mut self, number: usize, name: &str, value: &str, gathering: &mut Gathering) {
        match name {
            "CRON_TZ" => value.clone_into(&mut self.zone),
            "SHELL" => value.clone_into(&mut self.shell),
            "RANDOM_DELAY" => match value.parse() {
                Ok(minutes) => self.delay_minutes = Some(minutes).filter(|minutes| *minutes > 0),
                Err(_) => gathering.lose(number, "RANDOM_DELAY is no number of minutes"),
            },
            // No mail was wanted, and none is sent.
            "MAILTO" if value.is_empty() => {}
            "MAILTO" | "MAILFROM" | "CONTENT_TYPE" | "CONTENT_TRANSFER_ENCODING" => {
                gathering.lose(number, format!("{name}: output is not sent by mail; the job keeps it as its result"));
            }
            _ => {
                if name == "TZ" {
                    let what = "TZ is told to the commands; schedules go by CRON_TZ, or by --tz where there is none";
                    gathering.lose(number, what);
                }
                self.env.retain(|(known, _)| known != name);
                self.env.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn draft(&self, number: usize, schedule: &str, user: Option<&str>, command: &str, comment: &[String]) -> Draft {
        let setting = Setting { shell: &self.shell, env: &self.env, user };
        let (run, loss) = script::command(command, setting);
        let mut draft = Draft::new(number, name(command), Job::Own("crontab", Some(run)));
        if !comment.is_empty() {
            draft.say("description", comment.join(" ").chars().take(DESCRIPTION_CHARS_MAX).collect::<String>());
        }
        draft.say("cron", schedule);
        draft.say("timezone", self.zone.as_str());
        draft.say("overlap_policy", "allow");
        draft.say("misfire", "skip");
        draft.say("options", json!({"retry": {"max_attempts": 1}}));
        if let Some(minutes) = self.delay_minutes {
            draft.say("jitter", format!("{minutes}m"));
        }
        if let Some(user) = user {
            draft.say("run_as", user);
        }
        if let Some(loss) = loss {
            draft.lose(loss);
        }
        draft
    }
}

/// Cron takes a day field that begins with a star, such as `*/2`, for one that restricts nothing when it joins the two; here
/// only a plain star is one.
fn disagreement(schedule: &str) -> Option<&'static str> {
    let fields: Vec<_> = schedule.split(' ').collect();
    let [_, _, day, _, weekday] = fields[..] else { return None };
    let begins_with_star = |field: &str| field.starts_with('*') && field != "*";
    let differs = day != "*" && weekday != "*" && (begins_with_star(day) || begins_with_star(weekday));
    differs.then_some("cron rings when both day fields match, an entry here when either does")
}

/// Words that say little of what a command does.
const WRAPPERS: [&str; 14] = [
    "cd", "test", "[", "env", "sudo", "nice", "ionice", "flock", "sh", "bash", "exec", "timeout", "python3", "command",
];

/// A name from a command: its program, or as much of it as says something.
fn name(command: &str) -> String {
    let first = command.split_whitespace().next().unwrap_or_default();
    let program = first.rsplit('/').next().unwrap_or_default();
    if WRAPPERS.contains(&program) || program.contains('=') || program.is_empty() {
        return command.chars().take(40).map(|c| if c == '.' { '-' } else { c }).collect();
    }
    program.split('.').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use carillon_shared::cron::Zone;
    use serde_json::Value;

    use super::*;

    fn import(text: &str, table: Table) -> Import {
        read(text, &Circumstances { zone: Zone::UTC, table })
    }

    fn said<'a>(import: &'a Import, entry: usize, member: &str) -> Option<&'a Value> {
        import.entries[entry].members.iter().find(|(name, _)| *name == member).map(|(_, value)| value)
    }

    fn losses(import: &Import) -> Vec<String> {
        import.all_losses().iter().map(ToString::to_string).filter(|loss| !loss.contains("cannot say")).collect()
    }

    #[test]
    fn a_line_becomes_an_entry_and_a_handler() {
        let import =
            import("# Saves the database.\n# Each night.\n30 2 * * mon-fri /opt/bin/backup.sh --all\n", Table::User);
        assert_eq!(said(&import, 0, "name"), Some(&"backup".into()));
        assert_eq!(said(&import, 0, "description"), Some(&"Saves the database. Each night.".into()));
        assert_eq!(said(&import, 0, "cron"), Some(&"30 2 * * mon-fri".into()));
        let (job_type, command) = &import.commands[0];
        assert_eq!(job_type, "crontab.backup");
        assert_eq!(command.words, ["/bin/sh", "-c", "exec </dev/null; /opt/bin/backup.sh --all"]);
        assert_eq!(losses(&import), Vec::<String>::new());
    }

    #[test]
    fn variables_hold_from_where_they_stand() {
        let text = "@daily a\nCRON_TZ=Europe/Berlin\nSHELL=/bin/bash\nPATH=/opt:/bin\nPATH=/bin\n@daily b\n";
        let import = import(text, Table::User);
        assert_eq!(said(&import, 0, "timezone"), Some(&"UTC".into()));
        assert_eq!(said(&import, 1, "timezone"), Some(&"Europe/Berlin".into()));
        assert_eq!(import.commands[0].1.env, []);
        assert_eq!(import.commands[1].1.env, [("PATH".to_owned(), "/bin".to_owned())]);
        assert_eq!(import.commands[1].1.words[0], "/bin/bash");
    }

    #[test]
    fn what_cannot_be_said_is_named_with_its_line() {
        let text =
            "MAILTO=root\nTZ=Europe/Berlin\n@reboot x\n0 0 */2 * 1 x\n99 * * * * x\nnonsense\nMAILTO=\"\"\n@daily x\n";
        let found = losses(&import(text, Table::User));
        let starts =
            ["line 1: MAILTO", "line 2: TZ", "line 3: @reboot", "line 4: `0 0 */2 * 1 x`", "line 5: x is left out"];
        for (loss, start) in found.iter().zip(starts) {
            assert!(loss.starts_with(start), "{loss}");
        }
        assert!(found[5].starts_with("line 6: is left out") && found.len() == 6, "{found:?}");
    }

    #[test]
    fn a_table_of_the_system_names_users() {
        let import = import("17 * * * * root cd / && run-parts /etc/cron.hourly\n", Table::System);
        assert_eq!(said(&import, 0, "name"), Some(&"cd-run-parts-etc-cron-hourly".into()));
        assert_eq!(import.commands[0].1.words[..4], ["runuser", "-u", "root", "--"]);
    }

    #[test]
    fn a_blank_line_parts_a_comment_from_a_command() {
        let import = import("# of nothing\n\n@daily a\n# of b\n@daily b\n", Table::User);
        assert_eq!((said(&import, 0, "description"), said(&import, 1, "description")), (None, Some(&"of b".into())));
    }
}
