//! Classes without a running provisioner, and provisioners of the same name: NFS201, NFS202, NFS212 (PURE).

use k8s_openapi::jiff::SignedDuration;

use super::View;
use super::commands::{create_provisioner_command, placeholder_note, run_provisioner_command};
use crate::change::Change;
use crate::cluster::nfs_volumes::has_nfs_in_name;
use crate::cluster::provisioners::{self, NFS_CSI, Provisioner};
use crate::cluster::snapshot::{Claim, Class};
use crate::doctor::entry::entries;
use crate::doctor::names::{find_closest, list_names};
use crate::doctor::{Confidence, Finding};

/// How long a claim may wait before its provisioner is missed.
const PATIENCE: SignedDuration = SignedDuration::from_secs(15);

entries! {
    "NFS201" Error [CLAIMS, CLASSES, DEPLOYMENTS, EVENTS] "no running provisioner",
        "No running provisioner has the name that the class asks for: no workload has it as PROVISIONER_NAME, no CSIDriver has it, and no event comes from it. nfsprov provision serves any name, once or with --watch; nfsprov create provisioner runs it in the cluster.";
    "NFS202" Error [CLAIMS, CLASSES, DEPLOYMENTS] "class and provisioner differ in name",
        "The class' provisioner and the Deployment's PROVISIONER_NAME have to be the same, letter for letter. The examples of nfs-client-provisioner use fuseim.pri/ifs, those of nfs-subdir-external-provisioner use k8s-sigs.io/nfs-subdir-external-provisioner, and its Helm chart cluster.local/<release>-…. An administrator has to decide which of the two is wrong.";
    "NFS212" Warning [DEPLOYMENTS] "two provisioners under one name",
        "Two workloads serve the same name. They don't share a leader election lock, so both may provision the same claim.";
}

/// NFS201 and NFS202 only if classes and Deployments were read; NFS212 whatever was read.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if view.cluster.was_read("storageclasses") && view.cluster.was_read("deployments") {
        // The NFS CSI driver has findings of its own.
        let is_judged =
            |class: &&Class| class.provisioner != NFS_CSI && !provisioners::is_known_other_storage(&class.provisioner);
        let classes = view.cluster.classes.iter().filter(is_judged);
        found.extend(classes.filter_map(|class| find_unserved_class(view, class)));
    }
    found.extend(find_rival_provisioners(view));
    found
}

/// NFS202 if a provisioner of another name that may be meant runs for no class, else NFS201. `None` unless a claim has
/// been Pending for 15 s and nothing shows since that a provisioner serves the class.
fn find_unserved_class(view: &View<'_>, class: &Class) -> Option<Finding> {
    let name = &class.provisioner;
    let mut claims = provisioners::claims_waiting_for(view.cluster, name);
    claims.retain(|claim| claim.class.as_deref() == Some(&class.name));
    // The newest claim that has waited long enough: a provisioner that served other claims since then runs.
    let patient = claims
        .iter()
        .filter(|claim| view.has_elapsed(view.waiting_since(claim), PATIENCE));
    let newest = patient.max_by_key(|claim| claim.created)?;
    if !provisioners::is_unserved(view.cluster, name, newest.created, view.now) {
        return None;
    }
    let affected = claims.iter().map(|claim| claim.object());
    let last_event = view.last_event(&newest.object());
    let candidates = provisioners::find_candidates(view.cluster);
    if let Some((other, meant)) = find_misnamed_provisioner(view, name, &claims, &candidates) {
        let workload = other.workload.object();
        let title = workload.title();
        let cause = format!(
            "no running provisioner for {name}, which the class names; {title} has the name {meant}: did you mean that?"
        );
        return Some(
            Finding::new("NFS202", class.object(), cause)
                .with_confidence(Confidence::Possible)
                .with_field("provisioner", name)
                .with_field_of(&workload, "PROVISIONER_NAME", meant)
                .with_all_evidence(last_event)
                .with_advice(format!(
                    "if so, change one of the two: PROVISIONER_NAME of {title}, or the class, which has to be created again, since its provisioner can't be edited"
                ))
                .with_affected(affected),
        );
    }
    let names: Vec<&str> = view.provisioners.iter().filter_map(|one| one.name).collect();
    let cause = format!("no running provisioner for {name}, which the class names");
    let finding = Finding::new("NFS201", class.object(), cause)
        .with_confidence(Confidence::Likely)
        .with_field("provisioner", name)
        .with_evidence("PROVISIONER_NAME of workloads", list_names(&names))
        .with_evidence("CSIDrivers", list_names(&view.cluster.csi_drivers))
        .with_all_evidence(last_event)
        .with_affected(affected);
    if !has_nfs_in_name(name) {
        return Some(finding.with_advice(format!("install the provisioner {name}, or use another class")));
    }
    let command = create_provisioner_command(view.cluster, class);
    let image = match command.contains("--flavor upstream") {
        true => "runs nfs-subdir-external-provisioner, whose image is public",
        false => "runs nfsprov, whose image you build (docs/install.md)",
    };
    let meant = match find_closest(name, names.iter().copied()) {
        Some(meant) => format!("did you mean {meant}, which runs? "),
        None => String::new(),
    };
    let note = format!(
        "{meant}{}{image}; without a pod: {}",
        placeholder_note(&command),
        run_provisioner_command(view.cluster, name)
    );
    Some(finding.with_command(command, note))
}

