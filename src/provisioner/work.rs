//! What is done about one claim or one volume: the effects behind the verdicts.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use tokio::time::Instant;

use super::backoff::Retries;
use super::claim::{self, Verdict};
use super::class::{self, OnDelete};
use super::events::Events;
use super::lease::Leading;
use super::metrics::{Counts, Metrics};
use super::volume::{self, Disposal, FINALIZER};
use crate::cluster;
use crate::export::{Export, ExportError, Location, Removed, VolumePath};

/// What the provisioner was told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The provisioner's name, as in the classes.
    pub name: String,
    /// The export, as nodes mount it.
    pub export: Location,
    /// Only claims of this namespace, if given.
    pub namespace: Option<String>,
    /// How many claims, and how many volumes, are worked on at once.
    pub concurrency: u16,
    /// Say what would be made, and make nothing.
    pub dry_run: bool,
    /// How long one request to the API server may take.
    pub request_timeout: Duration,
}

/// The provisioner at work: everything that acts on claims and volumes.
pub struct Work {
    /// What it was told.
    pub settings: Settings,
    /// What it did and has to do, in numbers.
    pub metrics: Metrics,
    pub(super) client: Client,
    pub(super) events: Events,
    pub(super) export: Export,
    retries: Mutex<Retries>,
    leading: Leading,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// There was nothing to do.
    Left,
    /// It waits for its first pod.
    Waiting,
    /// It can't be served; the sentence says why.
    Refused(String),
    /// It has a volume now.
    Provisioned {
        /// The PV's name.
        volume: String,
        /// The PV's path on the server.
        path: String,
        /// From the first look to the PV.
        took: Duration,
    },
    /// It would have got a volume if this weren't a dry run.
    WouldProvision {
        /// The PV's name.
        volume: String,
        /// The PV's path on the server.
        path: String,
    },
}

/// What became of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposed {
    /// There was nothing to do.
    Left,
    /// It should go and can't; the sentence says why.
    Refused(String),
    /// It would go if this weren't a dry run; the words say what would become of its directory.
    WouldGo(String),
    /// It is gone; the words say what became of its directory.
    Gone(String),
}

/// Why a claim or a volume must be tried again.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The claim's class doesn't exist.
    #[error("storageclass.storage.k8s.io \"{0}\" not found")]
    NoClass(String),
    /// Somebody else may lead by now; nothing was begun.
    #[error("this provisioner does not lead any more")]
    NotLeading,
    /// A PV of the claim's name is being deleted, or is another.
    #[error("PV {0} is there already, and being deleted or on another directory")]
    InTheWay(String),
    /// The export's side.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The API server's side.
    #[error("cannot {action}: {}", cluster::sentence(source))]
    Api {
        /// What was asked of it.
        action: String,
        /// Its answer.
        source: kube::Error,
    },
    /// The API server's silence.
    #[error("cannot {action}: no answer from the API server within {} s", after.as_secs())]
    Silent {
        /// What was asked of it.
        action: String,
        /// How long was waited.
        after: Duration,
    },
}

impl Work {
    /// The work of a provisioner with these settings on this export.
    pub fn new(settings: Settings, client: Client, export: Export, events: Events) -> Self {
        Self {
            settings,
            metrics: Metrics::default(),
            client,
            events,
            export,
            retries: Mutex::default(),
            leading: Leading::always(),
        }
    }

    /// The same, with nothing begun unless `leading`.
    pub fn only_while(self, leading: Leading) -> Self {
        Self { leading, ..self }
    }

    /// To be asked right before an effect: much may have happened since the work was begun.
    fn still_leading(&self) -> Result<(), WorkError> {
        match self.leading.still(Instant::now()) {
            true => Ok(()),
            false => Err(WorkError::NotLeading),
        }
    }

