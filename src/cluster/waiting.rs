//! Waits for changes of objects. A watch that fails is repeated until the time limit, unless the API server refuses it.

use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watch_object};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

/// Waits up to `limit` until `is_reached` is true of the object `name`, or of `None` where it does not exist. Returns
/// what was seen then, `Some(None)` for no object; `None` if the limit passed. Retries a watch that fails.
///
/// # Errors
/// When the API server refuses the watch, or could not be reached at the limit.
pub async fn wait_for_object<K>(
    api: Api<K>,
    name: &str,
    limit: Duration,
    is_reached: impl Fn(Option<&K>) -> bool,
) -> Result<Option<Option<K>>, watcher::Error>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let end = Instant::now() + limit;
    let mut watch = pin!(watch_object(api, name).default_backoff());
    while let Some(object) = next_before(&mut watch, end).await? {
        if is_reached(object.as_ref()) {
            return Ok(Some(object));
        }
    }
    Ok(None)
}

/// The next item of a watch, which must have a backoff; `None` if there is none before `end`.
///
/// # Errors
/// As [`wait_for_object`].
pub async fn next_before<T>(
    watch: &mut (impl Stream<Item = Result<T, watcher::Error>> + Unpin),
    end: Instant,
) -> Result<Option<T>, watcher::Error> {
    let mut failed = None;
    loop {
        match timeout_at(end, watch.next()).await {
            Ok(Some(Ok(item))) => return Ok(Some(item)),
            Ok(Some(Err(error))) if is_refusal(&error) => return Err(error),
            // A watch that had begun ends so when it is silent for longer than a request may take.
            Ok(Some(Err(watcher::Error::WatchFailed(_)))) => {}
            Ok(Some(Err(error))) => failed = Some(error),
            Ok(None) | Err(_) => return failed.map_or(Ok(None), Err),
        }
    }
}

/// Whether the API server refuses a watch as it will refuse the next one: rights are lacking, or it knows no such kind.
fn is_refusal(error: &watcher::Error) -> bool {
    use watcher::Error::{InitialListFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status)) | WatchStartFailed(kube::Error::Api(status)) => {
            matches!(status.code, 401 | 403 | 404)
        }
        _ => false,
    }
}
