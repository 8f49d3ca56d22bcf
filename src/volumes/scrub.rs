//! Empties the directory of one PV, and refuses if another PV uses the same directory. The main type is [`Scrub`]. Asks
//! nothing, and changes no PV.

use k8s_openapi::api::core::v1::PersistentVolume;

use super::place::{ExportDirectory, overlapping_volumes, volume_name};
use crate::export::{
    Entry, Export, ExportError, Kind, NFSPROV_DIRECTORY, ServerNames, VolumePath, is_server_entry, never_interrupt,
};

/// The number of entries that are named when a directory is described.
const MAX_NAMED: usize = 8;

#[derive(Debug, thiserror::Error)]
pub enum ScrubError {
    /// The directory is not the PV's alone, or does not exist.
    #[error("{0}; nothing was removed")]
    Refused(String),
    #[error(transparent)]
    Export(#[from] ExportError),
    /// Entries that no request can name stay.
    #[error("{path} still has {left}; NFS requests can't contain their names: remove them on the server")]
    Left {
        path: String,
        /// The number of entries, such as `2 entries`.
        left: String,
    },
}

/// A PV's directory that is safe to empty.
#[derive(Debug)]
pub struct Scrub<'a> {
    export: &'a Export,
    place: ExportDirectory,
    /// The entries that are removed.
    entries: Vec<Entry>,
    /// Whether the directory has snapshots or the like, which stay.
    keeps_system_directories: bool,
}

impl<'a> Scrub<'a> {
    /// Checks that no other of `all` PVs of the cluster and no other owner's marker claims `place`, which must be the
    /// directory of `volume`, and lists its entries except the server's own, which stay. Resolves the servers' names: a
    /// PV whose server may be the same counts. Removes nothing.
    ///
    /// # Errors
    /// [`ScrubError`] that names the other owner, or the directory that can't be read or doesn't exist.
    pub async fn prepare(
        volume: &PersistentVolume,
        all: &[PersistentVolume],
        place: ExportDirectory,
        export: &'a Export,
    ) -> Result<Self, ScrubError> {
        let refuse = |why: String| Err(ScrubError::Refused(why));
        let others = overlapping_volumes(volume, all);
        let servers = ServerNames::known([place.location.server.as_str()]);
        let servers = servers.compare(others.iter().map(|(_, server)| server.clone())).await;
        if let Some((other, _)) = others.iter().find(|(_, server)| servers.may_be(server)) {
            return refuse(format!(
                "pv/{other} lies at, above or below {}, the directory of pv/{}",
                mounted_path(&place),
                volume_name(volume)
            ));
        }
        match &place.directory {
            None => {
                if let Some((directory, _)) = export.list_markers().await?.first() {
                    return refuse(format!(
                        "{} is the root of an export with volumes of nfsprov, such as {directory}",
                        mounted_path(&place)
                    ));
                }
            }
            Some(directory) if directory.components()[0] == NFSPROV_DIRECTORY => {
                return refuse(format!("{} is where nfsprov keeps its markers", mounted_path(&place)));
            }
            Some(directory) => {
                export.check_no_marker_around(directory).await?;
                if let Some(owner) = export
                    .read_owner(directory)
                    .await?
                    .filter(|owner| !belongs_to_volume(volume, &owner.uid))
                {
                    return refuse(format!("{} belongs to {owner}", mounted_path(&place)));
                }
            }
        }
        match export.list_directory(place.directory.as_ref()).await? {
            Some(mut entries) => {
                let found = entries.len();
                entries.retain(|entry| !is_server_entry(&entry.name));
                let keeps_system_directories = entries.len() < found;
                let nameless = |entry: &&Entry| VolumePath::child(place.directory.as_ref(), &entry.name).is_err();
                if let Some(entry) = entries.iter().find(nameless).filter(|_| keeps_system_directories) {
                    return refuse(format!(
                        "{} has the server's own directories, and {:?}, whose name NFS requests can't contain",
                        mounted_path(&place),
                        entry.name
                    ));
                }
                Ok(Self {
                    export,
                    place,
                    entries,
                    keeps_system_directories,
                })
            }
            None => refuse(format!(
                "{} isn't on the export, so no pod can use pv/{}; create the directory, or delete the PV",
                mounted_path(&place),
                volume_name(volume)
            )),
        }
    }

    /// Summarizes the entries to remove; `None` if there are none. The names in it are not escaped.
    pub fn describe_entries(&self) -> Option<String> {
        if self.entries.is_empty() {
            return None;
        }
        let mut names: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        let rest = names.len().saturating_sub(MAX_NAMED);
        names.truncate(MAX_NAMED);
        let more = if rest > 0 {
            format!(" and {rest} more")
        } else {
            String::new()
        };
        let root = match self.place.directory {
            None => ", the root of the export",
            Some(_) => "",
        };
        let (count, names) = (count_entries(self.entries.len()), names.join(", "));
        Some(format!("{count} of {}{root}: {names}{more}", mounted_path(&self.place)))
    }

