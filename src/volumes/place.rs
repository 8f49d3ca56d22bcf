//! Finds the export and the directory of a PV, and the other PVs that share it (PURE).

use k8s_openapi::api::core::v1::PersistentVolume;

use crate::cluster::nfs_volumes::mounted_export;
use crate::export::{Location, ServerNames, UsedPart, VolumePath, is_named_after, used_part};
use crate::provisioner::volume::DIRECTORY;

/// A directory on an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportDirectory {
    pub location: Location,
    /// The directory below its root; none is the root itself.
    pub directory: Option<VolumePath>,
}

/// The PV's name; empty if it has none.
pub fn volume_name(volume: &PersistentVolume) -> &str {
    volume.metadata.name.as_deref().unwrap_or_default()
}

/// The server and path that nodes mount for an NFS PV, in-tree or of a CSI driver, without trailing slashes; `None` for
/// other PVs.
pub fn mounted_location(volume: &PersistentVolume) -> Option<Location> {
    let (server, path) = mounted_export(volume)?;
    let path = without_trailing_slashes(&path).to_owned();
    Some(Location { server, path })
}

/// The path without slashes at its end; `/` stays.
pub fn without_trailing_slashes(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    }
}

/// As [`mounted_location`], but `None` also for a volume of a CSI driver.
pub fn nfs_location(volume: &PersistentVolume) -> Option<Location> {
    volume.spec.as_ref()?.nfs.as_ref()?;
    mounted_location(volume)
}

/// Fails, in one sentence, unless the PV is an in-tree NFS volume. Volumes of CSI drivers are theirs to change.
pub fn check_in_tree(volume: &PersistentVolume) -> Result<(), String> {
    let name = volume_name(volume);
    let spec = volume.spec.as_ref();
    match spec.and_then(|spec| spec.csi.as_ref()) {
        _ if nfs_location(volume).is_some() => Ok(()),
        Some(csi) => Err(format!(
            "pv/{name} is a volume of the CSI driver {}; nfsprov changes only in-tree NFS volumes",
            csi.driver
        )),
        None => Err(format!("pv/{name} is not an NFS volume")),
    }
}

/// The directory of a PV on `export`, in-tree or of a CSI driver. `export` must name the server as the PV does, and a
/// path without a slash at its end; `directory` is `None` if the PV is the whole export.
///
/// # Errors
/// One sentence if the PV is not NFS or not on that export.
pub fn directory_on(volume: &PersistentVolume, export: &Location) -> Result<ExportDirectory, String> {
    let name = volume_name(volume);
    let Some(there) = mounted_location(volume) else {
        return Err(format!("pv/{name} is not an NFS volume"));
    };
    let elsewhere = || format!("pv/{name} is at {there}, which is not on {export}");
    if there.server != export.server {
        return Err(elsewhere());
    }
    let directory = match there.path == export.path {
        true => None,
        false => Some(VolumePath::below(&export.path, &there.path).map_err(|_| elsewhere())?),
    };
    Ok(ExportDirectory {
        location: export.clone(),
        directory,
    })
}

/// The export and directory of a provisioned PV, from the provisioner's annotation or from the directory's name; `None`
/// for a static PV, one of a CSI driver, or if the annotation is not the end of the PV's path.
pub fn annotated_directory(volume: &PersistentVolume) -> Option<ExportDirectory> {
    let there = nfs_location(volume)?;
    let record = volume.metadata.annotations.as_ref().and_then(|all| all.get(DIRECTORY));
    let (root, directory) = match record {
        Some(directory) => {
            let root = there.path.strip_suffix(directory.as_str())?.strip_suffix('/')?;
            (root, directory.clone())
        }
        None => {
            let (root, directory) = there.path.rsplit_once('/')?;
            let named = VolumePath::parse(directory).is_ok_and(|path| is_named_after(&path, volume_name(volume)));
            named.then(|| (root, directory.to_owned()))?
        }
    };
    let root = match root.trim_end_matches('/') {
        "" => "/",
        root => root,
    };
    Some(ExportDirectory {
        location: Location {
            server: there.server.clone(),
            path: root.to_owned(),
        },
        directory: Some(VolumePath::parse(&directory).ok()?),
    })
}

/// The part of `export` that a PV uses, in-tree or of a CSI driver; `None` for other storage, another export, or a
/// server that is none of `servers`. These must have been compared with the PV's server; one that could not be counts
/// as theirs. Unlike [`directory_on`], finds PVs by another path or another name of the server, too.
pub fn used_part_of(volume: &PersistentVolume, export: &Location, servers: &ServerNames) -> Option<UsedPart> {
    let (server, path) = mounted_export(volume)?;
    used_part(&export.path, &path).filter(|_| servers.may_be(&server))
}

