//! `--metrics-addr`: `/metrics`, `/healthz` and `/readyz` over HTTP.
//!
//! An answer is made of what is known already. The exports are looked at by a task of their own, so a
//! server that hangs makes no probe late.

use std::convert::Infallible;
use std::net::SocketAddr;
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
use super::reconcile::Work;
use crate::export::{Export, ExportError};

/// How long until a reachable export is looked at again.
const LOOK: Duration = Duration::from_secs(30);

/// How long until an unreachable one is: soon, so that readiness returns soon.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How long one connection may take; readers that are slower have no share in the next ones.
const CONNECTION: Duration = Duration::from_secs(10);

/// How many connections are served at once.
const CONNECTIONS: usize = 32;

const PLAIN: &str = "text/plain; charset=utf-8";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics on {address}: {source}")]
pub struct BindError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Takes the address, so that one in use is known at the start.
///
/// # Errors
/// When it is in use, or not this machine's.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| BindError { address, source })
}

/// Answers until it is dropped, and looks at the exports every now and then.
pub async fn serve(listener: TcpListener, work: Arc<Work>) -> Infallible {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "serving /metrics, /healthz and /readyz");
    }
    tokio::select! {
        never = accept(listener, work.clone()) => never,
        never = watch_exports(&work) => never,
    }
}

async fn accept(listener: TcpListener, work: Arc<Work>) -> Infallible {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // The connections end with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let place = places.clone().acquire_owned().await;
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Usually that this process has too many files open; that passes.
                tracing::debug!("accepting a connection: {error}");
                sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let work = work.clone();
        connections.spawn(async move {
            let _place = place;
            let service = service_fn(|request: Request<Incoming>| {
                let answer = answer(request.method(), request.uri().path(), accepts(&request), &work);
                std::future::ready(Ok::<_, Infallible>(answer))
            });
            let connection = http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // A reader that went away, or never asked, is its own business.
            _ = timeout(CONNECTION, connection).await;
        });
    }
}

fn accepts(request: &Request<Incoming>) -> &str {
    let accept = request.headers().get(ACCEPT);
    accept.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn answer(method: &Method, path: &str, accept: &str, work: &Work) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "GET and HEAD only\n".to_owned());
        refusal
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match path {
        "/metrics" => {
            let text = work.metrics.render(&work.counts());
            response(StatusCode::OK, format_for(accept), text)
        }
        "/healthz" => response(StatusCode::OK, PLAIN, "ok\n".to_owned()),
        "/readyz" => match work.metrics.readiness(work.counts().leading) {
            Ok(()) => response(StatusCode::OK, PLAIN, "ok\n".to_owned()),
            Err(lacking) => response(StatusCode::SERVICE_UNAVAILABLE, PLAIN, lacking + "\n"),
        },
        _ => response(
            StatusCode::NOT_FOUND,
            PLAIN,
            "there are /metrics, /healthz and /readyz\n".to_owned(),
        ),
    }
}

/// The text is the same in both formats; only a reader that knows the newer one is told that it is it.
fn format_for(accept: &str) -> &'static str {
    match accept.contains("application/openmetrics-text") {
        true => OPEN_METRICS,
        false => PROMETHEUS,
    }
}

fn response(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Each by itself, so that one that hangs is told of late, and not the others.
async fn watch_exports(work: &Work) -> Infallible {
    let watches = work.exports.iter().map(|served| async {
        let name = served.location.to_string();
        loop {
            let probe = look(&served.export).await;
            let wait = if probe.is_ok() { LOOK } else { LOOK_AGAIN };
            work.metrics.probed(&name, probe);
            sleep(wait).await;
        }
    });
    futures::future::join_all(watches).await;
    std::future::pending().await
}

/// One look at an export; it ends in time even if the server doesn't answer.
async fn look(export: &Export) -> Probe {
    let found = match export.free_bytes().await {
        // The server answers, and has no number to give: it is reachable if its root is.
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
        assert!(matches!(look(&export).await, Ok(Some(bytes)) if bytes > 0));
        let path = directory.path().display().to_string();
        directory.close().unwrap();
        let why = look(&export).await.unwrap_err();
        assert!(why.contains(&path), "{why}");
    }

    #[tokio::test]
    async fn an_address_in_use_is_one_sentence() {
        let first = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = first.local_addr().unwrap();
        let error = bind(address).await.unwrap_err().to_string();
        let start = format!("cannot serve metrics on {address}: Address already in use");
        assert!(error.starts_with(&start), "{error}");
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
            assert_eq!(format_for(accept), kind, "{accept}");
        }
    }
}
