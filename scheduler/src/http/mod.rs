//! The HTTP face: the Open Job Spec over HTTP, and what operators need beside it.
//!
//! A handler reads the request, asks the [`Client`] for a use case, and shows the outcome.
//! Around all of them stands one `door`: it asks for a version that we speak (`dialect`), then for the key (`auth`) on every route
//! but those that tell whether we live; it answers for a handler that panics, measures what is answered, refusals too (`observe`),
//! and gives every answer its headers and every error its envelope (`dialect`).
//!
//! | method and path | answer |
//! |---|---|
//! | `POST /ojs/v1/cron` | registers a cron entry, or changes the one of that name |
//! | `GET /ojs/v1/cron`, `GET /ojs/v1/crons` | lists entries |
//! | `POST /ojs/v1/cron/preview` | says what an expression means and when it fires next |
//! | `GET PATCH DELETE /ojs/v1/cron/{name}` | shows, changes, removes an entry |
//! | `POST /ojs/v1/cron/{name}/trigger` | runs an entry now |
//! | `POST /ojs/v1/cron/{name}/pause`, `…/resume` | begins and ends a pause of an entry |
//! | `POST /ojs/v1/cron/{name}/backfill` | runs an entry for the instants of a past window, or says what that would do |
//! | `GET /ojs/v1/cron/{name}/ledger`, `…/history` | every decision on an entry, and how its runs ended |
//! | `GET /ojs/v1/cron/{name}/why` | why it ran at a time, did not run, or will (not) run |
//! | `GET /ojs/v1/leader` | who leads, and who led before |
//! | `POST /ojs/v1/jobs` | takes a job in |
//! | `GET /ojs/v1/jobs` | lists jobs by queue, state and type |
//! | `POST /ojs/v1/jobs/batch` | takes many jobs in, all or none |
//! | `GET DELETE /ojs/v1/jobs/{id}`, `POST …/cancel`, `POST …/activate` | shows a job, cancels it, lets a pending one go |
//! | `GET PUT /ojs/v1/jobs/{id}/progress`, `POST /ojs/v1/workers/progress` | how far the handler of a job is |
//! | `POST /ojs/v1/workers/fetch` | hands out jobs |
//! | `POST /ojs/v1/workers/ack`, `…/nack` | ends an attempt |
//! | `POST /ojs/v1/workers/heartbeat` | extends leases, and tells what was cancelled or lost |
//! | `GET POST /ojs/v1/workers`, `GET DELETE …/{id}`, `…/{id}/health` | the workers that were heard of within a minute |
//! | `POST /ojs/v1/workers/{id}/quiet`, `…/terminate`, `…/resume` | what a worker is told to do |
//! | `GET /ojs/v1/queues`, `…/{name}`, `…/{name}/stats` | queues and their counters |
//! | `POST /ojs/v1/queues/{name}/pause`, `…/resume`, `PATCH …/{name}` | holds claims back, lets them go on, sets limits |
//! | `GET /ojs/v1/rate-limits/{key}` | how much of a limit is used that jobs share by a key |
//! | `GET /ojs/v1/dead-letter`, `GET DELETE …/{id}`, `POST …/{id}/retry`, `POST …/retry` | jobs that were given up |
//! | `POST /ojs/v1/workflows`, `GET DELETE …/{id}` | begins, shows, cancels a workflow |
//! | `/ojs/v1/admin/…` | the same for dashboards |
//! | `GET /ojs/v1/inbox/rejected` | what producers pushed that could not be taken |
//! | `GET /ojs/v1/events` | events as a page, or as a stream when `text/event-stream` is accepted |
//! | `GET /ojs/v1/events/stream`, `…/jobs/{id}/events`, `…/queues/{name}/events`, `…/jobs/{id}/progress/stream` | events as a stream: all, of a job, of a queue, of a handler's progress |
//! | `GET /ojs/manifest` | what this server offers |
//! | `GET /ojs/v1/health`, `/livez`, `/readyz`, `/metrics` | for machines that watch |

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use carillon_shared::client::Client;
use carillon_shared::config::{Access, SchedulerConfig};
use carillon_shared::store::Store;
use carillon_shared::telemetry::MetricsHandle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

