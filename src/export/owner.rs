//! Whose a directory is: one claim's, and nobody else's.
//!
//! A directory that is named after its PV (`…-pvc-<uid>`) says so itself. For
//! any other, a marker is kept beside the volumes, not in them, since some
//! programs refuse a directory that isn't empty: the marker of `a/b` is the
//! symbolic link `.nfsprov/owners/a/b/@owner`, its target the claim's uid. A
//! link is made with its content in one step that fails if it exists.

use super::{Attributes, Export, ExportError, Kind, PathError, VolumePath};

/// Where the markers are, in the export's root.
pub const REGISTRY: [&str; 2] = [".nfsprov", "owners"];

/// The marker's name in its directory.
const MARK: &str = "@owner";

/// The mode of the registry's directories: no client but root has business there.
pub(super) const MODE: u32 = 0o700;

/// Whether a path is named after the PV `volume` and so needs no marker.
pub fn is_named_after(path: &VolumePath, volume: &str) -> bool {
    let (parents, name) = path.split();
    parents.is_empty() && names_a_volume(volume) && name.ends_with(&format!("-{volume}"))
}

impl Export {
    /// Makes the claim `uid` the owner of `path`. May be repeated.
    ///
    /// # Errors
    /// [`ExportError::Owned`] when the directory, one above it or one below it is another's, or is there and nobody's;
    /// otherwise as [`Export::make`].
    pub async fn own(&self, path: &VolumePath, uid: &str) -> Result<(), ExportError> {
        // A name that ends as a volume's would pass for that volume's own directory.
        let reserved = |name: &String| name == MARK || name == REGISTRY[0] || names_a_volume(name);
        if path.components().iter().any(reserved) {
            return Err(owned(path, "it has a name that nfsprov keeps for itself"));
        }
        let marker = marker(path)?;
        match self.read_link(&marker).await?.as_deref() {
            Some(owner) if owner == uid => {}
            Some(owner) => return Err(owned(path, &format!("it belongs to the claim with uid {owner}"))),
            None => {
                self.neighbours(path).await?;
                if self.has(path).await? {
                    return Err(owned(path, "it is there already, and not made by nfsprov"));
                }
                self.make(&registered(path)?, Attributes::mode(MODE)).await?;
                if !self.link(&marker, uid).await? && self.read_link(&marker).await?.as_deref() != Some(uid) {
                    return Err(owned(path, "another claim took it at the same time"));
                }
            }
        }
        // Two claims for a directory and one inside it may both have found nothing; now both see both.
        match self.neighbours(path).await {
            Err(conflict @ ExportError::Owned { .. }) => {
                self.disown(path, uid).await?;
                Err(conflict)
            }
            free => free,
        }
    }

    /// The uid of the claim that owns `path` by its marker.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn owner(&self, path: &VolumePath) -> Result<Option<String>, ExportError> {
        self.read_link(&marker(path)?).await
    }

    /// Every directory that has a marker, with the uid of the claim that owns it.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn markers(&self) -> Result<Vec<(VolumePath, String)>, ExportError> {
        let mut found = Vec::new();
        let mut folders = vec![joined(&REGISTRY)?];
        while let Some(folder) = folders.pop() {
            for entry in self.list(Some(&folder)).await?.unwrap_or_default() {
                // What has no plain name wasn't made by nfsprov.
                let Ok(path) = VolumePath::child(Some(&folder), &entry.name) else {
                    continue;
                };
                match entry.kind {
                    Kind::Directory => folders.push(path),
                    Kind::Link if entry.name == MARK => {
                        let directory = folder.components()[REGISTRY.len()..].join("/");
                        let owner = self.read_link(&path).await?;
                        found.extend(VolumePath::parse(&directory).ok().zip(owner));
                    }
                    _ => {}
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Sees that no marker is at `path`, above it or below it.
    ///
    /// # Errors
    /// [`ExportError::Owned`] where one is; otherwise as [`Export::make`].
    pub async fn is_unmarked(&self, path: &VolumePath) -> Result<(), ExportError> {
        match self.owner(path).await? {
            Some(owner) => Err(owned(path, &format!("it belongs to the claim with uid {owner}"))),
            None => self.neighbours(path).await,
        }
    }

    /// Sees that no directory above or below is somebody's.
    ///
    /// # Errors
    /// [`ExportError::Owned`] where one is; otherwise as [`Export::make`].
    pub async fn neighbours(&self, path: &VolumePath) -> Result<(), ExportError> {
        for above in path.ancestors() {
            if self.owner(&above).await?.is_some() {
                return Err(owned(path, &format!("{above} above it belongs to another claim")));
            }
        }
        let below = self.names(&registered(path)?).await?;
        match below.iter().find(|name| *name != MARK) {
            Some(name) => Err(owned(path, &format!("{name} in it belongs to another claim"))),
            None => Ok(()),
        }
    }

    /// Removes the marker of a directory if it is still that of the claim `uid`. May be repeated.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn disown(&self, path: &VolumePath, uid: &str) -> Result<(), ExportError> {
        let marker = marker(path)?;
        match self.read_link(&marker).await?.as_deref() {
            Some(owner) if owner == uid => self.unlink(&marker).await?,
            Some(_) => return Ok(()),
            None => {}
        }
        self.prune(path).await
    }

    /// Takes what a [`Export::disown`] or [`Export::own`] that ended early left of the registry, and no marker.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn prune(&self, path: &VolumePath) -> Result<(), ExportError> {
        // Up to the first directory that other markers need.
        for directory in std::iter::once(path.clone()).chain(path.ancestors().into_iter().rev()) {
            if !self.remove_empty(&registered(&directory)?).await? {
                break;
            }
        }
        Ok(())
    }
}

