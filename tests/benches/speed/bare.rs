//! The limit: a client that does nothing but send plain commands in batches and read the answers.
//!
//! Commands are written out before the clock starts, so that only the socket and Redis are measured. One batch is always on
//! the way while the answers of another are read, as any pipelining client would do it.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use carillon_tests::redis::Server;
use redis::{Cmd, Parser};

/// Commands that are sent in one go, written out.
pub(crate) struct Batch {
    bytes: Vec<u8>,
    commands: usize,
}

impl Batch {
    pub(crate) fn new(commands: &[Cmd]) -> Self {
        let mut bytes = Vec::new();
        commands.iter().for_each(|command| bytes.extend(command.get_packed_command()));
        Self { bytes, commands: commands.len() }
    }
}

/// A command from its words.
#[macro_export]
macro_rules! cmd {
    ($name:expr $(, $arg:expr)* $(,)?) => {{
        let mut command = redis::cmd($name);
        $(command.arg($arg);)*
        command
    }};
}

/// Sends the batches to a fresh connection and says how long Redis took over them.
pub(crate) fn run(server: &Server, batches: &[Batch]) -> Duration {
    let mut out = TcpStream::connect(("127.0.0.1", server.port())).expect("the server listens");
    out.set_nodelay(true).expect("a socket of ours");
    let mut answers = BufReader::with_capacity(1 << 18, out.try_clone().expect("a socket of ours"));
    let mut parser = Parser::new();
    let start = Instant::now();
    let mut on_the_way = 0;
    for batch in batches {
        out.write_all(&batch.bytes).expect("the server takes commands");
        (0..on_the_way).for_each(|_| heard(&mut parser, &mut answers));
        on_the_way = batch.commands;
    }
    (0..on_the_way).for_each(|_| heard(&mut parser, &mut answers));
    start.elapsed()
}

fn heard(parser: &mut Parser, answers: &mut BufReader<TcpStream>) {
    // Only `EXPIRE` and the like may fail silently; an error in an answer means that the bench is wrong.
    parser.parse_value(&mut *answers).and_then(redis::Value::extract_error).expect("a plain command does not fail");
}