    /// Makes the volume of a claim, as its class, if that exists, says.
    ///
    /// May be repeated at any point: what is there already is used.
    ///
    /// # Errors
    /// What to try again for; nothing that was made is taken back.
    pub async fn provision(
        &self,
        seen: &PersistentVolumeClaim,
        found: Option<&StorageClass>,
    ) -> Result<Outcome, WorkError> {
        let started = Instant::now();
        let class = match claim::judge(seen, found, &self.settings.name) {
            Verdict::Leave => return Ok(Outcome::Left),
            Verdict::WaitForConsumer => return Ok(Outcome::Waiting),
            Verdict::NoClass(name) => return Err(WorkError::NoClass(name)),
            Verdict::Refuse(why) => return Ok(Outcome::Refused(why)),
            Verdict::Provision(class) => class,
        };
        let settings = match class::settings(class, &self.settings.export) {
            Ok(settings) => settings,
            Err(why) => return Ok(Outcome::Refused(why)),
        };
        let _making = self.events.making();
        // The watch may lag behind: the claim may be bound, deleted or replaced by now.
        let name = seen.name_any();
        let claims: Api<PersistentVolumeClaim> =
            Api::namespaced(self.client.clone(), &seen.namespace().unwrap_or_default());
        let live = self.ask(&format!("read claim {name}"), claims.get_opt(&name)).await?;
        let Some(live) = live.filter(|live| live.metadata.uid == seen.metadata.uid) else {
            return Ok(Outcome::Left);
        };
        if claim::judge(&live, found, &self.settings.name) != Verdict::Provision(class) {
            return Ok(Outcome::Left);
        }
        let plan = match volume::plan(&live, &settings, &self.settings.export, &self.settings.name) {
            Ok(plan) => plan,
            Err(why) => return Ok(Outcome::Refused(why)),
        };
        let volume = plan.volume.name_any();
        let path = plan.directory.under(&self.settings.export.path);
        if self.settings.dry_run {
            return Ok(Outcome::WouldProvision { volume, path });
        }
        if !self.has_failed(&live, found) {
            self.announce(&live, &settings.unknown, class);
        }
        self.still_leading()?;
        if plan.needs_marker {
            let uid = live.metadata.uid.as_deref().unwrap_or_default();
            match self.export.own(&plan.directory, uid).await {
                Err(error @ ExportError::Owned { .. }) => return Ok(Outcome::Refused(error.to_string())),
                owned => owned?,
            }
        }
        self.export.make(&plan.directory, settings.attributes).await?;
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        let action = format!("create PV {volume}");
        self.still_leading()?;
        match self
            .ask(&action, volumes.create(&PostParams::default(), &plan.volume))
            .await
        {
            // An earlier try got this far: the name holds the claim's uid.
            Err(WorkError::Api { source, .. }) if is_already_exists(&source) => {
                let found = self.ask(&format!("read PV {volume}"), volumes.get_opt(&volume)).await?;
                let good = |found: &PersistentVolume| {
                    let nfs = found.spec.as_ref().and_then(|spec| spec.nfs.as_ref());
                    found.metadata.deletion_timestamp.is_none() && nfs.is_some_and(|nfs| nfs.path == path)
                };
                if !found.as_ref().is_some_and(good) {
                    return Err(WorkError::InTheWay(volume));
                }
            }
            created => _ = created?,
        }
        let note = format!("Successfully provisioned volume {volume}");
        self.events.normal(&live, "ProvisioningSucceeded", note);
        Ok(Outcome::Provisioned {
            volume,
            path,
            took: started.elapsed(),
        })
    }

    fn announce(&self, claim: &PersistentVolumeClaim, unknown: &[String], class: &StorageClass) {
        self.events.normal(
            claim,
            "Provisioning",
            format!(
                "External provisioner is provisioning volume for claim \"{}\"",
                key(claim)
            ),
        );
        if !unknown.is_empty() {
            let note = format!(
                "StorageClass {} has parameters that {} doesn't know, and ignores: {}",
                class.name_any(),
                self.settings.name,
                unknown.join(", ")
            );
            self.events.warning(claim, "UnknownParameters", note);
        }
    }

