//! The directories of the PVs on the exports, in-tree or of NFS CSI drivers (PURE), so that no directory is created,
//! removed or archived at, above or below another PV's.
//!
//! Directories with default names are unique, and the export's root is above everything. Neither is recorded, which
//! leaves volumes with a `pathPattern` and PVs made by hand.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::PersistentVolume;

use super::class::OnDelete;
use crate::cluster::nfs_volumes::mounted_export;
use crate::export::{Location, UsedPart, VolumePath, is_named_after, used_part};

/// The PVs on some exports whose directories must be kept, by directory.
#[derive(Clone, Debug)]
pub struct Neighbours {
    exports: Vec<Location>,
    known: Known,
    /// The PVs of a list that is being read.
    listed: Option<Known>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// By index of the export, directory and PV.
    places: BTreeMap<(usize, String, String), Use>,
    /// The exports, by index, and directories of each PV.
    volumes: HashMap<String, Vec<(usize, String)>>,
}

/// How a PV uses a directory.
#[derive(Clone, Debug)]
struct Use {
    /// The server that the PV names. It may be the export's by another name.
    server: String,
    /// Whether the directory is about to be archived.
    is_archived: bool,
}

impl Neighbours {
    /// For the directories of these exports; records no PV yet.
    pub fn new(exports: &[Location]) -> Self {
        Self {
            exports: exports.to_vec(),
            known: Known::default(),
            listed: None,
        }
    }

    /// Begins a list that replaces what is recorded at [`Neighbours::end_list`]. Until then PVs are recorded and
    /// forgotten in the new one, and conflicts are found in the old one.
    pub fn begin_list(&mut self) {
        self.listed = Some(Known::default());
    }

    /// Ends the list that was begun; without one, has no effect.
    pub fn end_list(&mut self) {
        if let Some(listed) = self.listed.take() {
            self.known = listed;
        }
    }

    /// Records a PV in the place of its earlier record; forgets it if its directory is about to be deleted, has the
    /// default name or is below no export's root.
    ///
    /// `removal` is what the PV's own deletion is about to do with the directory, if anything. Volumes that share a
    /// directory and are all deleted must not wait for each other: one whose directory is deleted is no conflict, and
    /// one whose directory is archived is a conflict only for a deletion, which waits for the archive. All other PVs,
    /// Released and terminating ones included, protect their directories.
    pub fn record_volume(&mut self, volume: &PersistentVolume, removal: Option<OnDelete>) {
        let name = volume.metadata.name.clone().unwrap_or_default();
        let mounted = mounted_export(volume).filter(|_| removal != Some(OnDelete::Delete));
        let places = mounted
            .as_ref()
            .map(|(_, path)| self.directories_on_exports(path, &name))
            .unwrap_or_default();
        let known = self.listed.as_mut().unwrap_or(&mut self.known);
        known.forget_volume(&name);
        let Some((server, _)) = mounted.filter(|_| !places.is_empty()) else {
            return;
        };
        for (export, directory) in &places {
            let used = Use {
                server: server.clone(),
                is_archived: removal == Some(OnDelete::Archive),
            };
            known.places.insert((*export, directory.clone(), name.clone()), used);
        }
        known.volumes.insert(name, places);
    }

    /// Forgets a PV that is gone; during a list, in the new one only.
    pub fn forget_volume(&mut self, name: &str) {
        self.listed.as_mut().unwrap_or(&mut self.known).forget_volume(name);
    }

    /// The recorded PVs other than `volume` whose directory is at, above or below `directory` of `export`: for each
    /// server that they name, the name of one. The caller decides which of these servers may be the export's. Empty if
    /// the export is unknown. `removal` is what is to be done with `directory`; `None` creates it. The caller must know
    /// that all PVs have been recorded. A PV whose directory is about to be archived counts only if `removal` is
    /// `Delete`.
    pub fn find_conflicts(
        &self,
        export: &Location,
        directory: &VolumePath,
        volume: &str,
        removal: Option<OnDelete>,
    ) -> BTreeMap<&str, &str> {
        let Some(export) = self.exports.iter().position(|known| known == export) else {
            return BTreeMap::new();
        };
        let is_deleted = removal == Some(OnDelete::Delete);
        let mut around = directory.ancestors();
        around.push(directory.clone());
        let at_or_above = around
            .iter()
            .flat_map(|place| self.known.volumes_at(export, &place.to_string(), false));
        let below = self.known.volumes_at(export, &format!("{directory}/"), true);
        let counted = at_or_above
            .chain(below)
            .filter(|(name, used)| *name != volume && (is_deleted || !used.is_archived));
        let mut found = BTreeMap::new();
        for (name, used) in counted {
            found.entry(used.server.as_str()).or_insert(name);
        }
        found
    }

