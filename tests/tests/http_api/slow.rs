//! Clients that take their time, and too many of them.

use std::net::SocketAddr;
use std::time::Duration;

use carillon_scheduler::cli::configuration;
use carillon_scheduler::http::{ApiState, Limits, router, serve_with};
use carillon_shared::client::Client;
use carillon_tests::store::store;
use carillon_tests::wait::{until, until_some};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

const PATIENCE: Duration = Duration::from_secs(120);
/// What a test is not about does not come to its end.
const LONG: Duration = Duration::from_secs(600);
/// What a test is about comes to its end soon.
const SHORT: Duration = Duration::from_millis(300);

/// A server with few places and no timer that ends.
fn patient() -> Limits {
    Limits {
        first_byte: LONG,
        header: LONG,
        body: LONG,
        write_stall: LONG,
        connections_max: 4,
        streams_max: 1,
        heartbeat: Duration::from_millis(100),
        ..Limits::default()
    }
}

/// A server all of whose timers end soon: also before the first request, if this process stands still for a moment.
fn impatient() -> Limits {
    Limits { first_byte: SHORT, header: SHORT, body: SHORT, ..patient() }
}

async fn serve(limits: Limits) -> (SocketAddr, DropGuard) {
    let stop = CancellationToken::new();
    let config = configuration(&[]).expect("the defaults are valid");
    let api = ApiState::with_limits(Client::new(store().await), &config, None, stop.clone(), limits.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve_with(listener, router(api), limits, stop.clone(), Duration::from_secs(1)));
    (address, stop.drop_guard())
}

async fn connect(address: SocketAddr, sent: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.expect("a connection");
    // One that is closed already says so when it is read.
    let _sent = connection.write_all(sent.as_bytes()).await;
    connection
}

/// What the server says before it closes the connection.
async fn until_closed(mut connection: TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, connection.read_to_end(&mut bytes)).await;
    // A reset closes it just as well.
    _ = read.expect("the server closes the connection");
    String::from_utf8(bytes).expect("text")
}

#[tokio::test]
async fn a_connection_without_a_byte_is_closed() {
    let (address, _guard) = serve(Limits { first_byte: SHORT, ..patient() }).await;
    assert_eq!(until_closed(connect(address, "").await).await, "");
}

#[tokio::test]
async fn half_a_header_is_not_waited_for() {
    let (address, _guard) = serve(Limits { header: SHORT, ..patient() }).await;
    for half in ["G", "GET /livez HTTP/1.1\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: "] {
        let said = until_closed(connect(address, half).await).await;
        assert!(!said.contains(" 200 "), "{half:?}: {said}");
    }
}

#[tokio::test]
async fn half_a_body_is_answered_and_closed() {
    let (address, _guard) = serve(Limits { body: SHORT, ..patient() }).await;
    let half = "POST /ojs/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"type\":";
    let said = until_closed(connect(address, half).await).await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("invalid_request"), "{said}");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let (address, _guard) = serve(Limits { header: SHORT, ..patient() }).await;
    // The same timer may end before the request has come.
    until_some("an answer, then the end", async || {
        let said = until_closed(connect(address, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await).await;
        said.starts_with("HTTP/1.1 200 ").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_quiet_stream_shows_signs_of_life_and_is_not_closed() {
    let (address, _guard) = serve(impatient()).await;
    let mut stream = until_some("a stream", async || {
        let mut stream = connect(address, "GET /ojs/v1/events/stream HTTP/1.1\r\nHost: x\r\n\r\n").await;
        matches!(stream.read(&mut [0; 1]).await, Ok(1)).then_some(stream)
    })
    .await;
    let mut said = String::new();
    let mut buffer = [0; 4096];
    // Longer than any timer of this server.
    while said.matches(": alive").count() < 12 {
        let read =
            tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("a sign of life").expect("open");
        assert!(read > 0, "closed after {said}");
        said.push_str(std::str::from_utf8(&buffer[..read]).expect("text"));
    }
}

#[tokio::test]
async fn a_stream_too_many_is_refused() {
    let (address, _guard) = serve(patient()).await;
    let request = "GET /ojs/v1/events/stream HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut first = connect(address, request).await;
    let mut byte = [0; 1];
    first.read_exact(&mut byte).await.expect("an answer");
    let alone = format!("{}Connection: close\r\n\r\n", request.trim_end_matches("\r\n").to_owned() + "\r\n");
    let said = until_closed(connect(address, &alone).await).await;
    assert!(
        said.starts_with("HTTP/1.1 429 ") && said.contains("rate_limited") && said.contains("retry-after"),
        "{said}"
    );
}

#[tokio::test]
async fn a_connection_too_many_is_closed_and_one_that_ends_makes_room() {
    let (address, _guard) = serve(patient()).await;
    let stream = "GET /ojs/v1/events/stream HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut kept = connect(address, stream).await;
    kept.read_exact(&mut [0; 1]).await.expect("an answer");
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(address).await.expect("a connection"));
    }
    assert_eq!(until_closed(connect(address, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await).await, "");
    drop(silent);
    until("room for another", async || {
        let connection = connect(address, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        until_closed(connection).await.contains(" 200 ")
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_no_http_are_answered_or_closed() {
    let (address, _guard) = serve(impatient()).await;
    for bytes in
        ["\0\0\0\0\r\n\r\n", "*1\r\n$4\r\nPING\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"]
    {
        let said = until_closed(connect(address, bytes).await).await;
        assert!(!said.contains(" 200 "), "{bytes:?}: {said}");
    }
}
