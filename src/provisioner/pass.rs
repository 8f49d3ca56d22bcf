//! One pass over every claim that waits now.

use std::collections::HashMap;

use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::{Api, ResourceExt};

use super::claim;
use super::work::{Outcome, Work, WorkError, key};
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
    /// When the API server won't list claims or classes.
    pub async fn read(work: &Work) -> Result<Self, kube::Error> {
        let claims: Api<PersistentVolumeClaim> = match &work.settings.namespace {
            Some(namespace) => Api::namespaced(work.client.clone(), namespace),
            None => Api::all(work.client.clone()),
        };
        let claims = cluster::list(&claims, |claim| claim::is_waiting_for(claim, &work.settings.name)).await?;
        let classes: Api<StorageClass> = Api::all(work.client.clone());
        let classes = cluster::list(&classes, |_| true).await?;
        Ok(Self {
            claims,
            classes: classes.into_iter().map(|class| (class.name_any(), class)).collect(),
        })
    }

    /// How many claims wait.
    pub fn len(&self) -> usize {
        self.claims.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Serves them, some at a time; `done` is told of each. The rows come sorted by claim.
    ///
    /// When `stop` resolves, what is in flight is finished and nothing else begun.
    pub async fn serve(self, work: &Work, stop: impl Future<Output = ()>, mut done: impl FnMut(&Row)) -> Vec<Row> {
        let Self { claims, classes } = &self;
        let concurrency = usize::from(work.settings.concurrency);
        let mut rows: Vec<Row> = stream::iter(claims)
            .take_until(stop)
            .map(|claim| async move {
                let class = claim::class_name(claim).and_then(|name| classes.get(name));
                let result = work.provision(claim, class).await;
                let claim = key(claim);
                Row { claim, result }
            })
            .buffer_unordered(concurrency)
            .inspect(|row| done(row))
            .collect()
            .await;
        rows.sort_by(|a, b| a.claim.cmp(&b.claim));
        rows
    }
}
