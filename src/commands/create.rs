//! `nfsprov create`: manifests on stdout or in files, or applied.

mod blanks;
mod order;

use std::path::Path;

use anyhow::{Result, anyhow, bail};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::jiff::Timestamp;
use kube::core::DynamicObject;
use kube::{Api, ResourceExt};

use super::{cluster_options, write_files};
use crate::cli::{DryRun, Global, Kind};
use crate::cluster::{self, ClientUse, Cluster, connect, list_filtered};
use crate::doctor::gather::gather;
use crate::doctor::report::Report;
use crate::doctor::{Object, Severity, checks};
use crate::exit::{Exit, UsageError};
use crate::manifest::apply::Applied;
use crate::manifest::templates::Template;
use crate::manifest::wait::Waited;
use crate::manifest::{self, Document, Manifest, Values, apply, render_manifest, rival};
use crate::output;
use order::Order;

/// Runs `nfsprov create`.
pub async fn run(kind: Kind, global: &Global) -> Result<Exit> {
    let mut order = Order::of(kind, global).await?;
    let delivery = order.delivery.clone();
    let on_server = delivery.dry_run == Some(DryRun::Server);
    let sends = on_server || (delivery.apply && delivery.dry_run.is_none());
    if delivery.force_conflicts && !sends {
        return Err(
            UsageError("--force-conflicts is about applying: give --apply or --dry-run server too".into()).into(),
        );
    }
    let remark = |remark: &str| {
        if !global.quiet {
            output::say(remark);
        }
    };
    order.remarks.iter().for_each(|text| remark(text));
    let template = match &delivery.template_dir {
        None => Template::built_in(&order.values),
        Some(directory) => Template::in_directory(&order.values, directory)?.unwrap_or_else(|| {
            let file = order.values.template_file();
            let directory = directory.display();
            remark(&format!(
                "note: {directory} has no {file}; the built-in template is used"
            ));
            Template::built_in(&order.values)
        }),
    };
    let manifest = render_manifest(&order.values, &template)?;
    match &delivery.output_dir {
        Some(directory) => files(&manifest, directory, delivery.yes)?,
        None if sends => {
            let waits = order.waiting.as_ref().is_some_and(|waiting| waiting.wait);
            let purpose = if waits {
                ClientUse::LongRunning
            } else {
                ClientUse::OneShot
            };
            let cluster = connect(&cluster_options(global), purpose).await?;
            let manifest = match order.adapt(&cluster.version) {
                Some(note) => {
                    remark(&note);
                    render_manifest(&order.values, &template)?
                }
                None => manifest,
            };
            send(&cluster, &manifest, &order, on_server, remark).await?;
        }
        None => output::print(&manifest.yaml)?,
    }
    Ok(Exit::Done)
}

/// A file an object.
fn files(manifest: &Manifest, directory: &Path, overwrite: bool) -> Result<()> {
    let name = |document: &Document| {
        let title = apply::object_title(&document.object);
        let (kind, name) = title.split_once('/').unwrap_or_default();
        format!("{}-{kind}.yaml", name.replace(['/', ':'], "-"))
    };
    let files: Vec<_> = manifest
        .documents
        .iter()
        .map(|document| (name(document), document.yaml.clone()))
        .collect();
    write_files(directory, &files, overwrite)
}

async fn send(
    cluster: &Cluster,
    manifest: &Manifest,
    order: &Order,
    on_server: bool,
    remark: impl Fn(&str),
) -> Result<()> {
    let waiting = order.waiting.as_ref().filter(|waiting| waiting.wait);
    if let Some(text) = lonely_class(cluster, &order.values).await {
        remark(&text);
    }
    if let Some(text) = other_provisioner(cluster, &order.values).await {
        remark(&text);
    }
    let how = apply::ApplyOptions {
        dry_run: on_server,
        force: order.delivery.force_conflicts,
    };
    let note = if on_server { " (server dry run)" } else { "" };
    for document in &manifest.documents {
        if has_class(cluster, &order.values, document).await {
            let unchanged = Applied::Unchanged;
            output::print(&format!(
                "{} {unchanged}{note}\n",
                apply::object_title(&document.object)
            ))?;
            continue;
        }
        let applied = apply::apply_object(cluster, &document.object, how).await?;
        output::print(&format!("{} {applied}{note}\n", apply::object_title(&document.object)))?;
    }
    if let Some(waiting) = waiting {
        for document in &manifest.documents {
            let (object, limit) = (&document.object, waiting.timeout);
            match manifest::wait::wait_until_ready(cluster, object, limit).await? {
                Waited::NotAwaited => {}
                Waited::Ready(phase) => output::print(&format!("{} is {phase}\n", apply::object_title(object)))?,
                Waited::TimedOut(phase) => bail!(
                    "{} is {phase} after {} s: {}",
                    apply::object_title(object),
                    limit.as_secs(),
                    reason(cluster, object).await
                ),
            }
        }
    }
    Ok(())
}

