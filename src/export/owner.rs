//! Owner markers: which claim owns a directory. A directory has one owner at most.
//!
//! A directory that is named after its PV (`…-pvc-<uid>`) needs no marker. The marker of any other directory `a/b` is
//! the symbolic link `.nfsprov/owners/a/b/@owner`, since a link is created with its content in one step that fails if
//! the link exists. Markers are not kept in the directories, because some programs refuse a directory that isn't empty.

use std::fmt;

use super::{Attributes, Export, ExportError, Kind, VolumePath};

/// nfsprov's own directory in an export's root. No volume is in it.
pub const NFSPROV_DIRECTORY: &str = ".nfsprov";

/// Where the owner markers are below [`NFSPROV_DIRECTORY`]: each in a folder with the path of the directory that it is
/// for.
const MARKERS: &str = "owners";

/// The name of an owner marker in its folder.
const MARKER_NAME: &str = "@owner";

/// The mode of nfsprov's own directories: only root may read them.
pub(super) const PRIVATE_MODE: u32 = 0o700;

/// Whether a path needs no marker: it is a single name that ends with `-` and the name of the PV, which is `pvc-<uid>`.
pub fn is_named_after(path: &VolumePath, volume: &str) -> bool {
    let (parents, name) = path.split();
    parents.is_empty() && names_a_volume(volume) && name.ends_with(&format!("-{volume}"))
}

/// The claim that owns a directory, from the marker's target: `<class uid>/<namespace>/<claim>/<claim uid>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    pub uid: String,
    /// The rest; `None` for markers of the first format, whose target is the uid alone.
    pub claim: Option<OwnerClaim>,
}

/// The claim of an owner, and its class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerClaim {
    /// The uid of the claim's class. Another cluster that uses the export has no class with this uid.
    pub class_uid: String,
    pub namespace: String,
    pub name: String,
}

impl Owner {
    /// An owner of which only the uid is known.
    pub fn with_uid(uid: &str) -> Self {
        Self {
            uid: uid.to_owned(),
            claim: None,
        }
    }

    /// Parses a marker's target; one that is not as [`Owner::to_target`] writes it counts as a uid.
    fn from_target(target: &str) -> Self {
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

    /// The marker's target: `CLASS_UID/NAMESPACE/NAME/UID`, or the claim's uid alone if only that is known.
    fn to_target(&self) -> String {
        match &self.claim {
            Some(claim) => format!("{}/{}/{}/{}", claim.class_uid, claim.namespace, claim.name, self.uid),
            None => self.uid.clone(),
        }
    }
}

impl fmt::Display for Owner {
    /// The claim as kubectl takes it, with its uid; only the uid if no more is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.claim {
            Some(claim) => write!(f, "pvc/{} -n {} (uid {})", claim.name, claim.namespace, self.uid),
            None => write!(f, "the claim with uid {}", self.uid),
        }
    }
}

/// A marker because of which a claim can't have a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The directory for the claim.
    pub wanted: VolumePath,
    /// The directory that has the marker: the same one, one above it or one below it.
    pub owned: VolumePath,
    pub owner: Owner,
}

impl fmt::Display for Conflict {
    /// A clause: which directory the claim can't have, and who owns it, or the one above or below it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { wanted, owned, owner } = self;
        match wanted == owned {
            true => write!(f, "directory {wanted} can't be this claim's: it belongs to {owner}"),
            false => write!(
                f,
                "directory {wanted} can't be this claim's: {owned} belongs to {owner}"
            ),
        }
    }
}

/// Whether a word is a valid name or uid of a Kubernetes object: lower-case letters, digits, `-` and inner dots.
fn is_object_name(word: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    (1..=253).contains(&word.len()) && word.chars().all(is_plain) && !word.starts_with('.') && !word.ends_with('.')
}

impl Export {
    /// Makes a claim the owner of `path` by writing its marker; doesn't create the directory. May be repeated: a marker
    /// with the claim's uid stays as it is, and the directory may exist then. After a conflict, the claim has a marker
    /// there only if an earlier attempt wrote it and the directory exists.
    ///
    /// # Errors
    /// [`ExportError::Conflict`] when the directory, one above it or one below it is another claim's,
    /// [`ExportError::Owned`] when it exists without a marker, a name in its path is reserved, or another claim takes
    /// it at the same time; otherwise as [`Export::create_directory`].
    pub async fn write_owner_marker(&self, path: &VolumePath, owner: &Owner) -> Result<(), ExportError> {
        self.write_marker_if_free(path, owner, false).await
    }

    /// Makes a claim the owner of `path` as [`Export::write_owner_marker`] does, even if the directory exists without a
    /// marker.
    ///
    /// # Errors
    /// As [`Export::write_owner_marker`], except for a directory without a marker.
    pub async fn write_owner_marker_of_existing(&self, path: &VolumePath, owner: &Owner) -> Result<(), ExportError> {
        self.write_marker_if_free(path, owner, true).await
    }

