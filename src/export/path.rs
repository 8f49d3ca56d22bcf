//! The path of a volume's directory: relative to its export and unable to leave it (PURE).

use std::fmt;

/// The longest name of a directory entry, in bytes: the common limit of NFSv3 and Linux.
pub const MAX_NAME: usize = 255;

/// The longest path below an export, in bytes (Linux' `PATH_MAX` less the terminator).
pub const MAX_PATH: usize = 4095;

/// A directory below an export's root: never the root itself, never outside.
///
/// Every component is a plain name, so a backend can walk from the root one
/// component at a time without ever meeting `..` or an absolute path. Symbolic
/// links are the backends' to refuse, since only they can see them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VolumePath {
    components: Vec<String>,
}

/// Why a path can't be a volume's directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path is empty, which would be the export's root")]
    Root,
    #[error("{0:?} is absolute; a volume's path is relative to the export")]
    Absolute(String),
    #[error("{0:?} has the component {1:?}, which is no directory name")]
    Component(String, String),
    /// A NUL or a line break, which no tool would show for what it is.
    #[error("{0:?} has a control character")]
    Control(String),
    #[error("the name {0:?} has {1} bytes; a directory name has {MAX_NAME} at most")]
    NameTooLong(String, usize),
    #[error("the path has {0} bytes; {MAX_PATH} are allowed")]
    TooLong(usize),
}

impl VolumePath {
    /// Parses a path relative to the export's root, its components separated by single `/`, without one at the end.
    ///
    /// # Errors
    /// Says which rule the path breaks; see [`PathError`].
    pub fn parse(path: &str) -> Result<Self, PathError> {
        if path.is_empty() {
            return Err(PathError::Root);
        }
        if path.starts_with('/') {
            return Err(PathError::Absolute(path.to_owned()));
        }
        if path.len() > MAX_PATH {
            return Err(PathError::TooLong(path.len()));
        }
        if path.chars().any(char::is_control) {
            return Err(PathError::Control(path.to_owned()));
        }
        let components = path.split('/').map(|name| check_component(path, name));
        Ok(Self {
            components: components.collect::<Result<_, _>>()?,
        })
    }

    /// The path of the absolute path `full` relative to the export's root `root`; both are compared as text. Callers
    /// trim slashes off the end of `full`.
    ///
    /// # Errors
    /// [`PathError::Root`] when `full` is `root` itself, [`PathError::Absolute`] when it is not below it; otherwise as
    /// [`VolumePath::parse`].
    pub fn below(root: &str, full: &str) -> Result<Self, PathError> {
        let root = root.trim_end_matches('/');
        match full.strip_prefix(root) {
            Some("" | "/") => Err(PathError::Root),
            Some(rest) if rest.starts_with('/') => Self::parse(&rest[1..]),
            _ => Err(PathError::Absolute(full.to_owned())),
        }
    }

    /// The names from the export's root to the directory; at least one.
    pub fn components(&self) -> &[String] {
        &self.components
    }

    /// The parents' names, and the directory's own.
    pub fn split(&self) -> (&[String], &str) {
        // parse() lets no empty path through, so there always is a last component.
        match self.components.split_last() {
            Some((name, parents)) => (parents, name),
            None => (&[], ""),
        }
    }

    /// The directories above this one, below the export's root; the outermost first.
    pub fn ancestors(&self) -> Vec<Self> {
        let above = |depth: usize| Self {
            components: self.components[..depth].to_vec(),
        };
        (1..self.components.len()).map(above).collect()
    }

    /// The path of the entry `name` in this directory, or in the export's root if `directory` is none.
    ///
    /// # Errors
    /// As [`VolumePath::parse`], and when the name has a slash, which a server may send.
    pub fn child(directory: Option<&Self>, name: &str) -> Result<Self, PathError> {
        if name.contains('/') {
            return Err(PathError::Component(name.to_owned(), name.to_owned()));
        }
        match directory {
            Some(directory) => Self::parse(&format!("{directory}/{name}")),
            None => Self::parse(name),
        }
    }

    /// This path below `root`, as a PV's `spec.nfs.path`.
    pub fn under(&self, root: &str) -> String {
        format!("{}/{self}", root.trim_end_matches('/'))
    }
}

impl fmt::Display for VolumePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.components.join("/"))
    }
}

/// The part of an export that a volume uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsedPart {
    /// The volume's path is the export's root or above it.
    WholeExport,
    /// The volume's path is this directory.
    Directory(VolumePath),
}

/// The part of the export `root` that a volume with the absolute path `mounted` uses; `None` if the volume is outside
/// of the export. Both are read as servers read them: `//`, a slash at the end, `.` and `..` make no difference. A path
/// that no request can name counts as the deepest directory above it that has a name for requests.
pub fn used_part(root: &str, mounted: &str) -> Option<UsedPart> {
    let (root, mounted) = (plain_names(root), plain_names(mounted));
    if root.starts_with(&mounted) {
        return Some(UsedPart::WholeExport);
    }
    let below = mounted.strip_prefix(root.as_slice())?;
    let nameable = (1..=below.len()).rev();
    let directory = nameable
        .flat_map(|depth| VolumePath::parse(&below[..depth].join("/")))
        .next();
    Some(directory.map_or(UsedPart::WholeExport, UsedPart::Directory))
}

