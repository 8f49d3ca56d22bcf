//! Which PVs lie where on the exports (PURE), so that no directory is made in, or taken from under, another PV.
//!
//! A directory in the export's root that is named after its PV can't be above or below anything that
//! a claim is given, and the root itself is above everything. Neither is kept, so what is kept is
//! little: volumes with a `pathPattern`, and those made by hand.

use std::collections::{BTreeSet, HashMap};

use k8s_openapi::api::core::v1::PersistentVolume;

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
    /// Number of the export, directory below it, PV.
    places: BTreeSet<(usize, String, String)>,
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
    /// `takes_directory` says that the provisioner deletes or archives the PV's own directory. Only such a PV is no
    /// neighbour: volumes that share a directory and are all deleted must not wait for each other. The data of any other
    /// PV, Released or terminating ones among them, must be kept.
    pub fn note(&mut self, volume: &PersistentVolume, takes_directory: bool) {
        let name = volume.metadata.name.clone().unwrap_or_default();
        let place = if takes_directory {
            None
        } else {
            self.place(volume, &name)
        };
        let known = self.listed.as_mut().unwrap_or(&mut self.known);
        known.forget(&name);
        if let Some((export, directory)) = place {
            known.places.insert((export, directory.clone(), name.clone()));
            known.volumes.insert(name, (export, directory));
        }
    }

    /// A PV is gone.
    pub fn forget(&mut self, name: &str) {
        self.listed.as_mut().unwrap_or(&mut self.known).forget(name);
    }

    /// A PV other than `volume` that lies at `directory` of `export`, above it or below it.
    pub fn of(&self, export: &Location, directory: &VolumePath, volume: &str) -> Option<&str> {
        let export = self.exports.iter().position(|known| known == export)?;
        let other = |name: &&str| *name != volume;
        let mut around = directory.ancestors();
        around.push(directory.clone());
        let at_or_above = around
            .iter()
            .find_map(|place| self.known.within(export, &place.to_string(), false).find(other));
        at_or_above.or_else(|| self.known.within(export, &format!("{directory}/"), true).find(other))
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

    /// The PVs at `place`, or at all places that begin with it.
    fn within<'a>(&'a self, export: usize, place: &str, prefix: bool) -> impl Iterator<Item = &'a str> + use<'a> {
        let place = place.to_owned();
        self.places
            .range((export, place.clone(), String::new())..)
            .take_while(move |(number, directory, _)| {
                *number == export && (*directory == place || (prefix && directory.starts_with(&place)))
            })
            .map(|(_, _, name)| name.as_str())
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
            known.note(&volume(name, path), false);
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
            assert_eq!(known.of(&export("/nfsdata"), &directory, "me"), found, "{directory}");
        }
        let team = VolumePath::parse("team").unwrap();
        assert_eq!(known.of(&export("/other"), &team, "me"), Some("second"));
        assert_eq!(known.of(&export("/other"), &team, "second"), None);
        assert_eq!(known.of(&export("/unknown"), &team, "me"), None);
    }

    #[test]
    fn a_volume_that_is_gone_or_loses_its_directory_is_no_neighbour() {
        let mut known = known();
        let team = VolumePath::parse("team").unwrap();
        known.note(&volume("team", "/nfsdata/team/data"), true);
        assert_eq!(known.of(&export("/nfsdata"), &team, "me"), None);
        known.note(&volume("team", "/nfsdata/team/data"), false);
        assert_eq!(known.of(&export("/nfsdata"), &team, "me"), Some("team"));
        known.forget("team");
        assert_eq!(known.of(&export("/nfsdata"), &team, "me"), None);
    }

    #[test]
    fn a_new_list_replaces_what_was_known_when_it_is_complete() {
        let mut known = known();
        let team = VolumePath::parse("team").unwrap();
        known.begin_list();
        known.note(&volume("new", "/nfsdata/new"), false);
        assert_eq!(known.of(&export("/nfsdata"), &team, "me"), Some("team"));
        known.end_list();
        assert_eq!(known.of(&export("/nfsdata"), &team, "me"), None);
        let new = VolumePath::parse("new").unwrap();
        assert_eq!(known.of(&export("/nfsdata"), &new, "me"), Some("new"));
    }
}
