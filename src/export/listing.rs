//! The entries of a directory ([`Entry`]), and the size of a directory tree. It follows no links.

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::{Export, ExportError, VolumePath};

/// How many directories are read concurrently while a tree is measured.
const AT_ONCE: usize = 16;

/// The type of a directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Directory,
    Link,
    /// A file, or anything else.
    Other,
}

impl Kind {
    /// By the type bits of `st_mode`; every other type is [`Kind::Other`].
    pub(super) fn from_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o040_000 => Self::Directory,
            0o120_000 => Self::Link,
            _ => Self::Other,
        }
    }
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, which may hold anything but `/`; bytes that are no UTF-8 become U+FFFD.
    pub name: String,
    pub kind: Kind,
    /// The bytes that it takes on the server; of a directory, without its entries.
    pub bytes: u64,
    /// The later of modification and status change, in seconds since 1970.
    pub changed: i64,
}

/// The size of a directory tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes taken on the server.
    pub bytes: u64,
    /// Files, links and the like; directories not counted.
    pub files: u64,
    /// Whether a directory in it was left out because its name can't be asked for.
    pub is_incomplete: bool,
}

impl Export {
    /// Adds up the sizes of a whole directory tree, of the export if no directory is given; `None` if it doesn't exist.
    /// A directory in it that is removed meanwhile counts as empty; the top one's own size is not added. `.nfsprov` and
    /// the server's own entries count, links are not followed, and a file counts once for each of its names.
    ///
    /// # Errors
    /// As [`Export::list_directory`], also when one directory in the tree can't be listed.
    pub async fn measure_usage(&self, directory: Option<&VolumePath>) -> Result<Option<Usage>, ExportError> {
        let Some(top) = self.list_directory(directory).await? else {
            return Ok(None);
        };
        let mut usage = Usage::default();
        let mut waiting = usage.add_entries(directory, top);
        let mut reading = FuturesUnordered::new();
        loop {
            while reading.len() < AT_ONCE
                && let Some(next) = waiting.pop()
            {
                reading.push(async move {
                    let found = self.list_directory(Some(&next)).await;
                    (next, found)
                });
            }
            let Some((path, found)) = reading.next().await else {
                return Ok(Some(usage));
            };
            // A directory that was removed meanwhile is empty.
            waiting.extend(usage.add_entries(Some(&path), found?.unwrap_or_default()));
        }
    }
}

impl Usage {
    /// Adds the entries of a directory, and returns the paths of the directories among them. One whose name can't be
    /// asked for sets `is_incomplete` instead.
    fn add_entries(&mut self, directory: Option<&VolumePath>, entries: Vec<Entry>) -> Vec<VolumePath> {
        let mut below = Vec::new();
        for entry in entries {
            self.bytes += entry.bytes;
            match entry.kind {
                Kind::Directory => match VolumePath::child(directory, &entry.name) {
                    Ok(path) => below.push(path),
                    Err(_) => self.is_incomplete = true,
                },
                _ => self.files += 1,
            }
        }
        below
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::super::tests::{mounted_export, path};
    use super::*;

    #[tokio::test]
    async fn a_directory_is_listed_and_measured_without_following_links() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let export = mounted_export(root.path());
        fs::write(outside.path().join("large"), vec![1; 1 << 20]).unwrap();
        fs::create_dir_all(root.path().join("data/deep/deeper")).unwrap();
        fs::write(root.path().join("data/deep/deeper/file"), vec![1; 10_000]).unwrap();
        symlink(outside.path(), root.path().join("data/link")).unwrap();
        let mut listed = export.list_directory(Some(&path("data"))).await.unwrap().unwrap();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        let kinds: Vec<_> = listed.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
        assert_eq!(kinds, [("deep", Kind::Directory), ("link", Kind::Link)]);
        let root_kinds: Vec<_> = export.list_directory(None).await.unwrap().unwrap();
        assert_eq!(root_kinds.len(), 1);
        let usage = export.measure_usage(Some(&path("data"))).await.unwrap().unwrap();
        assert_eq!(usage.files, 2);
        assert!((10_000..1 << 20).contains(&usage.bytes), "{usage:?}");
        assert_eq!(export.measure_usage(None).await.unwrap().unwrap().files, 2);
        assert_eq!(export.measure_usage(Some(&path("nothing"))).await.unwrap(), None);
        assert!(export.list_directory(Some(&path("data/link"))).await.is_err());
    }

    #[tokio::test]
    async fn a_directory_is_emptied_and_stays() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let export = mounted_export(root.path());
        fs::write(outside.path().join("precious"), "data").unwrap();
        for directory in ["data", "other"] {
            fs::create_dir_all(root.path().join(directory).join("deep")).unwrap();
            fs::write(root.path().join(directory).join("deep/a\nb"), "").unwrap();
        }
        symlink(outside.path(), root.path().join("data/link")).unwrap();
        symlink(outside.path(), root.path().join("planted")).unwrap();
        for _ in 0..2 {
            export.empty_directory(Some(&path("data"))).await.unwrap();
            assert_eq!(fs::read_dir(root.path().join("data")).unwrap().count(), 0);
        }
        assert!(export.empty_directory(Some(&path("planted"))).await.is_err());
        assert!(export.empty_directory(Some(&path("nothing"))).await.is_err());
        assert!(root.path().join("other/deep/a\nb").exists());
        export.empty_directory(None).await.unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(outside.path().join("precious").exists());
    }

    #[tokio::test]
    async fn hostile_names_are_counted_and_lead_nowhere() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let root = tempfile::tempdir().unwrap();
        let export = mounted_export(root.path());
        for name in [&b"\x1b[2J"[..], b"a\nb", b"\xff\xfe"] {
            fs::create_dir_all(root.path().join("data").join(OsStr::from_bytes(name)).join("in")).unwrap();
        }
        let usage = export.measure_usage(Some(&path("data"))).await.unwrap().unwrap();
        assert!(usage.is_incomplete);
    }
}
