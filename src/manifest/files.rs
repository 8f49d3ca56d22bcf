//! Writes files into a directory; existing files that differ are kept unless overwriting is requested.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A file's name in the directory, and its text.
pub type File = (String, String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is created, or replaced one with another text.
    New(PathBuf),
    /// It existed with the same text.
    Unchanged(PathBuf),
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// These files exist and differ; nothing was written.
    #[error("{} would be overwritten, and differs", join_paths(.0))]
    Differs(Vec<PathBuf>),
    /// A file or the directory can't be read or written.
    #[error("cannot write {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

/// Writes `files` into `directory`, which is created if missing; each is replaced at once, never half written. Without
/// `overwrite`, nothing is written if any existing file differs. The result is in the order of `files`.
///
/// # Errors
/// [`WriteError`]; after [`WriteError::Io`], files before that one may be written.
pub fn write_files(directory: &Path, files: &[File], overwrite: bool) -> Result<Vec<Written>, WriteError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError::Io { path, source }
    };
    let mut differing = Vec::new();
    let mut all = Vec::new();
    for (name, text) in files {
        let path = directory.join(name);
        let same = match fs::read(&path) {
            Ok(there) if there == text.as_bytes() => true,
            Ok(_) => {
                differing.push(path.clone());
                false
            }
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(failed(&path)(error)),
        };
        all.push((path, text, same));
    }
    if !overwrite && !differing.is_empty() {
        return Err(WriteError::Differs(differing));
    }
    fs::create_dir_all(directory).map_err(failed(directory))?;
    all.into_iter()
        .map(|(path, text, same)| {
            if same {
                return Ok(Written::Unchanged(path));
            }
            // Whole or not at all, whenever the process ends.
            let mut half = path.clone().into_os_string();
            half.push(".partial");
            fs::write(&half, text)
                .and_then(|()| fs::rename(&half, &path))
                .map_err(failed(&path))?;
            Ok(Written::New(path))
        })
        .collect()
}

fn join_paths(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_left_unless_that_was_meant() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("new");
        let files = |b: &str| vec![("a".to_owned(), "1\n".to_owned()), ("b".to_owned(), b.to_owned())];
        let (a, b) = (directory.join("a"), directory.join("b"));
        let new = vec![Written::New(a.clone()), Written::New(b.clone())];
        assert_eq!(write_files(&directory, &files("2\n"), false).unwrap(), new);
        let same = vec![Written::Unchanged(a.clone()), Written::Unchanged(b.clone())];
        assert_eq!(write_files(&directory, &files("2\n"), false).unwrap(), same);
        fs::remove_file(&a).unwrap();
        let error = write_files(&directory, &files("3\n"), false).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{} would be overwritten, and differs", b.display())
        );
        assert!(!a.exists() && fs::read_to_string(&b).unwrap() == "2\n");
        write_files(&directory, &files("3\n"), true).unwrap();
        assert_eq!(fs::read_to_string(&b).unwrap(), "3\n");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
    }
}
