//! Removes from an export what earlier versions wrote there.

use std::collections::HashSet;

use super::owner::NFSPROV_DIRECTORY;
use super::{Export, ExportError, VolumePath};

impl Export {
    /// Removes the records of directories in progress, the links `.nfsprov/making/<PV>`, of the classes with these
    /// uids; the directories stay. The records of other classes may be another cluster's. Removes their folder if it is
    /// empty then.
    ///
    /// # Errors
    /// When the records can't be listed or the empty folder can't be removed. A record that can't be removed stays.
    pub async fn remove_progress_records(&self, class_uids: &HashSet<String>) -> Result<(), ExportError> {
        let Ok(folder) = VolumePath::parse(&format!("{NFSPROV_DIRECTORY}/making")) else {
            return Ok(());
        };
        let Some(entries) = self.list_directory(Some(&folder)).await? else {
            return Ok(());
        };
        for entry in entries {
            let Ok(record) = VolumePath::child(Some(&folder), &entry.name) else {
                continue;
            };
            let target = self.read_link(&record).await.ok().flatten().unwrap_or_default();
            // `<class uid>/<namespace>/<claim>/<directory>`
            if target
                .split_once('/')
                .is_some_and(|(class_uid, _)| class_uids.contains(class_uid))
            {
                _ = self.remove_link_or_file(&record).await;
            }
        }
        self.remove_empty_directory(&folder).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::tests::mounted_export;
    use super::*;

    #[tokio::test]
    async fn only_records_of_the_classes_served_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let export = mounted_export(root.path());
        let served = HashSet::from(["ours".to_owned()]);
        export.remove_progress_records(&served).await.unwrap();
        assert!(!root.path().join(".nfsprov").exists());
        let folder = root.path().join(".nfsprov/making");
        std::fs::create_dir_all(folder.join("a-directory")).unwrap();
        for (record, target) in [
            ("pvc-1", "ours/d/c/d-c-pvc-1"),
            ("pvc-2", "theirs/d/c/d-c-pvc-2"),
            ("pvc-3", "ours"),
        ] {
            symlink(target, folder.join(record)).unwrap();
        }
        std::fs::create_dir(root.path().join("d-c-pvc-1")).unwrap();
        export.remove_progress_records(&served).await.unwrap();
        let is_there = |name: &str| folder.join(name).symlink_metadata().is_ok();
        assert_eq!(["pvc-1", "pvc-2", "pvc-3"].map(is_there), [false, true, true]);
        assert!(root.path().join("d-c-pvc-1").exists());
        // Nothing else is in the folder: it goes, too.
        for record in ["pvc-2", "pvc-3"] {
            std::fs::remove_file(folder.join(record)).unwrap();
        }
        std::fs::remove_dir(folder.join("a-directory")).unwrap();
        export.remove_progress_records(&served).await.unwrap();
        assert!(!folder.exists());
    }
}
