//! Decides which existing volumes can be limited to their size (PURE). The main function is [`plan_limit`].

use k8s_openapi::api::core::v1::{PersistentVolume, Pod};

use crate::export::{Location, ServerNames, SizeLimit, VolumePath};
use crate::provisioner::volume;
use crate::volumes::place;

/// A volume to limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitPlan {
    /// Its directory on the export.
    pub directory: VolumePath,
    /// What the directory is to be limited to.
    pub limit: SizeLimit,
    /// The PV's capacity, as it stands there.
    pub size: String,
}

/// Plans the limit of a PV, its capacity, on the export `location`, whose server has the names `servers` in the PVs
/// `all` of the cluster. `pods` are those of its claim's namespace, and of any others; those that use the claim and have not
/// ended prevent the limit.
///
/// # Errors
/// Why it can't be limited, as the end of a sentence that begins with the PV.
pub fn plan_limit(
    volume: &PersistentVolume,
    (location, servers): (&Location, &ServerNames),
    all: &[PersistentVolume],
    pods: &[Pod],
) -> Result<LimitPlan, String> {
    place::check_in_tree(volume)?;
    let directory = place::directory_on(volume, location)?
        .directory
        .ok_or("it is the whole export, whose root can't have a limit")?;
    if volume.metadata.deletion_timestamp.is_some() {
        return Err("it is being deleted".to_owned());
    }
    let neighbours = place::overlapping_volumes(volume, all);
    if let Some((other, _)) = neighbours.iter().find(|(_, server)| servers.may_be(server)) {
        return Err(format!(
            "its directory is at, above or below that of pv/{other}, so one limit would apply to both"
        ));
    }
    let claim = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
    let claim_name = claim.and_then(|claim| claim.name.as_deref()).unwrap_or_default();
    let users: Vec<&str> = pods
        .iter()
        .filter(|pod| pod.metadata.namespace.as_deref() == claim_namespace(volume) && pod_uses_claim(pod, claim_name))
        .map(|pod| pod.metadata.name.as_deref().unwrap_or_default())
        .collect();
    if !users.is_empty() {
        return Err(format!(
            "pods use it: {}; while its files get their project id, renames in it fail, so stop these pods first",
            users.join(", ")
        ));
    }
    let uid = volume::uid_for_limit(volume)
        .ok_or("no claim is bound to it, so it has no uid from which a project id is derived")?;
    let capacity = volume.spec.as_ref().and_then(|spec| spec.capacity.as_ref());
    let size = capacity.and_then(|capacity| capacity.get("storage"));
    let size = size.ok_or("it has no capacity")?.0.clone();
    Ok(LimitPlan {
        directory,
        limit: volume::size_limit(&size, uid)?,
        size,
    })
}

/// The namespace of the PV's claim; `None` if it has no claim.
pub fn claim_namespace(volume: &PersistentVolume) -> Option<&str> {
    volume.spec.as_ref()?.claim_ref.as_ref()?.namespace.as_deref()
}