/// The names and servers of the other NFS PVs, in-tree or of CSI drivers, whose paths are at, above or below the path
/// of `volume`. PVs of all servers count, since two names may be one server. Empty if `volume` is not NFS.
pub fn overlapping_volumes<'a>(volume: &PersistentVolume, all: &'a [PersistentVolume]) -> Vec<(&'a str, String)> {
    let Some((_, here)) = mounted_export(volume) else {
        return Vec::new();
    };
    let other = |other: &'a PersistentVolume| {
        let (server, path) = mounted_export(other)?;
        let is_other = volume_name(other) != volume_name(volume);
        (is_other && used_part(&here, &path).is_some()).then_some((volume_name(other), server))
    };
    all.iter().filter_map(other).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const UID: &str = "0b510b51-0b51-0b51-0b51-0b510b510b51";

    fn volume(name: &str, server: &str, path: &str, record: Option<&str>) -> PersistentVolume {
        let mut volume = json!({"metadata": {"name": name}, "spec": {"nfs": {"server": server, "path": path}}});
        if let Some(record) = record {
            volume["metadata"]["annotations"] = json!({DIRECTORY: record});
        }
        serde_json::from_value(volume).unwrap()
    }

    /// A PV of csi-driver-nfs.
    fn csi_volume(name: &str, server: &str, share: &str, subdir: &str) -> PersistentVolume {
        let attributes = json!({"server": server, "share": share, "subdir": subdir});
        let csi = json!({"driver": "nfs.csi.k8s.io", "volumeHandle": name, "volumeAttributes": attributes});
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"csi": csi}})).unwrap()
    }

    fn shown(place: ExportDirectory) -> String {
        format!(
            "{} {}",
            place.location,
            place.directory.map_or("/".to_owned(), |path| path.to_string())
        )
    }

    #[test]
    fn a_volume_is_on_an_export_or_is_not() {
        let export = Location {
            server: "nfs".into(),
            path: "/nfsdata".into(),
        };
        for (server, path, wanted) in [
            ("nfs", "/nfsdata", Some("nfs:/nfsdata /")),
            ("nfs", "/nfsdata/", Some("nfs:/nfsdata /")),
            ("nfs", "/nfsdata/a/b", Some("nfs:/nfsdata a/b")),
            ("nfs", "/nfsdata/a/b/", Some("nfs:/nfsdata a/b")),
            ("nfs", "/nfsdata-2", None),
            ("nfs", "/", None),
            ("nfs", "/nfsdata/../etc", None),
            ("nfs", "/nfsdata/a//b", None),
            ("other", "/nfsdata/a", None),
        ] {
            let found = directory_on(&volume("v", server, path, None), &export).map(shown).ok();
            assert_eq!(found.as_deref(), wanted, "{server}:{path}");
        }
        for (share, subdir, wanted) in [
            ("/nfsdata", "pvc-1", Some("nfs:/nfsdata pvc-1")),
            ("/nfsdata/", "a/b", Some("nfs:/nfsdata a/b")),
            ("/nfsdata/a", "", Some("nfs:/nfsdata a")),
            ("/nfsdata", "", Some("nfs:/nfsdata /")),
            ("/other", "a", None),
        ] {
            let found = directory_on(&csi_volume("v", "nfs", share, subdir), &export)
                .map(shown)
                .ok();
            assert_eq!(found.as_deref(), wanted, "{share} {subdir}");
        }
        let root = Location {
            path: "/".into(),
            ..export
        };
        assert_eq!(
            shown(directory_on(&volume("v", "nfs", "/", None), &root).unwrap()),
            "nfs:/ /"
        );
        assert_eq!(
            shown(directory_on(&volume("v", "nfs", "/a", None), &root).unwrap()),
            "nfs:/ a"
        );
    }

    #[test]
    fn a_provisioners_volume_says_where_it_is() {
        let (name, own) = (format!("pvc-{UID}"), format!("default-c-pvc-{UID}"));
        for (volume, wanted) in [
            (
                volume(&name, "nfs", "/srv/x/team/data", Some("team/data")),
                Some("nfs:/srv/x team/data".to_owned()),
            ),
            (
                volume(&name, "nfs", &format!("/srv/{own}"), None),
                Some(format!("nfs:/srv {own}")),
            ),
            (
                volume(&name, "nfs", &format!("/{own}"), None),
                Some(format!("nfs:/ {own}")),
            ),
            (
                volume(&name, "nfs", "/data", Some("data")),
                Some("nfs:/ data".to_owned()),
            ),
            (volume(&name, "nfs", "/srv/mydata", Some("data")), None),
            (volume(&name, "nfs", "/srv/other", Some("team/data")), None),
            (volume("mypv", "nfs", "/nfsdata", None), None),
            (volume("mypv", "nfs", &format!("/srv/{own}"), None), None),
        ] {
            assert_eq!(annotated_directory(&volume).map(shown), wanted, "{volume:?}");
        }
    }

    #[test]
    fn volumes_at_above_and_below_are_found_however_they_are_written() {
        let all = [
            volume("same", "nfs", "/nfsdata/team/", None),
            volume("above", "10.0.0.5", "//nfsdata/./", None),
            volume("below", "nfs", "/nfsdata/x/../team/data", None),
            volume("beside", "nfs", "/nfsdata/team-b", None),
            volume("me", "nfs", "/nfsdata/team", None),
            csi_volume("csi-below", "nfs", "/nfsdata/team", "pvc-1"),
            csi_volume("csi-above", "nfs", "/nfsdata", ""),
            csi_volume("csi-beside", "nfs", "/nfsdata", "pvc-1"),
        ];
        let found = overlapping_volumes(&all[4], &all);
        let found: Vec<_> = found.iter().map(|(name, server)| format!("{name} {server}")).collect();
        assert_eq!(
            found,
            [
                "same nfs",
                "above 10.0.0.5",
                "below nfs",
                "csi-below nfs",
                "csi-above nfs"
            ]
        );
    }

    #[test]
    fn only_in_tree_nfs_volumes_may_be_changed() {
        let disk = serde_json::from_value(json!({"metadata": {"name": "d"}, "spec": {"hostPath": {"path": "/a"}}}));
        for (volume, wanted) in [
            (volume("v", "nfs", "/nfsdata", None), None),
            (
                csi_volume("v", "nfs", "/nfsdata", "a"),
                Some("the CSI driver nfs.csi.k8s.io"),
            ),
            (disk.unwrap(), Some("pv/d is not an NFS volume")),
        ] {
            let found = check_in_tree(&volume).err();
            assert_eq!(found.is_some(), wanted.is_some(), "{found:?}");
            assert!(
                found.unwrap_or_default().contains(wanted.unwrap_or_default()),
                "{wanted:?}"
            );
        }
    }
}
