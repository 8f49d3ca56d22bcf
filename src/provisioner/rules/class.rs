//! The settings of a StorageClass (PURE).
//!
//! [`Settings`] are valid as a whole: a class with an invalid parameter gets none, and its claims are refused.

use k8s_openapi::api::storage::v1::StorageClass;

use crate::export::{Attributes, Location, VolumePath};

/// The default mode of a volume's directory: pods of any user may write.
pub const DIRECTORY_MODE: u32 = 0o777;

/// What becomes of a volume's directory when the volume is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDelete {
    /// The directory and all in it are removed.
    Delete,
    /// The directory stays where it is.
    Retain,
    /// The directory is renamed to `archived-<directory>` in the export's root.
    Archive,
}

impl OnDelete {
    /// The word that is recorded on the PV.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Retain => "retain",
            Self::Archive => "archive",
        }
    }

    /// `Delete` or `Archive`; `None` if the directory stays at its path.
    pub fn directory_removal(self) -> Option<Self> {
        match self {
            Self::Delete | Self::Archive => Some(self),
            Self::Retain => None,
        }
    }

    /// Parses what [`OnDelete::as_str`] wrote; `None` for any other word.
    pub fn from_record(word: &str) -> Option<Self> {
        [Self::Delete, Self::Retain, Self::Archive]
            .into_iter()
            .find(|policy| policy.as_str() == word)
    }
}

/// What becomes of a claim whose `pathPattern` names a directory that is there and is no other claim's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExisting {
    /// The claim is refused: the directory's data may be anybody's.
    #[default]
    Refuse,
    /// The claim gets the directory with its data, if the directory is in one that is called as the claim's namespace.
    Adopt,
}

impl OnExisting {
    /// Whether a claim of `namespace` gets a directory that is there: with `Adopt`, if the first component of its path
    /// is called as the namespace, and is not the directory itself.
    pub fn adopts(self, directory: &VolumePath, namespace: &str) -> bool {
        let components = directory.components();
        self == Self::Adopt && components.len() > 1 && components[0] == namespace
    }
}

/// The valid settings of a class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub on_delete: OnDelete,
    /// The export that its volumes are on.
    pub location: Location,
    /// Mode and owner of a new directory.
    pub attributes: Attributes,
    /// The `pathPattern` that names the directory, if the class has one.
    pub path_pattern: Option<String>,
    /// What becomes of a claim whose `pathPattern` names a directory that is there already.
    pub on_existing: OnExisting,
    /// Whether claims are bound only once the server limits their directories to their size (`quota: enforce`).
    pub enforces_quota: bool,
    /// `Delete` or `Retain`, for the PV.
    pub reclaim_policy: String,
    /// Mount options, for the PV.
    pub mount_options: Vec<String>,
    /// Unknown parameters: ignored with a warning.
    pub unknown: Vec<String>,
    /// A sentence for each setting that has no effect.
    pub without_effect: Vec<String>,
}

/// Parameters of csi-driver-nfs, and ours to use instead. A class that has them is refused, since its defaults differ.
const OF_CSI_DRIVER_NFS: [(&str, &str); 3] = [
    ("share", "path"),
    ("subDir", "pathPattern"),
    ("mountPermissions", "dirMode"),
];

/// Whether volumes are provisioned only when a pod is scheduled.
pub fn waits_for_consumer(class: &StorageClass) -> bool {
    class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer")
}

/// Whether a class has `quota: enforce`, so that claims are bound only once the server limits their directories. Its
/// other parameters may be invalid.
pub fn enforces_quota(class: &StorageClass) -> bool {
    parameter_of(class, "quota") == Some("enforce")
}

fn parameter_of<'a>(class: &'a StorageClass, key: &str) -> Option<&'a str> {
    class.parameters.as_ref()?.get(key).map(String::as_str)
}

