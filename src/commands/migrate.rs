//! `nfsprov migrate`: hands the claims of another provisioner over to nfsprov, or back.
//!
//! `manifest/handover` decides; this module shows the plan, asks, and applies it, with a line on stdout for each step.
//! The first provisioner has no pods left before this module starts the second. Only an undo lets both run, if both ran
//! before.

use anyhow::{Context, Result, anyhow, bail};
use futures::FutureExt;
use futures::future::pending;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::Selector;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::time::timeout;

use super::{Stop, cluster_options, confirm_or_fail, or_stop, stop_signal};
use crate::change::server_side;
use crate::change::wait::{Effect, wait};
use crate::cli::{self, Global, Migrate};
use crate::cluster::object::Object;
use crate::cluster::{self, ClientUse, Cluster, connect, list_filtered};
use crate::exit::{Exit, UsageError};
use crate::image::IMAGE;
use crate::manifest::handover::{self, Direction, Handover, REPLICAS_BEFORE};
use crate::manifest::templates::Template;
use crate::manifest::{Document, Flavor, Provisioner, Values, render_manifest, validate};
use crate::output;
use crate::provisioner::election;

/// The test claim that shows that volumes are provisioned again.
const TEST_CLAIM: &str = "nfsprov-migration-test";

/// Why a step did not end.
const INTERRUPTED: &str = "interrupted";

/// A migration in one direction or the other.
struct Migration {
    cluster: Cluster,
    handover: Handover,
    /// nfsprov's objects, without a class.
    documents: Vec<Document>,
    args: cli::Handover,
}

/// Shows the plan, asks, hands the claims over or back, and checks the result with a test claim, whose failure undoes
/// nothing; a dry run only shows the plan. A signal ends it while it waits: a handover is then undone, and the test
/// claim deleted.
pub async fn run(action: Migrate, global: &Global) -> Result<Exit> {
    let Migrate::NfsSubdirExternalProvisioner(args) = action;
    let cluster = connect(&cluster_options(global), ClientUse::LongRunning).await?;
    let migration = Migration::read_and_render(cluster, args).await?;
    let args = &migration.args;
    let direction = match args.back {
        true => Direction::ToUpstream,
        false => Direction::ToNfsprov,
    };
    if let Some(sentence) = migration.reason_to_refuse(direction).await? {
        bail!(sentence);
    }
    let plan = migration.handover.describe_steps(direction, &args.name);
    let lines = plan
        .iter()
        .enumerate()
        .map(|(number, step)| format!("{}. {step}\n", number + 1));
    output::print(&lines.collect::<String>())?;
    output::say(
        "Classes, claims and volumes stay as they are. Claims that are pending meanwhile are provisioned afterwards.",
    );
    if args.dry_run {
        return Ok(Exit::Done);
    }
    if !args.yes {
        let usage = "confirmation required but stdin is not a terminal; pass --yes";
        confirm_or_fail("Carry this out?", "nothing was changed", usage)?;
    }
    let stop = stop_signal()?;
    match direction {
        Direction::ToNfsprov => migration.hand_over(&stop).await?,
        Direction::ToUpstream => migration.hand_back(&stop).await?,
    }
    migration.bind_test_claim(&stop).await?;
    Ok(Exit::Done)
}

