//! A failing sequence made short: commands are left out for as long as it still fails.

use super::Command;

/// The shortest sequence found that still fails, by leaving out halves, quarters, … and at last single commands.
pub async fn shrunk(mut commands: Vec<Command>, mut fails: impl AsyncFnMut(&[Command]) -> bool) -> Vec<Command> {
    let mut length = commands.len() / 2;
    while length > 0 {
        let mut from = 0;
        while from < commands.len() {
            let mut fewer = commands.clone();
            fewer.drain(from..commands.len().min(from + length));
            if fails(&fewer).await {
                commands = fewer;
            } else {
                from += length;
            }
        }
        length /= 2;
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_left_is_what_makes_it_fail() {
        let commands: Vec<_> = (0..100).map(Command::Cancel).collect();
        let needed = [Command::Cancel(17), Command::Cancel(63)];
        let left = shrunk(commands, async |some| needed.iter().all(|one| some.contains(one))).await;
        assert_eq!(left, needed);
    }
}
