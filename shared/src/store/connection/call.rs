//! What is asked of Redis.

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, Value};

use crate::store::script::{LIBRARY, Script};

/// What is asked of Redis. Each may be sent twice.
pub(super) enum Call<'a> {
    Script(&'a Script, &'a [String], &'a [Arg<'a>]),
    Command(&'a Cmd),
    Transaction(&'a Pipeline),
}

impl Call<'_> {
    /// The first key, which decides where in a cluster the call belongs; all others are in the same slot.
    pub(super) fn key(&self) -> Option<&[u8]> {
        match self {
            Self::Script(_, keys, _) => keys.first().map(String::as_bytes),
            Self::Command(command) => key_of(command),
            Self::Transaction(pipeline) => pipeline.cmd_iter().next().and_then(key_of),
        }
    }

    pub(super) async fn on(&self, connection: &mut MultiplexedConnection) -> Result<Value, RedisError> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Transaction(pipeline) => pipeline.query_async(connection).await,
            Self::Script(script, keys, args) => {
                let function = call("FCALL", &script.function, keys, args);
                match function.query_async(connection).await {
                    // Proof that nothing ran.
                    Err(error) if is_unknown(&error) => match load(connection).await {
                        Ok(()) => match function.query_async(connection).await {
                            // It was taken away again meanwhile.
                            Err(error) if is_unknown(&error) => alone(script, keys, args, connection).await,
                            reply => reply,
                        },
                        // What ends jobs and lets go of them must run even then.
                        Err(error) if error.code() == Some("OOM") => alone(script, keys, args, connection).await,
                        Err(error) => Err(error),
                    },
                    reply => reply,
                }
            }
        }
    }
}

/// The key of a command, which is its first argument in every command that the store sends.
fn key_of(command: &Cmd) -> Option<&[u8]> {
    let mut words = command.args_iter().filter_map(|word| match word {
        redis::Arg::Simple(word) => Some(word),
        _ => None,
    });
    words.nth(1)
}

/// Whether Redis knows no function of this name.
fn is_unknown(error: &RedisError) -> bool {
    error.detail() == Some("Function not found")
}

/// Sends the library.
async fn load(connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    let loaded = redis::cmd("FUNCTION").arg("LOAD").arg(&*LIBRARY).query_async::<Value>(connection).await;
    match loaded {
        // Another has sent it at the same time.
        Err(error) if error.detail().is_some_and(|detail| detail.ends_with("already exists")) => Ok(()),
        loaded => loaded.map(drop),
    }
}

async fn alone(
    script: &Script,
    keys: &[String],
    args: &[Arg<'_>],
    connection: &mut MultiplexedConnection,
) -> Result<Value, RedisError> {
    call("EVAL", &script.alone(), keys, args).arg(script.name).query_async(connection).await
}

/// An argument of a script.
#[derive(Debug, Clone)]
pub(crate) enum Arg<'a> {
    Text(&'a str),
    Owned(String),
    Int(i64),
}

impl<'a> From<&'a str> for Arg<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Arg<'_> {
    fn from(text: String) -> Self {
        Self::Owned(text)
    }
}

impl From<i64> for Arg<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

fn call(how: &str, script: &str, keys: &[String], args: &[Arg<'_>]) -> Cmd {
    let mut command = redis::cmd(how);
    command.arg(script).arg(keys.len()).arg(keys);
    for arg in args {
        match arg {
            Arg::Text(text) => command.arg(*text),
            Arg::Owned(text) => command.arg(text),
            Arg::Int(number) => command.arg(*number),
        };
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_command_is_found() {
        let key = |words: &[&str]| key_of(redis::cmd(words[0]).arg(&words[1..])).map(<[u8]>::to_vec);
        assert_eq!(key(&["GET", "k"]), Some(b"k".to_vec()));
        assert_eq!(key(&["TIME"]), None);
    }
}
