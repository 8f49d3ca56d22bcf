//! Volumes that were made here, and what is left to do for them when there is time.
//!
//! A PV that is there needs to be written down as being made no more, and to be held back no more if that was why it
//! was. Both are requests that no claim waits for, and that would slow down those that do.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::ResourceExt;
use tokio::time::timeout;

use super::Work;
use crate::export::Location;
use crate::provisioner::exports::Served;
use crate::provisioner::outcome::WorkError;
use crate::provisioner::volume::{self, MAKING};

/// How long this is put off for the sake of claims that wait, at most.
const LONGEST: Duration = Duration::from_secs(30);

/// How many volumes are taken out of the making at once, on each export.
const AT_ONCE: usize = 16;

/// A volume that was made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Made {
    uid: Option<String>,
    location: Location,
    is_held: bool,
}

impl Work {
    /// Takes note of a PV that is there now.
    pub(super) fn note_made(&self, volume: &PersistentVolume, location: &Location) {
        let made = Made {
            uid: volume.uid(),
            location: location.clone(),
            is_held: volume::is_held(volume, &self.settings.name, MAKING),
        };
        self.made.send_modify(|all| _ = all.insert(volume.name_any(), made));
    }

    /// Whether a volume was made here, and will be let go of.
    pub(super) fn has_made(&self, volume: &PersistentVolume) -> bool {
        let all = self.made.borrow();
        let made = volume.metadata.name.as_ref().and_then(|name| all.get(name));
        made.is_some_and(|made| made.uid == volume.metadata.uid)
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
                tracing::debug!("not out of the making: {error}");
            }
        }
    }

    /// Takes all that was made out of the making and lets it go.
    ///
    /// # Errors
    /// The first one. The volumes can be used all the same: the watch tries again with those that it sees held back, and
    /// the next sweep with what is only written down.
    pub async fn let_go_of_made(&self) -> Result<(), WorkError> {
        let made = self.made.borrow().clone();
        // An export that hangs holds up its own volumes only.
        let results = join_all(self.exports.iter().map(|served| self.let_go_on(served, &made))).await;
        self.made
            .send_modify(|all| all.retain(|name, now| made.get(name) != Some(now)));
        results.into_iter().collect()
    }

    async fn let_go_on(&self, served: &Served, made: &BTreeMap<String, Made>) -> Result<(), WorkError> {
        let here = made.iter().filter(|(_, made)| made.location == served.location);
        let each: Vec<_> = here.map(|(name, made)| self.let_go_of(name, made, served)).collect();
        stream::iter(each).buffer_unordered(AT_ONCE).try_collect().await
    }

    async fn let_go_of(&self, name: &str, made: &Made, served: &Served) -> Result<(), WorkError> {
        {
            // A PV that went meanwhile may be in the making once more: of that, nothing is taken away.
            let _lock = served.lock_volume(name).await;
            self.still_leading()?;
            served.export.end(name).await?;
        }
        if made.is_held {
            self.let_go(name, made.uid.as_deref(), MAKING).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "made_tests.rs"]
mod tests;