    /// Writes the marker, unless one with the owner's uid exists, which stays as it is. Then checks that no directory
    /// above or below got one meanwhile; if one did, fails, and removes the owner's marker unless that is older than
    /// this call and its directory exists. Refuses another claim's marker, a reserved name and, unless
    /// `may_exist_unmarked`, a directory that exists without one.
    async fn write_marker_if_free(
        &self,
        path: &VolumePath,
        owner: &Owner,
        may_exist_unmarked: bool,
    ) -> Result<(), ExportError> {
        // A name that ends with a PV's would pass for the default directory of that PV.
        let reserved = |name: &String| {
            name == MARKER_NAME || name == NFSPROV_DIRECTORY || names_a_volume(name) || super::is_server_entry(name)
        };
        if path.components().iter().any(reserved) {
            return Err(ownership_error(path, "its name is reserved for nfsprov or the server"));
        }
        let lost_race = || ownership_error(path, "another claim took it at the same time");
        let was_owner = match self.read_owner(path).await? {
            Some(found) if found.uid == owner.uid => true,
            Some(found) => return Err(conflict_error(path, path.clone(), found)),
            None => {
                self.check_no_marker_around(path).await?;
                if !may_exist_unmarked && self.path_exists(path).await? {
                    return Err(ownership_error(
                        path,
                        "it exists already and has no owner marker of nfsprov",
                    ));
                }
                self.create_directory(&marker_folder_path(path)?, Attributes::with_mode(PRIVATE_MODE))
                    .await?;
                let is_new = self.create_link(&marker_path(path)?, &owner.to_target()).await?;
                if !is_new && self.read_owner(path).await?.is_none_or(|found| found.uid != owner.uid) {
                    return Err(lost_race());
                }
                false
            }
        };
        // Claims of a directory and of one inside it may both have found no marker. Now each finds the other's, and
        // both back off. A directory that an earlier attempt created keeps its marker: without it, no attempt takes it.
        match self.check_no_marker_around(path).await {
            Err(error @ ExportError::Conflict(_)) => {
                if !was_owner || !self.path_exists(path).await? {
                    self.remove_owner_marker(path, &owner.uid).await?;
                }
                Err(error)
            }
            alone => alone,
        }
    }

    /// Reads the marker of `path` itself; `None` if it has none.
    ///
    /// # Errors
    /// As [`Export::create_directory`].
    pub async fn read_owner(&self, path: &VolumePath) -> Result<Option<Owner>, ExportError> {
        let target = self.read_link(&marker_path(path)?).await?;
        Ok(target.map(|target| Owner::from_target(&target)))
    }

    /// All directories with a marker and their owners, sorted by path. A directory with a marker may not exist yet, or
    /// not any more.
    ///
    /// # Errors
    /// As [`Export::create_directory`].
    pub async fn list_markers(&self) -> Result<Vec<(VolumePath, Owner)>, ExportError> {
        let mut found = Vec::new();
        let mut folders = vec![own_path(MARKERS)?];
        while let Some(folder) = folders.pop() {
            let contents = self.read_marker_folder(&folder).await?;
            if contents.has_marker
                && let Some(directory) = directory_of(&folder)
                && let Some(owner) = self.read_owner(&directory).await?
            {
                found.push((directory, owner));
            }
            folders.extend(contents.folders);
        }
        found.sort();
        Ok(found)
    }

    /// Fails if a marker is at `path`, above it or below it. Removes the empty marker folders that it finds below.
    ///
    /// # Errors
    /// [`ExportError::Conflict`]; otherwise as [`Export::create_directory`].
    pub async fn check_no_marker_at_or_around(&self, path: &VolumePath) -> Result<(), ExportError> {
        match self.read_owner(path).await? {
            Some(owner) => Err(conflict_error(path, path.clone(), owner)),
            None => self.check_no_marker_around(path).await,
        }
    }

    /// Fails if a marker is above `path` or below it. Removes the empty marker folders that it finds below.
    ///
    /// # Errors
    /// [`ExportError::Conflict`]; otherwise as [`Export::create_directory`].
    pub async fn check_no_marker_around(&self, path: &VolumePath) -> Result<(), ExportError> {
        for above in path.ancestors() {
            if let Some(owner) = self.read_owner(&above).await? {
                return Err(conflict_error(path, above, owner));
            }
        }
        let mut folders = self.read_marker_folder(&marker_folder_path(path)?).await?.folders;
        while let Some(folder) = folders.pop() {
            let Some(below) = directory_of(&folder) else {
                continue;
            };
            let contents = self.read_marker_folder(&folder).await?;
            if contents.has_marker
                && let Some(owner) = self.read_owner(&below).await?
            {
                return Err(conflict_error(path, below, owner));
            }
            if contents.folders.is_empty() {
                // Left by a provisioner that was killed between folder and marker.
                self.remove_empty_marker_folders(&below).await?;
            }
            folders.extend(contents.folders);
        }
        Ok(())
    }