impl Migration {
    /// Reads the other provisioner's Deployment, and renders nfsprov's objects for the same name and export. An error
    /// if no Deployment or several suit, its name or export can't be read, or `--replicas` needs a Lease that the name
    /// doesn't allow.
    async fn read_and_render(cluster: Cluster, args: cli::Handover) -> Result<Self> {
        let unread = |error: kube::Error| {
            anyhow!(
                "cannot read Deployments and classes: {}",
                cluster::describe_error(&error)
            )
        };
        let deployments: Api<Deployment> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
        let deployments = list_filtered(&deployments, |_| true).await.map_err(unread)?;
        let classes: Api<StorageClass> = Api::all(cluster.client.clone());
        let classes = list_filtered(&classes, |_| true).await.map_err(unread)?;
        let chosen =
            handover::choose_deployment(&deployments, args.deployment.as_deref()).map_err(anyhow::Error::msg)?;
        let handover = Handover::from_deployment(chosen, &classes).map_err(anyhow::Error::msg)?;
        let lock = election::lease_name(&handover.provisioner);
        let replicas = args.replicas.unwrap_or(if lock.is_some() { 2 } else { 1 });
        if lock.is_none() && replicas > 1 {
            let why = "--replicas: a provisioner whose name has upper-case letters or `_` can't have a Lease";
            return Err(UsageError(why.into()).into());
        }
        let values = Values::Provisioner(Provisioner {
            name: args.name.clone(),
            namespace: handover.namespace.clone(),
            provisioner: handover.provisioner.clone(),
            server: handover.server.clone(),
            path: handover.path.clone(),
            image: args.image.clone().unwrap_or_else(|| IMAGE.to_owned()),
            replicas,
            // Not applied: the classes exist.
            class: "none".to_owned(),
            allow_expansion: false,
            quota_ssh: None,
            ssh_secret: None,
            host_fingerprints: Vec::new(),
            lock,
            network_policy: false,
            before_1_22: validate::parse_minor_version(&cluster.version).is_ok_and(|minor| minor < 22),
            flavor: Flavor::Nfsprov,
        });
        let mut documents = render_manifest(&values, &Template::built_in(&values))?.documents;
        documents.retain(|document| server_side::kind_of(&document.object) != "StorageClass");
        Ok(Self {
            cluster,
            handover,
            documents,
            args,
        })
    }

    fn deployments_api(&self) -> Api<Deployment> {
        Api::namespaced(self.cluster.client.clone(), &self.handover.namespace)
    }

    /// Why the migration is refused; `None` if it can start. A Deployment that Argo CD or Flux manages is refused; of
    /// one that another program manages, only a note is printed.
    async fn reason_to_refuse(&self, direction: Direction) -> Result<Option<String>> {
        let Handover {
            namespace, deployment, ..
        } = &self.handover;
        let ours = self.read_deployment(&self.args.name).await?;
        if let Some(manager) = &self.handover.managed_by {
            // Of managed Deployments, only a Helm release keeps these replicas until its next upgrade.
            if manager.starts_with("Argo") || manager.starts_with("Flux") {
                return Ok(Some(format!(
                    "{manager} manages deployment/{deployment} -n {namespace} and would scale it up again; set its \
                     replicas to 0 there, then run this again"
                )));
            }
            output::say(&format!(
                "note: {manager} manages deployment/{deployment}; set its replicas there too, or its next run \
                 undoes this"
            ));
        }
        if ours.is_none() {
            return Ok(None);
        }
        if self.args.name == *deployment {
            return Ok(Some(format!(
                "deployment/{deployment} -n {namespace} is the other provisioner; pass the name of nfsprov's with --name"
            )));
        }
        let ours = Handover::from_deployment(&ours.context("no Deployment")?, &[]);
        Ok(match ours {
            Ok(ours) if ours.provisioner == self.handover.provisioner => None,
            _ => Some(format!(
                "deployment/{} -n {namespace} {} serves another name; pass --name",
                self.args.name,
                match direction {
                    Direction::ToNfsprov => "exists already and",
                    Direction::ToUpstream => "is to be removed, but",
                }
            )),
        })
    }

    /// The Deployment of this name in the migration's namespace; `None` if there is none.
    async fn read_deployment(&self, name: &str) -> Result<Option<Deployment>> {
        let found = self.deployments_api().get_opt(name).await;
        found.map_err(|error| anyhow!("cannot read deployment/{name}: {}", cluster::describe_error(&error)))
    }

