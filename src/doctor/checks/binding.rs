//! Claims that lost their PV: NFS117 (PURE).

use std::path::Path;

use super::View;
use super::commands::{lost_volume_command, placeholder_note};
use crate::cluster::snapshot::{Claim, ClaimRef, Volume};
use crate::doctor::entry::entries;
use crate::doctor::matching;
use crate::doctor::{Confidence, Finding};

entries! {
    "NFS117" Error [CLAIMS, VOLUMES] "claim is Lost",
        "The PV that the claim was bound to was deleted, or is reserved for another claim. The data is still on the export. A PV of the same name for the same directory, without a claimRef, is bound to the claim again.";
}

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let claims = &view.cluster.claims;
    let lost = claims.iter().filter(|claim| claim.phase == "Lost");
    lost.map(|claim| describe_lost_claim(view, claim)).collect()
}

/// NFS117: with the command that creates the PV again, at the lost directory if that can be derived; with advice alone
/// if the PV exists, or if PVs were not read.
fn describe_lost_claim(view: &View<'_>, claim: &Claim) -> Finding {
    let volume = &claim.volume;
    let finding = |cause: String| {
        Finding::new("NFS117", claim.object(), cause)
            .with_field("status.phase", "Lost")
            .with_all_evidence(view.last_event(&claim.object()))
            .with_affected(view.users_of(claim))
    };
    if !view.cluster.was_read("persistentvolumes") {
        return finding(format!("the claim's PV {volume} was deleted, or is another claim's"))
            .with_confidence(Confidence::Possible)
            .with_advice("run the doctor as a user who may list PVs: it then says what became of this one");
    }
    if let Some(found) = view.find_volume(volume) {
        let owner = found.claim.as_ref();
        let is_namesake = owner.is_some_and(|owner| (owner.namespace.as_str(), owner.name.as_str()) == claim.key());
        let other = owner.filter(|_| !is_namesake);
        let whose = other.map_or_else(
            || "another claim".to_owned(),
            |of| format!("claim {}/{}", of.namespace, of.name),
        );
        let note = match is_namesake {
            true => {
                "the PV is reserved for an earlier claim of this name: see the PV's own finding; the claim is bound once the PV has no claimRef, and gets the data of that claim"
            }
            false => "create the claim again without volumeName, or with the PV that was meant for it",
        };
        let describe = |of: &ClaimRef| format!("pvc/{} -n {} (uid {})", of.name, of.namespace, of.uid);
        let owner = owner.map_or_else(|| "none".to_owned(), describe);
        return finding(format!("the claim's PV {volume} is reserved for {whose}"))
            .with_field_of(&found.object(), "spec.claimRef", owner)
            .with_advice(note);
    }
    let export = derive_lost_export(view, claim);
    let command = lost_volume_command(claim, &claim.volume, export.as_ref());
    let note = match export {
        Some(_) => {
            "this is the directory that the provisioner named after the claim: check that it exists; the PV is kept (Retain) when its claim is deleted"
        }
        None => "with the server and directory that the lost PV had; it must have no claimRef",
    };
    finding(format!(
        "the claim's PV {volume} was deleted; the data is still on the export"
    ))
    .with_evidence("PersistentVolumes", format!("none called {volume}"))
    .with_command(&command, format!("{}{note}", placeholder_note(&command)))
}

/// The server and path where a provisioner put the claim's volume, if another PV of its class and provisioner has a
/// default directory, and no PV is at, above or below that path. `None` unless the claim was handed to a provisioner
/// and its volume's name holds its uid.
fn derive_lost_export(view: &View<'_>, claim: &Claim) -> Option<(String, String)> {
    let handover = claim.handover.as_deref()?;
    // Whoever creates a claim chooses its volumeName and its annotations, but not its uid: without this check a claim
    // could be Lost for a directory that was never its own.
    if claim.uid.is_empty() || claim.volume != format!("pvc-{}", claim.uid) {
        return None;
    }
    let is_sibling = |volume: &&Volume| {
        let is_of_class = volume.class == matching::class_of(claim);
        let named = volume.nfs.as_ref().zip(volume.claim.as_ref());
        let is_named_after_claim = |((_, path), of): (&(String, String), &ClaimRef)| {
            path.ends_with(&format!("/{}-{}-{}", of.namespace, of.name, volume.name))
        };
        volume.is_provisioned_by(handover) && is_of_class && named.is_some_and(is_named_after_claim)
    };
    let (server, path) = view.cluster.volumes.iter().find(is_sibling)?.nfs.clone()?;
    let directory = format!("{}-{}-{}", claim.namespace, claim.name, claim.volume);
    let path = Path::new(&path).with_file_name(directory);
    // The same directory, or one above or below it.
    let is_taken = |volume: &Volume| {
        let other = volume.nfs.as_ref().map(|(_, other)| Path::new(other));
        other.is_some_and(|other| other.starts_with(&path) || path.starts_with(other))
    };
    (!view.cluster.volumes.iter().any(is_taken)).then_some((server, path.display().to_string()))
}
