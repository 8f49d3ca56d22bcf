//! Claims whose size was increased after their volume was provisioned: NFS127 (PURE).

use super::{Case, rights, said};
use crate::doctor::Severity::Warning;
use crate::doctor::explain::{CLAIMS, CLASSES, Entry, VOLUMES, entry};
use crate::doctor::facts::{Claim, Volume};
use crate::doctor::names::word;
use crate::doctor::provisioners::{self, Make};
use crate::doctor::quantity;
use crate::doctor::{Confidence, Finding};
use crate::provisioner::DEFAULT_NAME;

pub const ENTRIES: &[Entry] = &[entry(
    "NFS127",
    Warning,
    &[CLAIMS, VOLUMES, CLASSES],
    "a claim is not expanded",
    "Only the provisioner of an NFS volume can expand it. nfsprov provision --watch does so if the class has allowVolumeExpansion: true and the provisioner may patch persistentvolumeclaims/status, which nfsprov create provisioner --allow-expansion grants; an event on the claim says what else is in the way. Other NFS provisioners expand nothing: pods can use all the space of the export, whatever the capacity says, and the claim keeps the condition FileSystemResizePending or ExternalExpanding for ever. Set allowVolumeExpansion: false in their classes.",
)];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let enlarged = |claim: &&Claim| claim.phase == "Bound" && claim.capacity.is_some_and(|has| has < claim.wish.bytes);
    let claims = case.facts.claims.iter().filter(enlarged);
    claims.filter_map(|claim| unexpanded(case, claim)).collect()
}

fn unexpanded(case: &Case<'_>, claim: &Claim) -> Option<Finding> {
    let volume = case.volume(&claim.volume).filter(|volume| volume.is_nfs())?;
    // The volume may be larger than its claim knows yet.
    if volume.capacity.is_some_and(|capacity| capacity >= claim.wish.bytes) && volume.csi_driver.is_some() {
        return None;
    }
    let is_expanded_by_nfsprov = volume.provisioned_by.as_deref().is_some_and(|name| {
        let mut ours = case.provisioners.iter().filter(|one| one.make == Make::Nfsprov);
        name == DEFAULT_NAME || ours.any(|one| one.name == Some(name))
    });
    Some(match is_expanded_by_nfsprov {
        true => hindered(case, claim, volume),
        false => impossible(case, claim, volume),
    })
}

fn finding(case: &Case<'_>, claim: &Claim, volume: &Volume, why: &str) -> Finding {
    let has = quantity::print(claim.capacity.unwrap_or_default());
    let object = claim.object();
    let mut events = case.events(&object).iter();
    let event = events.find(|event| {
        event.component == "volume_expand" || event.reason.contains("Expand") || event.reason.contains("Resize")
    });
    let cause = format!("the claim's size was increased from {has} to {}, but {why}", claim.size);
    Finding::new("NFS127", object.clone(), cause)
        .seen(format!("status.capacity of {}", object.title()), has)
        .all_seen(event.map(|event| said(event)))
        .alike(&format!("{} {why}", volume.class))
}

/// What keeps nfsprov from expanding a volume that it provisioned.
fn hindered(case: &Case<'_>, claim: &Claim, volume: &Volume) -> Finding {
    let name = volume.provisioned_by.as_deref().unwrap_or_default();
    let provisioner = case
        .provisioners
        .iter()
        .find(|one| one.make == Make::Nfsprov && one.name == Some(name));
    let class = case.facts.class(&volume.class);
    if !class.is_some_and(|class| class.is_expandable) {
        let finding = finding(
            case,
            claim,
            volume,
            &format!("class {} does not allow expansion", volume.class),
        );
        return match class {
            Some(class) => finding.suggest(
                format!(
                    "kubectl patch storageclass {} -p '{{\"allowVolumeExpansion\":true}}'",
                    word(&class.name)
                ),
                "so that its provisioner expands claims of the class; it needs permission to patch persistentvolumeclaims/status",
            ),
            None => finding.advise("create the class again, with allowVolumeExpansion: true"),
        };
    }
    if let Some(one) = provisioner
        && case.facts.rights.contains(&rights::needed_for_expansion(one))
    {
        let account = format!("{}:{}", one.workload.namespace, one.workload.service_account);
        let why = format!("service account {account} may not patch persistentvolumeclaims/status");
        let note = format!(
            "grants its service account what it needs, and nothing else; only if administrators alone can write to namespace {}",
            one.workload.namespace
        );
        return finding(case, claim, volume, &why).suggest(rights::grant_expansion(one), note);
    }
    let object = claim.object();
    let failed = case
        .events(&object)
        .iter()
        .any(|event| event.reason == "VolumeResizeFailed" && provisioners::wrote(event, name));
    match failed {
        true => finding(
            case,
            claim,
            volume,
            &format!("{name} could not expand it, as its event says"),
        )
        .advise("remove what the event names; the provisioner retries"),
        false => finding(case, claim, volume, &format!("{name} has not expanded it"))
            .only(Confidence::Possible)
            .advise("run the provisioner with --watch, in a version that expands claims"),
    }
}

/// A volume that no program expands.
fn impossible(case: &Case<'_>, claim: &Claim, volume: &Volume) -> Finding {
    let finding = finding(
        case,
        claim,
        volume,
        "its NFS volume has no provisioner that expands volumes",
    )
    .only(if volume.nfs.is_some() {
        Confidence::Certain
    } else {
        Confidence::Likely
    });
    let room = "its pods can already use all the space of the export, unless the server has a quota for the directory";
    let promising = case.facts.class(&volume.class).filter(|class| class.is_expandable);
    match promising {
        Some(class) => finding.suggest(
            format!(
                "kubectl patch storageclass {} -p '{{\"allowVolumeExpansion\":false}}'",
                word(&class.name)
            ),
            format!("so that the API server refuses such a change; {room}"),
        ),
        None => finding.advise(room),
    }
}
