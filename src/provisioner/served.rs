//! The exports that one provisioner serves, with the concurrency limits and volume locks of each.
//!
//! Each export has permits of its own, so claims on a server that hangs don't use up those of other exports. Deletions
//! have their own permits, so that a mass deletion delays no claim; and so have claims whose size is enforced, which
//! wait for their limits most of the time.
//!
//! Provisioning, deletion and cleanup of one volume hold that volume's lock. Otherwise a cleanup could remove a
//! directory between the check that the claim is pending and the creation of its PV.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::export::{Export, Location};

/// Interval at which background work checks whether claims are being provisioned or volumes deleted.
const IDLE_INTERVAL: Duration = Duration::from_millis(100);

/// How long ago the last claim or deletion must have begun, and the last volume have changed. The controller manager
/// hands over the claims of a burst one by one, and takes longer to bind each than its directory and PV do: most of the
/// time none is in flight.
const QUIET: Duration = Duration::from_secs(1);

/// How many times as many claims may be in flight where their size is enforced: half of them have their directories
/// created while the limits of the others are set together.
const LIMITED_CLAIMS: usize = 2;

/// One export and its limits. Clones share the limits.
#[derive(Clone)]
pub struct Served {
    /// The export, as nodes mount it.
    pub location: Location,
    /// How its directories are reached.
    pub export: Export,
    limits: Arc<Limits>,
}

struct Limits {
    claims: Permits,
    limited_claims: Permits,
    volumes: Permits,
    /// When the last claim or deletion began, or a volume changed, if any did.
    last_active: Mutex<Option<Instant>>,
    volume_locks: VolumeLocks,
    trash_filled: Notify,
}

/// The permits of one kind of work on an export; whoever has one is at work.
struct Permits {
    count: usize,
    semaphore: Semaphore,
}

impl Permits {
    fn new(count: usize) -> Self {
        let semaphore = Semaphore::new(count);
        Self { count, semaphore }
    }

    /// Whether no work of this kind is running.
    fn are_free(&self) -> bool {
        self.semaphore.available_permits() == self.count
    }
}

/// A lock per volume, by the PV's name. Locks that are neither held nor awaited are dropped at the next call.
#[derive(Default)]
struct VolumeLocks(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl VolumeLocks {
    /// The volume's lock, the same for all who have it at a time.
    fn lock_for(&self, volume: &str) -> Arc<AsyncMutex<()>> {
        // A map of weak references stays valid if a thread panicked while it held the lock.
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = locks.get(volume).and_then(Weak::upgrade).unwrap_or_default();
        locks.insert(volume.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

/// All exports that are served. Classes without `server` and `path` use the first.
pub struct Exports {
    served: Vec<Served>,
    locations: Vec<Location>,
}

impl Served {
    /// Waits for a permit to provision or expand a claim, and notes the activity. `is_limited` claims have their size
    /// enforced. Always `Some`: the semaphore is never closed.
    pub async fn acquire_claim_permit(&self, is_limited: bool) -> Option<SemaphorePermit<'_>> {
        let permits = match is_limited {
            true => &self.limits.limited_claims,
            false => &self.limits.claims,
        };
        self.acquire(permits).await
    }

    /// Waits for a permit, and notes the activity. Never `None`: the semaphore is not closed.
    async fn acquire<'a>(&self, permits: &'a Permits) -> Option<SemaphorePermit<'a>> {
        let permit = permits.semaphore.acquire().await.ok();
        self.note_activity();
        permit
    }

    /// Notes that claims or volumes change now: what can wait shall wait longer.
    pub fn note_activity(&self) {
        *self.lock_last_active() = Some(Instant::now());
    }

    /// Waits, without a limit, until no claim is being provisioned or expanded and no volume deleted, and nothing has
    /// changed for a second. Checks at intervals, so it delays none of them.
    pub async fn wait_until_idle(&self) {
        while !self.is_idle() {
            tokio::time::sleep(IDLE_INTERVAL).await;
        }
    }

    /// Whether no permit is taken, and nothing was noted as activity for [`QUIET`].
    fn is_idle(&self) -> bool {
        let Limits {
            claims,
            limited_claims,
            volumes,
            ..
        } = &*self.limits;
        let active = *self.lock_last_active();
        let is_quiet = active.is_none_or(|active| active.elapsed() >= QUIET);
        is_quiet
            && [claims, limited_claims, volumes]
                .iter()
                .all(|permits| permits.are_free())
    }

    fn lock_last_active(&self) -> MutexGuard<'_, Option<Instant>> {
        // A time stays valid if a thread panicked while it held the lock.
        self.limits.last_active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a permit to delete a volume, and notes the activity. Always `Some`: the semaphore is never closed.
    pub async fn acquire_volume_permit(&self) -> Option<SemaphorePermit<'_>> {
        self.acquire(&self.limits.volumes).await
    }

    /// Waits, without a timeout, until the PV of this name is unlocked, and locks it until the result is dropped.
    /// Callers take their permit first, so that two of them can't wait for each other.
    pub async fn lock_volume(&self, volume: &str) -> OwnedMutexGuard<()> {
        self.limits.volume_locks.lock_for(volume).lock_owned().await
    }

    /// Locks the PV of this name; `None` if it is locked already.
    pub fn try_lock_volume(&self, volume: &str) -> Option<OwnedMutexGuard<()>> {
        self.limits.volume_locks.lock_for(volume).try_lock_owned().ok()
    }

    /// Wakes up the task that empties the trash; one that is busy looks again afterwards.
    pub fn notify_trash_filled(&self) {
        self.limits.trash_filled.notify_one();
    }

    /// Waits until a directory was moved to the trash; returns at once if one was since the last call.
    pub async fn wait_for_trash(&self) {
        self.limits.trash_filled.notified().await;
    }
}

