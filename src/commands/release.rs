//! `nfsprov release`: a Released PV becomes Available again.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::PersistentVolume;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::access::{export_via, ssh_access_for};
use super::{cluster_options, confirm_or_fail};
use crate::cli::{Global, Release};
use crate::cluster::waiting::wait_for_object;
use crate::cluster::{self, ClientUse, connect};
use crate::exit::{Exit, UsageError};
use crate::export::Location;
use crate::output;
use crate::volumes::place::{self, ExportDirectory, nfs_location};
use crate::volumes::read;
use crate::volumes::release::{Data, Verdict, decide_release};
use crate::volumes::scrub::Scrub;

/// Checks that the PV can be released, keeps or scrubs its data as the options or an answer say, clears its claim
/// reference, and waits until it is Available or Bound unless `--wait=false`. A PV that is Available already is left as
/// it is; with `--scrub`, it is an error.
pub async fn run(args: Release, global: &Global) -> Result<Exit> {
    let given = match (args.keep_data, args.scrub) {
        (true, _) => Some(Data::Keep),
        (_, true) => Some(Data::Scrub),
        _ if output::can_ask() => None,
        _ => {
            return Err(UsageError(
                "required: --keep-data, which keeps the data for the next claim, or --scrub, which removes it".into(),
            )
            .into());
        }
    };
    let cluster = connect(&cluster_options(global), ClientUse::OneShot).await?;
    let volumes: Api<PersistentVolume> = Api::all(cluster.client.clone());
    let volume = read_volume(&volumes, &args.volume).await?;
    let warnings = match decide_release(&volume, given.unwrap_or(Data::Keep)) {
        Verdict::Release(warnings) => warnings,
        Verdict::AlreadyAvailable(sentence) => {
            output::say(&sentence);
            return Ok(Exit::Done);
        }
        Verdict::Refuse(why) => bail!(why),
    };
    for warning in &warnings {
        output::say(&format!("warning: {warning}"));
    }
    let data = match given {
        Some(data) => data,
        None => ask_keep_or_scrub(&volume)?,
    };
    match data {
        Data::Keep => warn_of_kept_data(&volume),
        Data::Scrub => scrub_after_confirmation(&cluster.client, &volumes, &volume, &args).await?,
    }
    clear_claim_ref(&volumes, &volume).await?;
    if !args.waiting.wait {
        output::print(&format!("persistentvolume/{} released\n", args.volume))?;
        return Ok(Exit::Done);
    }
    wait_until_available(&volumes, &args.volume, args.waiting.timeout).await
}

/// Reads the PV; one that doesn't exist is an error.
async fn read_volume(volumes: &Api<PersistentVolume>, name: &str) -> Result<PersistentVolume> {
    let found = volumes.get_opt(name).await;
    let found = found.map_err(|error| anyhow!("cannot read pv/{name}: {}", cluster::describe_error(&error)))?;
    found.with_context(|| format!("pv/{name} not found; `nfsprov status` lists the NFS volumes"))
}

/// Asks until the answer is one of both; needs [`output::can_ask`].
fn ask_keep_or_scrub(volume: &PersistentVolume) -> Result<Data> {
    let question = format!(
        "Keep the data of pv/{} for its next claim, or scrub it? (keep/scrub)",
        volume.name_any()
    );
    let answer = output::ask(&question, |answer| match answer {
        "keep" | "scrub" => Ok(answer.to_owned()),
        _ => Err("keep or scrub".to_owned()),
    });
    let answer = answer.with_context(|| format!("pv/{} is unchanged", volume.name_any()))?;
    Ok(if answer == "scrub" { Data::Scrub } else { Data::Keep })
}

/// Prints that the next claim will see the volume's data; nothing if the PV is no NFS volume.
fn warn_of_kept_data(volume: &PersistentVolume) {
    if let Some(place) = nfs_location(volume) {
        let text = format!(
            "the next claim that pv/{} is bound to will see the data in {place}",
            volume.name_any()
        );
        output::say(&text);
    }
}