    /// Scales upstream to 0, then starts nfsprov. If a step fails or `stop` resolves, undoes what this run did: objects
    /// of nfsprov that existed before get their former content, and upstream its replicas. Always an error then.
    async fn hand_over(&self, stop: &Stop) -> Result<()> {
        let theirs = &self.handover.deployment;
        let mut before = Vec::new();
        for document in &self.documents {
            before.push(server_side::read_object(&self.cluster, &document.object).await?);
        }
        let how = server_side::ApplyOptions {
            on_conflict: "pass --name for objects of another name, or let these managers set the same",
            ..server_side::ApplyOptions::default()
        };
        let done = async {
            self.scale_deployment(theirs, 0, Some(self.handover.replicas)).await?;
            self.wait_for_no_pods(theirs, stop).await?;
            for document in &self.documents {
                let applied = server_side::apply_object(&self.cluster, &document.object, how).await?;
                output::print(&format!("{} {applied}\n", server_side::object_title(&document.object)))?;
            }
            self.wait_for_rollout(&self.args.name, stop).await
        };
        let Err(error) = done.await else { return Ok(()) };
        output::say(&format!("{error:#}; undoing"));
        let never = pending().boxed().shared();
        // A Deployment that was at 0 stays at 0.
        match self.restore_state(&before, self.handover.replicas, &never).await {
            Ok(()) => {
                let ran_before = before
                    .iter()
                    .flatten()
                    .any(|object| server_side::kind_of(object) == "Deployment");
                Err(error.context(self.handover.describe_undone(&self.args.name, ran_before)))
            }
            Err(undo) => Err(error.context(format!(
                "nfsprov did not take over, and undoing failed too ({undo:#}); run migrate with --back"
            ))),
        }
    }

    /// Removes nfsprov, and scales upstream to the replicas that it had. Can be run again after an error, or after
    /// `stop`, which is one.
    async fn hand_back(&self, stop: &Stop) -> Result<()> {
        let nothing = vec![None; self.documents.len()];
        let replicas = self.handover.replicas_to_restore();
        let restored = self.restore_state(&nothing, replicas, stop).await;
        restored.with_context(|| {
            let theirs = &self.handover.deployment;
            format!("deployment/{theirs} does not run again yet; run migrate with --back again")
        })
    }

    /// Gives nfsprov's objects the content that they had before, and deletes those that did not exist. Waits for the end
    /// of its pods if it did not run before. Then scales upstream to `replicas` and waits for its rollout; 0 leaves it as
    /// it is. Ends at the first step that fails; `stop` ends a wait, which is such a failure.
    async fn restore_state(&self, before: &[Option<DynamicObject>], replicas: i32, stop: &Stop) -> Result<()> {
        let (ours, theirs) = (&self.args.name, &self.handover.deployment);
        for (document, before) in self.documents.iter().zip(before).rev() {
            let object = &document.object;
            if let Some(before) = before {
                let restored = server_side::restore_object(&self.cluster, object, before).await?;
                output::print(&format!("{} {restored}\n", server_side::object_title(object)))?;
                if server_side::kind_of(object) == "Deployment" && before.data["spec"]["replicas"] == 0 {
                    self.wait_for_no_pods(ours, stop).await?;
                }
                continue;
            }
            if server_side::kind_of(object) == "Deployment" && self.read_deployment(ours).await?.is_some() {
                self.scale_deployment(ours, 0, None).await?;
                self.wait_for_no_pods(ours, stop).await?;
            }
            if server_side::delete_object(&self.cluster, object).await? {
                output::print(&format!("{} deleted\n", server_side::object_title(object)))?;
            }
        }
        if replicas == 0 {
            return Ok(());
        }
        self.scale_deployment(theirs, replicas, None).await?;
        self.wait_for_rollout(theirs, stop).await
    }

    /// Scales a Deployment and annotates it with the replicas that it had, `former_replicas`; 0 keeps the annotation of
    /// an earlier migration, `None` removes it.
    async fn scale_deployment(&self, name: &str, replicas: i32, former_replicas: Option<i32>) -> Result<()> {
        let remembered = match (former_replicas, self.handover.replicas_before) {
            (Some(0), Some(earlier)) => Some(earlier.to_string()),
            (Some(now), _) => Some(now.to_string()),
            (None, _) => None,
        };
        let patch = json!({
            "metadata": {"annotations": {REPLICAS_BEFORE: remembered}},
            "spec": {"replicas": replicas},
        });
        let scaled = self
            .deployments_api()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        scaled.map_err(|error| anyhow!("cannot scale deployment/{name}: {}", cluster::describe_error(&error)))?;
        output::print(&format!("deployment/{name} scaled to {replicas}\n"))?;
        Ok(())
    }

