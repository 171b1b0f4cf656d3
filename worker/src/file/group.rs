//! A command that runs: the leader of a process group, and its pipes.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use carillon_shared::config::SETTINGS;
use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::judge::Heard;
use super::warden::Ward;
use crate::context::Context;
use crate::outcome::RESULT_BYTES_MAX;

const SIGTERM: i32 = 15;
/// How long a command has to end after SIGTERM; less than a handler has after it was told to stop.
const TERM_GRACE: Duration = Duration::from_secs(3);
/// How much of the end of standard error is kept.
pub(super) const STDERR_BYTES_MAX: usize = 4096;

/// A process group; whatever is left of it is killed when this is dropped.
pub(super) struct Group {
    leader: Box<dyn ChildWrapper>,
    /// Dropped after the group was killed, which is when this process need not do it any more.
    _ward: Option<Ward>,
}

impl Group {
    /// Starts `program`; `prepare` adds what is its own.
    pub(super) fn spawn(program: &str, prepare: impl FnOnce(&mut Command)) -> std::io::Result<Self> {
        let mut command = CommandWrap::with_new(program, |command| {
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            // The way to Redis is the worker's secret, not the command's.
            for setting in SETTINGS.iter().filter(|setting| setting.secret) {
                command.env_remove(setting.env);
            }
            prepare(command);
        });
        let leader = command.wrap(ProcessGroup::leader()).spawn()?;
        let _ward = leader.id().map(Ward::of);
        Ok(Self { leader, _ward })
    }

    /// Hands `input` over, and waits for the end and all that was written. The end comes sooner when the context says stop.
    pub(super) async fn converse(mut self, input: String, context: &Context) -> std::io::Result<(ExitStatus, Heard)> {
        let (stdin, stdout, stderr) =
            (self.leader.stdin().take(), self.leader.stdout().take(), self.leader.stderr().take());
        let too_much = CancellationToken::new();
        // A command need not read its input, hence what became of writing it does not matter.
        let (status, _written, result, tail) = tokio::join!(
            self.end(context, &too_much),
            write(stdin, input),
            read_result(stdout, &too_much),
            read_tail(stderr)
        );
        Ok((status?, Heard { result, tail }))
    }

    /// Waits for the end of the leader, or brings it about, then ends what is left of the group.
    async fn end(&mut self, context: &Context, too_much: &CancellationToken) -> std::io::Result<ExitStatus> {
        let status = self.leader_end(context, too_much).await;
        // Its pipes must close, or nobody would ever read to their end.
        self.kill();
        status
    }

    async fn leader_end(&mut self, context: &Context, too_much: &CancellationToken) -> std::io::Result<ExitStatus> {
        tokio::select! {
            status = self.leader.wait() => return status,
            () = too_much.cancelled() => {}
            _ = context.cancelled() => {
                self.leader.signal(SIGTERM)?;
                if let Ok(status) = timeout(TERM_GRACE, self.leader.wait()).await {
                    return status;
                }
            }
        }
        self.kill();
        self.leader.wait().await
    }

    fn kill(&mut self) {
        // It fails when nobody is left, which is what is wanted.
        let _nobody_left = self.leader.start_kill();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Not waited for yet, so that the number of the group is still its own.
        if self.leader.id().is_some() {
            self.kill();
        }
    }
}

async fn write(stdin: Option<impl AsyncWrite + Unpin>, input: String) -> std::io::Result<()> {
    match stdin {
        Some(mut stdin) => stdin.write_all(input.as_bytes()).await,
        None => Ok(()),
    }
}

/// Reads all of the result; `None` when it is larger than what is kept.
async fn read_result(stdout: Option<impl AsyncRead + Unpin>, too_much: &CancellationToken) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = RESULT_BYTES_MAX as u64 + 1;
    // What breaks the pipe also ends the command, which is told by its exit.
    let _read = match stdout {
        Some(stdout) => stdout.take(limit).read_to_end(&mut bytes).await,
        None => Ok(0),
    };
    if bytes.len() > RESULT_BYTES_MAX {
        too_much.cancel();
        return None;
    }
    Some(bytes)
}

/// Reads to the end, and keeps only the last part.
async fn read_tail(stderr: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let (mut tail, mut piece) = (Vec::new(), [0; STDERR_BYTES_MAX]);
    let Some(mut stderr) = stderr else { return tail };
    while let Ok(count @ 1..) = stderr.read(&mut piece).await {
        tail.extend_from_slice(&piece[..count]);
        let surplus = tail.len().saturating_sub(STDERR_BYTES_MAX);
        tail.drain(..surplus);
    }
    tail
}