/// Empties the PV's directory after a confirmation, or with `--yes` without one; a directory that is empty needs none.
/// An error, with nothing removed, if the user declines, another PV uses the directory, or the PV changed during the
/// prompt.
async fn scrub_after_confirmation(
    client: &Client,
    volumes: &Api<PersistentVolume>,
    volume: &PersistentVolume,
    args: &Release,
) -> Result<()> {
    let place = directory_of(volume, args)?;
    let export = export_via(
        &args.export.via,
        None,
        &ssh_access_for(&args.export.via, None, &args.export.ssh)?,
        place.location.clone(),
    );
    let all = read::list_nfs_volumes(client).await?;
    let scrub = Scrub::prepare(volume, &all, place.clone(), &export).await?;
    let Some(what) = scrub.describe_entries() else {
        output::say(&format!("the directory of pv/{} is empty", volume.name_any()));
        return Ok(());
    };
    let what = output::escape_line(&what);
    if args.yes {
        output::say(&format!("removing {what}"));
    } else {
        let undone = format!("nothing was removed, and pv/{} is unchanged", volume.name_any());
        let usage = format!("--scrub would remove {what}; --yes does it");
        confirm_or_fail(&format!("Remove {what}?"), &undone, usage)?;
    }
    // The cluster may have changed while the prompt was open.
    let live = read_volume(volumes, &args.volume).await?;
    if live.metadata.uid != volume.metadata.uid || live.metadata.resource_version != volume.metadata.resource_version {
        bail!(
            "pv/{} was changed meanwhile; nothing was removed, check it and run this again",
            args.volume
        );
    }
    let all = read::list_nfs_volumes(client).await?;
    Scrub::prepare(volume, &all, place, &export).await?.run().await?;
    Ok(())
}

/// The PV's directory on the export of the command line, if that has `--path`, else the one that the provisioner
/// recorded in the PV; an error without both, or if the PV is not on that export.
fn directory_of(volume: &PersistentVolume, args: &Release) -> Result<ExportDirectory> {
    let Some(path) = &args.export.path else {
        return place::annotated_directory(volume).ok_or_else(|| {
            let at = nfs_location(volume).map(|place| place.path).unwrap_or_default();
            UsageError(
                format!(
                    "pv/{} is a static volume: pass its export with --path, which is {} or above it",
                    args.volume,
                    output::escape_line(&at)
                )
                .into(),
            )
            .into()
        });
    };
    let theirs = nfs_location(volume).map(|place| place.server);
    let export = Location {
        server: args.export.server.clone().or(theirs).unwrap_or_default(),
        path: path.clone(),
    };
    place::directory_on(volume, &export).map_err(|why| anyhow!("{}", output::escape_line(&why)))
}

/// Removes the claim reference, so that any claim can bind to the PV, and the annotation that the controller manager
/// chose the claim. Does not wait for the phase.
///
/// # Errors
/// Also when the PV was changed since it was read as `seen`.
async fn clear_claim_ref(volumes: &Api<PersistentVolume>, seen: &PersistentVolume) -> Result<()> {
    let name = seen.name_any();
    let patch = json!({
        "metadata": {
            "resourceVersion": seen.metadata.resource_version, "uid": seen.metadata.uid,
            // It says that the controller manager chose the claim.
            "annotations": {"pv.kubernetes.io/bound-by-controller": null},
        },
        "spec": {"claimRef": null},
    });
    match volumes
        .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
    {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.is_conflict() => {
            bail!("pv/{name} was changed meanwhile, so it is not released; check it and run this again")
        }
        Err(error) => bail!("cannot release pv/{name}: {}", cluster::describe_error(&error)),
    }
}

/// Waits until the PV is Available, or Bound to a claim that was pending. An error after `limit`, or if it was deleted.
async fn wait_until_available(volumes: &Api<PersistentVolume>, name: &str, limit: Duration) -> Result<Exit> {
    let released = |volume: Option<&PersistentVolume>| {
        volume.is_none_or(|volume| matches!(phase_of(volume), "Available" | "Bound"))
    };
    let waited = wait_for_object(volumes.clone(), name, limit, released).await;
    let Some(found) = waited.with_context(|| format!("pv/{name} is released; cannot watch it"))? else {
        bail!(
            "pv/{name} is released, and not Available after {} s: does kube-controller-manager run?",
            limit.as_secs()
        );
    };
    match found {
        Some(volume) => {
            output::print(&format!("persistentvolume/{name} is {}\n", phase_of(&volume)))?;
            Ok(Exit::Done)
        }
        None => bail!("pv/{name} was released, and then deleted according to its policy"),
    }
}

/// The PV's phase; empty if it has none yet.
fn phase_of(volume: &PersistentVolume) -> &str {
    let status = volume.status.as_ref();
    status.and_then(|status| status.phase.as_deref()).unwrap_or_default()
}
