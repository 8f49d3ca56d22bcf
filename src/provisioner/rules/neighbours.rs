//! Which PVs lie where on the exports (PURE), so that no directory is made in, or taken from under, another PV.
//!
//! A directory in the export's root that is named after its PV can't be above or below anything that
//! a claim is given, and the root itself is above everything. Neither is kept, so what is kept is
//! little: volumes with a `pathPattern`, and those made by hand.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::PersistentVolume;

use super::class::OnDelete;
use crate::export::{Location, VolumePath, is_named_after};

/// The PVs on some exports whose directories must be kept, by directory.
#[derive(Debug)]
pub struct Neighbours {
    exports: Vec<Location>,
    known: Known,
    /// What a list that is being read has brought so far.
    listed: Option<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// Number of the export, directory below it, PV; and whether the directory is about to be archived.
    places: BTreeMap<(usize, String, String), bool>,
    /// The place of each PV.
    volumes: HashMap<String, (usize, String)>,
}

impl Neighbours {
    /// Knows nothing yet of these exports.
    pub fn new(exports: &[Location]) -> Self {
        Self {
            exports: exports.to_vec(),
            known: Known::default(),
            listed: None,
        }
    }

    /// A list begins that will replace what is known.
    pub fn begin_list(&mut self) {
        self.listed = Some(Known::default());
    }

    /// The list is complete.
    pub fn end_list(&mut self) {
        if let Some(listed) = self.listed.take() {
            self.known = listed;
        }
    }

    /// Records a PV as it is now.
    ///
    /// `removal` says how the provisioner takes the PV's own directory, if it does. Volumes that share a directory and
    /// are all deleted must not wait for each other: a PV whose directory is deleted is no neighbour, and one whose
    /// directory is archived is a neighbour only for a PV whose directory is deleted, which waits for the archive. The
    /// data of any other PV, Released or terminating ones among them, must be kept.
    pub fn note(&mut self, volume: &PersistentVolume, removal: Option<OnDelete>) {
        let name = volume.metadata.name.clone().unwrap_or_default();
        let place = match removal {
            Some(OnDelete::Delete) => None,
            _ => self.place(volume, &name),
        };
        let is_archived = removal == Some(OnDelete::Archive);
        let known = self.listed.as_mut().unwrap_or(&mut self.known);
        known.forget(&name);
        if let Some((export, directory)) = place {
            known
                .places
                .insert((export, directory.clone(), name.clone()), is_archived);
            known.volumes.insert(name, (export, directory));
        }
    }

    /// A PV is gone.
    pub fn forget(&mut self, name: &str) {
        self.listed.as_mut().unwrap_or(&mut self.known).forget(name);
    }

    /// A PV other than `volume` that lies at `directory` of `export`, above it or below it; `removal` says how `directory`
    /// is to be taken, if it is.
    pub fn of(
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
            .find_map(|place| self.known.within(export, &place.to_string(), false).find(counts));
        let below = || self.known.within(export, &format!("{directory}/"), true).find(counts);
        at_or_above.or_else(below).map(|(name, _)| name)
    }

    fn place(&self, volume: &PersistentVolume, name: &str) -> Option<(usize, String)> {
        let nfs = volume.spec.as_ref()?.nfs.as_ref()?;
        self.exports.iter().enumerate().find_map(|(number, export)| {
            let directory = VolumePath::below(&export.path, nfs.path.trim_end_matches('/')).ok()?;
            let kept = export.server == nfs.server && !is_named_after(&directory, name);
            kept.then(|| (number, directory.to_string()))
        })
    }
}

impl Known {
    fn forget(&mut self, name: &str) {
        if let Some((export, directory)) = self.volumes.remove(name) {
            self.places.remove(&(export, directory, name.to_owned()));
        }
    }

    /// The PVs at `place`, or at all places that begin with it; and whether the directory of each is about to be archived.
    fn within<'a>(
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
            known.note(&volume(name, path), None);
        }
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
            ("x", None),
            ("d-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51/x", None),
        ] {
            let directory = VolumePath::parse(directory).unwrap();
            assert_eq!(
                known.of(&export("/nfsdata"), &directory, "me", None),
                found,
                "{directory}"
            );
        }
        let team = VolumePath::parse("team").unwrap();
        assert_eq!(known.of(&export("/other"), &team, "me", None), Some("second"));
        assert_eq!(known.of(&export("/other"), &team, "second", None), None);
        assert_eq!(known.of(&export("/unknown"), &team, "me", None), None);
    }

    #[test]
    fn a_volume_that_is_gone_or_loses_its_directory_is_no_neighbour() {
        let mut known = known();
        let team = VolumePath::parse("team").unwrap();
        known.note(&volume("team", "/nfsdata/team/data"), Some(OnDelete::Delete));
        assert_eq!(known.of(&export("/nfsdata"), &team, "me", None), None);
        known.note(&volume("team", "/nfsdata/team/data"), None);
        assert_eq!(known.of(&export("/nfsdata"), &team, "me", None), Some("team"));
        known.forget("team");
        assert_eq!(known.of(&export("/nfsdata"), &team, "me", None), None);
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
            known.note(&volume("team", "/nfsdata/team/data"), neighbour_removal);
            let found = known.of(&export("/nfsdata"), &team, "me", removal);
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
        known.note(&volume("new", "/nfsdata/new"), None);
        assert_eq!(known.of(&export("/nfsdata"), &team, "me", None), Some("team"));
        known.end_list();
        assert_eq!(known.of(&export("/nfsdata"), &team, "me", None), None);
        let new = VolumePath::parse("new").unwrap();
        assert_eq!(known.of(&export("/nfsdata"), &new, "me", None), Some("new"));
    }
}