    /// Removes all that is in the directory now, and verifies that it is empty; only the server's own directories stay.
    /// If there are some, only the entries that were listed are removed.
    ///
    /// # Errors
    /// When entries could not be removed; the next run continues. [`ScrubError::Left`] when some are left in spite of
    /// it.
    pub async fn run(self) -> Result<(), ScrubError> {
        let directory = self.place.directory.as_ref();
        match self.keeps_system_directories {
            true => self.remove_each().await?,
            false => self.export.empty_directory(directory).await?,
        }
        let mut left = self.export.list_directory(directory).await?.unwrap_or_default();
        left.retain(|entry| !is_server_entry(&entry.name));
        match left.len() {
            0 => Ok(()),
            left => Err(ScrubError::Left {
                path: mounted_path(&self.place),
                left: count_entries(left),
            }),
        }
    }
}

impl Scrub<'_> {
    /// Removes the entries that were listed when the scrub was prepared, one by one: the server's own directories and
    /// later entries stay. Ends at the first that fails.
    async fn remove_each(&self) -> Result<(), ExportError> {
        for entry in &self.entries {
            // A name that leads nowhere was refused before.
            let Ok(path) = VolumePath::child(self.place.directory.as_ref(), &entry.name) else {
                continue;
            };
            match entry.kind {
                Kind::Directory => _ = self.export.remove_directory(&path, &never_interrupt()).await?,
                _ => self.export.remove_link_or_file(&path).await?,
            }
        }
        Ok(())
    }
}

fn count_entries(count: usize) -> String {
    match count {
        1 => "1 entry".to_owned(),
        count => format!("{count} entries"),
    }
}

/// `SERVER:/PATH`, as PVs name the directory.
fn mounted_path(place: &ExportDirectory) -> String {
    let mut location = place.location.clone();
    if let Some(directory) = &place.directory {
        location.path = directory.under(&location.path);
    }
    location.to_string()
}

