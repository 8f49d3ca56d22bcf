//! Acquires, renews and releases the Lease, and stands by when it is lost.
//!
//! [`Candidate`] competes for the Lease, [`Leadership`] tells whether it is held, [`election`] has the decisions.

use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, select};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Endpoints;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::election::{self, RENEW_DEADLINE, RETRY, Seen};
use crate::cluster;

/// The timeout of one request for the Lease; two fit into [`RENEW_DEADLINE`].
const REQUEST: Duration = Duration::from_secs(5);

/// How often the lock of nfs-subdir-external-provisioner is checked.
const UPSTREAM: Duration = Duration::from_secs(60);

/// The time between the two reads of a check; the lock is renewed every 2 s.
const UPSTREAM_LOOK: Duration = Duration::from_secs(5);

/// The annotation with the lock of nfs-subdir-external-provisioner.
const UPSTREAM_LOCK: &str = "control-plane.alpha.kubernetes.io/leader";

/// Whether this process holds the Lease: checked right before each effect.
///
/// A request that was sent in time may still be in flight when another replica takes over. That is harmless: names hold
/// the claim's uid, so both create, or remove, the same directory and PV, and the second finds it done. The Lease
/// avoids double work; data does not depend on it.
#[derive(Clone, Debug)]
pub struct Leadership {
    until: Option<watch::Receiver<Option<Instant>>>,
}

impl Leadership {
    /// Without leader election: always held.
    pub fn always_held() -> Self {
        Self { until: None }
    }

    /// Held until the time in the channel, which each renewal extends; not held while the channel has `None`.
    pub fn held_until(end: watch::Receiver<Option<Instant>>) -> Self {
        Self { until: Some(end) }
    }

    /// Whether it is held at `now`.
    ///
    /// This compares clocks and needs no other task, so a process that continues after SIGSTOP knows at once that its
    /// time is over. `Instant` stands still only while the whole machine is suspended; then the next renewal fails.
    pub fn is_held_at(&self, now: Instant) -> bool {
        let until = self.until.as_ref().map(|until| *until.borrow());
        until.is_none_or(|until| until.is_some_and(|until| now < until))
    }
}

/// A candidate for a Lease.
pub struct Candidate {
    leases: Api<Lease>,
    name: String,
    me: String,
    /// The zero of the times passed to [`election`].
    epoch: Instant,
    seen: Option<Seen>,
    /// The Lease as last written, so that a renewal needn't read it.
    written: Option<Lease>,
    until: watch::Sender<Option<Instant>>,
}

/// The result of one attempt to acquire or renew the Lease.
enum HoldAttempt {
    /// This candidate holds the Lease.
    Acquired,
    /// Another candidate, this one, holds it.
    Held(String),
    /// The API server refused or didn't answer.
    Failed(String),
}

