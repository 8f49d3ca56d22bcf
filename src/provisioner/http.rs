//! `--metrics-addr`: `/metrics`, `/healthz` and `/readyz` over HTTP.
//!
//! Requests are answered from memory. Another task probes the exports, so a server that hangs delays no answer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::metrics::Probe;
use super::reconcile::Reconciler;
use crate::export::{Export, ExportError};

/// How often a reachable export is probed.
const PROBE_INTERVAL: Duration = Duration::from_secs(30);

/// How often an unreachable export is probed, so that readiness returns soon.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// The timeout of one connection, so that slow clients don't use up [`CONNECTIONS`].
const CONNECTION: Duration = Duration::from_secs(10);

/// The limit of concurrent connections.
const CONNECTIONS: usize = 32;

const PLAIN: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers requests and probes the exports, also as a standby, until it is dropped.
pub async fn serve_requests(listener: TcpListener, reconciler: Arc<Reconciler>) -> Infallible {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "serving /metrics, /healthz and /readyz");
    }
    tokio::select! {
        never = accept_connections(listener, reconciler.clone()) => never,
        never = probe_exports(&reconciler) => never,
    }
}

/// Answers one request per connection, each in a task with a timeout, at most [`CONNECTIONS`] at once.
async fn accept_connections(listener: TcpListener, reconciler: Arc<Reconciler>) -> Infallible {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // Dropped, and thereby ended, with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let place = places.clone().acquire_owned().await;
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Usually too many open files, which passes.
                tracing::debug!("accepting a connection: {error}");
                sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let reconciler = reconciler.clone();
        connections.spawn(async move {
            let _place = place;
            let service = service_fn(|request: Request<Incoming>| {
                let answer = answer_request(
                    request.method(),
                    request.uri().path(),
                    accept_header(&request),
                    &reconciler,
                );
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            let connection = http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // Errors of the client, and of clients that send nothing.
            _ = timeout(CONNECTION, connection).await;
        });
    }
}

/// The `Accept` header; empty if there is none, or it is not ASCII.
fn accept_header(request: &Request<Incoming>) -> &str {
    let accept = request.headers().get(ACCEPT);
    accept.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// `/readyz` is 503 with the reasons unless this replica can serve; `/healthz` is always 200. Other paths than these
/// and `/metrics` are 404, other methods than GET and HEAD 405.
fn answer_request(method: &Method, path: &str, accept: &str, reconciler: &Reconciler) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refusal = build_response(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "GET and HEAD only\n".to_owned());
        refusal
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match path {
        "/metrics" => {
            let text = reconciler.metrics.render_text(&reconciler.current_counts());
            build_response(StatusCode::OK, content_type_for(accept), text)
        }
        "/healthz" => build_response(StatusCode::OK, PLAIN, "ok\n".to_owned()),
        "/readyz" => match reconciler.metrics.check_readiness(reconciler.current_counts().leading) {
            Ok(()) => build_response(StatusCode::OK, PLAIN, "ok\n".to_owned()),
            Err(lacking) => build_response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, lacking + "\n"),
        },
        _ => build_response(
            StatusCode::NOT_FOUND,
            PLAIN,
            "not found; see /metrics, /healthz and /readyz\n".to_owned(),
        ),
    }
}

/// The content type for an `Accept` header: OpenMetrics if it is named, else Prometheus' own. The text is the same.
fn content_type_for(accept: &str) -> &'static str {
    match accept.contains("application/openmetrics-text") {
        true => OPEN_METRICS,
        false => PROMETHEUS,
    }
}

fn build_response(status: StatusCode, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Probes each export every 30 s, or 5 s after a failure, concurrently, so that one that hangs delays no other; records
/// each result as a metric.
async fn probe_exports(reconciler: &Reconciler) -> Infallible {
    let watches = reconciler.exports.iter().map(|served| async {
        let name = served.location.to_string();
        loop {
            let probe = probe_export(&served.export).await;
            let wait = if probe.is_ok() { PROBE_INTERVAL } else { RETRY_INTERVAL };
            reconciler.metrics.record_probe(&name, probe);
            sleep(wait).await;
        }
    });
    futures::future::join_all(watches).await;
    std::future::pending().await
}

/// Probes an export once: its free bytes, or `None` if it is reachable and gives no number.
async fn probe_export(export: &Export) -> Probe {
    let found = match export.free_bytes().await {
        // The server answers but knows no number: the export is reachable if its root is.
        Err(ExportError::Failed { .. }) => export.probe_root().await.map(|()| None),
        found => found.map(Some),
    };
    found.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{Location, Mounted};

    #[tokio::test]
    async fn a_look_finds_free_bytes_or_says_what_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let location = Location {
            server: "s".into(),
            path: "/p".into(),
        };
        let export = Export::Mounted(Mounted::new(location, directory.path()));
        assert!(matches!(probe_export(&export).await, Ok(Some(bytes)) if bytes > 0));
        let path = directory.path().display().to_string();
        directory.close().unwrap();
        let why = probe_export(&export).await.unwrap_err();
        assert!(why.contains(&path), "{why}");
    }

    #[test]
    fn readers_get_the_format_that_they_know() {
        for (accept, kind) in [
            ("", PROMETHEUS),
            ("*/*", PROMETHEUS),
            ("text/plain;version=0.0.4;q=0.3", PROMETHEUS),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
                OPEN_METRICS,
            ),
        ] {
            assert_eq!(content_type_for(accept), kind, "{accept}");
        }
    }
}