impl Exports {
    /// Serves `first` and `further`; `concurrency`, at least 1, limits claims, and volumes, in flight on each, and
    /// twice as many claims whose size is enforced.
    pub fn new(first: (Location, Export), further: Vec<(Location, Export)>, concurrency: u16) -> Self {
        let concurrency = usize::from(concurrency);
        let served: Vec<Served> = std::iter::once(first)
            .chain(further)
            .map(|(location, export)| Served {
                location,
                export,
                limits: Arc::new(Limits {
                    claims: Permits::new(concurrency),
                    limited_claims: Permits::new(LIMITED_CLAIMS * concurrency),
                    volumes: Permits::new(concurrency),
                    last_active: Mutex::default(),
                    volume_locks: VolumeLocks::default(),
                    trash_filled: Notify::new(),
                }),
            })
            .collect();
        let locations = served.iter().map(|served| served.location.clone()).collect();
        Self { served, locations }
    }

    /// The locations of all exports, in the order in which they were given.
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// The export at `location`, compared as text, if it is served. Its server is reached as nodes do that mount with
    /// `mount_options`.
    pub fn find_export(&self, location: &Location, mount_options: &[String]) -> Option<Served> {
        let served = self.served.iter().find(|served| served.location == *location)?;
        Some(Served {
            export: served.export.with_mount_options(mount_options),
            ..served.clone()
        })
    }

    /// All exports, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Served> {
        self.served.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use futures::FutureExt;
    use tokio::time::timeout;

    use super::*;
    use crate::export::Mounted;
    use crate::provisioner::mock::location;

    #[tokio::test(start_paused = true)]
    async fn what_can_wait_waits_for_claims_and_volumes() {
        let export = Export::Mounted(Mounted::new(location(), Path::new("/")));
        let exports = Exports::new((location(), export), Vec::new(), 2);
        let served = exports.iter().next().unwrap();
        let is_idle_within = |limit| timeout(limit, served.wait_until_idle()).map(|waited| waited.is_ok());
        assert!(is_idle_within(Duration::ZERO).await);
        for is_limited in [false, true] {
            let claim = served.acquire_claim_permit(is_limited).await;
            assert!(!is_idle_within(QUIET * 3).await);
            drop(claim);
        }
        assert!(is_idle_within(Duration::ZERO).await, "the claim began long ago");
        let volume = served.acquire_volume_permit().await;
        drop(volume);
        assert!(!is_idle_within(QUIET / 2).await, "another may follow");
        assert!(is_idle_within(QUIET).await);
        served.note_activity();
        assert!(
            !is_idle_within(QUIET / 2).await,
            "the controller manager is binding volumes"
        );
    }

    #[test]
    fn a_locked_volume_holds_up_no_other_volume() {
        let locks = VolumeLocks::default();
        let lock = |name: &str| locks.lock_for(name).lock_owned().now_or_never();
        let held = lock("pvc-a");
        assert!(held.is_some());
        assert!(lock("pvc-a").is_none());
        let others: Vec<_> = (0..2_000).map(|number| lock(&format!("pvc-{number}"))).collect();
        assert!(others.iter().all(Option::is_some));
        drop(held);
        assert!(lock("pvc-a").is_some());
        drop(others);
        assert!(lock("pvc-b").is_some());
        assert_eq!(locks.0.lock().unwrap().len(), 1, "locks without a holder are dropped");
    }
}
