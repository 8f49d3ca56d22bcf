//! The exports that one provisioner serves, and whose turn it is on each.
//!
//! Turns are counted for each export by itself: claims on a server that hangs use up its turns and
//! nobody else's. Volumes that go have turns of their own, so that a mass deletion holds up no claim.
//!
//! Provisioning, deletion and cleanup of one volume hold that volume's lock, so that a cleanup never comes between the look
//! at the claim and the creation of its directory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard, Semaphore, SemaphorePermit};

use crate::export::{Export, Location};

/// One export, and the turns on it.
pub struct Served {
    /// The export, as nodes mount it.
    pub location: Location,
    /// The way to its directories.
    pub export: Export,
    /// Told when something was put into the export's trash.
    pub trash_filled: Notify,
    claims: Semaphore,
    volumes: Semaphore,
    volume_locks: VolumeLocks,
}

/// One lock per volume, by the PV's name. A lock that nobody holds or waits for takes no memory for long.
#[derive(Default)]
struct VolumeLocks(Mutex<HashMap<String, Weak<AsyncMutex<()>>>>);

impl VolumeLocks {
    fn get(&self, volume: &str) -> Arc<AsyncMutex<()>> {
        // A map of weak references stays usable whatever happened to a thread that held it.
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = locks.get(volume).and_then(Weak::upgrade).unwrap_or_default();
        locks.insert(volume.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

/// All that are served. The first is for classes that name none.
pub struct Exports {
    served: Vec<Served>,
    locations: Vec<Location>,
}

impl Served {
    /// Waits until one more claim may be worked on. None comes never, since turns are never closed.
    pub async fn turn_for_claim(&self) -> Option<SemaphorePermit<'_>> {
        self.claims.acquire().await.ok()
    }

    /// Waits until one more volume may be worked on; as above.
    pub async fn turn_for_volume(&self) -> Option<SemaphorePermit<'_>> {
        self.volumes.acquire().await.ok()
    }

    /// Locks the PV of this name. Permits are taken before, so that no permit is held while another is waited for.
    pub async fn lock_volume(&self, volume: &str) -> OwnedMutexGuard<()> {
        self.volume_locks.get(volume).lock_owned().await
    }

    /// Locks the PV of this name, unless it is locked.
    pub fn try_lock_volume(&self, volume: &str) -> Option<OwnedMutexGuard<()>> {
        self.volume_locks.get(volume).try_lock_owned().ok()
    }
}

impl Exports {
    /// `first`, `further`, and how many claims, and how many volumes, are worked on at once on each.
    pub fn new(first: (Location, Export), further: Vec<(Location, Export)>, concurrency: u16) -> Self {
        let turns = || Semaphore::new(usize::from(concurrency));
        let served: Vec<Served> = std::iter::once(first)
            .chain(further)
            .map(|(location, export)| Served {
                location,
                export,
                trash_filled: Notify::new(),
                claims: turns(),
                volumes: turns(),
                volume_locks: VolumeLocks::default(),
            })
            .collect();
        let locations = served.iter().map(|served| served.location.clone()).collect();
        Self { served, locations }
    }

    /// Where they are, the first first.
    pub fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// The one at `location`, if it is served.
    pub fn at(&self, location: &Location) -> Option<&Served> {
        self.served.iter().find(|served| served.location == *location)
    }

    /// Each of them, the first first.
    pub fn iter(&self) -> impl Iterator<Item = &Served> {
        self.served.iter()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_locked_volume_holds_up_no_other_volume() {
        let locks = VolumeLocks::default();
        let lock = |name: &str| locks.get(name).lock_owned().now_or_never();
        let held = lock("pvc-a");
        assert!(held.is_some());
        assert!(lock("pvc-a").is_none());
        let others: Vec<_> = (0..2_000).map(|number| lock(&format!("pvc-{number}"))).collect();
        assert!(others.iter().all(Option::is_some));
        drop(held);
        assert!(lock("pvc-a").is_some());
        drop(others);
        assert!(lock("pvc-b").is_some());
        assert_eq!(
            locks.0.lock().unwrap().len(),
            1,
            "locks that nobody holds are forgotten"
        );
    }
}
