//! `nfsprov create`: manifests on stdout or in files, or applied. Notes and warnings are texts for stderr, and never
//! errors.

mod request;
mod required;

use std::path::Path;

use anyhow::{Result, bail};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::{Api, ResourceExt};

use super::{cluster_options, write_files};
use crate::change::server_side::{self, Applied};
use crate::change::wait::{Effect, wait};
use crate::cli::{DryRun, Global, Kind};
use crate::cluster::gather::gather;
use crate::cluster::provisioners::find_candidates;
use crate::cluster::snapshot::{ClusterSnapshot, SnapshotObject};
use crate::cluster::{self, ClientUse, Cluster, connect, list_folded};
use crate::doctor::facts::Facts;
use crate::doctor::report::Report;
use crate::doctor::{Object, Severity, checks};
use crate::exit::{Exit, UsageError};
use crate::manifest::templates::Template;
use crate::manifest::{Document, Manifest, Values, render_manifest};
use crate::output;
use request::CreateRequest;

/// Renders the manifest, then writes it to files, applies it, or prints it. Prompts for required values that are
/// missing. With `--dry-run client` it only prints, even with `--apply`. Notes go to stderr, unless `--quiet` is given.
pub async fn run(kind: Kind, global: &Global) -> Result<Exit> {
    let mut request = CreateRequest::from_args(kind, global).await?;
    let delivery = request.delivery.clone();
    let on_server = delivery.dry_run == Some(DryRun::Server);
    let sends = on_server || (delivery.apply && delivery.dry_run.is_none());
    if delivery.force_conflicts && !sends {
        return Err(UsageError("--force-conflicts needs --apply or --dry-run server".into()).into());
    }
    let note = |text: &str| {
        if !global.quiet {
            output::say(text);
        }
    };
    request.notes.iter().for_each(|text| note(text));
    let template = match &delivery.template_dir {
        None => Template::built_in(&request.values),
        Some(directory) => Template::in_directory(&request.values, directory)?.unwrap_or_else(|| {
            let file = request.values.template_file();
            let directory = directory.display();
            note(&format!(
                "note: {directory} has no {file}; the built-in template is used"
            ));
            Template::built_in(&request.values)
        }),
    };
    let manifest = render_manifest(&request.values, &template)?;
    match &delivery.output_dir {
        Some(directory) => write_manifest_files(&manifest, directory, delivery.yes)?,
        None if sends => {
            let cluster = connect(&cluster_options(global), ClientUse::OneShot).await?;
            let manifest = match request.adapt_to_version(&cluster.version) {
                Some(text) => {
                    note(&text);
                    render_manifest(&request.values, &template)?
                }
                None => manifest,
            };
            apply_manifest(&cluster, &manifest, &request, on_server, note).await?;
        }
        None => output::print(&manifest.yaml)?,
    }
    Ok(Exit::Done)
}