    /// Removes the marker of a directory if its owner is the claim `uid`, and returns `None`, also if there is no
    /// marker; else returns the owner and changes nothing. The directory stays. Removes empty marker folders, too. May
    /// be repeated.
    ///
    /// # Errors
    /// As [`Export::create_directory`].
    pub async fn remove_owner_marker(&self, path: &VolumePath, uid: &str) -> Result<Option<Owner>, ExportError> {
        match self.read_owner(path).await? {
            Some(owner) if owner.uid == uid => self.remove_link_or_file(&marker_path(path)?).await?,
            other @ Some(_) => return Ok(other),
            None => {}
        }
        self.remove_empty_marker_folders(path).await?;
        Ok(None)
    }

    /// Whether a path, at which nothing need exist, belongs to the claim `uid`, by its marker or, without one, by its name.
    ///
    /// # Errors
    /// As [`Export::create_directory`].
    pub async fn belongs_to(&self, directory: &VolumePath, uid: &str) -> Result<bool, ExportError> {
        Ok(match self.read_owner(directory).await? {
            Some(owner) => owner.uid == uid,
            None => is_named_after(directory, &format!("pvc-{uid}")),
        })
    }

    /// Removes a directory and its marker, if it is empty and belongs to the claim `uid`. False if something is in it;
    /// true also if it is missing, or, without effect, if it isn't the claim's. The caller must know that no PV uses it.
    ///
    /// # Errors
    /// As [`Export::create_directory`].
    pub async fn remove_unused_directory(&self, directory: &VolumePath, uid: &str) -> Result<bool, ExportError> {
        if !self.belongs_to(directory, uid).await? {
            return Ok(true);
        }
        if !self.remove_empty_directory(directory).await? {
            return Ok(false);
        }
        self.remove_owner_marker(directory, uid).await?;
        Ok(true)
    }

    /// Removes the empty marker folders of `path` and of the directories above it, up to the first that isn't empty: an
    /// interrupted attempt may have left them.
    ///
    /// # Errors
    /// As [`Export::create_directory`].
    pub async fn remove_empty_marker_folders(&self, path: &VolumePath) -> Result<(), ExportError> {
        // Up to the first folder that other markers need.
        for directory in std::iter::once(path.clone()).chain(path.ancestors().into_iter().rev()) {
            if !self.remove_empty_directory(&marker_folder_path(&directory)?).await? {
                break;
            }
        }
        Ok(())
    }

    /// Reads a marker folder; a missing one is empty.
    async fn read_marker_folder(&self, folder: &VolumePath) -> Result<MarkerFolder, ExportError> {
        let entries = self.list_directory(Some(folder)).await?.unwrap_or_default();
        let has_marker = entries
            .iter()
            .any(|entry| entry.kind == Kind::Link && entry.name == MARKER_NAME);
        let directories = entries.iter().filter(|entry| entry.kind == Kind::Directory);
        // Others were not created by nfsprov.
        let folders = directories.filter_map(|entry| VolumePath::child(Some(folder), &entry.name).ok());
        Ok(MarkerFolder {
            has_marker,
            folders: folders.collect(),
        })
    }
}

struct MarkerFolder {
    has_marker: bool,
    /// The marker folders of the directories below.
    folders: Vec<VolumePath>,
}

/// The directory that `folder`, at or below `.nfsprov/owners`, has the marker of; `None` for the topmost folder.
fn directory_of(folder: &VolumePath) -> Option<VolumePath> {
    VolumePath::below(&format!("{NFSPROV_DIRECTORY}/{MARKERS}"), &folder.to_string()).ok()
}

/// Whether a name is or ends with `pvc-` and a uid, as names of PVs and default names of directories do.
pub fn names_a_volume(name: &str) -> bool {
    let Some((_, uid)) = name.rsplit_once("pvc-") else {
        return false;
    };
    let groups: Vec<usize> = uid.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && uid.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// The folder for the marker of a directory.
fn marker_folder_path(path: &VolumePath) -> Result<VolumePath, ExportError> {
    own_path(&format!("{MARKERS}/{path}"))
}

fn marker_path(path: &VolumePath) -> Result<VolumePath, ExportError> {
    own_path(&format!("{MARKERS}/{path}/{MARKER_NAME}"))
}

/// A path below nfsprov's own directory; `Failed` if it is too long.
pub(super) fn own_path(below: &str) -> Result<VolumePath, ExportError> {
    let path = format!("{NFSPROV_DIRECTORY}/{below}");
    VolumePath::parse(&path).map_err(|error| ExportError::failed("use", path, error))
}

/// [`ExportError::Owned`]: the claim can't have the directory, and no marker of another claim is the reason.
fn ownership_error(path: &VolumePath, why: &str) -> ExportError {
    ExportError::Owned {
        path: path.to_string(),
        why: why.to_owned(),
    }
}

fn conflict_error(wanted: &VolumePath, owned: VolumePath, owner: Owner) -> ExportError {
    ExportError::Conflict(Box::new(Conflict {
        wanted: wanted.clone(),
        owned,
        owner,
    }))
}

#[cfg(test)]
#[path = "owner_tests.rs"]
mod tests;
