//! Claims whose new volume is empty while an export still has data of an earlier claim of their name: NFS508 (PURE).
//!
//! The command that probes exports lists their directories; this file decides which claims to compare with them.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::{Evidence, View};
use crate::cluster::snapshot::{Claim, ClusterSnapshot, Volume};
use crate::doctor::entry::entries;
use crate::doctor::facts::{EarlierVolume, ExportListing};
use crate::doctor::{Confidence, Finding};
use crate::shell::shell_word;

/// How many earlier volumes of one claim are printed.
const SHOWN: usize = 3;

entries! {
    "NFS508" Warning [CLAIMS, VOLUMES, EXPORTS, LISTINGS] "the directory is empty, and earlier data is on the export",
        "The claim's directory is empty, and its export has an archive, a directory or a record of another volume of the same namespace and claim: the claim, or the cluster, was deleted and created again. A provisioner gives every new claim a new directory. To use the data again, run nfsprov volumes restore for an archive, volumes rebuild for a record, and volumes adopt for a directory that no PV names. Delete the claim that has the empty directory first, since a claim keeps its volume.";
}

/// A claim whose volume is on an export.
pub struct Served<'a> {
    pub claim: &'a Claim,
    pub volume: &'a Volume,
    /// The volume's directory below the export's path.
    pub directory: &'a str,
}

/// The Bound claims whose volumes are NFS directories below an export, given by server and path, each with its volume
/// and directory; not those that are being deleted, nor volumes of a CSI driver or of another name of the server.
pub fn claims_on_export<'a>(cluster: &'a ClusterSnapshot, (server, path): (&str, &str)) -> Vec<Served<'a>> {
    let inside = |volume: &'a Volume| {
        let (its_server, its_path) = volume.nfs.as_ref().filter(|_| volume.deleting.is_none())?;
        let below = its_path.strip_prefix(path.trim_end_matches('/'))?.strip_prefix('/')?;
        (its_server == server && !below.is_empty()).then_some(below)
    };
    let is_bound = |claim: &&Claim| claim.deleting.is_none() && claim.phase == "Bound";
    let bound = cluster.claims.iter().filter(is_bound);
    let claims: HashMap<&str, &Claim> = bound.map(|claim| (claim.volume.as_str(), claim)).collect();
    let serve = |volume: &'a Volume| {
        Some(Served {
            claim: claims.get(volume.name.as_str()).copied()?,
            volume,
            directory: inside(volume)?,
        })
    };
    cluster.volumes.iter().filter_map(serve).collect()
}

/// The volumes among `listed` that have no PV in the cluster and belonged to a claim of this name: those without an
/// archive first, of these the recorded ones, then the latest changed.
pub fn earlier_volumes_of<'a>(
    cluster: &ClusterSnapshot,
    claim: &Claim,
    listed: &'a [EarlierVolume],
) -> Vec<&'a EarlierVolume> {
    let is_gone = |volume: &&EarlierVolume| cluster.volumes.iter().all(|other| other.name != volume.name);
    let theirs = listed.iter().filter(|volume| belonged_to(volume, claim));
    let mut found: Vec<&EarlierVolume> = theirs.filter(is_gone).collect();
    // Data that was not archived was not meant to be deleted.
    found.sort_by_key(|volume| (volume.archive.is_some(), !volume.is_recorded, Reverse(volume.changed)));
    found
}

/// Whether a volume belonged to a claim: by its default directory's or archive's name, else by its record.
fn belonged_to(volume: &EarlierVolume, claim: &Claim) -> bool {
    let default = format!("{}-{}-{}", claim.namespace, claim.name, volume.name);
    match &volume.named_after {
        Some(name) => *name == default,
        None => volume.claim == Some((claim.namespace.clone(), claim.name.clone())),
    }
}

/// Finds claims that got an empty volume beside their earlier data; only on exports that were listed.
pub(crate) fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for listing in &view.facts.listings {
        let served = claims_on_export(view.cluster, (&listing.server, &listing.path)).into_iter();
        for served in served.filter(|served| listing.empty.contains(&served.volume.name)) {
            let earlier = earlier_volumes_of(view.cluster, served.claim, &listing.volumes);
            found.extend(find_earlier_data(&served, &earlier, listing));
        }
    }
    found
}

/// NFS508, with the command that gives the claim the first of its earlier volumes; `None` if `earlier` is empty. The
/// caller has found the claim's directory empty, and has sorted `earlier` by [`earlier_volumes_of`].
fn find_earlier_data(served: &Served<'_>, earlier: &[&EarlierVolume], listing: &ExportListing) -> Option<Finding> {
    let first = *earlier.first()?;
    let claim = served.claim;
    let export = format!("{}:{}", listing.server, listing.path);
    let cause = format!(
        "the claim's directory is empty, and {export} has data of an earlier {}",
        claim.object().title()
    );
    let call = format!("an NFS call to {export} from this machine");
    let volumes = earlier.iter().take(SHOWN);
    let delete = claim.object().kubectl_command("delete");
    let note = format!(
        "look at the data first; then delete the claim with the empty directory, since a claim keeps its volume: {delete}"
    );
    Some(
        Finding::new("NFS508", claim.object(), cause)
            .with_confidence(Confidence::Likely)
            .with_field_of(&served.volume.object(), "directory", "empty")
            .with_all_evidence(volumes.map(|volume| Evidence::new(&call, describe_volume(volume))))
            .with_command(restore_command(claim, first, listing), note),
    )
}

/// Where the volume's traces are: its archive, else its directory, else its record.
fn describe_volume(volume: &EarlierVolume) -> String {
    match (&volume.archive, &volume.directory) {
        (Some(archive), _) => format!("archive {archive}"),
        (None, Some(directory)) if volume.is_recorded => {
            format!("record of pv/{}, directory {directory}", volume.name)
        }
        (None, Some(directory)) => format!("directory {directory}, which no PV names"),
        (None, None) => format!("record of pv/{}", volume.name),
    }
}

/// The command that gives an earlier volume to the claim: `restore` of an archive, else `rebuild` of a record, else
/// `adopt`. `rebuild` is not limited to the claim, but to its namespace: with `--claim` it would trust a record that
/// names the directory of another claim.
fn restore_command(claim: &Claim, volume: &EarlierVolume, listing: &ExportListing) -> String {
    let (server, path) = (shell_word(&listing.server), shell_word(&listing.path));
    let export = format!("--server {server} --path {path}");
    let key = shell_word(&format!("{}/{}", claim.namespace, claim.name));
    let mut new_claim = format!("--claim {key} --create-claim");
    if !volume.is_recorded {
        new_claim.push_str(&format!(" --size {}", shell_word(&claim.size)));
        if let Some(class) = claim.class.as_deref().filter(|class| !class.is_empty()) {
            new_claim.push_str(&format!(" --class {}", shell_word(class)));
        }
    }
    match (&volume.archive, &volume.directory) {
        (Some(archive), _) => format!("nfsprov volumes restore {} {new_claim} {export}", shell_word(archive)),
        (None, Some(directory)) if !volume.is_recorded => {
            format!("nfsprov volumes adopt {} {new_claim} {export}", shell_word(directory))
        }
        (None, _) => format!(
            "nfsprov volumes rebuild -n {} --apply {export}",
            shell_word(&claim.namespace)
        ),
    }
}
