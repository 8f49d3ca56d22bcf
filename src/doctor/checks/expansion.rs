//! Claims whose size was increased after their volume was provisioned: NFS127 (PURE).

use super::{View, rights};
use crate::cluster::provisioners::{self, Provisioner, ProvisionerKind};
use crate::cluster::snapshot::{Claim, Class, Container, Log, Pod, Volume};
use crate::cluster::{images, quantity};
use crate::doctor::entry::entries;
use crate::doctor::messages;
use crate::doctor::{Confidence, Finding};
use crate::provisioner::DEFAULT_NAME;

entries! {
    "NFS127" Warning [CLAIMS, VOLUMES, CLASSES] "a claim is not expanded",
        "Only the provisioner of an NFS volume can expand it. nfsprov provision --watch does so if the class has allowVolumeExpansion: true and the provisioner may patch persistentvolumeclaims/status, which nfsprov create provisioner --allow-expansion grants; an event on the claim gives any other reason. Other NFS provisioners don't expand claims: pods can use all the space of the export anyway, and the claim keeps the condition FileSystemResizePending or ExternalExpanding. Set allowVolumeExpansion: false in their classes.";
}

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let is_enlarged =
        |claim: &&Claim| claim.phase == "Bound" && claim.capacity.is_some_and(|has| has < claim.requirements.bytes);
    let claims = view.cluster.claims.iter().filter(is_enlarged);
    claims.filter_map(|claim| find_missing_expansion(view, claim)).collect()
}

/// NFS127 about a claim that requests more than it has. `None` if its PV is unknown, not NFS, or a CSI volume that is
/// large enough.
fn find_missing_expansion(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    let volume = view.find_volume(&claim.volume).filter(|volume| volume.is_nfs())?;
    // The volume may be larger than its claim knows yet.
    if volume.csi_driver.is_some() && volume.capacity.is_some_and(|has| has >= claim.requirements.bytes) {
        return None;
    }
    Some(match volume.provisioned_by.as_deref() {
        Some(name) if name == DEFAULT_NAME || find_nfsprov(view, name).is_some() => {
            describe_obstacle(view, claim, volume)
        }
        Some(name) if expands_volumes(view, claim, name) => describe_failed_expansion(view, claim, volume, name),
        _ => describe_unexpandable(view, claim, volume),
    })
}

/// Whether a CSI driver's resizer has written about the claim, or is part of its controller.
fn expands_volumes(view: &View<'_>, claim: &Claim, driver: &str) -> bool {
    let event = view.find_event(&claim.object(), |event| event.component.starts_with("external-resizer"));
    event.is_some_and(|event| event.component.contains(driver)) || find_resizer_pods(view, driver).next().is_some()
}

/// The pods of a CSI driver's controller that have a resizer.
fn find_resizer_pods<'a>(view: &View<'a>, driver: &str) -> impl Iterator<Item = &'a Pod> {
    let mut all = view.provisioners.iter();
    let controller = all.find(|one| one.kind == ProvisionerKind::CsiController && one.name == Some(driver));
    let is_resizer = |one: &Container| images::base_name(&one.image).starts_with("csi-resizer");
    let pods = controller
        .map(|one| one.pods(view.cluster))
        .unwrap_or_default()
        .into_iter();
    pods.filter(move |pod| pod.containers.iter().any(is_resizer))
}

/// NFS127: the resizer of a CSI driver could not expand a volume, or has not done so yet.
fn describe_failed_expansion(view: &View<'_>, claim: &Claim, volume: &Volume, driver: &str) -> Finding {
    let failure = view.find_event(&claim.object(), |event| event.reason == "VolumeResizeFailed");
    match failure {
        Some(event) => expansion_finding(
            view,
            claim,
            volume,
            &format!("{driver} could not expand it: {}", event.message),
        )
        .with_advice("remove the cause that the event names; the driver retries"),
        None => {
            let denial = find_denial_of_resizer(view, driver);
            let right = denial.and_then(|(_, line)| messages::find_denied_right(&line.replace('\\', "")));
            let why = match right {
                Some(right) => format!("{driver}'s csi-resizer may not {right}"),
                None => format!("{driver} has not expanded it yet"),
            };
            expansion_finding(view, claim, volume, &why)
                .with_confidence(Confidence::Possible)
                .with_all_evidence(denial.map(|(log, line)| log.line_evidence(line)))
                .with_advice("see the log of the driver's csi-resizer")
        }
    }
}

