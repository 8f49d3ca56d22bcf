//! What a provisioner that was killed left half made.

use std::collections::HashSet;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::{Api, ResourceExt};

use super::Work;
use crate::export::Making;
use crate::provisioner::exports::Served;
use crate::provisioner::outcome::WorkError;

impl Work {
    /// Looks at what was begun and not ended for `classes`, by uid, on every export, and clears away what no claim
    /// waits for any more. What is of other classes may be another cluster's, whose claims nobody here knows.
    ///
    /// Only directories that are empty go: no pod has ever seen them.
    pub async fn sweep(&self, classes: &HashSet<String>) {
        let sweeps = self.exports.iter().map(|served| async move {
            match self.sweep_one(served, classes).await {
                Ok(()) => {}
                Err(WorkError::Export(error)) => tracing::warn!("{error}; its claims wait"),
                Err(error) => tracing::debug!(export = %served.location, "not swept: {error}"),
            }
        });
        futures::future::join_all(sweeps).await;
    }

    async fn sweep_one(&self, served: &Served, classes: &HashSet<String>) -> Result<(), WorkError> {
        for making in served.export.unfinished().await? {
            if !classes.contains(&making.class) {
                tracing::debug!(
                    volume = making.volume,
                    "begun for no class that is served here: left alone"
                );
                continue;
            }
            let _lock = served.lock_volume(&making.volume).await;
            self.still_serving()?;
            self.settle(&making, served).await?;
        }
        Ok(())
    }

    async fn settle(&self, making: &Making, served: &Served) -> Result<(), WorkError> {
        let Making {
            volume,
            namespace,
            claim,
            directory,
            class: _,
        } = making;
        let Some(uid) = volume.strip_prefix("pvc-") else {
            return Ok(());
        };
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), namespace);
        let live = self.ask(&format!("read claim {claim}"), claims.get_opt(claim)).await?;
        let waits = live.is_some_and(|live| {
            live.uid().as_deref() == Some(uid) && live.spec.unwrap_or_default().volume_name.is_none()
        });
        if waits {
            return Ok(());
        }
        // The PV comes second: once the claim is gone, no new one is begun.
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let there = self.ask(&format!("read PV {volume}"), volumes.get_opt(volume)).await?;
        self.still_leading()?;
        // A PV that went in the proper way had this taken out before: what became of its directory is decided.
        if there.is_none() && !served.export.is_begun(making).await? {
            return Ok(());
        }
        if there.is_none() && !served.export.give_up(directory, uid).await? {
            // A pod has written there, so there was a PV, and somebody has taken it and left the directory.
            tracing::warn!(
                %directory,
                claim = format!("{namespace}/{claim}"),
                "its claim and PV are gone, and it is not empty: it stays"
            );
            served.export.end(volume).await?;
            return Ok(());
        }
        served.export.end(volume).await?;
        if there.is_none() {
            tracing::info!(%directory, claim = format!("{namespace}/{claim}"), "cleared away: the claim is gone");
        }
        Ok(())
    }
}
