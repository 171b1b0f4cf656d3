//! The plain commands of a job's life, as a bare client sends them: what must be written and read in the end, no more.

use redis::Cmd;

use crate::bare::Batch;
use crate::cmd;

/// As many jobs go in one batch as the store's scripts take.
pub(crate) const BATCH: usize = 100;

fn id(number: usize) -> String {
    format!("01a1fe18-7c60-7a0f-bb21-{number:012x}")
}

fn key(kind: &str, number: usize) -> String {
    format!("bare:{{p00}}:{kind}:{}", id(number))
}

/// One transition is told once on the stream and once on the channel.
fn told(kind: &str, number: usize) -> [Cmd; 2] {
    let data = format!(r#"{{"job_id":"{}","job_type":"noop","queue":"default","attempt":1}}"#, id(number));
    [
        cmd!("XADD", "bare:{p00}:events", "MAXLEN", "~", 20_000, "*", "t", kind, "s", id(number), "d", &data),
        cmd!("PUBLISH", "bare:events", data),
    ]
}

fn envelope(number: usize) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{}","type":"noop","queue":"default","args":[{number}],"meta":{{}},"priority":0,"tags":[],"retry":{{"max_attempts":3}}}}"#,
        id(number)
    )
}

/// A job comes into being.
pub(crate) fn enqueued(number: usize) -> Vec<Cmd> {
    let mut commands = vec![
        cmd!("SET", key("env", number), envelope(number)),
        cmd!("SET", key("job", number), record("available\n0\n\n\n\n\n", number)),
        cmd!("ZADD", "bare:{p00}:ready:default", number, id(number)),
    ];
    commands.extend(told("job.enqueued", number));
    commands
}

/// The record of a job, as long as it is in truth.
fn record(life: &str, number: usize) -> String {
    format!("{life}\t{number}\n1795000000000\t1795000000000\n00f1e2d3c4b5a697\tdefault\nnoop\n")
}

/// The record of an entry, as long as it is in truth.
fn entry_record(number: usize) -> String {
    let registered = format!("00f1e2d3{number:08x}\n1795000000000\n1795000000000\n1\n1795000000000\n\n\n");
    format!("1795000000001\n1795000060000\n1\n1\n1795000000001\n\n{registered}")
}

fn claimed(from: usize, to: usize) -> Vec<Cmd> {
    let mut commands = vec![cmd!("ZRANGE", "bare:{p00}:ready:default", 0, to - from - 1)];
    commands.push(cmd!("HINCRBY", "bare:{p00}:queue:default", "active", to - from));
    for number in from..to {
        commands.push(cmd!("GET", key("job", number)));
        commands.push(cmd!("GET", key("env", number)));
        let active = record("active\n1\n1-00f1e2d3c4b5a697\nbare-worker\n30000\n1795000000001\n", number);
        commands.push(cmd!("SET", key("job", number), active));
        commands.push(cmd!("ZREM", "bare:{p00}:ready:default", id(number)));
        commands.push(cmd!("ZADD", "bare:{p00}:leases", 1_795_000_030_000_u64, id(number)));
        commands.extend(told("job.started", number));
    }
    commands
}

fn completed(from: usize, to: usize) -> Vec<Cmd> {
    let mut commands = vec![cmd!("HINCRBY", "bare:{p00}:queue:default", "completed", to - from)];
    for number in from..to {
        commands.push(cmd!("GET", key("job", number)));
        let life = "completed\n1\n1-00f1e2d3c4b5a697\nbare-worker\n30000\n1795000000001\n1795000000002";
        let completed = record(life, number);
        commands.push(cmd!("SET", key("job", number), completed));
        commands.push(cmd!("SET", key("out", number), "null"));
        commands.push(cmd!("ZREM", "bare:{p00}:leases", id(number)));
        commands.push(cmd!("ZADD", "bare:{p00}:ended:completed", 1_795_000_000_002_u64, id(number)));
        commands.extend(told("job.completed", number));
    }
    commands
}

/// Batches by which so many jobs come into being, `size` in each.
pub(crate) fn enqueue(count: usize, size: usize) -> Vec<Batch> {
    let batch = |from: usize| {
        let to = (from + size).min(count);
        let mut commands: Vec<Cmd> = (from..to).flat_map(enqueued).collect();
        commands.push(cmd!("HINCRBY", "bare:{p00}:queue:default", "seq", to - from));
        Batch::new(&commands)
    };
    (0..count).step_by(size).map(batch).collect()
}

/// Batches by which so many jobs are claimed and completed.
pub(crate) fn drain(count: usize) -> Vec<Batch> {
    let batches = |from: usize| {
        let to = (from + BATCH).min(count);
        [Batch::new(&claimed(from, to)), Batch::new(&completed(from, to))]
    };
    (0..count).step_by(BATCH).flat_map(batches).collect()
}

/// Batches by which so many entries of `cron:<number>` fire.
pub(crate) fn fire(count: usize) -> Vec<Batch> {
    let fired = |number: usize| {
        let (entry, live) = (format!("bare:{{p00}}:cron:entry-{number}"), format!("bare:{{p00}}:live:entry-{number}"));
        let mut commands = vec![
            cmd!("MGET", &entry, format!("bare:{{p00}}:def:entry-{number}")),
            cmd!("SET", entry, entry_record(number)),
            cmd!("ZADD", "bare:{p00}:crons", 1_795_000_060_000_u64, format!("entry-{number}")),
            cmd!("ZADD", live, 1_795_000_000_000_u64, id(number)),
            cmd!(
                "RPUSH",
                format!("bare:{{p00}}:ledger:entry-{number}"),
                format!("1795000000001-1\0d\0fired\0j\0{}\0s\01795000000000\0a\01795000000001", id(number))
            ),
        ];
        commands.extend(told("cron.triggered", number));
        commands.extend(enqueued(number));
        commands
    };
    let size = BATCH / 2;
    let batch = |from: usize| Batch::new(&(from..(from + size).min(count)).flat_map(fired).collect::<Vec<_>>());
    (0..count).step_by(size).map(batch).collect()
}
