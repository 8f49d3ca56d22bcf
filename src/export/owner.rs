//! Which claim owns a directory. A directory has one owner at most.
//!
//! A directory that is named after its PV (`…-pvc-<uid>`) needs no marker. The marker of any other directory `a/b` is
//! the symbolic link `.nfsprov/owners/a/b/@owner`, since a link is created with its content in one step that fails if
//! the link exists. Markers are not kept in the directories, because some programs refuse a directory that isn't empty.

use std::fmt;

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

/// The claim that owns a directory, as the marker's target names it: `<class uid>/<namespace>/<claim>/<claim uid>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The claim's uid.
    pub uid: String,
    /// The rest, which a marker of the first format lacks: its target is the uid alone.
    pub claim: Option<OwnerClaim>,
}

/// Where the claim that owns a directory is to be found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerClaim {
    /// The uid of the claim's class. Another cluster that uses the export has no class with this uid.
    pub class_uid: String,
    /// The claim's namespace.
    pub namespace: String,
    /// The claim's name.
    pub name: String,
}

impl Owner {
    /// A claim of which only the uid is known.
    pub fn with_uid(uid: &str) -> Self {
        Self {
            uid: uid.to_owned(),
            claim: None,
        }
    }

    fn parse(target: &str) -> Self {
        let [class_uid, namespace, name, uid] = target.split('/').collect::<Vec<_>>()[..] else {
            return Self::with_uid(target);
        };
        // The names become part of a request to the API server.
        if ![class_uid, namespace, name, uid].into_iter().all(is_object_name) {
            return Self::with_uid(target);
        }
        Self {
            uid: uid.to_owned(),
            claim: Some(OwnerClaim {
                class_uid: class_uid.to_owned(),
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            }),
        }
    }

    fn target(&self) -> String {
        match &self.claim {
            Some(claim) => format!("{}/{}/{}/{}", claim.class_uid, claim.namespace, claim.name, self.uid),
            None => self.uid.clone(),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.claim {
            Some(claim) => write!(f, "pvc/{} -n {} (uid {})", claim.name, claim.namespace, self.uid),
            None => write!(f, "the claim with uid {}", self.uid),
        }
    }
}

/// A marker that keeps a claim from a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The directory that the claim wants.
    pub wanted: VolumePath,
    /// The directory that the marker is for: the same one, one above it or one below it.
    pub marked: VolumePath,
    /// Its owner.
    pub owner: Owner,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, marked, owner } = self;
        match wanted == marked {
            true => write!(f, "directory {wanted} can't be this claim's: it belongs to {owner}"),
            false => write!(
                f,
                "directory {wanted} can't be this claim's: {marked} belongs to {owner}"
            ),
        }
    }
}

/// Whether a word can be the name or uid of a Kubernetes object: lower-case letters, digits, `-` and inner dots.
fn is_object_name(word: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    (1..=253).contains(&word.len()) && word.chars().all(is_plain) && !word.starts_with('.') && !word.ends_with('.')
}

impl Export {
    /// Makes a claim the owner of `path`. May be repeated.
    ///
    /// # Errors
    /// [`ExportError::Conflict`] when the directory, one above it or one below it is another claim's,
    /// [`ExportError::Owned`] when it is there without a marker; otherwise as [`Export::make`].
    pub async fn own(&self, path: &VolumePath, owner: &Owner) -> Result<(), ExportError> {
        // A name that ends as a volume's would pass for that volume's own directory.
        let reserved = |name: &String| name == MARK || name == REGISTRY[0] || names_a_volume(name);
        if path.components().iter().any(reserved) {
            return Err(owned(path, "it has a name that nfsprov keeps for itself"));
        }
        let lost_race = || owned(path, "another claim took it at the same time");
        match self.owner(path).await? {
            Some(found) if found.uid == owner.uid => {}
            Some(found) => return Err(conflict(path, path.clone(), found)),
            None => {
                self.is_alone(path).await?;
                if self.has(path).await? {
                    return Err(owned(path, "it is there already, and not made by nfsprov"));
                }
                self.make(&registered(path)?, Attributes::mode(MODE)).await?;
                let is_new = self.link(&marker(path)?, &owner.target()).await?;
                if !is_new && self.owner(path).await?.is_none_or(|found| found.uid != owner.uid) {
                    return Err(lost_race());
                }
            }
        }
        // Two claims for a directory and one inside it may both have found no marker; here each finds the other's.
        match self.is_alone(path).await {
            Err(error @ ExportError::Conflict(_)) => {
                self.disown(path, &owner.uid).await?;
                Err(error)
            }
            alone => alone,
        }
    }

