//! `dev`: everything for trying things out, in one command: a private Redis, a scheduler, a worker, sample entries.
//!
//! The scheduler runs in this process, Redis and the worker beside it. They stop in the order in which they need each
//! other: the worker finishes what it runs, the scheduler hands over, Redis writes its data. What a run leaves behind that is
//! killed is stopped by the next.

use std::io::{Write as _, stdout};
use std::net::SocketAddr;
use std::path::PathBuf;

use carillon_shared::client::Client;
use carillon_shared::config::{CONFIG_FLAG, GrpcListen, Origin, SchedulerConfig, process_environment};
use carillon_shared::store::EventCursor;
use carillon_shared::telemetry::{MetricsHandle, install_logs, install_metrics};
use clap::ArgMatches;
use tokio::sync::mpsc;

use crate::app::{App, StartError};
use crate::cli::{Failure, SOFTWARE, Signals, block_on, chain, origin};
use crate::samples;
use crate::watch::{Follower, Seen, line};

mod banner;
mod data;
mod process;
mod redis;
mod worker;

use banner::{Running, banner};
use data::DataDirectory;
use redis::PrivateRedis;
use worker::{News, Worker};

/// Unless something else is asked for, only what is wrong is logged: the events say the rest.
const LOG: &str = "warn";
/// Lines that wait to be printed.
const LINES_MAX: usize = 256;

/// Runs everything until it is told to stop.
pub(crate) fn run(matches: &ArgMatches, data: PathBuf) -> Result<(), Failure> {
    let mut config = SchedulerConfig::read(matches, &process_environment)?;
    let is_default = |flag: &str| matches!(origin(matches, flag), Some(Origin::Default(_)));
    if is_default("log") {
        LOG.clone_into(&mut config.telemetry.filter);
    }
    if let GrpcListen::IfFree(address) = config.grpc.listen {
        config.grpc.listen = GrpcListen::OrAnyPort(address);
    }
    install_logs(&config.telemetry).map_err(|error| Failure::new(SOFTWARE, error.to_string()))?;
    let settings = matches.get_one::<PathBuf>(CONFIG_FLAG).cloned();
    let wishes = Wishes { own_redis: is_default("redis-url"), any_port: is_default("port"), settings };
    block_on(dev(config, &wishes, data))
}

/// What the configuration leaves to us, and what the worker must be told of it.
#[derive(Debug)]
struct Wishes {
    own_redis: bool,
    any_port: bool,
    /// The file of settings that was named by a flag.
    settings: Option<PathBuf>,
}

async fn dev(mut config: SchedulerConfig, wishes: &Wishes, data: PathBuf) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let data = DataDirectory::open(&data)?;
    let metrics = install_metrics().map_err(|error| Failure::new(SOFTWARE, error.to_string()))?;
    let redis = if wishes.own_redis { Some(PrivateRedis::start(&data.path().join("redis")).await?) } else { None };
    if let Some(redis) = &redis {
        config.redis.url = redis.url().parse().map_err(|error: &str| Failure::new(SOFTWARE, error))?;
    }
    let ended = with_redis(&mut config, wishes, &data, redis.as_ref(), metrics, &mut signals).await;
    let Some(redis) = redis else { return ended };
    let said = say("Redis writes its data and stops");
    let stopped = signals.unless_again(redis.stop()).await;
    ended.and(said).and(stopped)
}

async fn with_redis(
    config: &mut SchedulerConfig,
    wishes: &Wishes,
    data: &DataDirectory,
    redis: Option<&PrivateRedis>,
    metrics: MetricsHandle,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let app = start(config, wishes, metrics).await?;
    let ended = with_app(config, wishes, &app, data, redis, signals).await;
    let said = say("the scheduler hands over");
    let stopped = signals.unless_again(app.stop()).await;
    ended.and(said).and(stopped)
}

/// Starts the scheduler, on another port if the usual one is taken and nobody insists on it.
async fn start(config: &mut SchedulerConfig, wishes: &Wishes, metrics: MetricsHandle) -> Result<App, Failure> {
    match App::start(config, Some(metrics.clone())).await {
        Err(StartError::Listen { source, .. }) if wishes.any_port && source.kind() == std::io::ErrorKind::AddrInUse => {
            config.http.address = SocketAddr::new(config.http.address.ip(), 0);
            Ok(App::start(config, Some(metrics)).await?)
        }
        started => Ok(started?),
    }
}

async fn with_app(
    config: &SchedulerConfig,
    wishes: &Wishes,
    app: &App,
    data: &DataDirectory,
    redis: Option<&PrivateRedis>,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let start = app.store().newest_event().await?;
    let registered = samples::register(&Client::new(app.store().clone())).await?;
    let mut worker = Worker::start(data, config, wishes.settings.as_deref()).await?;
    let said = say(&banner(&Running {
        config,
        address: app.address(),
        grpc_address: app.grpc_address(),
        keys: app.store().keys(),
        redis_port: redis.map(PrivateRedis::port),
        worker_metrics: worker.metrics(),
        data: data.path(),
        registered: &registered,
    }));
    let ended = match said {
        Ok(()) => watch(app, start, &mut worker, redis, signals).await,
        Err(failure) => Err(failure),
    };
    let said = say("\nthe worker finishes what it runs");
    let stopped = signals.unless_again(worker.stop()).await;
    ended.and(said).and(stopped)
}

/// Tells what happens until there is a reason to stop.
async fn watch(
    app: &App,
    start: EventCursor,
    worker: &mut Worker<'_>,
    redis: Option<&PrivateRedis>,
    signals: &mut Signals,
) -> Result<(), Failure> {
    let mut lines = follow(Follower::new(app.store().clone(), start));
    let redis_ended = async {
        match redis {
            Some(redis) => redis.ended().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(redis_ended);
    loop {
        tokio::select! {
            () = signals.next() => return Ok(()),
            failure = &mut redis_ended => return Err(failure),
            news = worker.next() => say(&told(&news?))?,
            Some(line) = lines.recv() => say(&line)?,
        }
    }
}

/// Follows events in a task of its own, because a read that is begun must be finished.
fn follow(mut follower: Follower) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(LINES_MAX);
    tokio::spawn(async move {
        loop {
            let text = match follower.next().await {
                Seen::Event(_, event) => line(&event),
                Seen::Gap(_) => "some events were forgotten before they could be shown".to_owned(),
                Seen::Away(error) => format!("waiting for Redis: {}", chain(&error)),
                Seen::Back => "Redis is back".to_owned(),
            };
            if sender.send(text).await.is_err() {
                return;
            }
        }
    });
    receiver
}

fn told(news: &News) -> String {
    match news {
        News::Ended(status, pause) => format!("the worker ended ({status}); it is started again in {pause:?}"),
        News::Started(pid) => format!("the worker runs again (process {pid})"),
    }
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