/// Writes one file per object, named `NAME-KIND.yaml`, and prints their paths. As [`write_files`], asks before it
/// overwrites files that differ, unless `overwrite` is given.
fn write_manifest_files(manifest: &Manifest, directory: &Path, overwrite: bool) -> Result<()> {
    let name = |document: &Document| {
        let title = server_side::object_title(&document.object);
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

/// Applies the objects one after the other, prints a line for each, and with `--wait` waits until they are ready; an
/// error if one is not in time. A new provisioner's class that exists stays as it is. An object that is refused ends
/// it; those before it stay applied. `on_server` is a dry run; `note` shows warnings to the user.
async fn apply_manifest(
    cluster: &Cluster,
    manifest: &Manifest,
    request: &CreateRequest,
    on_server: bool,
    note: impl Fn(&str),
) -> Result<()> {
    let waiting = request.waiting.as_ref().filter(|waiting| waiting.wait);
    if let Some(text) = missing_class_note(cluster, &request.values).await {
        note(&text);
    }
    if let Some(text) = rival_provisioner_warning(cluster, &request.values).await {
        note(&text);
    }
    let how = server_side::ApplyOptions {
        dry_run: on_server,
        force: request.delivery.force_conflicts,
        on_conflict: "--force-conflicts changes them",
    };
    let suffix = if on_server { " (server dry run)" } else { "" };
    for document in &manifest.documents {
        if is_existing_class(cluster, &request.values, document).await {
            let unchanged = Applied::Unchanged;
            output::print(&format!(
                "{} {unchanged}{suffix}\n",
                server_side::object_title(&document.object)
            ))?;
            continue;
        }
        let applied = server_side::apply_object(cluster, &document.object, how).await?;
        output::print(&format!(
            "{} {applied}{suffix}\n",
            server_side::object_title(&document.object)
        ))?;
    }
    if let Some(waiting) = waiting {
        for document in &manifest.documents {
            let (Some(effect), limit) = (effect_of_applying(cluster, &document.object), waiting.timeout) else {
                continue;
            };
            let title = server_side::object_title(&document.object);
            match wait(cluster, &effect, limit).await? {
                Ok(state) => output::print(&format!("{title} is {state}\n"))?,
                Err(state) => bail!(
                    "{title} is {state} after {} s: {}",
                    limit.as_secs(),
                    explain_not_ready(cluster, effect.object()).await
                ),
            }
        }
    }
    Ok(())
}

/// What to wait for after an object was applied: that a claim is Bound, or a volume Available; `None` for other kinds.
fn effect_of_applying(cluster: &Cluster, object: &DynamicObject) -> Option<Effect> {
    let (kind, name) = (server_side::kind_of(object), object.name_any());
    match kind {
        "PersistentVolume" => Some(Effect::Available(Object::cluster_scoped(kind, &name))),
        "PersistentVolumeClaim" => {
            let namespace = object.namespace().unwrap_or_else(|| cluster.namespace.clone());
            Some(Effect::Bound(Object::namespaced(kind, &namespace, &name)))
        }
        _ => None,
    }
}

/// Whether the document is the class of a new provisioner, and a class of that name and provisioner exists. Its owner
/// may have changed it, and most of its fields are immutable, so it is not applied. False if classes can't be read.
async fn is_existing_class(cluster: &Cluster, values: &Values, document: &Document) -> bool {
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
    // If it can't be read, applying it reports the reason.
    let existing = classes.get_opt(&document.object.name_any()).await.ok().flatten();
    existing.is_some_and(|class| class.provisioner == provisioner.provisioner)
}

/// Why a volume is not Available or a claim not Bound: the doctor's first error or warning about it, else the newest
/// event; says so if there is neither, or why events could not be read.
async fn explain_not_ready(cluster: &Cluster, object: &Object) -> String {
    let namespace = object.namespace.as_deref().unwrap_or(&cluster.namespace);
    let facts = Facts::from(gather(cluster, Some(namespace), checks::questions, None).await);
    let problems = checks::find_all_problems(&facts, Timestamp::now());
    let report = Report::new(&facts, problems, (&[], &[]), std::slice::from_ref(object));
    let mut findings = report.findings.iter();
    if let Some(first) = findings.find(|finding| finding.severity <= Severity::Warning) {
        let (cause, code) = (first.cause.trim_end_matches('.'), first.code);
        let target = format!("{}/{}", object.short_kind(), object.name);
        return format!("{cause} ({code}; `nfsprov doctor {target}` explains it)");
    }
    let snapshot = facts.cluster;
    let newest = snapshot
        .events
        .into_iter()
        .rfind(|event| event.object.as_ref() == Some(object));
    let mut unread = snapshot
        .unread
        .iter()
        .filter(|unread| unread.what.starts_with("events"));
    match (newest, unread.next()) {
        (Some(event), _) => event.message,
        (None, Some(unread)) => format!("its events can't be read: {}", unread.why),
        (None, None) => "no event says why".to_owned(),
    }
}

/// A note if no StorageClass has the name of the class: that is right for static volumes, and a mistake for provisioned
/// ones. `None` if it exists, the values name no class, or classes can't be read.
async fn missing_class_note(cluster: &Cluster, values: &Values) -> Option<String> {
    let (class, meaning) = match values {
        Values::Volume(volume) => (
            &volume.class,
            "the volume and its claim only have to name the same class",
        ),
        Values::Claim(claim) => (
            claim.class.as_ref()?,
            "no volume is provisioned for the claim; it stays Pending until a static volume of that class exists",
        ),
        Values::StatefulSet(set) => (
            &set.class,
            "no volumes are provisioned for its claims; they stay Pending until static volumes of that class exist",
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
        .then(|| format!("note: storageclass/{class} not found: {meaning}"))
}

/// A warning if another Deployment, of a known image and not scaled to 0, runs a provisioner of the same name; a note
/// if Deployments can't be read. `None` otherwise, and for values of other kinds.
async fn rival_provisioner_warning(cluster: &Cluster, values: &Values) -> Option<String> {
    let Values::Provisioner(ours) = values else { return None };
    let add = |snapshot: &mut ClusterSnapshot, deployment: Deployment| deployment.add_to(snapshot);
    let deployments = Api::all(cluster.client.clone());
    let snapshot = match list_folded(&deployments, ListParams::default(), ClusterSnapshot::default(), add).await {
        Ok(snapshot) => snapshot,
        Err(error) => {
            let why = cluster::describe_error(&error);
            return Some(format!(
                "note: cannot see whether another provisioner serves the same claims: {why}"
            ));
        }
    };
    let own = Object::namespaced("Deployment", &ours.namespace, &ours.name);
    let candidates = find_candidates(&snapshot).into_iter();
    let mut running = candidates.filter(|one| one.has_known_image() && !one.is_scaled_to_zero());
    let other = running.find(|one| one.name == Some(&ours.provisioner) && one.workload.object() != own)?;
    Some(format!(
        "warning: {} serves {} too: both would provision the same claims; scale it to 0 first, or give --provisioner \
         another name",
        other.workload.object().title(),
        ours.provisioner
    ))
}