mod acks;
mod admin;
mod auth;
mod backfill;
mod batch;
mod body;
mod connection;
mod cron;
mod dead_letter;
mod dialect;
mod door;
mod error;
mod events;
mod fetch;
mod flows;
mod health;
mod heartbeat;
mod inbox;
mod jobs;
mod json;
mod ledger;
mod limits;
mod listing;
mod manifest;
mod nacks;
mod observe;
mod page;
mod preview;
mod progress;
mod query;
mod queues;
mod rate_limits;
mod refusal;
mod reply;
mod serve;
mod stream;
mod unsupported;
mod why;
mod workers;

pub(crate) use backfill::backfilled_to_json;
use door::Door;
pub use limits::Limits;
pub(crate) use serve::serve_among;
pub use serve::{serve, serve_with};

/// What handlers work with: cheap to clone.
#[derive(Clone)]
pub struct ApiState(Arc<Inner>);

struct Inner {
    client: Client,
    access: Access,
    metrics: Option<MetricsHandle>,
    redis_timeout: Duration,
    limits: Limits,
    stop: CancellationToken,
    streams: Arc<Semaphore>,
    polls: Arc<Semaphore>,
    conformance_directives: bool,
    admin_reset: bool,
    visits: observe::Visits,
    started: Instant,
}

impl ApiState {
    /// The API over the store of `client`. `stop` ends streams, and readiness, when this server stops.
    #[must_use]
    pub fn new(
        client: Client,
        config: &SchedulerConfig,
        metrics: Option<MetricsHandle>,
        stop: CancellationToken,
    ) -> Self {
        Self::with_limits(client, config, metrics, stop, Limits::default())
    }

    /// The same with limits other than the usual ones.
    #[must_use]
    pub fn with_limits(
        client: Client,
        config: &SchedulerConfig,
        metrics: Option<MetricsHandle>,
        stop: CancellationToken,
        limits: Limits,
    ) -> Self {
        let http = &config.http;
        Self(Arc::new(Inner {
            client,
            access: http.access.clone(),
            metrics,
            redis_timeout: config.redis.timeout,
            streams: Arc::new(Semaphore::new(limits.streams_max)),
            polls: Arc::new(Semaphore::new(limits.polls_max)),
            limits,
            stop,
            conformance_directives: http.conformance_directives,
            admin_reset: http.admin_reset,
            visits: observe::Visits::default(),
            started: Instant::now(),
        }))
    }

    fn client(&self) -> &Client {
        &self.0.client
    }

    fn store(&self) -> &Store {
        self.0.client.store()
    }

    fn access(&self) -> &Access {
        &self.0.access
    }

    fn limits(&self) -> &Limits {
        &self.0.limits
    }
}

/// Every route.
pub fn router(api: ApiState) -> Router {
    Router::new()
        .merge(cron::routes())
        .merge(why::routes())
        .merge(jobs::routes())
        .merge(listing::routes())
        .merge(batch::routes())
        .merge(progress::routes())
        .merge(fetch::routes())
        .merge(acks::routes())
        .merge(nacks::routes())
        .merge(heartbeat::routes())
        .merge(queues::routes())
        .merge(rate_limits::routes())
        .merge(dead_letter::routes())
        .merge(flows::routes())
        .merge(workers::routes())
        .merge(admin::routes())
        .merge(unsupported::routes())
        .merge(inbox::routes())
        .merge(events::routes())
        .merge(manifest::routes())
        .merge(health::routes())
        .fallback(dialect::no_route)
        .method_not_allowed_fallback(dialect::no_method)
        .layer(Door(api.clone()))
        .with_state(api)
}