    /// Waits until no pod that the Deployment selects is left, terminating ones included; an error after the timeout, or
    /// at `stop`. The Deployment must be scaled to 0.
    async fn wait_for_no_pods(&self, name: &str, stop: &Stop) -> Result<()> {
        let deployment = self
            .read_deployment(name)
            .await?
            .with_context(|| format!("deployment/{name} was deleted"))?;
        let selector = deployment.spec.unwrap_or_default().selector;
        let selector = Selector::try_from(selector)
            .with_context(|| format!("cannot read how deployment/{name} selects its pods"))?;
        let selected = ListParams::default().labels_from(&selector);
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &self.handover.namespace);
        let waiting = async {
            // A ReplicaSet may have created another pod meanwhile.
            loop {
                let left = pods.list(&selected).await?.items;
                let Some(pod) = left.first() else {
                    return anyhow::Ok(());
                };
                let uid = pod.uid().unwrap_or_default();
                await_condition(pods.clone(), &pod.name_any(), conditions::is_deleted(&uid)).await?;
            }
        };
        let ended = or_stop(stop, timeout(self.args.timeout, waiting)).await;
        ended.context(INTERRUPTED)?.map_err(|_| {
            anyhow!(
                "the pods of deployment/{name} have not ended after {:?}; `kubectl -n {} get pods` shows them",
                self.args.timeout,
                self.handover.namespace
            )
        })?
    }

    /// Waits until all pods of the Deployment are of its current version, and ready; an error after the timeout, or at
    /// `stop`. A Deployment that doesn't exist yet is waited for.
    async fn wait_for_rollout(&self, name: &str, stop: &Stop) -> Result<()> {
        let deployment = Object::namespaced("Deployment", &self.handover.namespace, name);
        let title = deployment.title();
        let effect = Effect::RolledOut(deployment);
        let waiting = wait(&self.cluster, &effect, self.args.timeout);
        if let Err(state) = or_stop(stop, waiting).await.context(INTERRUPTED)?? {
            bail!(
                "{title} is {state} after {:?}; `nfsprov doctor -n {}` names the cause",
                self.args.timeout,
                self.handover.namespace
            );
        }
        Ok(output::print(&format!("deployment/{name} is available\n"))?)
    }

    /// Creates a test claim, waits until it is Bound, and deletes it in any case; an error if it was not Bound in time
    /// or before `stop`, or a claim of its name exists. Only a note if no class suits.
    async fn bind_test_claim(&self, stop: &Stop) -> Result<()> {
        let Some(class) = &self.handover.test_class else {
            output::say("note: no class suits a test claim; watch the next claim yourself");
            return Ok(());
        };
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.cluster.client.clone(), &self.handover.namespace);
        let claim = serde_json::from_value(json!({
            "metadata": {"name": TEST_CLAIM},
            "spec": {
                "storageClassName": class.name, "accessModes": ["ReadWriteMany"],
                "resources": {"requests": {"storage": "1Mi"}},
            },
        }))?;
        let refused = |error: kube::Error| anyhow!("pvc/{TEST_CLAIM}: {}", cluster::describe_error(&error));
        claims.create(&PostParams::default(), &claim).await.map_err(refused)?;
        let bound = Effect::Bound(Object::namespaced(
            "PersistentVolumeClaim",
            &self.handover.namespace,
            TEST_CLAIM,
        ));
        let waiting = wait(&self.cluster, &bound, self.args.timeout);
        let bound = or_stop(stop, waiting).await.context(INTERRUPTED);
        claims
            .delete(TEST_CLAIM, &DeleteParams::default())
            .await
            .map_err(refused)?;
        let stopped = || format!("pvc/{TEST_CLAIM} was not Bound yet, and is deleted; the migration stays as it is");
        if bound.with_context(stopped)??.is_err() {
            bail!(
                "pvc/{TEST_CLAIM} was not Bound after {:?}; `nfsprov doctor -n {}` names the cause, and --back undoes \
                 the migration",
                self.args.timeout,
                self.handover.namespace
            );
        }
        Ok(output::print(&format!("pvc/{TEST_CLAIM} was Bound, and is deleted\n"))?)
    }
}
