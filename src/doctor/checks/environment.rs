//! Provisioners that are set up so that they can't work: NFS213, NFS214 (PURE).

use super::Case;
use super::workloads::waiting;
use crate::doctor::Severity::Error;
use crate::doctor::explain::{CLASSES, DEPLOYMENTS, Entry, entry};
use crate::doctor::facts::Log;
use crate::doctor::provisioners::{self, Make, Provisioner};
use crate::doctor::{Confidence, Finding};

pub const ENTRIES: &[Entry] = &[
    entry(
        "NFS213",
        Error,
        &[CLASSES, DEPLOYMENTS],
        "the container is no provisioner",
        "The workload has a provisioner's environment, and its image is something else, so that nothing reads PROVISIONER_NAME. It runs, and no claim gets a volume. Set the image of the provisioner.",
    ),
    entry(
        "NFS214",
        Error,
        &[CLASSES, DEPLOYMENTS],
        "the export is not mounted where the provisioner works",
        "nfs-subdir-external-provisioner makes directories in /persistentvolumes, whatever NFS_SERVER and NFS_PATH say; these it only writes into the PVs. If another directory or another export is mounted there, directories are made inside the container or elsewhere, and pods can't mount them. Mount the export of NFS_SERVER and NFS_PATH at /persistentvolumes.",
    ),
];

/// Where nfs-subdir-external-provisioner makes directories.
const WORKPLACE: &str = "/persistentvolumes";

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let all = &case.provisioners;
    all.iter()
        .filter_map(|one| wrong_image(case, one).or_else(|| wrong_mount(case, one)))
        .collect()
}

fn wrong_image(case: &Case<'_>, one: &Provisioner<'_>) -> Option<Finding> {
    let waiting = waiting(case, one);
    let image = &one.container.image;
    let named = one.container.env.contains_key("PROVISIONER_NAME");
    let says = |text: &str| crate::doctor::images::base(image).contains(text);
    if one.make != Make::Other
        || !named
        || says("provisioner")
        || says("nfs")
        || waiting.is_empty()
        || one.workload.ready == 0
    {
        return None;
    }
    if one
        .name
        .is_some_and(|name| provisioners::has_worked(case.facts, name, one.since(case.facts)))
    {
        return None;
    }
    let pods = one.pods(case.facts);
    let theirs = |log: &&Log| {
        pods.iter()
            .any(|pod| (&pod.namespace, &pod.name) == (&log.namespace, &log.pod))
    };
    // An image's name says little; a log in the words of a provisioner says more.
    let speaks = |log: &Log| {
        ["provision", "controller.go", "leaderelection"]
            .iter()
            .any(|sign| log.text.contains(sign))
    };
    if case.facts.logs.iter().filter(theirs).any(speaks) {
        return None;
    }
    let object = one.workload.object();
    Some(
        Finding::new(
            "NFS213",
            object.clone(),
            format!("the workload is set up as a provisioner, and its image {image} is none"),
        )
        .only(Confidence::Likely)
        .seen(format!("image of {}", object.title()), image)
        .seen(
            format!("env of container {} of {}", one.container.name, object.title()),
            "PROVISIONER_NAME is set",
        )
        .explaining(waiting)
        .advise(format!(
            "set the provisioner's image, such as {}",
            crate::doctor::images::CURRENT
        )),
    )
}

fn wrong_mount(case: &Case<'_>, one: &Provisioner<'_>) -> Option<Finding> {
    if one.make != Make::Subdir {
        return None;
    }
    let object = one.workload.object();
    let source = format!("volumeMounts of container {} of {}", one.container.name, object.title());
    let at = |path: &str| path.trim_end_matches('/') == WORKPLACE;
    let mounts = &one.container.mounts;
    // Without any mount at all nothing was read of them.
    let elsewhere: Vec<&str> = mounts.iter().map(|(path, _)| path.as_str()).collect();
    let cause = match mounts.iter().find(|(path, _)| at(path)) {
        None if one.workload.nfs.is_empty() || elsewhere.is_empty() => return None,
        None => format!("the export is not mounted at {WORKPLACE}, where the provisioner makes directories"),
        Some((_, Some(mounted))) => {
            let named = one.export().filter(|named| !is_same(named, mounted))?;
            format!(
                "the export mounted at {WORKPLACE} is {}:{}, and NFS_SERVER and NFS_PATH say {}:{}",
                mounted.0, mounted.1, named.0, named.1
            )
        }
        Some((_, None)) => return None,
    };
    Some(
        Finding::new("NFS214", object, cause)
            .seen(source, elsewhere.join(", "))
            .explaining(waiting(case, one))
            .advise(format!(
                "mount the export that NFS_SERVER and NFS_PATH name at {WORKPLACE}; directories that were made elsewhere have to be moved"
            )),
    )
}

/// Whether two exports are the same, as far as their names tell: one server can have several.
fn is_same(one: &(String, String), other: &(String, String)) -> bool {
    one.1.trim_end_matches('/') == other.1.trim_end_matches('/')
}