/// Whether a pod that has not ended uses a claim of its namespace, by a volume or an ephemeral volume.
fn pod_uses_claim(pod: &Pod, claim: &str) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let pod_name = pod.metadata.name.as_deref().unwrap_or_default();
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
        && volumes.unwrap_or_default().iter().any(|volume| {
            let of_claim = volume.persistent_volume_claim.as_ref();
            of_claim.is_some_and(|of_claim| of_claim.claim_name == claim)
                || (volume.ephemeral.is_some() && format!("{pod_name}-{}", volume.name) == claim)
        })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const UID: &str = "0b510b51-0b51-4b51-8b51-0b510b510b51";

    fn location() -> Location {
        Location {
            server: "nfs".into(),
            path: "/export".into(),
        }
    }

    /// The server, which one PV names by its address.
    fn servers() -> ServerNames {
        ServerNames::known(["nfs", "10.0.0.5"])
    }

    /// A PV of 10Mi whose claim is data, with a value at a JSON pointer.
    fn volume(pointer: &str, value: Value) -> PersistentVolume {
        let mut volume = json!({
            "metadata": {"name": "v"},
            "spec": {"nfs": {"server": "nfs", "path": "/export/a"}, "capacity": {"storage": "10Mi"},
                     "claimRef": {"namespace": "team", "name": "data", "uid": UID}},
        });
        if let Some((parent, key)) = pointer.rsplit_once('/') {
            volume.pointer_mut(parent).unwrap()[key] = value;
        }
        serde_json::from_value(volume).unwrap()
    }

    /// A PV of csi-driver-nfs below the directory of [`volume`].
    fn csi_volume() -> PersistentVolume {
        let attributes = json!({"server": "nfs", "share": "/export", "subdir": "a/csi"});
        let csi = json!({"driver": "nfs.csi.k8s.io", "volumeHandle": "h", "volumeAttributes": attributes});
        serde_json::from_value(json!({"metadata": {"name": "csi"}, "spec": {"csi": csi}})).unwrap()
    }

    fn pod(phase: &str, volume: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "pod", "namespace": "team"}, "spec": {"containers": [], "volumes": [volume]},
            "status": {"phase": phase},
        }))
        .unwrap()
    }

    #[test]
    fn a_volume_is_limited_to_its_capacity() {
        let plan = |volume: &PersistentVolume| plan_limit(volume, (&location(), &servers()), &[], &[]).unwrap();
        let found = plan(&volume("", json!(null)));
        assert_eq!(
            (found.directory.to_string(), found.size.as_str()),
            ("a".to_owned(), "10Mi")
        );
        assert_eq!(found.limit, SizeLimit::new(10 << 20, UID).unwrap());
        // The uid in the name is that of the claim that it was provisioned for.
        let other = "11111111-2222-4333-8444-555555555555";
        let found = plan(&volume("/metadata/name", json!(format!("pvc-{other}"))));
        assert_eq!(found.limit, SizeLimit::new(10 << 20, other).unwrap());
    }

    #[test]
    fn what_cannot_be_limited_says_why() {
        let plain = volume("", json!(null));
        let named = |name: &str, server: &str, path: &str| -> PersistentVolume {
            let object = json!({"metadata": {"name": name}, "spec": {"nfs": {"server": server, "path": path}}});
            serde_json::from_value(object).unwrap()
        };
        let claimed = json!({"name": "v", "persistentVolumeClaim": {"claimName": "data"}});
        for (volume, all, pods, expected) in [
            (
                volume("/spec/nfs/server", json!("other")),
                vec![],
                vec![],
                Some("not on nfs:/export"),
            ),
            (
                volume("/spec/nfs/path", json!("/export")),
                vec![],
                vec![],
                Some("whole export"),
            ),
            (
                volume("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z")),
                vec![],
                vec![],
                Some("being deleted"),
            ),
            (volume("/spec/claimRef", json!(null)), vec![], vec![], Some("no claim")),
            (volume("/spec/capacity", json!({})), vec![], vec![], Some("no capacity")),
            (
                volume("/spec/capacity/storage", json!("x")),
                vec![],
                vec![],
                Some("no number"),
            ),
            (
                plain.clone(),
                vec![named("w", "nfs", "/export/a/b")],
                vec![],
                Some("pv/w"),
            ),
            (
                plain.clone(),
                vec![named("w", "10.0.0.5", "/export/a/b")],
                vec![],
                Some("pv/w"),
            ),
            (plain.clone(), vec![csi_volume()], vec![], Some("pv/csi")),
            (csi_volume(), vec![], vec![], Some("the CSI driver nfs.csi.k8s.io")),
            (plain.clone(), vec![named("w", "nfs", "/export/ab")], vec![], None),
            (plain.clone(), vec![named("w", "other", "/export/a")], vec![], None),
            (
                plain.clone(),
                vec![],
                vec![pod("Running", claimed.clone())],
                Some("pods use it: pod"),
            ),
            (plain.clone(), vec![], vec![pod("Succeeded", claimed.clone())], None),
            (
                volume("/spec/claimRef/namespace", json!("other")),
                vec![],
                vec![pod("Running", claimed.clone())],
                None,
            ),
            (
                volume("/spec/claimRef/name", json!("pod-scratch")),
                vec![],
                vec![pod("Pending", json!({"name": "scratch", "ephemeral": {}}))],
                Some("pods use it"),
            ),
            (
                plain.clone(),
                vec![],
                vec![pod(
                    "Running",
                    json!({"name": "v", "persistentVolumeClaim": {"claimName": "other"}}),
                )],
                None,
            ),
        ] {
            let found = plan_limit(&volume, (&location(), &servers()), &all, &pods);
            match expected {
                None => assert!(found.is_ok(), "{found:?}"),
                Some(part) => assert!(found.as_ref().is_err_and(|why| why.contains(part)), "{part}: {found:?}"),
            }
        }
    }
}
