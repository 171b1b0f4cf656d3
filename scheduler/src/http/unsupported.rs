//! Parts of the Open Job Spec that are not offered, each answered by name rather than as an unknown route.

use axum::Router;
use axum::routing::any;

use super::ApiState;
use super::error::ApiError;

/// Where, and what of.
const PARTS: &[(&str, &[&str])] = &[
    (
        "schemas",
        &["/ojs/v1/schemas", "/ojs/v1/schemas/{*rest}", "/ojs/v1/admin/schemas", "/ojs/v1/admin/schemas/{*rest}"],
    ),
    (
        "checkpoints",
        &["/ojs/v1/jobs/{id}/checkpoint", "/ojs/v1/checkpoints/{*rest}", "/ojs/v1/ojs/v1/checkpoints/{*rest}"],
    ),
    ("webhooks", &["/ojs/v1/webhooks/{*rest}"]),
    ("WebSockets: follow /ojs/v1/events/stream instead", &["/ojs/v1/ws"]),
    ("agents", &["/ojs/v1/agents/{*rest}"]),
    ("tenants", &["/ojs/v1/admin/tenants/{*rest}"]),
    ("fair scheduling", &["/ojs/v1/admin/pools/{*rest}", "/ojs/v1/admin/scheduling/{*rest}"]),
    ("receipts", &["/ojs/v1/jobs/{id}/receipt", "/ojs/v1/attest/{*rest}"]),
];

pub(super) fn routes() -> Router<ApiState> {
    let routes = PARTS.iter().flat_map(|(part, paths)| paths.iter().map(move |path| (*part, *path)));
    routes.fold(Router::new(), |router, (part, path)| router.route(path, any(async move || refusal(part))))
}

fn refusal(part: &str) -> ApiError {
    ApiError::unsupported(format!("this server does not offer {part}"))
}