/// Reads the settings of a class. Its export is one of those `served`, the first if the class names none. The caller
/// must have checked that the class is this provisioner's.
///
/// # Errors
/// One sentence naming the parameter with an invalid value, also one that only deletion needs; an export that is not
/// served; a parameter of csi-driver-nfs. Other unknown parameters are no error.
pub fn read_settings(class: &StorageClass, served: &[Location]) -> Result<Settings, String> {
    let name = class.metadata.name.as_deref().unwrap_or_default();
    let has = |key: &str| parameter_of(class, key).is_some();
    if let Some((theirs, ours)) = OF_CSI_DRIVER_NFS.iter().find(|(theirs, _)| has(theirs)) {
        return Err(format!(
            "StorageClass {name}: parameter {theirs} is csi-driver-nfs's; create the class again with {ours} instead"
        ));
    }
    let location = find_location(class, served)?;
    let on_delete = read_on_delete(class)?;
    let reclaim_policy = class.reclaim_policy.clone().unwrap_or_else(|| "Delete".to_owned());
    let mut without_effect = Vec::new();
    for key in ["onDelete", "archiveOnDelete"]
        .into_iter()
        .filter(|key| reclaim_policy != "Delete" && has(key))
    {
        without_effect.push(format!(
            "parameter {key} has no effect, since the reclaim policy is {reclaim_policy}: directories stay"
        ));
    }
    if class
        .allowed_topologies
        .as_ref()
        .is_some_and(|topologies| !topologies.is_empty())
    {
        without_effect.push("allowedTopologies has no effect: volumes can be used on all nodes".to_owned());
    }
    let mut attributes = Attributes::with_mode(DIRECTORY_MODE);
    let mut path_pattern = None;
    let mut on_existing = OnExisting::default();
    let mut enforces_quota = false;
    let mut unknown = Vec::new();
    for (key, value) in class.parameters.iter().flatten() {
        let bad = |wanted: &str| format!("StorageClass {name}: parameter {key}: {value:?} is not {wanted}");
        match key.as_str() {
            "dirMode" => {
                attributes.mode = u32::from_str_radix(value, 8)
                    .ok()
                    .filter(|mode| *mode <= 0o7777)
                    .ok_or_else(|| bad("an octal mode such as 0770"))?;
            }
            "server" | "path" | "onDelete" | "archiveOnDelete" => {}
            "pathPattern" => path_pattern = Some(value.clone()),
            "onExisting" => {
                on_existing = match value.as_str() {
                    "refuse" => OnExisting::Refuse,
                    "adopt" => OnExisting::Adopt,
                    _ => return Err(bad("refuse or adopt")),
                }
            }
            "quota" => {
                enforces_quota = match value.as_str() {
                    "enforce" => true,
                    _ => return Err(bad("enforce; leave it out for volumes without a limit")),
                }
            }
            "dirUid" => attributes.uid = Some(value.parse().map_err(|_| bad("a numeric user id"))?),
            "dirGid" => attributes.gid = Some(value.parse().map_err(|_| bad("a numeric group id"))?),
            _ => unknown.push(key.clone()),
        }
    }
    Ok(Settings {
        on_delete,
        location,
        attributes,
        path_pattern,
        on_existing,
        enforces_quota,
        reclaim_policy,
        mount_options: class.mount_options.clone().unwrap_or_default(),
        unknown,
        without_effect,
    })
}

/// Reads what a class wants done with the directories of deleted volumes; `Archive` without a parameter. `onDelete`
/// counts before `archiveOnDelete`, whose `false` means `Delete`.
///
/// # Errors
/// One sentence naming the parameter with an invalid value, also one that doesn't count.
pub fn read_on_delete(class: &StorageClass) -> Result<OnDelete, String> {
    let name = class.metadata.name.as_deref().unwrap_or_default();
    let bad = |key: &str, value: &str, wanted: &str| {
        format!("StorageClass {name}: parameter {key}: {value:?} is not {wanted}")
    };
    let archive = match parameter_of(class, "archiveOnDelete") {
        Some(value) => parse_go_bool(value).ok_or_else(|| bad("archiveOnDelete", value, "a boolean"))?,
        None => true,
    };
    // onDelete comes first where both are given, as in nfs-subdir-external-provisioner.
    match parameter_of(class, "onDelete") {
        Some("delete") => Ok(OnDelete::Delete),
        Some("retain") => Ok(OnDelete::Retain),
        Some("archive") => Ok(OnDelete::Archive),
        Some(other) => Err(bad("onDelete", other, "delete, retain or archive")),
        None if archive => Ok(OnDelete::Archive),
        None => Ok(OnDelete::Delete),
    }
}