/// The log of a CSI driver's resizer, with the last line that says that it lacks a permission.
fn find_denial_of_resizer<'a>(view: &View<'a>, driver: &str) -> Option<(&'a Log, &'a str)> {
    let pods: Vec<&Pod> = find_resizer_pods(view, driver).collect();
    let is_theirs = |log: &&Log| {
        let mut pods = pods.iter();
        log.container == "csi-resizer" && pods.any(|pod| pod.name == log.pod && pod.namespace == log.namespace)
    };
    let mut logs = view.cluster.logs.iter().filter(is_theirs);
    logs.find_map(|log| Some((log, messages::find_log_line("NFS206", &log.text)?)))
}

fn find_nfsprov<'v, 'a>(view: &'v View<'a>, name: &str) -> Option<&'v Provisioner<'a>> {
    let mut all = view.provisioners.iter();
    all.find(|one| one.kind == ProvisionerKind::Nfsprov && one.name == Some(name))
}

/// NFS127 with the reason `why`, which completes a sentence about the claim; claims of one class with the same reason
/// are merged.
fn expansion_finding(view: &View<'_>, claim: &Claim, volume: &Volume, why: &str) -> Finding {
    let has = quantity::format_bytes(claim.capacity.unwrap_or_default());
    let event = view.find_event(&claim.object(), |event| {
        event.component == "volume_expand" || event.reason.contains("Expand") || event.reason.contains("Resize")
    });
    let cause = format!("the claim's size was increased from {has} to {}, but {why}", claim.size);
    Finding::new("NFS127", claim.object(), cause)
        .with_field("status.capacity", has)
        .with_all_evidence(event.map(|event| event.evidence()))
        .with_same_cause(&format!("{} {why}", volume.class))
}

fn allow_expansion_command(class: &Class, is_allowed: bool) -> String {
    let patch = class.object().kubectl_command("patch");
    format!("{patch} -p '{{\"allowVolumeExpansion\":{is_allowed}}}'")
}

/// NFS127 with what keeps nfsprov from expanding a volume that it provisioned: class, permission or an error; only
/// possible if it is none of these. A class that was not read counts as one that forbids expansion.
fn describe_obstacle(view: &View<'_>, claim: &Claim, volume: &Volume) -> Finding {
    let finding = |why: &str| expansion_finding(view, claim, volume, why);
    let name = volume.provisioned_by.as_deref().unwrap_or_default();
    let class = view.cluster.find_class(&volume.class);
    if !class.is_some_and(|class| class.is_expandable) {
        let finding = finding(&format!("class {} does not allow expansion", volume.class));
        return match class {
            Some(class) => finding.with_command(
                allow_expansion_command(class, true),
                "so that its provisioner expands claims of the class; it needs permission to patch persistentvolumeclaims/status",
            ),
            None => finding.with_advice("create the class again, with allowVolumeExpansion: true"),
        };
    }
    if let Some(provisioner) = find_nfsprov(view, name)
        && view.cluster.rights.contains(&rights::right_to_expand(provisioner))
    {
        let account = provisioner.service_account();
        let command = rights::grant_expansion_command(view.cluster, provisioner);
        let finding = finding(&format!(
            "service account {account} may not patch persistentvolumeclaims/status"
        ));
        return finding.with_command(command, rights::grant_note(provisioner));
    }
    let failure = view.find_event(&claim.object(), |event| {
        event.reason == "VolumeResizeFailed" && provisioners::is_written_by(event, name)
    });
    match failure.is_some() {
        true => finding(&format!("{name} could not expand it, as its event says"))
            .with_advice("remove the cause that the event names; the provisioner retries"),
        false => finding(&format!("{name} has not expanded it"))
            .with_confidence(Confidence::Possible)
            .with_advice("run the provisioner with --watch, in a version that expands claims"),
    }
}

/// NFS127 about a volume that no provisioner expands, only likely for a CSI volume. The fix forbids expansion in its
/// class, if that allows it.
fn describe_unexpandable(view: &View<'_>, claim: &Claim, volume: &Volume) -> Finding {
    let confidence = match volume.nfs {
        Some(_) => Confidence::Certain,
        None => Confidence::Likely,
    };
    let why = "its NFS volume has no provisioner that expands volumes";
    let finding = expansion_finding(view, claim, volume, why).with_confidence(confidence);
    let room = "its pods can already use all the space of the export, unless the server has a quota for the directory";
    let class = view.cluster.find_class(&volume.class);
    match class.filter(|class| class.is_expandable) {
        Some(class) => finding.with_command(
            allow_expansion_command(class, false),
            format!("so that the API server refuses such a change; {room}"),
        ),
        None => finding.with_advice(room),
    }
}
