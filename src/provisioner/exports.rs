//! The exports that one provisioner serves, and whose turn it is on each.
//!
//! Turns are counted for each export by itself: claims on a server that hangs use up its turns and
//! nobody else's. Volumes that go have turns of their own, so that a mass deletion holds up no claim.
//!
//! One volume is in one hand at a time: what makes it has looked whether its claim still waits, and what deals with it
//! afterwards, or clears it away, must not come between that and the making.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};

use crate::export::{Export, Location};

/// One export, and the turns on it.
pub struct Served {
    /// The export, as nodes mount it.
    pub location: Location,
    /// The way to its directories.
    pub export: Export,
    claims: Semaphore,
    volumes: Semaphore,
    hands: Vec<Mutex<()>>,
}

/// How many hands there are for an export's volumes; of those that share one, one waits for the other.
const HANDS: usize = 1024;

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

    /// Waits until nobody else works on the volume of this name, in a turn that was waited for before.
    pub async fn in_hand(&self, volume: &str) -> MutexGuard<'_, ()> {
        self.hand(volume).lock().await
    }

    /// Whether the volume of this name, or one that shares its hand, is worked on.
    pub fn is_in_hand(&self, volume: &str) -> bool {
        self.hand(volume).try_lock().is_err()
    }

    fn hand(&self, volume: &str) -> &Mutex<()> {
        let mut hasher = DefaultHasher::new();
        volume.hash(&mut hasher);
        let place = hasher.finish() % self.hands.len() as u64;
        &self.hands[place as usize]
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
                claims: turns(),
                volumes: turns(),
                hands: std::iter::repeat_with(Mutex::default).take(HANDS).collect(),
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
