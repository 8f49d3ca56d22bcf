// What must hold for any class and claim; the fuzz target and the property test share it.

use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use nfsprov::export::{Attributes, Export, Location, Mounted, Owner, VolumePath, never_interrupt};
use nfsprov::provisioner::{pattern, volume};
use serde_json::json;
use tokio::runtime::Runtime;

/// An export with files outside it that must not change, and with links on it that lead to them.
pub struct GuardedExport {
    folder: tempfile::TempDir,
    export: Export,
    runtime: Runtime,
}

/// The texts of a claim and its class.
#[derive(Debug)]
pub struct Words<'a> {
    pub pattern: &'a str,
    pub namespace: &'a str,
    pub name: &'a str,
    pub label: &'a str,
    pub annotation: &'a str,
}

const UID: &str = "0b510b51-0b51-0b51-0b51-0b510b510b51";

impl GuardedExport {
    pub fn new() -> std::io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (root, precious) = (folder.path().join("export"), folder.path().join("precious"));
        fs::create_dir(&root)?;
        fs::create_dir_all(precious.join("deep"))?;
        fs::write(precious.join("deep/file"), "kept")?;
        for (link, target) in [("link", "../precious"), ("up", ".."), ("here", ".")] {
            std::os::unix::fs::symlink(target, root.join(link))?;
        }
        let location = Location {
            server: "nfs".into(),
            path: "/export".into(),
        };
        let export = Export::Mounted(Mounted::new(location, &root));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self {
            folder,
            export,
            runtime,
        })
    }

    /// A claim gets a directory inside the export, or none. The directory is created, archived or removed, and nothing
    /// else changes.
    ///
    /// # Panics
    /// If that does not hold.
    pub fn check_claim(&self, words: &Words<'_>) {
        self.check_claim_while(words, || {});
    }

    /// Like [`GuardedExport::check_claim`], while `meanwhile` runs.
    ///
    /// # Panics
    /// Like [`GuardedExport::check_claim`].
    pub fn check_claim_while(&self, words: &Words<'_>, meanwhile: impl FnOnce()) {
        let claim: PersistentVolumeClaim = serde_json::from_value(json!({"metadata": {
            "name": words.name, "namespace": words.namespace,
            "labels": {"a": words.label}, "annotations": {"b/c": words.annotation},
        }}))
        .expect("a claim");
        let Ok(directory) = pattern::render_directory(words.pattern, &claim) else {
            return;
        };
        let full = directory.under("/export");
        assert!(full.starts_with("/export/"), "{full:?}");
        let plain = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0') && name.len() <= 255;
        assert!(full["/export/".len()..].split('/').all(plain), "{full:?}");
        assert_eq!(VolumePath::below("/export", &full).as_ref(), Ok(&directory));
        let archive = volume::archive_path(&directory, &format!("pvc-{UID}"));
        if let Ok(archive) = &archive {
            let name = archive.to_string();
            assert!(name.starts_with("archived-") && !name.contains('/'), "{name:?}");
        }

        let before = self.outside();
        self.runtime.block_on(async {
            let export = &self.export;
            if export
                .write_owner_marker(&directory, &Owner::with_uid(UID))
                .await
                .is_ok()
            {
                if export
                    .create_directory(&directory, Attributes::with_mode(0o777))
                    .await
                    .is_ok()
                {
                    _ = match &archive {
                        Ok(archive) if words.label.len().is_multiple_of(2) => {
                            export.rename_directory(&directory, archive).await
                        }
                        _ => export.remove_directory(&directory, &never_interrupt()).await,
                    };
                    if let Ok(archive) = &archive {
                        _ = export.remove_directory(archive, &never_interrupt()).await;
                    }
                }
                _ = export.remove_owner_marker(&directory, UID).await;
            }
        });
        meanwhile();
        assert_eq!(self.outside(), before, "{words:?} changed what is outside the export");
        assert!(self.folder.path().join("export/link").is_symlink(), "{words:?}");
    }

    /// Writes a file outside the export.
    #[allow(dead_code, reason = "the test of this check needs it, the fuzz target does not")]
    pub fn spoil(&self) {
        fs::write(self.folder.path().join("precious/left"), "").expect("a file");
    }

    /// Everything outside the export, and the export's root itself.
    fn outside(&self) -> Vec<(PathBuf, u32, u64)> {
        use std::os::unix::fs::MetadataExt;
        let state = |path: &Path| {
            let found = fs::symlink_metadata(path).expect("the path exists");
            (path.to_owned(), found.mode(), found.ino())
        };
        let mut found: Vec<_> = ["export", "precious", "precious/deep", "precious/deep/file"]
            .iter()
            .map(|name| state(&self.folder.path().join(name)))
            .collect();
        for folder in [self.folder.path().to_owned(), self.folder.path().join("precious")] {
            let mut entries: Vec<_> = fs::read_dir(folder)
                .expect("a folder")
                .map(|entry| state(&entry.expect("an entry").path()))
                .collect();
            entries.sort();
            found.extend(entries);
        }
        found
    }
}
