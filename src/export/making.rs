//! What is being made, written down on the export, so that a provisioner that was killed leaves nothing behind.
//!
//! Before a directory is made for the PV `pvc-…`, the symbolic link `.nfsprov/making/pvc-…` is; some
//! time after the PV is there, it is removed. If the claim goes before that, the link tells a later run which
//! directory to take away. Its target is `<uid of the class>/<namespace>/<claim>/<directory>`: other
//! clusters may use the same export, and only in the claim's own is it known what became of the claim.

use super::owner::{MODE, REGISTRY};
use super::{Attributes, Export, ExportError, PathError, VolumePath};

/// Where that is written down, in the export's root.
pub(super) const MAKING: [&str; 2] = [REGISTRY[0], "making"];

/// A directory that is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Making {
    /// The PV that it is for; its name holds the claim's uid.
    pub volume: String,
    /// The uid of the claim's class, which no other cluster has.
    pub class: String,
    /// The claim's namespace.
    pub namespace: String,
    /// The claim's name.
    pub claim: String,
    /// The directory.
    pub directory: VolumePath,
}

impl Making {
    fn target(&self) -> String {
        format!("{}/{}/{}/{}", self.class, self.namespace, self.claim, self.directory)
    }

    fn read(volume: &str, target: &str) -> Option<Self> {
        let (class, rest) = target.split_once('/')?;
        let (namespace, rest) = rest.split_once('/')?;
        let (claim, directory) = rest.split_once('/')?;
        Some(Self {
            volume: volume.to_owned(),
            class: class.to_owned(),
            namespace: namespace.to_owned(),
            claim: claim.to_owned(),
            directory: VolumePath::parse(directory).ok()?,
        })
    }
}

impl Export {
    /// Writes down that a directory is about to be made. May be repeated.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn begin(&self, making: &Making) -> Result<(), ExportError> {
        let (link, target) = (place(&making.volume)?, making.target());
        let begun = match self.link(&link, &target).await {
            // The first time, the directory for it isn't there.
            Err(ExportError::Failed { .. }) => {
                self.make(&folder()?, Attributes::mode(MODE)).await?;
                self.link(&link, &target).await?
            }
            begun => begun?,
        };
        // Another class, and so another directory, may have been tried before.
        if !begun && self.read_link(&link).await?.as_deref() != Some(&target) {
            self.unlink(&link).await?;
            self.link(&link, &target).await?;
        }
        Ok(())
    }

    /// The PV `volume` is there, or its directory is gone or stays. May be repeated.
    ///
    /// Whoever deals with a PV calls it, too: a kill right after the PV was made left it written down, and what stays
    /// would be taken for half made.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn end(&self, volume: &str) -> Result<(), ExportError> {
        self.unlink(&place(volume)?).await
    }

    /// Whether this is still written down.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn is_begun(&self, making: &Making) -> Result<bool, ExportError> {
        let target = self.read_link(&place(&making.volume)?).await?;
        Ok(target.as_deref() == Some(&making.target()))
    }

    /// What was begun and has not ended.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn unfinished(&self) -> Result<Vec<Making>, ExportError> {
        let mut found = Vec::new();
        for volume in self.names(&folder()?).await? {
            // What has no plain name wasn't made by nfsprov.
            let Ok(link) = place(&volume) else {
                continue;
            };
            let target = self.read_link(&link).await?;
            found.extend(target.and_then(|target| Making::read(&volume, &target)));
        }
        Ok(found)
    }

    /// Takes away a directory that no PV came to need, and its marker if it is `uid`'s; false if something is in it.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn give_up(&self, directory: &VolumePath, uid: &str) -> Result<bool, ExportError> {
        let marked = self.owner(directory).await?;
        // Without a marker of its own, only a directory that is named after the volume can be the claim's.
        let own = match &marked {
            Some(owner) => owner == uid,
            None => super::is_named_after(directory, &format!("pvc-{uid}")),
        };
        if own && !self.remove_empty(directory).await? {
            return Ok(false);
        }
        match marked {
            Some(_) if own => self.disown(directory, uid).await?,
            // Killed before the marker was made, or after it was taken.
            None => self.prune(directory).await?,
            Some(_) => {}
        }
        Ok(true)
    }
}

fn folder() -> Result<VolumePath, ExportError> {
    parsed(MAKING.join("/"))
}

fn place(volume: &str) -> Result<VolumePath, ExportError> {
    parsed(format!("{}/{volume}", MAKING.join("/")))
}

fn parsed(path: String) -> Result<VolumePath, ExportError> {
    VolumePath::parse(&path).map_err(|error: PathError| ExportError::Failed {
        action: "use",
        path,
        cause: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Location, Mounted};
    use super::*;

    const UID: &str = "0b510b51-0b51-0b51-0b51-0b510b510b51";

    fn export(root: &std::path::Path) -> Export {
        let location = Location {
            server: "nfs".into(),
            path: "/nfsdata".into(),
        };
        Export::Mounted(Mounted::new(location, root))
    }

    fn making(directory: &str) -> Making {
        Making {
            volume: format!("pvc-{UID}"),
            class: "c1a5".into(),
            namespace: "default".into(),
            claim: "www-web-0".into(),
            directory: VolumePath::parse(directory).unwrap(),
        }
    }

    #[tokio::test]
    async fn what_was_begun_is_found_until_it_ends() {
        let root = tempfile::tempdir().unwrap();
        let export = export(root.path());
        assert_eq!(export.unfinished().await.unwrap(), []);
        for directory in ["team/data", "team/data", "team/other"] {
            export.begin(&making(directory)).await.unwrap();
            assert_eq!(export.unfinished().await.unwrap(), [making(directory)]);
            assert!(export.is_begun(&making(directory)).await.unwrap());
        }
        assert!(!export.is_begun(&making("team/data")).await.unwrap());
        for _ in 0..2 {
            export.end(&making("team/other").volume).await.unwrap();
            assert_eq!(export.unfinished().await.unwrap(), []);
        }
    }

    #[tokio::test]
    async fn only_an_empty_directory_of_the_claims_own_is_given_up() {
        let root = tempfile::tempdir().unwrap();
        let export = export(root.path());
        let path = |text: &str| VolumePath::parse(text).unwrap();
        let named = format!("default-c-pvc-{UID}");
        for directory in [named.as_str(), "theirs", "by-hand"] {
            std::fs::create_dir(root.path().join(directory)).unwrap();
        }
        std::fs::remove_dir(root.path().join("theirs")).unwrap();
        for (directory, owner) in [("mine", UID), ("full", UID), ("theirs", "another")] {
            export.own(&path(directory), owner).await.unwrap();
            std::fs::create_dir(root.path().join(directory)).unwrap();
        }
        std::fs::write(root.path().join("full/file"), "data").unwrap();
        for (directory, gone, stays) in [
            (named.as_str(), true, false),
            ("mine", true, false),
            ("full", false, true),
            ("theirs", true, true),
            ("by-hand", true, true),
            ("never-made", true, false),
        ] {
            assert_eq!(
                export.give_up(&path(directory), UID).await.unwrap(),
                gone,
                "{directory}"
            );
            assert_eq!(root.path().join(directory).exists(), stays, "{directory}");
        }
        assert_eq!(export.owner(&path("mine")).await.unwrap(), None);
        assert_eq!(export.owner(&path("theirs")).await.unwrap().as_deref(), Some("another"));
    }
}
