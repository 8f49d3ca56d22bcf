//! `provision` without `--watch`: one pass over the claims that are pending now.
//!
//! [`PendingClaims`] are read and tried once; a claim that fails is not retried.

use std::collections::HashMap;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Api, ResourceExt};

use super::claim;
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
        let claims: Api<PersistentVolumeClaim> = match &reconciler.settings.namespace {
            Some(namespace) => Api::namespaced(reconciler.client.clone(), namespace),
            None => Api::all(reconciler.client.clone()),
        };
        let claims =
            cluster::list_filtered(&claims, |claim| claim::is_waiting_for(claim, &reconciler.settings.name)).await?;
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
            // Only their directories are kept.
            cluster::list_filtered(&volumes, |seen| {
                reconciler.record_volume(seen, volume::class_name(seen).and_then(|name| classes.get(name)));
                false
            })
            .await?;
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
