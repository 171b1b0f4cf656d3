//! The HTTP API under fifty connections that each wait for their answer: enqueue, and fetch with ack, of one worker and of fifty.
//!
//! The limit: the same server and connections, asked for what needs no Redis.

use std::time::Instant;

use carillon_tests::process::{Process, scheduler};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::figure::Figure;
use crate::ground::{Ground, Scale, per_second};

const CONNECTIONS: usize = 50;

pub(crate) async fn measure(scale: Scale) -> Vec<Figure> {
    let count = scale.of(50_000, 200_000);
    let ground = Ground::new().await;
    let (_scheduler, port) = served(&ground).await;
    let limit = everywhere(port, count, Visit::Live).await;
    let enqueued = everywhere(port, count, Visit::Enqueue).await;
    let by_one = everywhere(port, count / 2, Visit::FetchAndAck(Workers::One)).await;
    let by_many = everywhere(port, count / 2, Visit::FetchAndAck(Workers::Fifty)).await;
    vec![
        Figure::rate("HTTP enqueue, 50 connections", enqueued).beside(limit).must(25_000.0, 25_000.0),
        Figure::rate("HTTP fetch + ack pairs, 50 connections", by_one).beside(limit / 2.0).must(12_000.0, 12_000.0),
        Figure::rate("HTTP fetch + ack pairs, 50 workers", by_many).beside(limit / 2.0),
    ]
}

async fn served(ground: &Ground) -> (Process, u16) {
    let mut serve = scheduler();
    serve.args(["serve", "--port", "0", "--grpc-port", "off", "--redis-url", &ground.server.url()]);
    let scheduler = Process::start(&serve);
    let line = scheduler.printed("scheduler started").await;
    let address = line.split("127.0.0.1:").nth(1).expect("it says where it listens");
    let port = address.split(|c: char| !c.is_ascii_digit()).next().and_then(|port| port.parse().ok());
    (scheduler, port.expect("a port"))
}

#[derive(Clone, Copy)]
enum Visit {
    Live,
    Enqueue,
    FetchAndAck(Workers),
}

/// Whose the connections are.
#[derive(Clone, Copy)]
enum Workers {
    One,
    Fifty,
}

/// Visits per second.
async fn everywhere(port: u16, count: usize, visit: Visit) -> f64 {
    let start = Instant::now();
    let visitors = (0..CONNECTIONS).map(|visitor| tokio::spawn(visits(visitor, port, count / CONNECTIONS, visit)));
    for visitor in visitors.collect::<Vec<_>>() {
        visitor.await.expect("every request is answered");
    }
    per_second(count, start.elapsed())
}

async fn visits(visitor: usize, port: u16, count: usize, visit: Visit) {
    let mut line = Line::open(port).await;
    let worker = match visit {
        Visit::FetchAndAck(Workers::Fifty) => format!("worker-{visitor}"),
        _ => "w".to_owned(),
    };
    for number in 0..count {
        match visit {
            Visit::Live => drop(line.ask("GET", "/livez", "").await),
            Visit::Enqueue => {
                let job = format!(r#"{{"type":"noop","args":[{number}]}}"#);
                line.ask("POST", "/ojs/v1/jobs", &job).await;
            }
            Visit::FetchAndAck(_) => {
                let fetch = format!(r#"{{"queues":["default"],"worker_id":"{worker}"}}"#);
                let fetched = line.ask("POST", "/ojs/v1/workers/fetch", &fetch).await;
                let id = fetched.split(r#""id":""#).nth(1).and_then(|rest| rest.get(..36)).expect("a job was fetched");
                let ack = format!(r#"{{"job_id":"{id}","worker_id":"{worker}"}}"#);
                line.ask("POST", "/ojs/v1/workers/ack", &ack).await;
            }
        }
    }
}

/// One connection that is kept.
struct Line {
    stream: TcpStream,
    heard: Vec<u8>,
}

impl Line {
    async fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket of ours");
        Self { stream, heard: Vec::new() }
    }

    /// Sends a request and returns the body of the answer.
    async fn ask(&mut self, method: &str, path: &str, body: &str) -> String {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).await.expect("the server takes requests");
        self.heard.clear();
        loop {
            let read = self.stream.read_buf(&mut self.heard).await.expect("the server answers");
            assert!(read > 0, "the server hung up after {}", String::from_utf8_lossy(&self.heard));
            if let Some(body) = whole(&self.heard) {
                return body;
            }
        }
    }
}

/// The body, when all of it has come.
fn whole(heard: &[u8]) -> Option<String> {
    let head_ends = heard.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&heard[..head_ends]).to_lowercase();
    assert!(head.starts_with("http/1.1 2"), "{}", String::from_utf8_lossy(heard));
    let length: usize = head.split("content-length: ").nth(1)?.lines().next()?.trim().parse().ok()?;
    let body = &heard[head_ends + 4..];
    (body.len() >= length).then(|| String::from_utf8_lossy(body).into_owned())
}
