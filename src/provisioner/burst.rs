//! Whether a burst of claims goes on. While it does, what no claim waits for would slow the claims down.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// A burst is over when every claim was bound and no volume in the making for so long.
const QUIET: Duration = Duration::from_millis(100);

/// Claims that have a volume are bound one after the other; if none is for so long, no more will be.
const STALLED: Duration = Duration::from_secs(2);

/// Where claims are counted from their turn on until they are bound.
#[derive(Clone, Debug, Default)]
pub struct Burst(watch::Sender<Claims>);

/// One who waits for the end of bursts.
pub struct Waiter {
    claims: watch::Receiver<Claims>,
    is_calm: bool,
}

/// The claims of a burst.
#[derive(Debug, Default)]
struct Claims {
    /// How many volumes are in the making.
    making: usize,
    /// Those that have a volume and are not bound yet, by uid.
    unbound: HashSet<String>,
    /// When a volume was made or a claim bound.
    progress: Option<Instant>,
}

impl Claims {
    /// How long nothing must happen for the burst to be over, from now on.
    fn quiet(&self) -> Duration {
        let stalled = self.progress.map_or(STALLED, |last| last.elapsed());
        let left = if self.unbound.is_empty() {
            Duration::ZERO
        } else {
            STALLED.saturating_sub(stalled)
        };
        left.max(QUIET)
    }

    /// Takes note that something happens; what stands still by then is forgotten.
    fn go_on(&mut self) {
        if self.progress.is_some_and(|last| last.elapsed() >= STALLED) {
            self.unbound.clear();
        }
        self.progress = Some(Instant::now());
    }
}

/// Counts as a volume in the making while it lives.
pub struct Making(watch::Sender<Claims>);

impl Drop for Making {
    fn drop(&mut self) {
        self.0.send_modify(|claims| {
            claims.go_on();
            claims.making -= 1;
        });
    }
}

impl Burst {
    /// Marks a volume in the making.
    pub fn making(&self) -> Making {
        self.0.send_modify(|claims| claims.making += 1);
        Making(self.0.clone())
    }

    /// A claim, by uid, has its volume.
    pub fn made(&self, claim: &str) {
        self.0.send_modify(|claims| {
            claims.go_on();
            claims.unbound.insert(claim.to_owned());
        });
    }

    /// A claim is bound, or gone.
    pub fn left(&self, claim: &str) {
        self.0.send_if_modified(|claims| {
            let known = claims.unbound.remove(claim);
            if known {
                claims.go_on();
            }
            known
        });
    }

    /// One more who waits.
    pub fn waiter(&self) -> Waiter {
        Waiter {
            claims: self.0.subscribe(),
            is_calm: false,
        }
    }
}

impl Waiter {
    /// Waits until no burst goes on, or until no claim can come any more because the provisioner has ended. It takes no
    /// time while nothing happens after it was calm.
    pub async fn calm(&mut self) {
        if self.is_calm && self.claims.has_changed().is_ok_and(|changed| !changed) {
            return;
        }
        self.is_calm = false;
        loop {
            let idle = self.claims.wait_for(|claims| claims.making == 0).await;
            let Ok(quiet) = idle.map(|claims| claims.quiet()) else {
                return;
            };
            match timeout(quiet, self.claims.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => break,
            }
        }
        self.is_calm = true;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// How long calm takes to come.
    async fn wait(burst: &Burst) -> Duration {
        let begun = Instant::now();
        burst.waiter().calm().await;
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_ends_when_its_claims_are_bound() {
        let burst = Burst::default();
        let mut waiter = burst.waiter();
        for expected in [QUIET, Duration::ZERO] {
            let begun = Instant::now();
            waiter.calm().await;
            assert_eq!(begun.elapsed(), expected);
        }
        let making = burst.making();
        for claim in ["a", "b"] {
            burst.made(claim);
        }
        let going = burst.clone();
        tokio::spawn(async move {
            tokio::time::sleep(STALLED / 2).await;
            drop(making);
            for claim in ["a", "b"] {
                tokio::time::sleep(STALLED / 2).await;
                going.left(claim);
            }
        });
        let begun = Instant::now();
        waiter.calm().await;
        assert_eq!(begun.elapsed(), 3 * STALLED / 2 + QUIET);
    }

    /// As one that the controller manager doesn't see, or that went while nothing was watched.
    #[tokio::test(start_paused = true)]
    async fn a_claim_that_is_never_bound_is_not_waited_for() {
        let burst = Burst::default();
        burst.made("lost");
        assert_eq!(wait(&burst).await, STALLED);
        // Nor is it the next time.
        assert_eq!(wait(&burst).await, QUIET);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_provisioner_that_has_ended() {
        let burst = Burst::default();
        let making = burst.making();
        let mut waiter = burst.waiter();
        drop((burst, making));
        waiter.calm().await;
    }
}
