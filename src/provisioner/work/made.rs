//! Volumes that were made here and are held back still.
//!
//! To let go of one is a request that no claim waits for, and that would slow down those that do.

use std::convert::Infallible;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::ResourceExt;
use tokio::time::timeout;

use super::Work;
use crate::provisioner::outcome::WorkError;
use crate::provisioner::volume::{self, MAKING};

/// How long a volume stays held back for the sake of claims that wait, at most.
const LONGEST: Duration = Duration::from_secs(30);

/// How many are let go of at once.
const AT_ONCE: usize = 16;

impl Work {
    /// Takes note of a volume that is out of the making, to let go of it if it is held back.
    pub(super) fn note_made(&self, volume: &PersistentVolume) {
        if volume::is_held(volume, &self.settings.name, MAKING) {
            let uid = volume.uid().unwrap_or_default();
            self.made.send_modify(|made| _ = made.insert(uid, volume.name_any()));
        }
    }

    /// Whether a volume was made here, and will be let go of.
    pub(super) fn has_made(&self, volume: &PersistentVolume) -> bool {
        let uid = volume.metadata.uid.as_deref().unwrap_or_default();
        self.made.borrow().contains_key(uid)
    }

    /// Lets go of what is made whenever no claim waits, or else after half a minute; ends when it is dropped.
    pub(in crate::provisioner) async fn let_go_in_calm(&self) -> Infallible {
        let mut made = self.made.subscribe();
        loop {
            // It is an error only when the sender is gone, which is here.
            _ = made.wait_for(|made| !made.is_empty()).await;
            // Whether it is calm or has been long enough makes no difference.
            _ = timeout(LONGEST, self.events.burst().waiter().calm()).await;
            if let Err(error) = self.let_go_of_made().await {
                tracing::debug!("held back still: {error}");
            }
        }
    }

    /// Lets go of all that was made.
    ///
    /// # Errors
    /// The first one. The volumes can be used all the same; who sees them held back afterwards lets them go.
    pub async fn let_go_of_made(&self) -> Result<(), WorkError> {
        let made = self.made.borrow().clone();
        let let_go = stream::iter(&made)
            .map(Ok)
            .try_for_each_concurrent(AT_ONCE, |(uid, name)| self.let_go(name, Some(uid), MAKING))
            .await;
        self.made
            .send_modify(|all| all.retain(|uid, _| !made.contains_key(uid)));
        let_go
    }
}
