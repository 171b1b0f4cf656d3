//! The server: its listener, its services, its end.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::middleware::from_fn_with_state;
use carillon_shared::config::GrpcListen;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tower_http::catch_panic::CatchPanicLayer;

use super::incoming::incoming;
use super::proto::ojs_service_server::OjsServiceServer;
use super::service::Service;
use super::{GrpcState, gate, health, plain, proto};
use crate::peers::Peers;

/// Listens where the configuration says; `None` when it says nowhere, or when the port that nobody asked for is taken.
///
/// # Errors
///
/// When it cannot be listened there.
pub async fn bind(listen: GrpcListen) -> Result<Option<TcpListener>, (SocketAddr, std::io::Error)> {
    let (address, bound) = match listen {
        GrpcListen::Off => return Ok(None),
        GrpcListen::At(address) | GrpcListen::IfFree(address) | GrpcListen::OrAnyPort(address) => {
            (address, TcpListener::bind(address).await)
        }
    };
    let is_taken = bound.as_ref().is_err_and(|error| error.kind() == ErrorKind::AddrInUse);
    match listen {
        GrpcListen::IfFree(_) if is_taken => {
            tracing::warn!("no gRPC: {address} is taken; set OJS_GRPC_PORT to another port, or to off");
            Ok(None)
        }
        GrpcListen::OrAnyPort(_) if is_taken => {
            let any = SocketAddr::new(address.ip(), 0);
            TcpListener::bind(any).await.map(Some).map_err(|error| (any, error))
        }
        _ => bound.map(Some).map_err(|error| (address, error)),
    }
}

/// Serves the API on `listener` until its state is told to stop, then for at most `grace` until what is under way is
/// answered. `peers` counts the connections of all doors of this server.
pub(crate) async fn serve_among(peers: Arc<Peers>, listener: TcpListener, api: GrpcState, grace: Duration) {
    let (limits, stop) = (&api.0.limits, &api.0.stop);
    let (reporter, health) = tonic_health::server::health_reporter();
    api.0.tasks.spawn(health::report(api.clone(), reporter));
    let mut routes = Routes::new(
        OjsServiceServer::new(Service::new(api.clone())).max_decoding_message_size(limits.message_bytes_max),
    )
    .add_service(health);
    if api.0.reflection {
        routes = with_reflection(routes);
    }
    let router = routes
        .into_axum_router()
        .layer(from_fn_with_state(api.clone(), plain::translate))
        .layer(CatchPanicLayer::custom(gate::after_panic))
        .layer(from_fn_with_state(api.clone(), gate::pass));
    let server = Server::builder()
        .max_concurrent_streams(limits.calls_max)
        .http2_max_header_list_size(limits.metadata_bytes_max)
        .http2_max_pending_accept_reset_streams(Some(limits.reset_calls_max))
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        .max_connection_age(limits.connection_age)
        .add_routes(Routes::from(router))
        .serve_with_incoming_shutdown(incoming(listener, peers, limits), stop.clone().cancelled_owned());
    let end_of_grace = async {
        stop.cancelled().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        served = server => if let Err(error) = served {
            tracing::error!(error = %error, "gRPC is served no more");
        },
        () = end_of_grace => tracing::warn!("gRPC calls were still open at the end of the grace"),
    }
    api.0.tasks.close();
    api.0.tasks.wait().await;
}

/// Adds reflection in both of its versions: most clients still ask in the older one.
fn with_reflection(routes: Routes) -> Routes {
    let builder =
        || tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(proto::DESCRIPTORS);
    match (builder().build_v1(), builder().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => routes.add_service(v1).add_service(v1alpha),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(error = %error, "no reflection: its definitions cannot be read");
            routes
        }
    }
}