    /// The claim that owns `path` by its marker.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn owner(&self, path: &VolumePath) -> Result<Option<Owner>, ExportError> {
        let target = self.read_link(&marker(path)?).await?;
        Ok(target.map(|target| Owner::parse(&target)))
    }

    /// Every directory that has a marker, with its owner; sorted.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn markers(&self) -> Result<Vec<(VolumePath, Owner)>, ExportError> {
        let mut found = Vec::new();
        let mut folders = vec![joined(&REGISTRY)?];
        while let Some(folder) = folders.pop() {
            let contents = self.registry_folder(&folder).await?;
            if contents.is_marked
                && let Some(directory) = directory_of(&folder)
                && let Some(owner) = self.owner(&directory).await?
            {
                found.push((directory, owner));
            }
            folders.extend(contents.folders);
        }
        found.sort();
        Ok(found)
    }

    /// Fails if a marker is at `path`, above it or below it.
    ///
    /// # Errors
    /// [`ExportError::Conflict`]; otherwise as [`Export::make`].
    pub async fn is_unmarked(&self, path: &VolumePath) -> Result<(), ExportError> {
        match self.owner(path).await? {
            Some(owner) => Err(conflict(path, path.clone(), owner)),
            None => self.is_alone(path).await,
        }
    }

    /// Fails if a marker is above `path` or below it.
    ///
    /// # Errors
    /// [`ExportError::Conflict`]; otherwise as [`Export::make`].
    pub async fn is_alone(&self, path: &VolumePath) -> Result<(), ExportError> {
        for above in path.ancestors() {
            if let Some(owner) = self.owner(&above).await? {
                return Err(conflict(path, above, owner));
            }
        }
        let mut folders = self.registry_folder(&registered(path)?).await?.folders;
        while let Some(folder) = folders.pop() {
            let Some(below) = directory_of(&folder) else {
                continue;
            };
            let contents = self.registry_folder(&folder).await?;
            if contents.is_marked
                && let Some(owner) = self.owner(&below).await?
            {
                return Err(conflict(path, below, owner));
            }
            if contents.folders.is_empty() {
                // A provisioner was killed before it created the marker, or after it removed it.
                self.prune(&below).await?;
            }
            folders.extend(contents.folders);
        }
        Ok(())
    }

    /// Removes the marker of a directory if it is still that of the claim `uid`. May be repeated.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn disown(&self, path: &VolumePath, uid: &str) -> Result<(), ExportError> {
        match self.owner(path).await? {
            Some(owner) if owner.uid == uid => self.unlink(&marker(path)?).await?,
            Some(_) => return Ok(()),
            None => {}
        }
        self.prune(path).await
    }

    /// Removes a directory that no PV uses, and its marker, if the directory is empty and belongs to the claim `uid`; false
    /// if something is in it.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn remove_unused(&self, directory: &VolumePath, uid: &str) -> Result<bool, ExportError> {
        let marked = self.owner(directory).await?;
        // Without a marker, only a directory that is named after the volume can be the claim's.
        let is_own = match &marked {
            Some(owner) => owner.uid == uid,
            None => is_named_after(directory, &format!("pvc-{uid}")),
        };
        if is_own && !self.remove_empty(directory).await? {
            return Ok(false);
        }
        if is_own && marked.is_some() {
            self.disown(directory, uid).await?;
        }
        Ok(true)
    }

    /// Removes the registry's folders for `path` as far as they hold no marker: an earlier attempt may have ended between
    /// folder and marker.
    ///
    /// # Errors
    /// As [`Export::make`].
    pub async fn prune(&self, path: &VolumePath) -> Result<(), ExportError> {
        // Up to the first folder that other markers need.
        for directory in std::iter::once(path.clone()).chain(path.ancestors().into_iter().rev()) {
            if !self.remove_empty(&registered(&directory)?).await? {
                break;
            }
        }
        Ok(())
    }

    /// What a folder of the registry holds; nothing if it isn't there.
    async fn registry_folder(&self, folder: &VolumePath) -> Result<RegistryFolder, ExportError> {
        let entries = self.list(Some(folder)).await?.unwrap_or_default();
        let is_marked = entries
            .iter()
            .any(|entry| entry.kind == Kind::Link && entry.name == MARK);
        let directories = entries.iter().filter(|entry| entry.kind == Kind::Directory);
        // nfsprov creates no folder without a plain name.
        let folders = directories.filter_map(|entry| VolumePath::child(Some(folder), &entry.name).ok());
        Ok(RegistryFolder {
            is_marked,
            folders: folders.collect(),
        })
    }
}

struct RegistryFolder {
    is_marked: bool,
    folders: Vec<VolumePath>,
}

/// The directory that a folder of the registry is for; none for the registry itself.
fn directory_of(folder: &VolumePath) -> Option<VolumePath> {
    VolumePath::parse(&folder.components()[REGISTRY.len()..].join("/")).ok()
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

fn conflict(wanted: &VolumePath, marked: VolumePath, owner: Owner) -> ExportError {
    ExportError::Conflict(Box::new(Conflict {
        wanted: wanted.clone(),
        marked,
        owner,
    }))
}

#[cfg(test)]
#[path = "owner_tests.rs"]
mod tests;