/// The provisioner that runs for no class and that a class may mean, with its name; `None` unless there is exactly one.
///
/// Any user who may create a Deployment can give it any name. So a name counts only if it looks like a typing mistake,
/// or if the provisioner runs in the namespace of the pending claims: no tenant is sent to another's.
fn find_misnamed_provisioner<'a>(
    view: &View<'_>,
    name: &str,
    claims: &[&Claim],
    candidates: &'a [Provisioner<'_>],
) -> Option<(&'a Provisioner<'a>, &'a str)> {
    let is_idle = |provisioner: &&Provisioner<'_>| {
        // Those of the view have the name of a class or volume.
        let is_used = view.provisioners.iter().any(|used| used.name == provisioner.name);
        !is_used
            && !provisioner.is_scaled_to_zero()
            && provisioner.has_known_image()
            && provisioner.workload.kind != "Pod"
    };
    let idle = candidates.iter().filter(is_idle);
    let idle: Vec<_> = idle.filter_map(|one| Some((one, one.name?))).collect();
    // nfs-client-provisioner's chart named it after itself, and so does its successor's.
    let successor = name.replace("nfs-client-provisioner", "nfs-subdir-external-provisioner");
    let renamed = idle.iter().map(|(_, other)| *other).find(|other| *other == successor);
    let slip = renamed.or_else(|| find_closest(name, idle.iter().map(|(_, other)| *other)));
    let is_beside = |one: &Provisioner<'_>| claims.iter().all(|claim| claim.namespace == one.workload.namespace);
    let mut meant = idle.into_iter().filter(|(provisioner, other)| match slip {
        Some(slip) => *other == slip,
        None => has_nfs_in_name(name) && is_beside(provisioner),
    });
    let first = meant.next()?;
    meant.next().is_none().then_some(first)
}

/// NFS212 for each provisioner that has the name of an earlier one in the list; the fix scales the later one to zero.
/// Provisioners that are scaled to zero are ignored, and so are workloads that only mention a name: a CSI driver's
/// controller and its pods on the nodes have the same.
fn find_rival_provisioners(view: &View<'_>) -> Vec<Finding> {
    let mut all = view.provisioners.clone();
    // A provisioner without replicas does not conflict.
    all.retain(|provisioner| !provisioner.is_scaled_to_zero() && !provisioner.only_mentions_name());
    let rival = |(index, provisioner): (usize, &Provisioner<'_>)| {
        let name = provisioner.name?;
        let other = all[..index].iter().find(|other| other.name == Some(name))?;
        let (workload, other) = (provisioner.workload.object(), other.workload.object());
        let finding = provisioner
            .finding("NFS212", format!("{} serves {name} too", other.title()))
            .with_field("PROVISIONER_NAME", name)
            .with_field_of(&other, "PROVISIONER_NAME", name);
        Some(match workload.kind.as_str() {
            "Deployment" | "StatefulSet" => finding.with_change(
                Change::Scale { workload, replicas: 0 },
                "scales one of them to 0; or give it another PROVISIONER_NAME and a class of its own",
            ),
            _ => finding.with_advice("stop one of them, or give it another PROVISIONER_NAME and a class of its own"),
        })
    };
    all.iter().enumerate().filter_map(rival).collect()
}
