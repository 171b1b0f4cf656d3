//! Clients that take their time, and too many of them.

use std::net::SocketAddr;
use std::time::Duration;

use carillon_scheduler::cli::configuration;
use carillon_scheduler::http::{ApiState, Limits, router, serve_with};
use carillon_shared::client::Client;
use carillon_tests::store::store;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server that is impatient, so that tests need not be patient.
fn impatient() -> Limits {
    Limits {
        first_byte: Duration::from_millis(200),
        header: Duration::from_millis(400),
        body: Duration::from_millis(300),
        connections_max: 4,
        streams_max: 1,
        heartbeat: Duration::from_millis(100),
        ..Limits::default()
    }
}

async fn serve() -> (SocketAddr, DropGuard) {
    let stop = CancellationToken::new();
    let config = configuration(&[]).expect("the defaults are valid");
    let api = ApiState::with_limits(Client::new(store().await), &config, None, stop.clone(), impatient());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve_with(listener, router(api), impatient(), stop.clone(), Duration::from_secs(1)));
    (address, stop.drop_guard())
}

async fn connect(address: SocketAddr, sent: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).await.expect("a connection");
    connection.write_all(sent.as_bytes()).await.expect("sent");
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
    let (address, _guard) = serve().await;
    assert_eq!(until_closed(connect(address, "").await).await, "");
}

#[tokio::test]
async fn half_a_header_is_not_waited_for() {
    let (address, _guard) = serve().await;
    for half in ["G", "GET /livez HTTP/1.1\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: "] {
        let said = until_closed(connect(address, half).await).await;
        assert!(!said.contains(" 200 "), "{half:?}: {said}");
    }
}

#[tokio::test]
async fn half_a_body_is_answered_and_closed() {
    let (address, _guard) = serve().await;
    let half = "POST /ojs/v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"type\":";
    let said = until_closed(connect(address, half).await).await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("invalid_request"), "{said}");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let (address, _guard) = serve().await;
    let said = until_closed(connect(address, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await).await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
}

#[tokio::test]
async fn a_quiet_stream_shows_signs_of_life_and_is_not_closed() {
    let (address, _guard) = serve().await;
    let mut stream = connect(address, "GET /ojs/v1/events/stream HTTP/1.1\r\nHost: x\r\n\r\n").await;
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
    let (address, _guard) = serve().await;
    let request = "GET /ojs/v1/events/stream HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut first = connect(address, request).await;
    let mut byte = [0; 1];
    first.read_exact(&mut byte).await.expect("an answer");
    let said = until_closed(connect(address, request).await).await;
    assert!(
        said.starts_with("HTTP/1.1 429 ") && said.contains("rate_limited") && said.contains("retry-after"),
        "{said}"
    );
}

#[tokio::test]
async fn a_connection_too_many_is_closed_and_one_that_ends_makes_room() {
    let (address, _guard) = serve().await;
    let stream = "GET /ojs/v1/events/stream HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut kept = connect(address, stream).await;
    kept.read_exact(&mut [0; 1]).await.expect("an answer");
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(address).await.expect("a connection"));
    }
    assert_eq!(until_closed(connect(address, "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await).await, "");
    drop(silent);
    carillon_tests::wait::until("room for another", async || {
        let connection = connect(address, "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        until_closed(connection).await.contains(" 200 ")
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_no_http_are_answered_or_closed() {
    let (address, _guard) = serve().await;
    for bytes in
        ["\0\0\0\0\r\n\r\n", "*1\r\n$4\r\nPING\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"]
    {
        let said = until_closed(connect(address, bytes).await).await;
        assert!(!said.contains(" 200 "), "{bytes:?}: {said}");
    }
}
