//! How PVs on NFS are recognized, in-tree or of an NFS CSI driver, and the server and path that nodes mount for them
//! (PURE).

use k8s_openapi::api::core::v1::{CSIPersistentVolumeSource, PersistentVolume};

/// The annotation that names a PV's provisioner.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// nfsprov's annotation with the directory below the export, written at creation.
pub const DIRECTORY: &str = "nfsprov/directory";

/// Whether the name of a provisioner or driver is probably one for NFS volumes: it contains `nfs`, in any case, or is
/// `fuseim.pri/ifs`.
pub fn has_nfs_in_name(name: &str) -> bool {
    name.to_lowercase().contains("nfs") || name == "fuseim.pri/ifs"
}

/// The server and path that nodes mount for a PV: of an in-tree NFS volume as the PV writes them, of another those of
/// [`csi_export`]. `None` for other storage.
pub fn mounted_export(volume: &PersistentVolume) -> Option<(String, String)> {
    let spec = volume.spec.as_ref()?;
    match &spec.nfs {
        Some(nfs) => Some((nfs.server.clone(), nfs.path.clone())),
        None => csi_export(spec.csi.as_ref()?),
    }
}

/// The server and path of an NFS CSI driver's volume, by the attributes that such drivers use, in upper or lower case;
/// `None` without server or path. The driver's name is not checked, so that the directories of unknown drivers are
/// protected, too; a caller that only asks a server checks the name itself. The attribute `subdir` is appended to the
/// path, and an IPv6 address loses its brackets.
pub fn csi_export(csi: &CSIPersistentVolumeSource) -> Option<(String, String)> {
    let attributes = csi.volume_attributes.as_ref()?;
    let value_of = |names: &[&str]| {
        let mut found = attributes
            .iter()
            .filter(|(key, value)| names.contains(&key.to_lowercase().as_str()) && !value.is_empty());
        found.next().map(|(_, value)| value.as_str())
    };
    let (server, share) = (
        value_of(&["server", "nfsserver"])?,
        value_of(&["share", "path", "nfspath"])?,
    );
    let path = match value_of(&["subdir"]) {
        Some(below) => format!("{}/{}", share.trim_end_matches('/'), below.trim_start_matches('/')),
        None => share.to_owned(),
    };
    Some((server.trim_matches(['[', ']']).to_owned(), path))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn server_and_path_are_found_whichever_driver_mounts_them() {
        let csi =
            |attributes: Value| json!({"csi": {"driver": "d", "volumeHandle": "h", "volumeAttributes": attributes}});
        for (spec, wanted) in [
            (json!({"nfs": {"server": "nfs", "path": "/a/"}}), Some("nfs /a/")),
            (csi(json!({"server": "nfs", "share": "/a"})), Some("nfs /a")),
            (
                csi(json!({"server": "nfs", "share": "/a/", "subdir": "/b/c"})),
                Some("nfs /a/b/c"),
            ),
            (
                csi(json!({"server": "nfs", "share": "/", "subDir": "b"})),
                Some("nfs /b"),
            ),
            (
                csi(json!({"Server": "nfs", "SHARE": "/a", "SubDir": "b"})),
                Some("nfs /a/b"),
            ),
            (csi(json!({"server": "[fd00::1]", "share": "/a"})), Some("fd00::1 /a")),
            (csi(json!({"nfsServer": "nfs", "nfsPath": "/a"})), Some("nfs /a")),
            (csi(json!({"server": "", "share": "/a"})), None),
            (csi(json!({"server": "nfs"})), None),
            (json!({"csi": {"driver": "d", "volumeHandle": "h"}}), None),
            (json!({"hostPath": {"path": "/a"}}), None),
        ] {
            let volume = serde_json::from_value(json!({"metadata": {"name": "v"}, "spec": spec})).unwrap();
            let found = mounted_export(&volume).map(|(server, path)| format!("{server} {path}"));
            assert_eq!(found.as_deref(), wanted, "{spec}");
        }
    }
}
