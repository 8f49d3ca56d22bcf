//! `provision` without `--watch`: one pass over the claims that are pending now.
//!
//! [`PendingClaims`] are read and tried once; a claim that fails is not retried.

use std::collections::HashMap;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::claim;
use super::neighbours::Neighbours;
use super::outcome::{ProvisionOutcome, ReconcileError};
use super::reconcile::{Reconciler, claim_key};
use super::volume;
use crate::cluster;

/// A claim and the outcome of provisioning it.
#[derive(Debug)]
pub struct Row {
    /// `namespace/name`.
    pub claim: String,
    /// The outcome, or why there is none.
    pub result: Result<ProvisionOutcome, ReconcileError>,
}

/// The pending claims, and all classes.
pub struct PendingClaims {
    claims: Vec<PersistentVolumeClaim>,
    classes: HashMap<String, StorageClass>,
}

impl PendingClaims {
    /// Lists the claims that are pending for this provisioner, in its namespace if it has one, and all classes. Records
    /// the PVs in `reconciler` if a class of these claims has a `pathPattern`.
    ///
    /// # Errors
    /// When claims, classes or, where they are needed, PVs can't be listed.
    pub async fn read_from_cluster(reconciler: &Reconciler) -> Result<Self, kube::Error> {
        let is_waiting = |claim: &PersistentVolumeClaim| claim::is_waiting_for(claim, &reconciler.settings.name);
        let claims = cluster::list_filtered(&reconciler.served_claims(), is_waiting).await?;
        let classes: Api<StorageClass> = Api::all(reconciler.client.clone());
        let classes = cluster::list_filtered(&classes, |_| true).await?;
        let classes: HashMap<_, _> = classes.into_iter().map(|class| (class.name_any(), class)).collect();
        let has_pattern = |claim: &PersistentVolumeClaim| {
            let class = claim::class_name(claim).and_then(|name| classes.get(name));
            class
                .and_then(|class| class.parameters.as_ref()?.get("pathPattern"))
                .is_some()
        };
        if claims.iter().any(has_pattern) {
            let volumes: Api<PersistentVolume> = Api::all(reconciler.client.clone());
            let record = |neighbours: &mut Neighbours, seen: PersistentVolume| {
                let class = volume::class_name(&seen).and_then(|name| classes.get(name));
                reconciler.record_volume_in(neighbours, &seen, class);
            };
            let none = Neighbours::new(reconciler.exports.locations());
            let listed = cluster::list_folded(&volumes, ListParams::default(), none, record).await?;
            *reconciler.lock_neighbours() = listed;
            reconciler.mark_volumes_listed();
        }
        Ok(Self { claims, classes })
    }

    pub fn len(&self) -> usize {
        self.claims.len()
    }

    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Tries each claim once, concurrently, and returns a row for each, sorted by claim; calls `done` with each row as
    /// it is known. Failures are neither logged nor counted.
    ///
    /// When `stop` resolves, claims in flight are finished; those not begun get no row, and `reconciler` begins no
    /// more.
    pub async fn provision_all(
        self,
        reconciler: &Reconciler,
        stop: impl Future<Output = ()>,
        mut done: impl FnMut(&Row),
    ) -> Vec<Row> {
        let Self { claims, classes } = &self;
        let served = claims.iter().map(|claim| async move {
            let class = claim::class_name(claim).and_then(|name| classes.get(name));
            let result = reconciler.provision_claim(claim, class, None).await;
            let claim = claim_key(claim);
            Row { claim, result }
        });
        let rows = served
            .collect::<FuturesUnordered<_>>()
            .filter(|row| std::future::ready(!matches!(row.result, Err(ReconcileError::Stopping))))
            .inspect(|row| done(row))
            .collect();
        let stopped = async {
            stop.await;
            reconciler.set_stopping(true);
            std::future::pending().await
        };
        let mut rows: Vec<Row> = tokio::select! {
            rows = rows => rows,
            never = stopped => never,
        };
        rows.sort_by(|a, b| a.claim.cmp(&b.claim));
        rows
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::export::VolumePath;
    use crate::provisioner::mock::{
        answer, class, location, mock, next, reconciler, refusal, upstream_volume, waiting_claim,
    };

    /// The list of PVs expires after its first page, and one of them is deleted before it is begun anew.
    #[tokio::test]
    async fn only_pvs_of_the_last_list_keep_their_directories() {
        let (client, mut server) = mock();
        let export = tempfile::tempdir().unwrap();
        let reconciler = reconciler(client, export.path());
        let list = |kind: &str, token: &str, items: Value| {
            let metadata = json!({"continue": token});
            (
                200,
                json!({"kind": kind, "apiVersion": "v1", "metadata": metadata, "items": items}),
            )
        };
        let volumes = |token: &str, directories: &[&str]| {
            let volume = |directory: &&str| upstream_volume(directory, directory, &[("/status/phase", json!("Bound"))]);
            let items: Vec<PersistentVolume> = directories.iter().map(volume).collect();
            list("PersistentVolumeList", token, json!(items))
        };
        let answers = [
            list("PersistentVolumeClaimList", "", json!([waiting_claim()])),
            list("StorageClassList", "", json!([class(json!({"pathPattern": "team"}))])),
            volumes("token", &["a", "deleted"]),
            (410, refusal(410, "Expired")),
            volumes("", &["a"]),
        ];
        let serving = async {
            for (status, object) in &answers {
                let (.., to) = next(&mut server).await;
                answer(to, *status, object);
            }
        };
        let (pending, ()) = tokio::join!(PendingClaims::read_from_cluster(&reconciler), serving);
        assert_eq!(pending.unwrap().len(), 1);
        for (directory, is_kept) in [("a", true), ("deleted", false)] {
            let path = VolumePath::parse(directory).unwrap();
            let neighbours = reconciler.lock_neighbours();
            let conflicts = neighbours.find_conflicts(&location(), &path, "pvc-u", None);
            assert_eq!(!conflicts.is_empty(), is_kept, "{directory}");
        }
    }
}
