//! The ways to reach a server: its addresses and versions of NFS, tried until one succeeds.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use nfs_rs::NfsError;
use tokio::time::timeout;

use super::errors::{ErrorClass, timeout_error};
use crate::export::CALL_TIMEOUT;

/// How long a candidate (an address or a version of NFS) may take before the next is tried concurrently.
pub(super) const HEAD_START: Duration = Duration::from_secs(2);

/// Asks mountd for the paths of a server's exports; servers with NFSv4 only have no mountd, so they give an error.
///
/// # Errors
/// The message of the failure, after [`CALL_TIMEOUT`] at the latest.
pub async fn list_exports(server: &str) -> Result<Vec<String>, String> {
    let url = match server.contains(':') {
        true => format!("nfs://[{server}]/."),
        false => format!("nfs://{server}/."),
    };
    match timeout(CALL_TIMEOUT, nfs_rs::list_exports(&url)).await {
        Ok(Ok(exports)) => Ok(exports.into_iter().map(|export| export.path).collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(timeout_error().to_string()),
    }
}

/// Tries the candidates in order until one succeeds, each [`HEAD_START`] after the one before, concurrently with those
/// that are slow. The caller limits the total time.
///
/// A refusal doesn't end it: NFSv3 may refuse a path that NFSv4 has under its own root.
///
/// # Errors
/// The first refusal of the server, else the first error; `None` without candidates.
pub(super) async fn first_success<C: Copy, T, E, F>(
    candidates: &[C],
    attempt: impl Fn(C) -> F,
) -> Result<T, Option<NfsError>>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Option<NfsError>>,
{
    let mut attempts = FuturesUnordered::new();
    let mut first: Option<NfsError> = None;
    for (number, candidate) in candidates.iter().enumerate() {
        attempts.push(attempt(*candidate));
        let is_last = number + 1 == candidates.len();
        let head_start = if is_last { Duration::MAX } else { HEAD_START };
        while let Ok(Some(answer)) = timeout(head_start, attempts.next()).await {
            let error: Option<NfsError> = match answer {
                Ok(done) => return Ok(done),
                Err(error) => error.into(),
            };
            let is_answer = |error: &NfsError| ErrorClass::classify(error) == ErrorClass::Answered;
            match (&first, error) {
                (Some(known), Some(error)) if !is_answer(known) && is_answer(&error) => first = Some(error),
                (None, error) => first = error,
                _ => {}
            }
        }
    }
    Err(first)
}

/// The distinct addresses in the order in which they are tried: IPv4 first.
pub(super) fn sort_by_family(found: impl Iterator<Item = SocketAddr>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|address| address.ip()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses
}

/// An address as part of a URL.
pub(super) fn url_host(address: IpAddr) -> String {
    match address {
        IpAddr::V6(ip) => format!("[{ip}]"),
        IpAddr::V4(ip) => ip.to_string(),
    }
}

/// The first exported path that `path` may mean: one of the two ends with the components of the other, and they differ.
pub(super) fn find_similar_export<'a>(path: &str, exported: &'a [String]) -> Option<&'a String> {
    let ends_with = |long: &str, short: &str| short.len() > 1 && long.len() > short.len() && long.ends_with(short);
    let path = path.trim_end_matches('/');
    exported
        .iter()
        .find(|other| ends_with(other.trim_end_matches('/'), path) || ends_with(path, other.trim_end_matches('/')))
}