    /// Deals with a volume that its claim has left: the directory first, then the PV, then its finalizer.
    ///
    /// # Errors
    /// What to try again for; each step finds out whether it was done already.
    pub async fn dispose(&self, seen: &PersistentVolume) -> Result<Disposed, WorkError> {
        let name = seen.name_any();
        let volumes: Api<PersistentVolume> = Api::all(self.client.clone());
        // Data is at stake: decide on what is stored now, not on what was seen.
        let live = self.ask(&format!("read PV {name}"), volumes.get_opt(&name)).await?;
        let Some(live) = live.filter(|live| live.metadata.uid == seen.metadata.uid) else {
            return Ok(Disposed::Left);
        };
        self.still_leading()?;
        let fate = match volume::disposal(&live, &self.settings.export, &self.settings.name) {
            Disposal::Leave => return Ok(Disposed::Left),
            Disposal::Refuse(why) => return Ok(Disposed::Refused(why)),
            fate if self.settings.dry_run => {
                return Ok(Disposed::WouldGo(match fate {
                    Disposal::Directory {
                        directory, on_delete, ..
                    } => format!("{} {directory}", on_delete.as_str()),
                    _ => "its directory would stay".to_owned(),
                }));
            }
            Disposal::LetGo => "its directory stays".to_owned(),
            Disposal::Directory {
                directory,
                on_delete,
                owner,
            } => match self.deal_with(&directory, on_delete, owner.as_deref(), &name).await? {
                Ok(fate) => fate,
                Err(why) => return Ok(Disposed::Refused(why)),
            },
        };
        if live.metadata.deletion_timestamp.is_none() {
            self.still_leading()?;
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: live.metadata.uid.clone(),
                    resource_version: None,
                }),
                ..DeleteParams::default()
            };
            match self
                .ask(&format!("delete PV {name}"), volumes.delete(&name, &params))
                .await
            {
                Err(WorkError::Api { source, .. }) if is_not_found(&source) => {}
                deleted => _ = deleted?,
            }
        }
        self.let_go(&volumes, &live).await?;
        Ok(Disposed::Gone(fate))
    }

    /// Removes, archives or leaves the directory of the PV `volume`, and says which; or says why it may not.
    async fn deal_with(
        &self,
        directory: &VolumePath,
        on_delete: OnDelete,
        owner: Option<&str>,
        volume: &str,
    ) -> Result<Result<String, String>, ExportError> {
        if let Some(uid) = owner {
            match self.export.owner(directory).await? {
                Some(owner) if owner == uid => {}
                // An earlier try got this far, and the path was given on.
                Some(owner) => return Ok(Ok(format!("{directory} belongs to the claim with uid {owner} now"))),
                None if on_delete != OnDelete::Retain && self.export.has(directory).await? => {
                    return Ok(Err(format!("PV {volume} names {directory}, which was not made for it")));
                }
                None => return Ok(Ok(format!("{directory} was dealt with before"))),
            }
        }
        let fate = match on_delete {
            OnDelete::Retain => format!("{directory} stays"),
            OnDelete::Archive => {
                let archive = match volume::archive_of(directory, volume) {
                    Ok(archive) => archive,
                    Err(why) => return Ok(Err(why)),
                };
                match self.export.archive(directory, &archive).await? {
                    Removed::Done => format!("{directory} is archived as {archive}"),
                    Removed::AlreadyGone => format!("{directory} was archived or removed before"),
                }
            }
            OnDelete::Delete => match self.export.remove(directory).await? {
                Removed::Done => format!("{directory} is removed"),
                Removed::AlreadyGone => format!("{directory} was removed before"),
            },
        };
        if owner.is_some() {
            self.export.disown(directory).await?;
        }
        Ok(Ok(fate))
    }

    /// Takes our finalizer off a PV, and only that: other finalizers are others' business.
    async fn let_go(&self, volumes: &Api<PersistentVolume>, volume: &PersistentVolume) -> Result<(), WorkError> {
        let name = volume.name_any();
        loop {
            let live = self.ask(&format!("read PV {name}"), volumes.get_opt(&name)).await?;
            let Some(live) = live.filter(|live| live.metadata.uid == volume.metadata.uid) else {
                return Ok(());
            };
            let mut finalizers = live.metadata.finalizers.clone().unwrap_or_default();
            if !finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
                return Ok(());
            }
            finalizers.retain(|finalizer| finalizer != FINALIZER);
            // With its version, so that a finalizer added meanwhile isn't lost.
            let patch = json!({"metadata": {
                "finalizers": finalizers, "resourceVersion": live.metadata.resource_version,
            }});
            let action = format!("take the finalizer off PV {name}");
            self.still_leading()?;
            let (params, patch) = (PatchParams::default(), Patch::Merge(&patch));
            match self.ask(&action, volumes.patch(&name, &params, &patch)).await {
                Err(WorkError::Api { source, .. }) if is_conflict(&source) => {}
                Err(WorkError::Api { source, .. }) if is_not_found(&source) => return Ok(()),
                patched => return patched.map(|_| ()),
            }
        }
    }

    /// One request to the API server, with an end.
    async fn ask<T>(
        &self,
        action: &str,
        request: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, WorkError> {
        let after = self.settings.request_timeout;
        match tokio::time::timeout(after, request).await {
            Ok(answer) => answer.map_err(|source| WorkError::Api {
                action: action.to_owned(),
                source,
            }),
            Err(_) => Err(WorkError::Silent {
                action: action.to_owned(),
                after,
            }),
        }
    }

    /// How much there is to do, and how much was done.
    pub fn counts(&self) -> Counts {
        self.metrics.counts(&self.retries(), self.still_leading().is_ok())
    }

    pub(super) fn retries(&self) -> MutexGuard<'_, Retries> {
        // The counts are good whatever happened to a thread that held them.
        self.retries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_failed(&self, claim: &PersistentVolumeClaim, class: Option<&StorageClass>) -> bool {
        let uid = claim.metadata.uid.as_deref().unwrap_or_default();
        self.retries().has_failed(uid, &facts(claim, class))
    }
}

/// What a claim's outcome depends on: the versions of the claim and of its class.
pub(super) fn facts(claim: &PersistentVolumeClaim, class: Option<&StorageClass>) -> String {
    let class = class.and_then(ResourceExt::resource_version).unwrap_or_default();
    format!("{} {class}", claim.resource_version().unwrap_or_default())
}

/// `namespace/name`, as kubectl writes it.
pub fn key(claim: &PersistentVolumeClaim) -> String {
    format!("{}/{}", claim.namespace().unwrap_or_default(), claim.name_any())
}

fn is_already_exists(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_already_exists())
}

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict())
}