/// Finds the export that a class names with its parameters `server` and `path`; each defaults to that of the first
/// export. The error, a sentence, says that it is not `served`.
fn find_location(class: &StorageClass, served: &[Location]) -> Result<Location, String> {
    let name = class.metadata.name.as_deref().unwrap_or_default();
    let first = served.first().ok_or("no export is served")?;
    let wanted = Location {
        server: parameter_of(class, "server").unwrap_or(&first.server).to_owned(),
        path: match parameter_of(class, "path").unwrap_or(&first.path).trim_end_matches('/') {
            "" => "/".to_owned(),
            path => path.to_owned(),
        },
    };
    match served.contains(&wanted) {
        true => Ok(wanted),
        false => {
            let served: Vec<String> = served.iter().map(Location::to_string).collect();
            Err(format!(
                "StorageClass {name}: parameters server and path name {wanted}, which this provisioner does not \
                 serve; it serves {} (others with --allow-export)",
                served.join(", ")
            ))
        }
    }
}

/// A boolean as Go's `strconv.ParseBool` reads it, since that is how existing classes were written.
fn parse_go_bool(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(parameters: &[(&str, &str)]) -> StorageClass {
        let mut class = StorageClass::default();
        class.metadata.name = Some("nfs".into());
        class.parameters = Some(
            parameters
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        );
        class
    }

    fn export() -> [Location; 3] {
        [("10.77.0.10", "/nfsdata"), ("10.77.0.10", "/fast"), ("other", "/")].map(|(server, path)| Location {
            server: server.into(),
            path: path.into(),
        })
    }

    #[test]
    fn a_class_names_one_of_the_exports_that_are_served() {
        for (parameters, found) in [
            (&[][..], Some("10.77.0.10:/nfsdata")),
            (&[("path", "/fast")], Some("10.77.0.10:/fast")),
            (&[("path", "/fast/")], Some("10.77.0.10:/fast")),
            (&[("server", "other"), ("path", "/")], Some("other:/")),
            (&[("server", "other")], None),
            (&[("server", "other"), ("path", "/etc")], None),
            (&[("path", "/fast/../etc")], None),
            (&[("path", "/fast/inner")], None),
            (&[("server", "")], None),
        ] {
            let location = read_settings(&class(parameters), &export()).map(|settings| settings.location.to_string());
            assert_eq!(location.as_deref().ok(), found, "{parameters:?}");
            assert!(found.is_some() || location.unwrap_err().contains("--allow-export"));
        }
    }

    #[test]
    fn the_fate_of_the_directory_is_read_as_existing_classes_write_it() {
        use OnDelete::*;
        for (parameters, fate) in [
            (&[][..], Archive),
            (&[("onDelete", "retain")], Retain),
            (&[("onDelete", "archive")], Archive),
            (&[("onDelete", "delete"), ("archiveOnDelete", "true")], Delete),
            (&[("onDelete", "retain"), ("archiveOnDelete", "false")], Retain),
        ] {
            assert_eq!(
                read_settings(&class(parameters), &export()).unwrap().on_delete,
                fate,
                "{parameters:?}"
            );
        }
        // Every word that Go takes for a boolean.
        for (fate, words) in [
            (Archive, ["1", "t", "T", "true", "TRUE", "True"]),
            (Delete, ["0", "f", "F", "false", "FALSE", "False"]),
        ] {
            for word in words {
                let class = class(&[("archiveOnDelete", word)]);
                assert_eq!(read_on_delete(&class), Ok(fate), "{word}");
            }
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name() {
        for (key, value) in [
            ("onDelete", "Delete"),
            ("onDelete", ""),
            ("archiveOnDelete", "yes"),
            ("archiveOnDelete", ""),
            ("archiveOnDelete", "2"),
            ("archiveOnDelete", " true"),
            ("archiveOnDelete", "tRUE"),
            ("onExisting", "Adopt"),
            ("quota", ""),
            ("quota", "Enforce"),
            ("quota", "enforce "),
            ("quota", "true"),
            ("quota", "enforce-users"),
            ("dirMode", "rwx"),
            ("dirMode", "0o777"),
            ("dirMode", "17777"),
            ("server", "elsewhere"),
            ("path", "/other"),
            ("dirUid", "nobody"),
            ("dirGid", "-1"),
            ("dirGid", "4294967296"),
            ("share", "/nfsdata"),
            ("subDir", "${pvc.metadata.name}"),
            ("mountPermissions", "0777"),
        ] {
            let error = read_settings(&class(&[(key, value)]), &export()).unwrap_err();
            assert!(error.contains(key) && error.contains("nfs"), "{error}");
        }
    }

    #[test]
    fn sizes_are_enforced_only_if_the_class_says_so() {
        for (parameters, enforces) in [(&[][..], false), (&[("quota", "enforce")], true)] {
            let settings = read_settings(&class(parameters), &export()).unwrap();
            assert_eq!(
                (settings.enforces_quota, settings.unknown),
                (enforces, vec![]),
                "{parameters:?}"
            );
        }
    }

    #[test]
    fn an_existing_directory_is_only_adopted_in_the_claims_own_namespace() {
        let read = |value: &str| {
            read_settings(&class(&[("onExisting", value)]), &export())
                .unwrap()
                .on_existing
        };
        for (value, directory, adopted) in [
            ("adopt", "team/data", true),
            ("adopt", "team/deep/data", true),
            ("adopt", "team", false),
            ("adopt", "other/data", false),
            ("adopt", "data/team", false),
            ("refuse", "team/data", false),
        ] {
            let directory = VolumePath::parse(directory).unwrap();
            assert_eq!(read(value).adopts(&directory, "team"), adopted, "{value} {directory}");
        }
        assert_eq!(
            read_settings(&class(&[]), &export()).unwrap().on_existing,
            OnExisting::Refuse
        );
    }

    #[test]
    fn what_has_no_effect_is_said() {
        for (policy, parameters, words) in [
            (Some("Retain"), &[("onDelete", "delete")][..], &["onDelete"][..]),
            (Some("Retain"), &[("archiveOnDelete", "false")], &["archiveOnDelete"]),
            (
                Some("Retain"),
                &[("onDelete", "retain"), ("archiveOnDelete", "1")],
                &["onDelete", "archiveOnDelete"],
            ),
            (Some("Retain"), &[], &[]),
            (Some("Delete"), &[("onDelete", "delete")], &[]),
            (None, &[("archiveOnDelete", "false")], &[]),
        ] {
            let mut class = class(parameters);
            class.reclaim_policy = policy.map(str::to_owned);
            let said = read_settings(&class, &export()).unwrap().without_effect;
            assert_eq!(said.len(), words.len(), "{policy:?} {parameters:?}: {said:?}");
            assert!(
                said.iter().zip(words).all(|(said, word)| said.contains(word)),
                "{said:?}"
            );
            class.allowed_topologies = Some(vec![Default::default()]);
            assert_eq!(
                read_settings(&class, &export()).unwrap().without_effect.len(),
                words.len() + 1
            );
        }
    }

    #[test]
    fn the_rest_is_taken_over() {
        let mut class = class(&[
            ("dirMode", "0750"),
            ("dirUid", "1000"),
            ("server", "10.77.0.10"),
            ("path", "/nfsdata"),
            ("colour", "blue"),
        ]);
        class.mount_options = Some(vec!["nfsvers=4.1".into()]);
        class.reclaim_policy = Some("Retain".into());
        let read = read_settings(&class, &export()).unwrap();
        let wanted = Attributes {
            mode: 0o750,
            uid: Some(1000),
            gid: None,
        };
        assert_eq!(read.attributes, wanted);
        assert_eq!(read.mount_options, ["nfsvers=4.1"]);
        assert_eq!(read.reclaim_policy, "Retain");
        assert_eq!(read.unknown, ["colour"]);
    }

    #[test]
    fn a_record_reads_back() {
        for policy in [OnDelete::Delete, OnDelete::Retain, OnDelete::Archive] {
            assert_eq!(OnDelete::from_record(policy.as_str()), Some(policy));
        }
        assert_eq!(OnDelete::from_record("Delete"), None);
    }
}