/// Whether a name ends as those of volumes do: `pvc-` and a uid.
pub fn names_a_volume(name: &str) -> bool {
    let Some((_, uid)) = name.rsplit_once("pvc-") else {
        return false;
    };
    let groups: Vec<usize> = uid.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && uid.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

fn registered(path: &VolumePath) -> Result<VolumePath, ExportError> {
    joined(&[&REGISTRY[..], &names(path)].concat())
}

fn marker(path: &VolumePath) -> Result<VolumePath, ExportError> {
    joined(&[&REGISTRY[..], &names(path), &[MARK]].concat())
}

fn names(path: &VolumePath) -> Vec<&str> {
    path.components().iter().map(String::as_str).collect()
}

fn joined(names: &[&str]) -> Result<VolumePath, ExportError> {
    let path = names.join("/");
    VolumePath::parse(&path).map_err(|error: PathError| ExportError::Failed {
        action: "mark",
        path,
        cause: error.to_string(),
    })
}

fn owned(path: &VolumePath, why: &str) -> ExportError {
    ExportError::Owned {
        path: path.to_string(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Location, Mounted};
    use super::*;

    fn export(root: &Path) -> Export {
        let location = Location {
            server: "nfs".into(),
            path: "/nfsdata".into(),
        };
        Export::Mounted(Mounted::new(location, root))
    }

    fn path(text: &str) -> VolumePath {
        VolumePath::parse(text).unwrap()
    }

    #[tokio::test]
    async fn a_directory_has_one_owner() {
        let root = tempfile::tempdir().unwrap();
        let export = export(root.path());
        export.own(&path("team/data"), "one").await.unwrap();
        export.own(&path("team/data"), "one").await.unwrap();
        export.make(&path("team/data"), Attributes::mode(0o777)).await.unwrap();
        export.own(&path("team/data"), "one").await.unwrap();
        export.own(&path("team/other"), "two").await.unwrap();
        for refused in ["team/data", "team", "team/data/inner", "team/data/inner/deep"] {
            let error = export.own(&path(refused), "three").await.unwrap_err();
            assert!(matches!(error, ExportError::Owned { .. }), "{refused}: {error}");
        }
        assert_eq!(export.owner(&path("team/data")).await.unwrap().as_deref(), Some("one"));
        assert_eq!(export.owner(&path("team")).await.unwrap(), None);
        let markers = [("team/data", "one"), ("team/other", "two")];
        let markers = markers.map(|(directory, owner)| (path(directory), owner.to_owned()));
        assert_eq!(export.markers().await.unwrap(), markers);
    }

    #[tokio::test]
    async fn what_is_there_and_nobodys_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let export = export(root.path());
        std::fs::create_dir_all(root.path().join("by-hand/inner")).unwrap();
        let uid = "0b510b51-0b51-0b51-0b51-0b510b510b51";
        for refused in [
            "by-hand".to_owned(),
            "by-hand/inner".to_owned(),
            format!("default-c-pvc-{uid}/inner"),
            format!("team/x-pvc-{uid}"),
            ".nfsprov/owners/x".to_owned(),
            "a/@owner".to_owned(),
        ] {
            let error = export.own(&path(&refused), uid).await.unwrap_err();
            assert!(matches!(error, ExportError::Owned { .. }), "{refused}: {error}");
        }
        export.own(&path("by-hand/new"), uid).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_disowned_leaves_no_trace() {
        let root = tempfile::tempdir().unwrap();
        let export = export(root.path());
        export.own(&path("a/b/c"), "one").await.unwrap();
        export.disown(&path("a/b/c"), "another").await.unwrap();
        assert_eq!(export.owner(&path("a/b/c")).await.unwrap().as_deref(), Some("one"));
        export.disown(&path("a/b/c"), "one").await.unwrap();
        export.disown(&path("a/b/c"), "one").await.unwrap();
        assert!(!root.path().join(".nfsprov/owners/a").exists());
        export.own(&path("a/b"), "two").await.unwrap();
        assert_eq!(export.owner(&path("a/b")).await.unwrap().as_deref(), Some("two"));
    }

    #[tokio::test]
    async fn what_a_kill_left_of_a_marker_holds_no_path_for_good() {
        let root = tempfile::tempdir().unwrap();
        let export = export(root.path());
        // Killed after the marker was removed, or before it was made.
        std::fs::create_dir_all(root.path().join(".nfsprov/owners/a/b")).unwrap();
        export.own(&path("a"), "one").await.unwrap_err();
        export.prune(&path("a/b")).await.unwrap();
        export.own(&path("a"), "one").await.unwrap();
        export.prune(&path("a")).await.unwrap();
        assert_eq!(export.owner(&path("a")).await.unwrap().as_deref(), Some("one"));
    }

    #[test]
    fn a_directory_is_named_after_its_volume_only() {
        let volume = "pvc-0b510b51-0b51-0b51-0b51-0b510b510b51";
        assert!(is_named_after(&path(&format!("default-c-{volume}")), volume));
        for other in [format!("team/c-{volume}"), format!("x{volume}"), "team-data".to_owned()] {
            assert!(!is_named_after(&path(&other), volume), "{other}");
        }
        assert!(!is_named_after(&path("team-data"), "data"));
    }

    #[test]
    fn volumes_names_are_told_from_others() {
        assert!(names_a_volume("default-c-pvc-0b510b51-0b51-0b51-0b51-0b510b510b51"));
        for other in [
            "default",
            "pvc-",
            "pvc-1",
            "my-pvc-data",
            "pvc-0b510b51-0b51-0b51-0b51-0b510b510b5z",
        ] {
            assert!(!names_a_volume(other), "{other}");
        }
    }
}
