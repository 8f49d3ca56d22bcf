//! Standing for the lease: takes it, renews it, gives it back, and stands by again when it is lost.
//!
//! What to do about a lease is decided in [`election`].

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

use super::election::{self, RENEW_DEADLINE, RETRY, Seen, Verdict};
use crate::cluster;

/// How long one request about the lease may take: two of them fit into a term's last seconds.
const REQUEST: Duration = Duration::from_secs(5);

/// How often upstream's lock is looked at.
const UPSTREAM: Duration = Duration::from_secs(60);

/// How long a look takes: upstream renews every two seconds.
const UPSTREAM_LOOK: Duration = Duration::from_secs(5);

/// Where upstream keeps its lock.
const UPSTREAM_LOCK: &str = "control-plane.alpha.kubernetes.io/leader";

/// Whether this process leads: asked right before each effect.
///
/// Work that was begun in time may still be under way when another process
/// takes over: a request can't be called back, and no check is close enough to
/// its effect. That is harmless. Names hold the claim's uid, so both make, or
/// remove, the same directory and the same PV, and the second finds it done.
/// The lease spares double work; it is not what data depends on.
#[derive(Clone, Debug)]
pub struct Leading {
    until: Option<watch::Receiver<Option<Instant>>>,
}

impl Leading {
    /// Leads for ever: there is nobody else.
    pub fn always() -> Self {
        Self { until: None }
    }

    /// Leads until the time that is told, which may be put off.
    pub fn until(told: watch::Receiver<Option<Instant>>) -> Self {
        Self { until: Some(told) }
    }

    /// Whether it leads at `now`.
    ///
    /// The answer comes from the clock, not from what the renewing task has
    /// noticed: a process that was stopped (SIGSTOP) and goes on finds its time
    /// run out, because `Instant` runs on meanwhile. It stands still only while
    /// the whole machine is suspended; then the next renewal finds out.
    pub fn still(&self, now: Instant) -> bool {
        let until = self.until.as_ref().map(|until| *until.borrow());
        until.is_none_or(|until| until.is_some_and(|until| now < until))
    }
}

/// A candidate for a lease.
pub struct Candidate {
    leases: Api<Lease>,
    name: String,
    me: String,
    /// Where our clock begins.
    epoch: Instant,
    seen: Option<Seen>,
    /// The lease as we wrote it last, which spares reading it before it is renewed.
    written: Option<Lease>,
    until: watch::Sender<Option<Instant>>,
}

/// What a round came to.
enum Round {
    /// The lease is ours.
    Ours,
    /// It is this one's.
    Held(String),
    /// Nobody knows: the API server's refusal or silence.
    Unknown(String),
}

