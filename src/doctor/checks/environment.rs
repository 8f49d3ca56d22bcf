//! Provisioners that are set up so that they can't work: NFS213, NFS214 (PURE).

use std::net::IpAddr;
use std::path::Path;

use super::View;
use crate::cluster::images;
use crate::cluster::provisioners::{Provisioner, ProvisionerKind};
use crate::cluster::snapshot::{Log, Pod, Volume};
use crate::doctor::entry::entries;
use crate::doctor::{Confidence, Finding, Object, Severity};

entries! {
    "NFS213" Error [CLASSES, DEPLOYMENTS] "the container is no provisioner",
        "The workload has the environment variables of a provisioner, but its image is no provisioner, so nothing reads PROVISIONER_NAME. It runs, and no claim gets a volume. Set the image of the provisioner.";
    "NFS214" Error [CLASSES, DEPLOYMENTS] "the export is not mounted where the provisioner works",
        "nfs-subdir-external-provisioner creates directories in /persistentvolumes, and writes NFS_SERVER and NFS_PATH into the PVs. If another directory or another export is mounted at /persistentvolumes, the directories are created in the container or on that export, and pods can't mount them. Mount the export of NFS_SERVER and NFS_PATH at /persistentvolumes.";
}

/// Where nfs-subdir-external-provisioner creates directories.
const WORKPLACE: &str = "/persistentvolumes";

/// At most one finding for each provisioner, of NFS213 before NFS214.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let all = view.provisioners.iter();
    all.filter_map(|provisioner| {
        find_wrong_image(view, provisioner)
            .or_else(|| Some(find_wrong_mount(view, provisioner)?.with_affected(find_waiting_pods(view, provisioner))))
    })
    .collect()
}

/// NFS213: PROVISIONER_NAME is set, and neither image, log, volumes nor events are a provisioner's. `None` unless a pod
/// is ready and claims are Pending for it.
fn find_wrong_image(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Finding> {
    let waiting = provisioner.waiting_claims(view.cluster);
    let image = &provisioner.container.image;
    let name = images::base_name(image);
    let may_be_provisioner = provisioner.kind != ProvisionerKind::Other
        || name.contains("provisioner")
        || name.contains("nfs")
        || provisioner.has_worked(view.cluster);
    let has_name = provisioner.container.env.contains_key("PROVISIONER_NAME");
    if may_be_provisioner || !has_name || waiting.is_empty() || provisioner.workload.ready == 0 {
        return None;
    }
    // The image may be a provisioner in spite of its name; then its log shows it.
    let has_words = |log: &Log| {
        let words = ["provision", "controller.go", "leaderelection"];
        words.iter().any(|word| log.text.contains(word))
    };
    if provisioner.logs(view.cluster).any(has_words) {
        return None;
    }
    let cause = format!("the workload has the variables of a provisioner, and its image {image} is none");
    let env = format!("env of container {}", provisioner.container.name);
    Some(
        provisioner
            .finding("NFS213", cause)
            .with_confidence(Confidence::Likely)
            .with_field("image", image)
            .with_field(&env, "PROVISIONER_NAME is set")
            .with_affected(waiting)
            .with_advice(format!("set the provisioner's image, such as {}", images::CURRENT)),
    )
}

/// NFS214: nfs-subdir-external-provisioner's directory has no export mounted, or another path than its variables name.
/// `None` if something else than an NFS volume of the pod may be mounted there.
fn find_wrong_mount(view: &View<'_>, provisioner: &Provisioner<'_>) -> Option<Finding> {
    if provisioner.kind != ProvisionerKind::Subdir {
        return None;
    }
    let mounts = &provisioner.container.mounts;
    // Without any mount at all nothing was read of them.
    let paths: Vec<&str> = mounts.iter().map(|(path, _)| path.as_str()).collect();
    let cause = match mounts.iter().find(|(path, _)| Path::new(path) == Path::new(WORKPLACE)) {
        None if provisioner.workload.nfs.is_empty() || paths.is_empty() => return None,
        None => format!("the export is not mounted at {WORKPLACE}, where the provisioner creates directories"),
        Some((_, Some(mounted))) => {
            let named = provisioner.export()?;
            if Path::new(&named.1) == Path::new(&mounted.1) {
                return find_other_server(provisioner, &mounted.0, &named.0);
            }
            format!(
                "the export mounted at {WORKPLACE} is {}:{}, and NFS_SERVER and NFS_PATH say {}:{}",
                mounted.0, mounted.1, named.0, named.1
            )
        }
        Some((_, None)) => return None,
    };
    let field = format!("volumeMounts of container {}", provisioner.container.name);
    Some(
        provisioner
            .finding("NFS214", cause)
            .with_field(&field, paths.join(", "))
            .with_affected(provisioner.waiting_claims(view.cluster))
            .with_advice(format!(
                "mount the export that NFS_SERVER and NFS_PATH name at {WORKPLACE}; directories that were created elsewhere have to be moved"
            )),
    )
}

/// NFS214 as a warning: the server of the mounted export and NFS_SERVER are different addresses. `None` if one of them is
/// a name: one server can have several.
fn find_other_server(provisioner: &Provisioner<'_>, mounted: &str, named: &str) -> Option<Finding> {
    let (one, other): (IpAddr, IpAddr) = (mounted.parse().ok()?, named.parse().ok()?);
    (one != other && one.is_ipv4() == other.is_ipv4()).then(|| {
        let cause = format!(
            "the provisioner mounts its export from {mounted}, and NFS_SERVER, which its PVs get, says {named}"
        );
        provisioner
            .finding("NFS214", cause)
            .with_severity(Severity::Warning)
            .with_confidence(Confidence::Likely)
            .with_field("spec.volumes", mounted)
            .with_advice("give both the same address, unless both are of one server")
    })
}

/// The pods that wait for volumes that a provisioner created.
fn find_waiting_pods(view: &View<'_>, provisioner: &Provisioner<'_>) -> Vec<Object> {
    let is_theirs =
        |volume: &Volume| volume.provisioned_by.is_some() && volume.provisioned_by.as_deref() == provisioner.name;
    let waits = |pod: &&Pod| pod.is_being_created() && !pod.node.is_empty() && !view.has_its_volumes(pod);
    let pods = view.cluster.pods.iter().filter(waits);
    let pods = pods.filter(|pod| view.volumes_of_pod(pod).any(is_theirs));
    pods.map(Pod::object).collect()
}
