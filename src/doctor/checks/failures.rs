//! Failures to provision, by the provisioners' events: NFS209, NFS216, NFS217, and causes that mounts have, too (PURE).

use super::View;
use super::mounts::find_provisioner_failure;
use super::rights::find_missing_rights;
use crate::cluster::provisioners;
use crate::cluster::snapshot::{Claim, Event};
use crate::doctor::entry::entries;
use crate::doctor::messages::{self, MessageKind};
use crate::doctor::{Confidence, Evidence, Finding};

entries! {
    "NFS209" Error [CLAIMS, EVENTS] "the provisioner fails to create the volume",
        "The evidence is the provisioner's own message. Permission denied means that the server squashes root, or that the export is read-only.";
    "NFS216" Error [CLAIMS, EVENTS] "the export is full, or over its quota",
        "The server had no space for the volume's directory: the file system is full, has no inodes left, or a quota of the export is used up. Free space or raise the quota on the server; the provisioner retries by itself.";
    "NFS217" Error [CLAIMS, EVENTS] "the export is read-only",
        "The server exports the directory read-only (ro), or its file system is mounted read-only, perhaps after a disk error. Export it rw, or read the server's kernel log.";
}

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let claims = view
        .pending_claims()
        .filter(|claim| !view.is_known_other_storage(claim));
    claims.filter_map(|claim| find_failure(view, claim)).collect()
}

/// The finding for a provisioner's event that it failed: NFS216, NFS217, the cause of a failed mount, or else NFS209.
/// `None` without such an event, or where another check reports the cause: the claim asks for what its provisioner
/// refuses (a selector, a block device, a data source, attributes), or the provisioner lacks permissions. Findings about
/// claims of one class are merged.
fn find_failure(view: &View<'_>, claim: &Claim) -> Option<Finding> {
    let event = view.newest_failure(claim);
    if event.is_some_and(|event| is_explained_by_rights(view, claim, event)) {
        return None;
    }
    // Events live for an hour, and not every provisioner may write them.
    let (text, evidence) = match event {
        Some(event) => (event.message.as_str(), event.evidence()),
        None => find_logged_failure(view, claim)?,
    };
    let why = &messages::extract_root_error(text);
    // What mount printed, in the controller's container, is not about the export.
    let is_of_container = text.contains("Mounting command: ") || why.starts_with("mkdir /tmp/");
    let matched = messages::classify(MessageKind::Provisioning, text)
        .filter(|(code, _)| !is_of_container || !matches!(*code, "NFS216" | "NFS217"));
    let finding = |code, cause: &str, note| {
        Finding::new(code, claim.object(), cause)
            .with_all_evidence([evidence.clone()])
            .with_advice(note)
    };
    let found = match matched {
        Some(("NFS109", _)) if !claim.requirements.selector.is_empty() => return None,
        // What the claim asks for is a matter of the claim.
        Some(("NFS110" | "NFS125" | "NFS126", _)) => return None,
        Some((code @ "NFS216", _)) => finding(
            code,
            "the export is full, or over its quota",
            "free space on the server or raise the quota of the export; the provisioner retries by itself",
        ),
        Some((code @ "NFS217", _)) => finding(
            code,
            "the provisioner can't write to the export: it is read-only",
            "export it rw on the server; if it is rw already, the server's own file system became read-only",
        ),
        Some((code, Some(_))) if find_provisioner_failure(view, text, None).is_none() && !text.contains("Output: ") => {
            let what = match why.contains("mkdir ") {
                true => "the directory",
                false => "the volume",
            };
            let cause = format!("the provisioner can't create {what}: {}", strip_call_names(why));
            finding(code, &cause, advise_on_error(why))
        }
        _ => find_mount_failure(view, claim, text, evidence.clone()).unwrap_or_else(|| {
            let cause = format!("the provisioner can't create the volume: {}", strip_call_names(why));
            finding("NFS209", &cause, advise_on_error(why)).with_confidence(Confidence::Likely)
        }),
    };
    Some(
        found
            .with_affected(view.users_of(claim))
            .with_same_cause(claim.class.as_deref().unwrap_or_default()),
    )
}