/// Whether `uid`, of an owner marker, is that of the claim that the PV was provisioned or restored for.
fn belongs_to_volume(volume: &PersistentVolume, uid: &str) -> bool {
    let claim = volume
        .spec
        .as_ref()
        .and_then(|spec| spec.claim_ref.as_ref()?.uid.as_deref());
    volume_name(volume).strip_prefix("pvc-") == Some(uid) || claim == Some(uid)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::export::{Attributes, Location, Mounted, Owner, VolumePath};
    use crate::volumes::place::directory_on;

    const UID: &str = "0b510b51-0b51-0b51-0b51-0b510b510b51";

    fn export(root: &Path) -> (Location, Export) {
        let location = Location {
            server: "127.0.0.1".into(),
            path: "/nfsdata".into(),
        };
        (location.clone(), Export::Mounted(Mounted::new(location, root)))
    }

    fn volume(name: &str, server: &str, path: &str) -> PersistentVolume {
        serde_json::from_value(json!({
            "metadata": {"name": name}, "spec": {"nfs": {"server": server, "path": path}},
        }))
        .unwrap()
    }

    /// What would be removed for the first of the volumes, or why not.
    async fn prepared(root: &Path, volumes: &[PersistentVolume]) -> Result<Option<String>, String> {
        let (location, export) = export(root);
        let place = directory_on(&volumes[0], &location)?;
        let scrub = Scrub::prepare(&volumes[0], volumes, place, &export).await;
        scrub
            .map(|scrub| scrub.describe_entries())
            .map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn only_a_directory_of_the_volumes_own_is_emptied() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["mine/a", "mine/b", "empty", "team/one/x", "team/two"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        let mine = volume("mypv", "127.0.0.1", "/nfsdata/mine");
        let beside = |server: &str, path: &str| [mine.clone(), volume("other", server, path)];
        for (server, path, free) in [
            ("127.0.0.1", "/nfsdata/mine-too", true),
            ("127.0.0.1", "/nfsdata/mine", false),
            ("localhost", "/nfsdata/mine/", false),
            ("127.0.0.1", "/nfsdata", false),
            ("127.0.0.1", "/", false),
            ("127.0.0.1", "/nfsdata/mine/deep", false),
            ("127.0.0.2", "/nfsdata/mine", true),
            ("no-such-host.invalid", "/nfsdata/mine", false),
        ] {
            let found = prepared(root.path(), &beside(server, path)).await;
            assert_eq!(found.is_ok(), free, "{server}:{path} {found:?}");
        }
        // A volume of csi-driver-nfs, whose directory is below its share.
        for (share, subdir, free) in [
            ("/nfsdata/mine", "a", false),
            ("/nfsdata", "mine", false),
            ("/nfsdata", "a", true),
        ] {
            let attributes = json!({"server": "127.0.0.1", "share": share, "subdir": subdir});
            let csi = json!({"driver": "nfs.csi.k8s.io", "volumeHandle": "h", "volumeAttributes": attributes});
            let other = json!({"metadata": {"name": "other"}, "spec": {"csi": csi}});
            let volumes = [mine.clone(), serde_json::from_value(other).unwrap()];
            let found = prepared(root.path(), &volumes).await;
            assert_eq!(found.is_ok(), free, "{share} {subdir} {found:?}");
        }
        let what = prepared(root.path(), &[mine]).await.unwrap().unwrap();
        assert_eq!(what, "2 entries of 127.0.0.1:/nfsdata/mine: a, b");
        let empty = volume("empty", "127.0.0.1", "/nfsdata/empty");
        assert_eq!(prepared(root.path(), &[empty]).await, Ok(None));
        let missing = volume("gone", "127.0.0.1", "/nfsdata/gone");
        assert!(
            prepared(root.path(), &[missing])
                .await
                .unwrap_err()
                .contains("isn't on the export")
        );
    }

    #[tokio::test]
    async fn the_servers_own_directories_stay() {
        let root = tempfile::tempdir().unwrap();
        for directory in [".snapshot/hourly", "@eaDir", "data/deep"] {
            fs::create_dir_all(root.path().join("mine").join(directory)).unwrap();
        }
        fs::write(root.path().join("mine/file"), "").unwrap();
        let mine = volume("mypv", "127.0.0.1", "/nfsdata/mine");
        let (location, export) = export(root.path());
        let prepare = async || Scrub::prepare(&mine, &[], directory_on(&mine, &location).unwrap(), &export).await;
        let hostile = root.path().join("mine/a\nb");
        fs::write(&hostile, "").unwrap();
        let refused = prepare().await.unwrap_err().to_string();
        assert!(refused.contains("nothing was removed"), "{refused}");
        assert!(root.path().join("mine/data/deep").exists());
        fs::remove_file(hostile).unwrap();
        let scrub = prepare().await.unwrap();
        assert!(
            scrub.describe_entries().unwrap().starts_with("2 entries"),
            "{:?}",
            scrub.describe_entries()
        );
        scrub.run().await.unwrap();
        let mut left: Vec<_> = fs::read_dir(root.path().join("mine"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [".snapshot", "@eaDir"]);
        assert!(root.path().join("mine/.snapshot/hourly").exists());
        assert_eq!(prepare().await.unwrap().describe_entries(), None);
    }

    #[tokio::test]
    async fn markers_of_others_are_heeded() {
        let root = tempfile::tempdir().unwrap();
        let (_, export) = export(root.path());
        let path = |text: &str| VolumePath::parse(text).unwrap();
        for (directory, uid) in [("team/mine", UID), ("team/theirs", "another")] {
            export
                .write_owner_marker(&path(directory), &Owner::with_uid(uid))
                .await
                .unwrap();
            export
                .create_directory(&path(directory), Attributes::with_mode(0o777))
                .await
                .unwrap();
            fs::create_dir_all(root.path().join(directory).join("deep")).unwrap();
        }
        let made = format!("pvc-{UID}");
        for (name, directory, free) in [
            (made.as_str(), "/team/mine", true),
            ("mypv", "/team/mine", false),
            (made.as_str(), "/team/theirs", false),
            (made.as_str(), "/team", false),
            (made.as_str(), "/team/mine/deep", false),
            ("mypv", "", false),
            ("mypv", "/.nfsprov", false),
        ] {
            let volume = volume(name, "127.0.0.1", &format!("/nfsdata{directory}"));
            let found = prepared(root.path(), &[volume]).await;
            assert_eq!(found.is_ok(), free, "{name} {directory} {found:?}");
        }
    }

    #[tokio::test]
    async fn the_root_is_emptied_where_it_is_all_that_a_volume_has() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..12 {
            fs::write(root.path().join(format!("file-{number:02}")), "data").unwrap();
        }
        let mypv = volume("mypv", "127.0.0.1", "/nfsdata");
        let what = prepared(root.path(), std::slice::from_ref(&mypv))
            .await
            .unwrap()
            .unwrap();
        assert!(
            what.starts_with("12 entries of 127.0.0.1:/nfsdata, the root of the export: file-00, ")
                && what.ends_with("file-07 and 4 more"),
            "{what}"
        );
        let (location, export) = export(root.path());
        let place = directory_on(&mypv, &location).unwrap();
        let scrub = Scrub::prepare(&mypv, &[], place, &export).await.unwrap();
        scrub.run().await.unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
