//! The command of a crontab as the worker runs it: the same shell, the same standard input, the same user.

use super::draft::Command;

/// The shell that cron uses unless it is told another.
pub(super) const SHELL: &str = "/bin/sh";

/// Shells that redirect their input as the Bourne shell does.
const BOURNE: [&str; 7] = ["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"];

/// How a line of a crontab is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) shell: &'a str,
    pub(super) env: &'a [(String, String)],
    /// Who runs it, if not whoever runs the worker.
    pub(super) user: Option<&'a str>,
}

/// The command, and what of it is lost.
pub(super) fn command(text: &str, setting: Setting<'_>) -> (Command, Option<String>) {
    let (line, input) = split(text);
    let (script, loss) = match input.as_deref() {
        _ if !is_bourne(setting.shell) => {
            let loss = format!("{} gets the job on its standard input, not what cron gives it", setting.shell);
            (line, Some(loss))
        }
        // The worker gives the job on standard input; cron gives nothing.
        None | Some("") => (format!("exec </dev/null; {line}"), None),
        Some(input) => {
            // Cron ends the last line unless it is ended; so does what follows.
            let input = input.strip_suffix('\n').unwrap_or(input);
            let mark = mark(input);
            (format!("exec <<'{mark}'\n{input}\n{mark}\n{line}"), None)
        }
    };
    // The user's rights, not those of the worker: a command must not gain any by moving here.
    let become_user = setting.user.map_or_else(Vec::new, |user| vec!["runuser", "-u", user, "--"]);
    let words = become_user.into_iter().chain([setting.shell, "-c", script.as_str()]).map(str::to_owned).collect();
    (Command { words, env: setting.env.to_vec() }, loss)
}

/// The command proper, and its standard input: what follows the first `%`, the others being ends of lines. `\%` is a
/// percent sign.
pub(super) fn split(text: &str) -> (String, Option<String>) {
    let mut parts = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' if characters.peek() == Some(&'%') => {
                characters.next();
                push(&mut parts, '%');
            }
            '%' => parts.push(String::new()),
            c => push(&mut parts, c),
        }
    }
    let line = parts.remove(0);
    (line, (!parts.is_empty()).then(|| parts.join("\n")))
}

fn push(parts: &mut [String], c: char) {
    if let Some(part) = parts.last_mut() {
        part.push(c);
    }
}

fn is_bourne(shell: &str) -> bool {
    BOURNE.contains(&shell.rsplit('/').next().unwrap_or_default())
}

/// A word that no line of the text is.
fn mark(text: &str) -> String {
    let mut mark = "END".to_owned();
    while text.lines().any(|line| line == mark) {
        mark.push('_');
    }
    mark
}

#[cfg(test)]
mod tests {
    use std::process::Command as Process;

    use super::*;

    fn setting(shell: &str) -> Setting<'_> {
        Setting { shell, env: &[], user: None }
    }

    #[test]
    fn a_percent_sign_begins_the_standard_input_unless_it_is_escaped() {
        let split = |text| super::split(text);
        assert_eq!(split("date +\\%F"), ("date +%F".to_owned(), None));
        assert_eq!(split("mail x%Hello%%Bye \\%"), ("mail x".to_owned(), Some("Hello\n\nBye %".to_owned())));
        assert_eq!(split("cat%"), ("cat".to_owned(), Some(String::new())));
    }

    #[test]
    fn the_shell_runs_it_with_that_input() {
        for (text, expected) in [
            ("cat; echo end", "end\n"),
            ("cat%a%END%$HOME", "a\nEND\n$HOME\n"),
            ("cat%a%", "a\n"),
            ("printf \\%s x", "x"),
        ] {
            let (command, loss) = command(text, setting(SHELL));
            let output = Process::new(&command.words[0]).args(&command.words[1..]).output().expect("it runs");
            assert_eq!((String::from_utf8_lossy(&output.stdout).as_ref(), loss), (expected, None), "{text}");
        }
    }

    #[test]
    fn a_shell_of_another_family_is_given_the_line_as_it_is() {
        let (command, loss) = command("ls", setting("/usr/bin/fish"));
        assert_eq!(command.words, ["/usr/bin/fish", "-c", "ls"]);
        assert!(loss.is_some());
    }

    #[test]
    fn a_command_of_a_user_has_no_more_rights_than_that_user() {
        let (command, _) = command("ls", Setting { user: Some("backup"), ..setting(SHELL) });
        assert_eq!(command.words[..5], ["runuser", "-u", "backup", "--", "/bin/sh"]);
    }
}
