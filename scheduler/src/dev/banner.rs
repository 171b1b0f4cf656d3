//! What is printed once everything runs: where everything is, and lines to try.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use carillon_shared::config::{Access, SchedulerConfig};
use carillon_shared::name::CronName;
use carillon_shared::store::Keys;

/// Everything that runs.
pub(super) struct Running<'a> {
    pub(super) config: &'a SchedulerConfig,
    pub(super) address: SocketAddr,
    /// Where gRPC is served, if it is.
    pub(super) grpc_address: Option<SocketAddr>,
    pub(super) keys: &'a Keys,
    /// The port of the private Redis, if there is one.
    pub(super) redis_port: Option<u16>,
    pub(super) worker_metrics: &'a str,
    pub(super) data: &'a Path,
    pub(super) registered: &'a [CronName],
}

/// The whole text.
pub(super) fn banner(running: &Running<'_>) -> String {
    let Running { config, keys, data, .. } = running;
    let api = format!("http://{}", reachable(running.address));
    let redis = match running.redis_port {
        Some(_) => format!("{} (private; its data is kept)", config.redis.url),
        None => config.redis.url.to_string(),
    };
    let worker_metrics = match running.worker_metrics {
        "off" => "off".to_owned(),
        address => format!("http://{address}/metrics"),
    };
    let rows = [
        ("HTTP API", api.clone()),
        ("gRPC", running.grpc_address.map_or_else(|| "off".to_owned(), |address| reachable(address).to_string())),
        ("metrics", format!("{api}/metrics (scheduler), {worker_metrics} (worker)")),
        ("Redis", redis),
        ("inbox", format!("RPUSH {} '<job JSON>'", keys.inbox())),
        ("events", format!("SUBSCRIBE {}", keys.events_channel())),
        ("data", data.display().to_string()),
    ];
    let rows: String = rows.iter().map(|(name, value)| format!("  {name:<9} {value}\n")).collect();
    format!(
        "Carillon runs. Ctrl-C stops all of it in order.\n\n{rows}\nTry, in another terminal:\n\n{}\n{}\nEvents as they happen (UTC):\n",
        tries(running, &api),
        samples(running.registered),
    )
}

fn tries(running: &Running<'_>, api: &str) -> String {
    let key = match running.config.http.access {
        Access::Key(_) => " -H \"Authorization: Bearer $OJS_API_KEY\"",
        Access::Open => "",
    };
    let redis_cli = match running.redis_port {
        Some(port) => format!("redis-cli -p {port}"),
        // The address may hold a password, which is not printed.
        None => "redis-cli -u \"$REDIS_URL\"".to_owned(),
    };
    let inbox = running.keys.inbox();
    [
        format!("  curl -s{key} {api}/ojs/v1/cron"),
        format!("  curl -s{key} -X POST {api}/ojs/v1/cron/heartbeat-tick/trigger"),
        format!("  curl -s{key} '{api}/ojs/v1/cron/heartbeat-tick/ledger?limit=3'"),
        format!(
            "  curl -s{key} -H 'Content-Type: application/json' -d '{{\"type\":\"echo\",\"args\":[\"hello\"]}}' {api}/ojs/v1/jobs"
        ),
        format!("  {redis_cli} RPUSH {inbox} '{{\"type\":\"echo\",\"args\":[\"from the inbox\"]}}'"),
        String::new(),
    ]
    .join("\n")
}

fn samples(registered: &[CronName]) -> String {
    let names: Vec<_> = registered.iter().map(CronName::as_str).collect();
    match names.as_slice() {
        [] => "The sample entries are as you left them; one that you remove comes back at the next start.\n".to_owned(),
        names => format!("Registered sample entries: {}.\n", names.join(", ")),
    }
}

/// An address to which this machine can connect: one that stands for all addresses is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        return SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port());
    }
    address
}
