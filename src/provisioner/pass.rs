//! One pass over every claim that waits now.

use std::collections::HashMap;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Api, ResourceExt};

use super::claim;
use super::outcome::{Outcome, WorkError};
use super::reconcile::{Work, key};
use super::volume;
use crate::cluster;

/// One claim and what became of it.
#[derive(Debug)]
pub struct Row {
    /// `namespace/name`.
    pub claim: String,
    /// The outcome, or why there is none.
    pub result: Result<Outcome, WorkError>,
}

/// Claims that wait, and the classes that exist.
pub struct Waiting {
    claims: Vec<PersistentVolumeClaim>,
    classes: HashMap<String, StorageClass>,
}

impl Waiting {
    /// Reads what waits for the provisioner now.
    ///
    /// # Errors
    /// When the API server won't list claims or classes, or volumes where a class has a `pathPattern`.
    pub async fn read(work: &Work) -> Result<Self, kube::Error> {
        let claims: Api<PersistentVolumeClaim> = match &work.settings.namespace {
            Some(namespace) => Api::namespaced(work.client.clone(), namespace),
            None => Api::all(work.client.clone()),
        };
        let claims = cluster::list(&claims, |claim| claim::is_waiting_for(claim, &work.settings.name)).await?;
        let classes: Api<StorageClass> = Api::all(work.client.clone());
        let classes = cluster::list(&classes, |_| true).await?;
        let classes: HashMap<_, _> = classes.into_iter().map(|class| (class.name_any(), class)).collect();
        let has_pattern = |claim: &PersistentVolumeClaim| {
            let class = claim::class_name(claim).and_then(|name| classes.get(name));
            class
                .and_then(|class| class.parameters.as_ref()?.get("pathPattern"))
                .is_some()
        };
        if claims.iter().any(has_pattern) {
            let volumes: Api<PersistentVolume> = Api::all(work.client.clone());
            // Only where they lie is kept.
            cluster::list(&volumes, |seen| {
                work.note_volume(seen, volume::class_name(seen).and_then(|name| classes.get(name)));
                false
            })
            .await?;
            work.volumes_are_known();
        }
        Ok(Self { claims, classes })
    }

    /// How many claims wait.
    pub fn len(&self) -> usize {
        self.claims.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Serves them, on each export some at a time; `done` is told of each. The rows come sorted by claim.
    ///
    /// When `stop` resolves, what is in flight is finished and nothing else begun; that has no rows.
    pub async fn serve(self, work: &Work, stop: impl Future<Output = ()>, mut done: impl FnMut(&Row)) -> Vec<Row> {
        let Self { claims, classes } = &self;
        let served = claims.iter().map(|claim| async move {
            let class = claim::class_name(claim).and_then(|name| classes.get(name));
            let result = work.provision(claim, class).await;
            let claim = key(claim);
            Row { claim, result }
        });
        let rows = served
            .collect::<FuturesUnordered<_>>()
            .filter(|row| std::future::ready(!matches!(row.result, Err(WorkError::Stopping))))
            .inspect(|row| done(row))
            .collect();
        let stopped = async {
            stop.await;
            work.stop(true);
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