/// Whether a provisioner's class is there already: what its owner made of it stays, and most of it can't be edited.
async fn has_class(cluster: &Cluster, values: &Values, document: &Document) -> bool {
    let Values::Provisioner(provisioner) = values else {
        return false;
    };
    let is_class = document
        .object
        .types
        .as_ref()
        .is_some_and(|types| types.kind == "StorageClass");
    if !is_class {
        return false;
    }
    let classes: Api<StorageClass> = Api::all(cluster.client.clone());
    // Where it can't be seen, applying it tells.
    let there = classes.get_opt(&document.object.name_any()).await.ok().flatten();
    there.is_some_and(|class| class.provisioner == provisioner.provisioner)
}

/// Why an object is not what it was made for: the doctor's first finding, else what the cluster said last.
async fn reason(cluster: &Cluster, object: &DynamicObject) -> String {
    let namespace = manifest::wait::namespace_of(cluster, object);
    let facts = gather(cluster, Some(&namespace), None).await;
    let name = object.name_any();
    let (subject, short) = match object.types.as_ref().map(|types| types.kind.as_str()) {
        Some("PersistentVolume") => (Object::cluster("PersistentVolume", &name), "pv"),
        _ => (Object::of("PersistentVolumeClaim", &namespace, &name), "pvc"),
    };
    let findings = Report::new(&facts, checks::all(&facts, Timestamp::now()), (&[], &[]), &[subject]).findings;
    if let Some(first) = findings.iter().find(|finding| finding.severity <= Severity::Warning) {
        let cause = first.cause.trim_end_matches('.');
        return format!("{cause} ({}; `nfsprov doctor {short}/{name}` tells more)", first.code);
    }
    match manifest::wait::newest_event(cluster, object).await {
        Ok(Some(said)) => said,
        Ok(None) => "the cluster has said nothing about it".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// What to say when no StorageClass has the name of the class: rightly so for volumes made by hand,
/// by mistake where one is to make them. Who may not see classes is told nothing.
async fn lonely_class(cluster: &Cluster, values: &Values) -> Option<String> {
    let (class, meaning) = match values {
        Values::Volume(volume) => (
            &volume.class,
            "the name only has to be the same on the volume and on the claim that is to get it",
        ),
        Values::Claim(claim) => (
            claim.class.as_ref()?,
            "nothing makes a volume for the claim, so it waits for one made by hand with that name as its class",
        ),
        Values::StatefulSet(set) => (
            &set.class,
            "nothing makes volumes for its claims, so they wait for some made by hand with that name as their class",
        ),
        _ => return None,
    };
    if class.is_empty() {
        return None;
    }
    let classes: Api<StorageClass> = Api::all(cluster.client.clone());
    let found = classes.get_metadata_opt(class).await.ok()?;
    found
        .is_none()
        .then(|| format!("note: no StorageClass is called {class}: {meaning}"))
}

/// What to say when nfs-subdir-external-provisioner serves the same claims already.
async fn other_provisioner(cluster: &Cluster, values: &Values) -> Option<String> {
    let Values::Provisioner(ours) = values else { return None };
    let deployments: Api<Deployment> = Api::all(cluster.client.clone());
    let found = match list_filtered(&deployments, |_| true).await {
        Ok(found) => found,
        Err(error) => {
            let why = anyhow!(
                "cannot see whether nfs-subdir-external-provisioner runs too: {}",
                cluster::describe_error(&error)
            );
            return Some(format!("note: {why}"));
        }
    };
    let other = rival::find_rival(&found, &ours.provisioner, (&ours.namespace, &ours.name))?;
    Some(format!(
        "warning: Deployment {other} runs nfs-subdir-external-provisioner as {}: both would serve the same claims; \
         scale it to 0 first, or give --provisioner another name",
        ours.provisioner
    ))
}