impl Candidate {
    /// A candidate for the lease called `name`, of an identity that no other process has.
    pub fn new(client: Client, namespace: &str, name: &str) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            name: name.to_owned(),
            me: identity(),
            epoch: Instant::now(),
            seen: None,
            written: None,
            until: watch::Sender::new(None),
        }
    }

    /// Whether it leads, for those who act.
    pub fn leading(&self) -> Leading {
        Leading::until(self.until.subscribe())
    }

    /// Has `serve` run whenever it leads, until `stop` resolves; then gives the lease back.
    ///
    /// `serve` gets a future that resolves at the term's end. It must begin nothing from then on and
    /// return when what is in flight is finished; until then the lease, if it is still ours, is renewed,
    /// and nothing else is begun.
    pub async fn run<S: Future<Output = ()>>(
        mut self,
        stop: impl Future<Output = ()> + Send + 'static,
        mut serve: impl FnMut(BoxFuture<'static, ()>) -> S,
    ) {
        let stop = stop.shared();
        tracing::info!(lease = self.name, identity = self.me, "standing by");
        loop {
            tokio::select! {
                // First of all: nothing is asked for that would have to be given back.
                biased;
                () = stop.clone() => break,
                () = self.acquire() => {}
            }
            tracing::info!(lease = self.name, identity = self.me, "leading");
            let (end, ended) = oneshot::channel::<()>();
            let over = select(ended, stop.clone()).map(drop).boxed();
            let serving = serve(over);
            tokio::pin!(serving);
            let lost = tokio::select! {
                () = &mut serving => None,
                why = self.keep() => Some(why),
            };
            if let Some(why) = lost {
                self.until.send_replace(None);
                tracing::warn!(
                    lease = self.name,
                    "not leading any more: {why}; finishing what is in flight"
                );
                // It has ended by itself if the other end is gone.
                _ = end.send(());
                serving.await;
                tracing::info!(lease = self.name, identity = self.me, "standing by");
            }
        }
        self.until.send_replace(None);
        // Even while standing by: the answer to a request that took the lease may have been cut off.
        match timeout(REQUEST, self.release()).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => tracing::info!(lease = self.name, "released"),
            Ok(Err(error)) => self.unreleased(&cluster::sentence(&error)),
            Err(_) => self.unreleased("no answer from the API server"),
        }
    }

    fn unreleased(&self, why: &str) {
        tracing::warn!("cannot release lease {}: {why}; it expires by itself", self.name);
    }

    /// Returns when the lease is ours.
    async fn acquire(&mut self) {
        let mut said = String::new();
        loop {
            let sent = Instant::now();
            // Told once, not every two seconds.
            let news = match self.round().await {
                Round::Ours => {
                    // Older than this the answer is no news: the process may have been stopped meanwhile.
                    if self.extend(sent) {
                        return;
                    }
                    continue;
                }
                Round::Held(holder) => {
                    if holder != said {
                        tracing::info!(lease = self.name, "{holder} leads");
                    }
                    holder
                }
                Round::Unknown(why) => {
                    if why != said {
                        tracing::warn!("cannot take lease {}: {why}; trying again", self.name);
                    }
                    why
                }
            };
            said = news;
            sleep(RETRY).await;
        }
    }

    /// Renews the lease; returns, saying why, when it is lost.
    async fn keep(&mut self) -> String {
        let mut trouble = String::new();
        loop {
            let until = self.until.borrow().unwrap_or_else(Instant::now);
            let renewal = async {
                sleep(RETRY).await;
                let sent = Instant::now();
                (sent, self.round().await)
            };
            let round = tokio::select! {
                // The deadline first: after a SIGSTOP both are ready.
                biased;
                () = sleep_until(until) => None,
                round = renewal => Some(round),
            };
            match round {
                None => return late(&trouble),
                Some((_, Round::Held(holder))) => return format!("{holder} leads"),
                Some((sent, Round::Ours)) if Instant::now() < until && self.extend(sent) => trouble.clear(),
                Some((_, Round::Ours)) => return late(&trouble),
                Some((_, Round::Unknown(why))) => {
                    tracing::debug!(lease = self.name, "not renewed: {why}");
                    trouble = format!(": {why}");
                }
            }
        }
    }

    /// Leads until [`RENEW_DEADLINE`] after `sent`, when the request that won the lease went out:
    /// others can't have seen it earlier. Whether that is still to come.
    fn extend(&self, sent: Instant) -> bool {
        let until = sent + RENEW_DEADLINE;
        let good = Instant::now() < until;
        if good {
            self.until.send_replace(Some(until));
        }
        good
    }

    /// One try to take or renew the lease.
    async fn round(&mut self) -> Round {
        match timeout(REQUEST, self.take_or_renew()).await {
            Ok(Ok(round)) => round,
            Ok(Err(error)) => Round::Unknown(cluster::sentence(&error)),
            Err(_) => Round::Unknown(format!("no answer from the API server within {} s", REQUEST.as_secs())),
        }
    }

    async fn take_or_renew(&mut self) -> Result<Round, kube::Error> {
        // Taken out, so that after a failure the lease is read.
        let known = self.written.take();
        let lease = match known {
            Some(lease) => Some(lease),
            None => self.leases.get_opt(&self.name).await?,
        };
        let now = self.epoch.elapsed();
        let spec = lease.as_ref().map(|lease| lease.spec.clone().unwrap_or_default());
        self.seen = spec.as_ref().map(|spec| election::observe(self.seen.take(), spec, now));
        if let Verdict::Held { by, .. } = election::evaluate(self.seen.as_ref(), &self.me, now) {
            return Ok(Round::Held(by.to_owned()));
        }
        let record = election::record(spec.as_ref(), &self.me, &time_of_day());
        let params = PostParams::default();
        // With the version that was judged: of two who write, one is refused.
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
        Ok(Round::Ours)
    }

    /// Gives the lease back if it is ours, and says whether it was.
    async fn release(&mut self) -> Result<bool, kube::Error> {
        loop {
            let Some(lease) = self.leases.get_opt(&self.name).await? else {
                return Ok(false);
            };
            let record = lease.spec.clone().unwrap_or_default();
            if election::holder(&record) != self.me {
                return Ok(false);
            }
            let spec = Some(election::released(&record, &time_of_day()));
            let lease = Lease { spec, ..lease };
            match self.leases.replace(&self.name, &PostParams::default(), &lease).await {
                // A renewal that was under way came first.
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                answer => return answer.map(|_| true),
            }
        }
    }
}

/// Warns when nfs-subdir-external-provisioner leads under the same name: it locks an Endpoints object
/// and knows nothing of the Lease, so both would serve the same claims. Ends only if it may not look.
pub async fn watch_for_upstream(client: Client, namespace: String, name: String) {
    let locks: Api<Endpoints> = Api::namespaced(client, &namespace);
    let look = async || match timeout(REQUEST, locks.get_metadata_opt(&name)).await {
        Ok(Ok(lock)) => Ok(lock.and_then(|lock| lock.annotations().get(UPSTREAM_LOCK).cloned())),
        Ok(Err(kube::Error::Api(status))) if status.is_forbidden() => Err(status.message),
        // What can't be seen now is looked at again.
        Ok(Err(_)) | Err(_) => Ok(None),
    };
    let mut warned = false;
    loop {
        let before = look().await;
        sleep(UPSTREAM_LOOK).await;
        let leader = match (before, look().await) {
            (Ok(before), Ok(after)) => election::upstream_leader(before.as_deref(), after.as_deref()),
            (Err(why), _) | (_, Err(why)) => {
                tracing::debug!("cannot see whether nfs-subdir-external-provisioner runs too: {why}");
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

/// Why a term ended at its deadline.
fn late(trouble: &str) -> String {
    format!(
        "the lease was not renewed within {} s{trouble}",
        RENEW_DEADLINE.as_secs()
    )
}

/// The host's name, for people, and something that no other process has.
fn identity() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty());
    let host = host.or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let host = host.as_deref().map_or("nfsprov", str::trim);
    // Its keys are the operating system's random numbers.
    let random = || RandomState::new().build_hasher().finish();
    format!("{host}_{:016x}", random())
}

fn time_of_day() -> MicroTime {
    MicroTime(Timestamp::now())
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