impl Candidate {
    /// A candidate for the Lease `name`, with a new identity. Sends no request yet.
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            name: name.to_owned(),
            me: new_identity(),
            epoch: Instant::now(),
            seen: None,
            written: None,
            until: watch::Sender::new(None),
        }
    }

    /// A handle for checking whether this candidate leads.
    pub fn leadership(&self) -> Leadership {
        Leadership::held_until(self.until.subscribe())
    }

    /// Runs `serve` whenever this candidate leads, until `stop` resolves; then releases the Lease.
    ///
    /// `serve` gets a future that resolves when the Lease is lost or `stop` resolves. From then on it must begin
    /// nothing, and return once what is in flight is finished; the Lease, unless it is lost, is renewed until then. A
    /// `serve` that returns earlier is called again once the Lease is acquired.
    pub async fn run_while_leading<S: Future<Output = ()>>(
        mut self,
        stop: impl Future<Output = ()> + Send + 'static,
        mut serve: impl FnMut(BoxFuture<'static, ()>) -> S,
    ) {
        let stop = stop.shared();
        tracing::info!(lease = self.name, identity = self.me, "standing by");
        loop {
            tokio::select! {
                // First, so that no Lease is acquired that would have to be released at once.
                biased;
                () = stop.clone() => break,
                () = self.wait_until_acquired() => {}
            }
            tracing::info!(lease = self.name, identity = self.me, "leading");
            let (end, ended) = oneshot::channel::<()>();
            let over = select(ended, stop.clone()).map(drop).boxed();
            let serving = serve(over);
            tokio::pin!(serving);
            let lost = tokio::select! {
                () = &mut serving => None,
                why = self.renew_until_lost() => Some(why),
            };
            if let Some(why) = lost {
                self.until.send_replace(None);
                tracing::warn!(
                    lease = self.name,
                    "lease lost: {why}; finishing the operations in flight"
                );
                // Fails if `serve` has returned already.
                _ = end.send(());
                serving.await;
                tracing::info!(lease = self.name, identity = self.me, "standing by");
            }
        }
        self.until.send_replace(None);
        // Also while standing by: a request that acquired the Lease may have been cut off before its answer.
        let why = match timeout(REQUEST, self.release_lease()).await {
            Ok(Ok(false)) => return,
            Ok(Ok(true)) => return tracing::info!(lease = self.name, "released"),
            Ok(Err(error)) => cluster::describe_error(&error),
            Err(_) => "no answer from the API server".to_owned(),
        };
        tracing::warn!("cannot release lease {}: {why}; it expires by itself", self.name);
    }

    /// Retries, without a limit, until this candidate holds the Lease. Logs each new reason why it doesn't.
    async fn wait_until_acquired(&mut self) {
        let mut logged_reason = String::new();
        loop {
            let sent = Instant::now();
            // Logged when it changes, not at every attempt.
            let reason = match self.try_to_hold().await {
                HoldAttempt::Acquired => {
                    // False if the answer took too long, as after SIGSTOP.
                    if self.extend_term(sent) {
                        return;
                    }
                    continue;
                }
                HoldAttempt::Held(holder) => {
                    if holder != logged_reason {
                        tracing::info!(lease = self.name, "{holder} leads");
                    }
                    holder
                }
                HoldAttempt::Failed(why) => {
                    if why != logged_reason {
                        tracing::warn!("cannot acquire lease {}: {why}; retrying", self.name);
                    }
                    why
                }
            };
            logged_reason = reason;
            sleep(RETRY).await;
        }
    }

    /// Renews the Lease, which must be held, every [`RETRY`]; returns the reason when another candidate holds it or its
    /// deadline has passed. A failed renewal before the deadline is retried.
    async fn renew_until_lost(&mut self) -> String {
        let mut last_error = String::new();
        loop {
            let until = self.until.borrow().unwrap_or_else(Instant::now);
            let renewal = async {
                sleep(RETRY).await;
                let sent = Instant::now();
                (sent, self.try_to_hold().await)
            };
            let (sent, attempt) = tokio::select! {
                // The deadline first: after SIGSTOP both are ready.
                biased;
                () = sleep_until(until) => return deadline_message(&last_error),
                attempt = renewal => attempt,
            };
            match attempt {
                HoldAttempt::Held(holder) => return format!("{holder} leads"),
                HoldAttempt::Acquired if Instant::now() < until && self.extend_term(sent) => last_error.clear(),
                HoldAttempt::Acquired => return deadline_message(&last_error),
                HoldAttempt::Failed(why) => {
                    tracing::debug!(lease = self.name, "not renewed: {why}");
                    last_error = format!(": {why}");
                }
            }
        }
    }

    /// Extends the term to [`RENEW_DEADLINE`] after `sent`, the time when the request was sent: others can't have seen
    /// it earlier. False, without a change, if that is over already.
    fn extend_term(&self, sent: Instant) -> bool {
        let until = sent + RENEW_DEADLINE;
        let is_in_time = Instant::now() < until;
        if is_in_time {
            self.until.send_replace(Some(until));
        }
        is_in_time
    }

    /// Acquires or renews the Lease, with a timeout.
    async fn try_to_hold(&mut self) -> HoldAttempt {
        match timeout(REQUEST, self.acquire_or_renew()).await {
            Ok(Ok(round)) => round,
            Ok(Err(error)) => HoldAttempt::Failed(cluster::describe_error(&error)),
            Err(_) => HoldAttempt::Failed(format!("no answer from the API server within {} s", REQUEST.as_secs())),
        }
    }

    /// One attempt, without a timeout: reads the Lease, unless it is known from this candidate's last write, and writes
    /// it if it is free or its own. A conflict with another candidate's write is an error; the next attempt reads
    /// again.
    async fn acquire_or_renew(&mut self) -> Result<HoldAttempt, kube::Error> {
        // Taken out, so that the Lease is read after a failure.
        let known = self.written.take();
        let lease = match known {
            Some(lease) => Some(lease),
            None => self.leases.get_opt(&self.name).await?,
        };
        let now = self.epoch.elapsed();
        let spec = lease.as_ref().map(|lease| lease.spec.clone().unwrap_or_default());
        self.seen = spec
            .as_ref()
            .map(|spec| election::observe_record(self.seen.take(), spec, now));
        if let Some(holder) = election::other_holder(self.seen.as_ref(), &self.me, now) {
            return Ok(HoldAttempt::Held(holder.to_owned()));
        }
        let record = election::renewed_record(spec.as_ref(), &self.me, &MicroTime(Timestamp::now()));
        let params = PostParams::default();
        // With the resource version that was evaluated: of two writers one gets a conflict.
        let written = match lease {
            Some(lease) => {
                let lease = Lease {
                    spec: Some(record),
                    ..lease
                };
                self.leases.replace(&self.name, &params, &lease).await?
            }
            None => {
                let mut lease = Lease {
                    spec: Some(record),
                    ..Lease::default()
                };
                lease.metadata.name = Some(self.name.clone());
                self.leases.create(&params, &lease).await?
            }
        };
        self.written = Some(written);
        Ok(HoldAttempt::Acquired)
    }

    /// Releases the Lease if this candidate holds it; false if it doesn't. Retries after each conflict; has no timeout.
    async fn release_lease(&mut self) -> Result<bool, kube::Error> {
        loop {
            let Some(lease) = self.leases.get_opt(&self.name).await? else {
                return Ok(false);
            };
            let record = lease.spec.clone().unwrap_or_default();
            if election::holder_of(&record) != self.me {
                return Ok(false);
            }
            let spec = Some(election::released_record(&record, &MicroTime(Timestamp::now())));
            let lease = Lease { spec, ..lease };
            match self.leases.replace(&self.name, &PostParams::default(), &lease).await {
                // A renewal in flight came first.
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                answer => return answer.map(|_| true),
            }
        }
    }
}