/// The last line of its provisioner's log that tells why a claim gets no volume; `None` without one. Lines name the
/// claim, its uid, or its directory.
fn find_logged_failure<'a>(view: &'a View<'_>, claim: &Claim) -> Option<(&'a str, Evidence)> {
    let mut serving = view.provisioners.iter().filter(|one| one.name.is_some());
    let serving = serving.find(|one| one.name == claim.handover.as_deref())?;
    let (namespace, name, uid) = (&claim.namespace, &claim.name, claim.uid.as_str());
    let names = [format!("\"{namespace}/{name}\""), format!("/{namespace}-{name}-pvc-")];
    let is_of_claim =
        |line: &str| names.iter().any(|name| line.contains(name)) || !uid.is_empty() && line.contains(uid);
    serving.logs(view.cluster).find_map(|log| {
        let mut lines = log.text.lines().rev();
        let line = lines.find(|line| line.contains("ailed to provision volume") && is_of_claim(line))?;
        Some((line, log.line_evidence(line)))
    })
}

/// Whether a claim's provisioner failed for lack of a permission, and NFS206 says so.
fn is_explained_by_rights(view: &View<'_>, claim: &Claim, event: &Event) -> bool {
    let mut serving = view
        .provisioners
        .iter()
        .filter(|one| one.name == claim.handover.as_deref());
    messages::find_log_line("NFS206", &event.message).is_some()
        && serving.any(|provisioner| find_missing_rights(view, provisioner).is_some())
}

/// An error's text without the names of the provisioner's calls before it.
fn strip_call_names(why: &str) -> &str {
    let calls = [
        "unable to create directory to provision new pv: ",
        "failed to make subdirectory: ",
    ];
    let mut rests = calls.iter().filter_map(|call| why.split_once(call));
    rests.next().map_or(why, |(_, rest)| rest)
}

/// What to do about a provisioner's error, by the words that the first matching row has.
const ADVICE: [(&[&str], &str); 11] = [
    (
        &["ermission denied", "peration not permitted"],
        "the export must be writable for the provisioner (rw, no_root_squash); it retries by itself",
    ),
    (
        &["no such file or directory", "not a directory"],
        "create the directory above it on the server, which path, subDir or pathPattern of the class names; the provisioner retries by itself",
    ),
    (
        &["file exists"],
        "a file on the server has that name: move it away; the provisioner retries by itself",
    ),
    (
        &["file name too long"],
        "the server's file system takes no name of that length: shorten what the class' pathPattern or subDir makes of the claim",
    ),
    (
        &["input/output error", "remote I/O error"],
        "the NFS server itself failed, or a soft mount timed out: see its log and its disks, and its quota; the provisioner retries by itself",
    ),
    (
        &["getting NFS server IP", "SERVICE_NAME"],
        "the provisioner's Service needs every port that the message lists, and the provisioner's one pod as its only endpoint: replicas: 1, and no other pod with its labels",
    ),
    (
        &["csi.sock"],
        "the driver's own container in the controller's pod does not answer: see its log (kubectl logs -c nfs), and why it restarts",
    ),
    (
        &["failed to get target node: node \""],
        "the node that the scheduler chose no longer exists: remove the claim's annotation volume.kubernetes.io/selected-node, and the scheduler chooses again (older provisioners never do so by themselves)",
    ),
    (
        &["secrets \""],
        "create the secret that the class names, in the namespace that it names; the provisioner retries by itself",
    ),
    (
        &["\"csi.storage.k8s.io/p"],
        "not the class but the csi-provisioner adds this parameter (--extra-create-metadata), and the driver beside it is too old for it: use images of one release of the driver",
    ),
    (
        &["parameter", "in storage class"],
        "create the class again with the parameters that its provisioner needs; a class' parameters can't be edited",
    ),
];

/// The advice for an error's text; to read the log if none is known.
fn advise_on_error(why: &str) -> &'static str {
    if why.starts_with("mkdir /tmp/") {
        return "the container of the driver's controller can't write to its own /tmp: mount an emptyDir there, or make room on its node";
    }
    let is_met = |(phrases, _): &&(&[&str], &'static str)| phrases.iter().any(|phrase| why.contains(phrase));
    let row = ADVICE.iter().find(is_met);
    row.map_or("see the provisioner's log; it retries by itself", |(_, advice)| advice)
}

/// The finding about a controller that failed to mount the export itself, with the code that a node's failure would
/// have. `None` if the message is that of no known failure.
fn find_mount_failure(view: &View<'_>, claim: &Claim, text: &str, evidence: Evidence) -> Option<Finding> {
    let served = || provisioners::served_export(view.cluster, claim.handover.as_deref()?);
    let of_class = || view.cluster.find_class(claim.class.as_deref()?)?.export();
    let failure = find_provisioner_failure(view, text, served().or_else(of_class))?;
    failure.describe(view, claim.object(), evidence)
}
