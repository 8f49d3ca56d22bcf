//! A proxy between nfsprov and the real API server: it forwards everything unchanged, except for the faults that a test
//! injects.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::kit::Scene;

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<UnsyncBoxBody<Bytes, Failure>>;

/// The fault of an answer.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// A refusal with this status; the request does not reach the real server.
    Status(u16),
    /// This JSON as the answer; the request does not reach the real server.
    Instead(&'static str),
    /// The first bytes of the real answer, after which the connection is closed.
    Cut(usize),
    /// No answer, for as long as the client waits.
    Silence,
}

/// The requests that a fault applies to, and how many of them.
struct Rule {
    hits: fn(&Method, &Uri) -> bool,
    fault: Fault,
    left: usize,
    done: Arc<AtomicUsize>,
}

/// The proxy; dropping it ends it.
pub struct Proxy {
    /// A kubeconfig with the proxy's address.
    pub kubeconfig: PathBuf,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    client: Client,
    rules: Mutex<Vec<Rule>>,
    /// The size of a list's pages, in place of the requested one.
    page: Option<usize>,
    /// The number of requests for a further page of a list.
    pages: AtomicUsize,
    /// How often a test has expired all watches.
    expiries: watch::Sender<usize>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Proxy {
    /// A proxy to the scene's API server; with `page`, lists have pages of that size.
    pub async fn before(scene: &Scene, page: Option<usize>) -> Result<Self> {
        let file = kube::config::Kubeconfig::read_from(&scene.kubeconfig)?;
        let mut config = Config::from_custom_kubeconfig(file, &Default::default()).await?;
        // The client must see the real server's answers.
        config.default_retry = false;
        let shared = Arc::new(Shared {
            client: Client::try_from(config)?,
            rules: Mutex::default(),
            page,
            pages: AtomicUsize::new(0),
            expiries: watch::Sender::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let kubeconfig = scene.stage.file("proxy.kubeconfig");
        let text = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": url}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        });
        let written = std::fs::write(&kubeconfig, text.to_string());
        written.with_context(|| format!("cannot write {}", kubeconfig.display()))?;
        let serving = tokio::spawn(serve(listener, shared.clone()));
        Ok(Self {
            kubeconfig,
            shared,
            serving,
        })
    }

    /// Makes the next `times` requests that match `hits` fail; the returned number counts them.
    pub fn inject(&self, times: usize, fault: Fault, hits: fn(&Method, &Uri) -> bool) -> Arc<AtomicUsize> {
        let done = Arc::new(AtomicUsize::new(0));
        let rule = Rule {
            hits,
            fault,
            left: times,
            done: done.clone(),
        };
        self.shared.rules().push(rule);
        done
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.shared.rules().clear();
    }

    /// Ends every running watch with the server's status for a version that is too old (410).
    pub fn expire_watches(&self) {
        self.shared.expiries.send_modify(|count| *count += 1);
    }

    /// How many further pages clients requested.
    pub fn further_pages(&self) -> usize {
        self.shared.pages.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, method: &Method, uri: &Uri) -> Option<Fault> {
        let mut rules = self.rules();
        let rule = rules
            .iter_mut()
            .find(|rule| rule.left > 0 && (rule.hits)(method, uri))?;
        rule.left -= 1;
        rule.done.fetch_add(1, Ordering::Relaxed);
        Some(rule.fault)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, shared.clone()));
            // A connection that the proxy closes on purpose ends with an error, which is expected.
            _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Answer, Infallible> {
    let answer = forward(request, &shared).await;
    Ok(answer.unwrap_or_else(|error| status(502, &format!("{error:#}"))))
}

async fn forward(request: Request<Incoming>, shared: &Shared) -> Result<Answer> {
    let (mut parts, body) = request.into_parts();
    if query(&parts.uri).contains("continue=") {
        shared.pages.fetch_add(1, Ordering::Relaxed);
    }
    let fault = shared.fault(&parts.method, &parts.uri);
    match fault {
        Some(Fault::Status(code)) => return Ok(status(code, "injected by the test's proxy")),
        Some(Fault::Instead(text)) => return Ok(own(StatusCode::OK, text.to_owned())),
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Cut(_)) | None => {}
    }
    // The client inside sets the real server's name.
    parts.headers.remove(http::header::HOST);
    if let Some(page) = shared.page {
        let text = parts.uri.to_string();
        parts.uri = text.replace("limit=500", &format!("limit={page}")).parse()?;
    }
    let watching = is_watch(&parts.uri);
    let body = body.collect().await?.to_bytes();
    let answer = shared.client.send(Request::from_parts(parts, Body::from(body))).await?;
    let (mut parts, body) = answer.into_parts();
    // The proxy sends the body in chunks, so its length no longer applies.
    parts.headers.remove(http::header::CONTENT_LENGTH);
    parts.headers.remove(http::header::TRANSFER_ENCODING);
    let chunks = body.into_data_stream().map(|chunk| chunk.map_err(Failure::from));
    let chunks = match fault {
        Some(Fault::Cut(bytes)) => {
            let whole = chunks.collect::<Vec<_>>().await;
            let whole = whole.into_iter().collect::<Result<Vec<_>, _>>();
            let mut start = whole.map_err(|error| anyhow::anyhow!("{error}"))?.concat();
            start.truncate(bytes);
            stream::iter([Ok(Bytes::from(start)), Err(Failure::from("cut by the test's proxy"))]).boxed()
        }
        _ if watching => {
            let mut expiries = shared.expiries.subscribe();
            let expired = Arc::new(AtomicBool::new(false));
            let expired_flag = expired.clone();
            let expires = async move {
                // An error means that the proxy and all its connections have ended.
                expired_flag.store(expiries.changed().await.is_ok(), Ordering::Relaxed);
            };
            // A watch that the server itself ends has no such last event.
            let last = async move { expired.load(Ordering::Relaxed).then(|| Ok(expiry())) };
            let last = stream::once(last).filter_map(std::future::ready);
            chunks.take_until(expires).chain(last).boxed()
        }
        _ => chunks.boxed(),
    };
    let frames = chunks.map(|chunk| chunk.map(Frame::data));
    Ok(Response::from_parts(parts, StreamBody::new(frames).boxed_unsync()))
}

/// The last event of a watch from a version that the server no longer has.
fn expiry() -> Bytes {
    let object = refusal(410, "Expired", "too old resource version");
    format!("{}\n", json!({"type": "ERROR", "object": object})).into()
}

fn status(code: u16, message: &str) -> Answer {
    let reason = match code {
        410 => "Expired",
        429 => "TooManyRequests",
        _ => "ServiceUnavailable",
    };
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    own(status, refusal(code, reason, message).to_string())
}

/// An answer of the proxy itself, in JSON.
fn own(status: StatusCode, text: String) -> Answer {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {});
    let mut answer = Response::new(body.boxed_unsync());
    *answer.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, json);
    answer
}

fn refusal(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {},
        "status": "Failure", "code": code, "reason": reason, "message": message,
    })
}

fn query(uri: &Uri) -> &str {
    uri.query().unwrap_or_default()
}

fn is_watch(uri: &Uri) -> bool {
    query(uri).contains("watch=")
}

/// Whether a request lists these objects, on any page.
pub fn lists(method: &Method, uri: &Uri, objects: &str) -> bool {
    method == Method::GET && !is_watch(uri) && uri.path().ends_with(&format!("/{objects}"))
}

/// Whether a request creates one of these objects.
pub fn makes(method: &Method, uri: &Uri, objects: &str) -> bool {
    method == Method::POST && uri.path().ends_with(&format!("/{objects}"))
}

/// Whether a request continues a list of these objects.
pub fn goes_on(method: &Method, uri: &Uri, objects: &str) -> bool {
    lists(method, uri, objects) && query(uri).contains("continue=")
}