/// The names in a path, after `.` and `..` are resolved as a server does.
fn plain_names(path: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => _ = found.pop(),
            name => found.push(name),
        }
    }
    found
}

/// The name, unless it is empty, `.`, `..` or too long. `path` is for the error.
fn check_component(path: &str, name: &str) -> Result<String, PathError> {
    match name {
        "" | "." | ".." => Err(PathError::Component(path.to_owned(), name.to_owned())),
        _ if name.len() > MAX_NAME => Err(PathError::NameTooLong(name.to_owned(), name.len())),
        _ => Ok(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths_are_taken() {
        let long = "n".repeat(MAX_NAME);
        for good in ["a", "a/b", "...", "a b", "默认-数据", ".hidden", "-rf", long.as_str()] {
            assert_eq!(VolumePath::parse(good).unwrap().to_string(), good);
        }
        let too_long = "n".repeat(MAX_NAME + 1);
        let too_deep = "d/".repeat(MAX_PATH / 2) + "dd";
        for bad in [
            "",
            "/",
            "/etc",
            ".",
            "..",
            "a/..",
            "../a",
            "a/../b",
            "a//b",
            "a/",
            "./a",
            "a/.",
            "a\0b",
            "a\nb",
            too_long.as_str(),
            too_deep.as_str(),
        ] {
            assert!(VolumePath::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn an_entry_of_a_directory_is_in_it() {
        let directory = VolumePath::parse("a/b").unwrap();
        assert_eq!(VolumePath::child(Some(&directory), "c").unwrap().to_string(), "a/b/c");
        assert_eq!(VolumePath::child(None, "c").unwrap().to_string(), "c");
        for name in ["", ".", "..", "c/d", "../c", "/c"] {
            assert!(VolumePath::child(Some(&directory), name).is_err(), "{name:?} was taken");
        }
    }

    #[test]
    fn a_path_below_a_root_is_found_and_nothing_else() {
        for (root, full, found) in [
            ("/nfsdata", "/nfsdata/a", Some("a")),
            ("/nfsdata/", "/nfsdata/a/b", Some("a/b")),
            ("/", "/a", Some("a")),
            ("/nfsdata", "/nfsdata", None),
            ("/nfsdata", "/nfsdata/", None),
            ("/nfsdata", "/nfsdata2/a", None),
            ("/nfsdata", "/etc", None),
            ("/nfsdata", "/nfsdata/../etc", None),
            ("/nfsdata", "/nfsdata//a", None),
        ] {
            let path = VolumePath::below(root, full).ok().map(|path| path.to_string());
            assert_eq!(path.as_deref(), found, "{full} below {root}");
        }
    }

    #[test]
    fn a_volume_uses_a_part_of_an_export_however_its_path_is_written() {
        for (root, mounted, used) in [
            ("/nfsdata", "/nfsdata/a", Some("a")),
            ("/nfsdata", "/nfsdata/a/b/", Some("a/b")),
            ("/nfsdata", "//nfsdata//a", Some("a")),
            ("/nfsdata/", "/nfsdata/./a/x/../b", Some("a/b")),
            ("/srv//nfs", "/srv/nfs/a", Some("a")),
            ("/", "/a", Some("a")),
            ("/nfsdata", "/nfsdata", Some("/")),
            ("/nfsdata", "/nfsdata//", Some("/")),
            ("/srv/nfs", "/srv/", Some("/")),
            ("/srv/nfs", "/", Some("/")),
            ("/srv/nfs", "", Some("/")),
            ("/nfsdata", "/nfsdata2/a", None),
            ("/nfsdata", "/nfsdata/../etc", None),
            ("/nfsdata", "/etc", None),
            // No request can name these.
            ("/nfsdata", "/nfsdata/a/b\nc/d", Some("a")),
            ("/nfsdata", "/nfsdata/b\nc", Some("/")),
        ] {
            let found = used_part(root, mounted).map(|part| match part {
                UsedPart::WholeExport => "/".to_owned(),
                UsedPart::Directory(directory) => directory.to_string(),
            });
            assert_eq!(found.as_deref(), used, "{mounted} on {root}");
        }
    }

    #[test]
    fn ancestors_are_outermost_first() {
        let above = |text: &str| {
            let ancestors = VolumePath::parse(text).unwrap().ancestors();
            ancestors.iter().map(VolumePath::to_string).collect::<Vec<_>>()
        };
        assert_eq!(above("a/b/c"), ["a", "a/b"]);
        assert!(above("a").is_empty());
    }

    #[test]
    fn joining_to_a_root_is_the_inverse() {
        let path = VolumePath::parse("a/b").unwrap();
        assert_eq!(path.under("/nfsdata"), "/nfsdata/a/b");
        assert_eq!(path.under("/"), "/a/b");
        assert_eq!(VolumePath::below("/nfsdata", &path.under("/nfsdata")), Ok(path));
    }
}
