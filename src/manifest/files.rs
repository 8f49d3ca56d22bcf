//! Files of a directory, written without surprise: what is there and differs is left unless that was meant.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A file's name in the directory, and what is to be in it.
pub type File = (String, String);

/// What writing did to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was written.
    New(PathBuf),
    /// It was there, just so.
    Same(PathBuf),
}

/// Why nothing was written, or not all.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// These are there, and differ; nothing was written.
    #[error("{} would be overwritten, and differs", list(.0))]
    Differs(Vec<PathBuf>),
    /// A file or the directory can't be read or written.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Writes `files` into `directory`, which is made if need be. Unless `overwrite`, either all of them
/// are new or unchanged, or nothing is written.
///
/// # Errors
/// [`WriteError`].
pub fn write(directory: &Path, files: &[File], overwrite: bool) -> Result<Vec<Written>, WriteError> {
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
                return Ok(Written::Same(path));
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

fn list(paths: &[PathBuf]) -> String {
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
        assert_eq!(write(&directory, &files("2\n"), false).unwrap(), new);
        let same = vec![Written::Same(a.clone()), Written::Same(b.clone())];
        assert_eq!(write(&directory, &files("2\n"), false).unwrap(), same);
        fs::remove_file(&a).unwrap();
        let error = write(&directory, &files("3\n"), false).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{} would be overwritten, and differs", b.display())
        );
        assert!(!a.exists() && fs::read_to_string(&b).unwrap() == "2\n");
        write(&directory, &files("3\n"), true).unwrap();
        assert_eq!(fs::read_to_string(&b).unwrap(), "3\n");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
    }
}