/// Warns when nfs-subdir-external-provisioner runs under the same name. It locks an Endpoints object instead of the
/// Lease, so both would serve the same claims. Checks every minute, and warns again only after a check that didn't find
/// the lock held, be it for an error. Returns only if it is forbidden to read the lock.
pub async fn watch_for_upstream(client: Client, namespace: String, name: String) {
    let locks: Api<Endpoints> = Api::namespaced(client, &namespace);
    let look = async || match timeout(REQUEST, locks.get_metadata_opt(&name)).await {
        Ok(Ok(lock)) => Ok(lock.and_then(|lock| lock.annotations().get(UPSTREAM_LOCK).cloned())),
        Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => Err(status.message),
        // Read again next time.
        Ok(Err(_)) | Err(_) => Ok(None),
    };
    let mut warned = false;
    loop {
        let before = look().await;
        sleep(UPSTREAM_LOOK).await;
        let leader = match (before, look().await) {
            (Ok(before), Ok(after)) => election::upstream_leader(before.as_deref(), after.as_deref()),
            (Err(why), _) | (_, Err(why)) => {
                tracing::debug!("cannot check whether nfs-subdir-external-provisioner runs: {why}");
                return;
            }
        };
        if let Some(leader) = leader.as_ref().filter(|_| !warned) {
            tracing::warn!(
                "nfs-subdir-external-provisioner serves the same claims: {leader} holds the lock Endpoints \
                 {namespace}/{name}, which a Lease does not exclude; stop it, or use another name"
            );
        }
        warned = leader.is_some();
        sleep(UPSTREAM).await;
    }
}

/// Why a term ended at its deadline; `last_error` is empty, or begins with `: `.
fn deadline_message(last_error: &str) -> String {
    format!(
        "the lease was not renewed within {} s{last_error}",
        RENEW_DEADLINE.as_secs()
    )
}

/// The host's name and a random number, so that no other process has this identity.
fn new_identity() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty());
    let host = host.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let host = host.as_deref().map_or("nfsprov", str::trim);
    // Its keys are random numbers of the operating system.
    let random = || RandomState::new().build_hasher().finish();
    format!("{host}_{:016x}", random())
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