    /// The exports, by index, and directories that a PV with this path may use, whatever server it names. Those whose
    /// root the path is or is above are left out, and default names.
    fn directories_on_exports(&self, path: &str, volume: &str) -> Vec<(usize, String)> {
        let exports = self.exports.iter().enumerate();
        let used = exports.filter_map(|(number, export)| match used_part(&export.path, path)? {
            UsedPart::Directory(directory) if !is_named_after(&directory, volume) => {
                Some((number, directory.to_string()))
            }
            _ => None,
        });
        used.collect()
    }
}

impl Known {
    fn forget_volume(&mut self, name: &str) {
        for (export, directory) in self.volumes.remove(name).unwrap_or_default() {
            self.places.remove(&(export, directory, name.to_owned()));
        }
    }

    /// The PVs at `place`, or with `is_prefix` at all places that begin with it, and how each uses it.
    fn volumes_at<'a>(
        &'a self,
        export: usize,
        place: &str,
        is_prefix: bool,
    ) -> impl Iterator<Item = (&'a str, &'a Use)> + use<'a> {
        let place = place.to_owned();
        self.places
            .range((export, place.clone(), String::new())..)
            .take_while(move |((number, directory, _), _)| {
                *number == export && (*directory == place || (is_prefix && directory.starts_with(&place)))
            })
            .map(|((_, _, name), used)| (name.as_str(), used))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn export(path: &str) -> Location {
        Location {
            server: "nfs".into(),
            path: path.into(),
        }
    }

    fn volume(name: &str, path: &str) -> PersistentVolume {
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"nfs": {"server": "nfs", "path": path}}}))
            .unwrap()
    }

    /// The PV of the server `nfs` that is in the way of the directory of a PV `me`.
    fn conflict<'a>(
        known: &'a Neighbours,
        at: &str,
        directory: &VolumePath,
        removal: Option<OnDelete>,
    ) -> Option<&'a str> {
        known
            .find_conflicts(&export(at), directory, "me", removal)
            .remove("nfs")
    }

    fn known() -> Neighbours {
        let mut known = Neighbours::new(&[export("/nfsdata"), export("/other")]);
        known.begin_list();
        for (name, path) in [
            ("mypv", "/nfsdata"),
            ("team", "/nfsdata/team/data"),
            ("slash", "/nfsdata/slash/"),
            ("dash", "/nfsdata/team-b"),
            ("elsewhere", "/srv/x"),
            ("doubled", "//nfsdata//doubled/x/../data"),
            ("parent", "/"),
            ("second", "/other/team"),
            (
                "pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
                "/nfsdata/d-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51",
            ),
        ] {
            known.record_volume(&volume(name, path), None);
        }
        let attributes = json!({"server": "nfs", "share": "/nfsdata/share", "subdir": "pvc-1"});
        let csi = json!({"driver": "nfs.csi.k8s.io", "volumeHandle": "h", "volumeAttributes": attributes});
        let csi = json!({"metadata": {"name": "csi"}, "spec": {"csi": csi}});
        known.record_volume(&serde_json::from_value(csi).unwrap(), None);
        known.end_list();
        known
    }

    #[test]
    fn a_volume_at_above_or_below_is_found() {
        let known = known();
        for (directory, found) in [
            ("team", Some("team")),
            ("team/data", Some("team")),
            ("team/data/deep/deeper", Some("team")),
            ("team/other", None),
            ("tea", None),
            ("team-b", Some("dash")),
            ("team-b/x", Some("dash")),
            ("team-", None),
            ("slash", Some("slash")),
            ("doubled", Some("doubled")),
            ("doubled/data/x", Some("doubled")),
            ("share", Some("csi")),
            ("share/pvc-1/x", Some("csi")),
            ("share/pvc-2", None),
            ("x", None),
            ("d-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51/x", None),
        ] {
            let directory = VolumePath::parse(directory).unwrap();
            assert_eq!(conflict(&known, "/nfsdata", &directory, None), found, "{directory}");
        }
        let team = VolumePath::parse("team").unwrap();
        assert_eq!(conflict(&known, "/other", &team, None), Some("second"));
        assert!(
            known
                .find_conflicts(&export("/other"), &team, "second", None)
                .is_empty()
        );
        assert_eq!(conflict(&known, "/unknown", &team, None), None);
    }

    /// Which names are the export's server is decided elsewhere; two exports may have one path.
    #[test]
    fn a_volume_of_each_named_server_is_found() {
        let second = Location {
            server: "nfs-2".into(),
            ..export("/nfsdata")
        };
        let mut known = Neighbours::new(&[export("/nfsdata"), second.clone()]);
        for (name, server) in [("a", "nfs"), ("b", "nfs-2"), ("c", "10.0.0.5"), ("d", "10.0.0.5")] {
            let nfs = json!({"server": server, "path": "/nfsdata/team"});
            let volume = json!({"metadata": {"name": name}, "spec": {"nfs": nfs}});
            known.record_volume(&serde_json::from_value(volume).unwrap(), None);
        }
        let team = VolumePath::parse("team").unwrap();
        let all = BTreeMap::from([("10.0.0.5", "c"), ("nfs", "a"), ("nfs-2", "b")]);
        for export in [export("/nfsdata"), second] {
            assert_eq!(known.find_conflicts(&export, &team, "me", None), all);
        }
        known.forget_volume("b");
        assert_eq!(known.find_conflicts(&export("/nfsdata"), &team, "me", None).len(), 2);
    }

    #[test]
    fn a_volume_that_is_gone_or_loses_its_directory_is_no_neighbour() {
        let mut known = known();
        let team = VolumePath::parse("team").unwrap();
        known.record_volume(&volume("team", "/nfsdata/team/data"), Some(OnDelete::Delete));
        assert_eq!(conflict(&known, "/nfsdata", &team, None), None);
        known.record_volume(&volume("team", "/nfsdata/team/data"), None);
        assert_eq!(conflict(&known, "/nfsdata", &team, None), Some("team"));
        known.forget_volume("team");
        assert_eq!(conflict(&known, "/nfsdata", &team, None), None);
    }

    #[test]
    fn a_directory_is_archived_before_one_around_it_is_deleted() {
        let mut known = known();
        let team = VolumePath::parse("team").unwrap();
        for (removal, neighbour_removal, is_neighbour) in [
            (Some(OnDelete::Delete), Some(OnDelete::Archive), true),
            (Some(OnDelete::Archive), Some(OnDelete::Archive), false),
            (Some(OnDelete::Archive), Some(OnDelete::Delete), false),
            (Some(OnDelete::Delete), Some(OnDelete::Delete), false),
            (Some(OnDelete::Archive), None, true),
            (None, Some(OnDelete::Archive), false),
        ] {
            known.record_volume(&volume("team", "/nfsdata/team/data"), neighbour_removal);
            let found = conflict(&known, "/nfsdata", &team, removal);
            assert_eq!(
                found.is_some(),
                is_neighbour,
                "{removal:?} beside {neighbour_removal:?}"
            );
        }
    }

    #[test]
    fn a_new_list_replaces_what_was_known_when_it_is_complete() {
        let mut known = known();
        let team = VolumePath::parse("team").unwrap();
        known.begin_list();
        known.record_volume(&volume("new", "/nfsdata/new"), None);
        assert_eq!(conflict(&known, "/nfsdata", &team, None), Some("team"));
        known.end_list();
        assert_eq!(conflict(&known, "/nfsdata", &team, None), None);
        let new = VolumePath::parse("new").unwrap();
        assert_eq!(conflict(&known, "/nfsdata", &new, None), Some("new"));
    }
}
