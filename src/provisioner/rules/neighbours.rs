//! The directories of the PVs on the exports, in-tree or of NFS CSI drivers (PURE), so that no directory is created,
//! removed or archived at, above or below another PV's.
//!
//! Directories with default names are unique, and the export's root is above everything. Neither is recorded, which
//! leaves volumes with a `pathPattern` and PVs made by hand.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::PersistentVolume;

use super::class::OnDelete;
use crate::cluster::nfs_volumes::mounted_export;
use crate::export::{Location, VolumePath, is_named_after};

/// The PVs on some exports whose directories must be kept, by directory.
#[derive(Debug)]
pub struct Neighbours {
    exports: Vec<Location>,
    known: Known,
    /// The PVs of a list that is being read.
    listed: Option<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Index of the export, directory, PV; and whether the directory is about to be archived.
    places: BTreeMap<(usize, String, String), bool>,
    /// Index of the export and directory of each PV.
    volumes: HashMap<String, (usize, String)>,
}

impl Neighbours {
    /// Records nothing yet.
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

    /// Records a PV, or forgets it if its directory is about to be deleted.
    ///
    /// `removal` is what the PV's own deletion is about to do with the directory, if anything. Volumes that share a
    /// directory and are all deleted must not wait for each other: one whose directory is deleted is no conflict, and
    /// one whose directory is archived is a conflict only for a deletion, which waits for the archive. All other PVs,
    /// Released and terminating ones included, protect their directories.
    pub fn record_volume(&mut self, volume: &PersistentVolume, removal: Option<OnDelete>) {
        let name = volume.metadata.name.clone().unwrap_or_default();
        let place = match removal {
            Some(OnDelete::Delete) => None,
            _ => self.locate_volume(volume, &name),
        };
        let is_archived = removal == Some(OnDelete::Archive);
        let known = self.listed.as_mut().unwrap_or(&mut self.known);
        known.forget_volume(&name);
        if let Some((export, directory)) = place {
            known
                .places
                .insert((export, directory.clone(), name.clone()), is_archived);
            known.volumes.insert(name, (export, directory));
        }
    }

    /// Forgets a PV that is gone; during a list, in the new one only.
    pub fn forget_volume(&mut self, name: &str) {
        self.listed.as_mut().unwrap_or(&mut self.known).forget_volume(name);
    }

    /// The name of a recorded PV other than `volume` whose directory is at, above or below `directory` of `export`;
    /// `None` also if the export is unknown. `removal` is what is to be done with `directory`; `None` creates it. The
    /// caller must know that all PVs have been recorded. A PV whose directory is about to be archived counts only if
    /// `removal` is `Delete`.
    pub fn find_conflict(
        &self,
        export: &Location,
        directory: &VolumePath,
        volume: &str,
        removal: Option<OnDelete>,
    ) -> Option<&str> {
        let export = self.exports.iter().position(|known| known == export)?;
        let is_deleted = removal == Some(OnDelete::Delete);
        let counts = |(name, is_archived): &(&str, bool)| *name != volume && (is_deleted || !is_archived);
        let mut around = directory.ancestors();
        around.push(directory.clone());
        let at_or_above = around
            .iter()
            .find_map(|place| self.known.volumes_at(export, &place.to_string(), false).find(counts));
        let below = || {
            self.known
                .volumes_at(export, &format!("{directory}/"), true)
                .find(counts)
        };
        at_or_above.or_else(below).map(|(name, _)| name)
    }

    /// The number of a PV's export and its directory; `None` if it is on none of them, or the directory has its default
    /// name.
    fn locate_volume(&self, volume: &PersistentVolume, name: &str) -> Option<(usize, String)> {
        let (server, path) = mounted_export(volume)?;
        self.exports.iter().enumerate().find_map(|(number, export)| {
            let directory = VolumePath::below(&export.path, path.trim_end_matches('/')).ok()?;
            let kept = export.server == server && !is_named_after(&directory, name);
            kept.then(|| (number, directory.to_string()))
        })
    }
}

impl Known {
    fn forget_volume(&mut self, name: &str) {
        if let Some((export, directory)) = self.volumes.remove(name) {
            self.places.remove(&(export, directory, name.to_owned()));
        }
    }

    /// The PVs at `place`, or with `prefix` at all places that begin with it; and whether each is about to be archived.
    fn volumes_at<'a>(
        &'a self,
        export: usize,
        place: &str,
        prefix: bool,
    ) -> impl Iterator<Item = (&'a str, bool)> + use<'a> {
        let place = place.to_owned();
        self.places
            .range((export, place.clone(), String::new())..)
            .take_while(move |((number, directory, _), _)| {
                *number == export && (*directory == place || (prefix && directory.starts_with(&place)))
            })
            .map(|((_, _, name), is_archived)| (name.as_str(), *is_archived))
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

    fn known() -> Neighbours {
        let mut known = Neighbours::new(&[export("/nfsdata"), export("/other")]);
        known.begin_list();
        for (name, path) in [
            ("mypv", "/nfsdata"),
            ("team", "/nfsdata/team/data"),
            ("slash", "/nfsdata/slash/"),
            ("dash", "/nfsdata/team-b"),
            ("elsewhere", "/srv/x"),
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
            ("share", Some("csi")),
            ("share/pvc-1/x", Some("csi")),
            ("share/pvc-2", None),
            ("x", None),
            ("d-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51/x", None),
        ] {
            let directory = VolumePath::parse(directory).unwrap();
            assert_eq!(
                known.find_conflict(&export("/nfsdata"), &directory, "me", None),
                found,
                "{directory}"
            );
        }
        let team = VolumePath::parse("team").unwrap();
        assert_eq!(
            known.find_conflict(&export("/other"), &team, "me", None),
            Some("second")
        );
        assert_eq!(known.find_conflict(&export("/other"), &team, "second", None), None);
        assert_eq!(known.find_conflict(&export("/unknown"), &team, "me", None), None);
    }

    #[test]
    fn a_volume_that_is_gone_or_loses_its_directory_is_no_neighbour() {
        let mut known = known();
        let team = VolumePath::parse("team").unwrap();
        known.record_volume(&volume("team", "/nfsdata/team/data"), Some(OnDelete::Delete));
        assert_eq!(known.find_conflict(&export("/nfsdata"), &team, "me", None), None);
        known.record_volume(&volume("team", "/nfsdata/team/data"), None);
        assert_eq!(
            known.find_conflict(&export("/nfsdata"), &team, "me", None),
            Some("team")
        );
        known.forget_volume("team");
        assert_eq!(known.find_conflict(&export("/nfsdata"), &team, "me", None), None);
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
            let found = known.find_conflict(&export("/nfsdata"), &team, "me", removal);
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
        assert_eq!(
            known.find_conflict(&export("/nfsdata"), &team, "me", None),
            Some("team")
        );
        known.end_list();
        assert_eq!(known.find_conflict(&export("/nfsdata"), &team, "me", None), None);
        let new = VolumePath::parse("new").unwrap();
        assert_eq!(known.find_conflict(&export("/nfsdata"), &new, "me", None), Some("new"));
    }
}
