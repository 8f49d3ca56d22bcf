//! What a record may say (PURE): strict, since whoever can write to the export can write one.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Record, is_kubernetes_key};
use crate::export::{Location, MAX_RECORD, NFSPROV_DIRECTORY, VolumePath};
use crate::provisioner::class::OnDelete;
use crate::provisioner::volume::{DIRECTORY, ENFORCE, FINALIZER, ON_DELETE, PROVISIONED_BY, QUOTA};
use crate::yaml;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VolumeDocument {
    #[allow(dead_code)]
    api_version: String,
    #[allow(dead_code)]
    kind: String,
    metadata: VolumeMetadata,
    spec: VolumeSpec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VolumeMetadata {
    name: String,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    finalizers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VolumeSpec {
    access_modes: Vec<String>,
    capacity: Storage,
    claim_ref: Option<ClaimReference>,
    #[serde(default)]
    mount_options: Vec<String>,
    nfs: Nfs,
    persistent_volume_reclaim_policy: String,
    storage_class_name: Option<String>,
    volume_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Storage {
    storage: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClaimReference {
    #[serde(default, rename = "apiVersion")]
    _api_version: String,
    #[serde(default, rename = "kind")]
    _kind: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Nfs {
    server: String,
    path: String,
    #[serde(default, rename = "readOnly")]
    _read_only: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClaimDocument {
    #[allow(dead_code)]
    api_version: String,
    #[allow(dead_code)]
    kind: String,
    metadata: ClaimMetadata,
    spec: ClaimSpec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimMetadata {
    namespace: String,
    name: String,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ClaimSpec {
    access_modes: Vec<String>,
    resources: Resources,
    storage_class_name: Option<String>,
    volume_mode: Option<String>,
    volume_name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resources {
    requests: Storage,
}

/// Parses the record of the PV `name`, which anybody may have written; the PV must be on `export`. Whether its
/// directory and marker are those of its claim is not checked.
///
/// # Errors
/// One sentence saying what in it is refused.
pub fn parse(name: &str, text: &[u8], export: &Location) -> Result<Record, String> {
    if text.len() > MAX_RECORD {
        return Err(format!("it has more than {} KiB", MAX_RECORD / 1024));
    }
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())?;
    let documents = yaml::read_untrusted(text)?;
    let (volume, claim) = match &documents[..] {
        [] => return Err("it is empty".to_owned()),
        [volume] => (volume, None),
        [volume, claim] => (volume, Some(claim)),
        more => return Err(format!("it has {} documents, not a PV and a claim", more.len())),
    };
    let (spec, volume) = parse_document::<VolumeDocument, PersistentVolume>(volume, "PersistentVolume")?;
    let directory = check_volume(name, &spec, export)?;
    let claim = match claim {
        Some(claim) => {
            let (claim_spec, claim) =
                parse_document::<ClaimDocument, PersistentVolumeClaim>(claim, "PersistentVolumeClaim")?;
            check_claim(&claim_spec, &spec)?;
            Some(claim)
        }
        None => None,
    };
    Ok(Record {
        volume,
        claim,
        directory,
    })
}

/// Parses a document twice: as `S`, its strict schema, and as `K`, the Kubernetes object. Fails if it is of another
/// kind or not of `v1`.
fn parse_document<S: DeserializeOwned, K: DeserializeOwned>(document: &Value, kind: &str) -> Result<(S, K), String> {
    let found = (&document["apiVersion"], &document["kind"]);
    if found != (&Value::from("v1"), &Value::from(kind)) {
        return Err(format!("it has another object in the place of a {kind}"));
    }
    let wrong = |error: serde_json::Error| {
        let text = error.to_string();
        format!("{kind}: {}", text.split(", expected").next().unwrap_or_default())
    };
    Ok((
        S::deserialize(document).map_err(wrong)?,
        serde_json::from_value(document.clone()).map_err(wrong)?,
    ))
}

/// Refuses what a record of the PV `name` may not say; returns the PV's directory on the export.
fn check_volume(name: &str, volume: &VolumeDocument, export: &Location) -> Result<VolumePath, String> {
    let (metadata, spec) = (&volume.metadata, &volume.spec);
    if metadata.name != name || !is_name(name) {
        return Err(format!("it is the record of another PV, {:?}", metadata.name));
    }
    let directory = directory_on(&spec.nfs, export)?;
    for (key, value) in &metadata.annotations {
        let is_right = match key.as_str() {
            DIRECTORY => *value == directory.to_string(),
            ON_DELETE => OnDelete::from_record(value).is_some(),
            QUOTA => value == ENFORCE,
            PROVISIONED_BY => value.len() <= 253 && value.chars().all(|c| c.is_ascii_graphic()),
            _ => return Err(format!("the PV has the annotation {key:?}, which no record has")),
        };
        if !is_right {
            return Err(format!("the PV's annotation {key} has the wrong value {value:?}"));
        }
    }
    if let Some(other) = metadata.finalizers.iter().find(|name| *name != FINALIZER) {
        return Err(format!("the PV has the finalizer {other:?}, which no record has"));
    }
    if !matches!(spec.persistent_volume_reclaim_policy.as_str(), "Retain" | "Delete") {
        let policy = &spec.persistent_volume_reclaim_policy;
        return Err(format!(
            "the PV has the reclaim policy {policy:?}, not Retain or Delete"
        ));
    }
    check_modes("PV", &spec.access_modes)?;
    check_size_characters("PV", &spec.capacity.storage)?;
    check_class("PV", spec.storage_class_name.as_deref())?;
    check_volume_mode("PV", spec.volume_mode.as_deref())?;
    let is_option = |option: &&String| option.len() <= 255 && option.chars().all(|c| c.is_ascii_graphic());
    if spec.mount_options.iter().filter(is_option).count() != spec.mount_options.len() {
        return Err("the PV has a mount option with blanks or control characters".to_owned());
    }
    if let Some(claim) = &spec.claim_ref
        && !(is_label(&claim.namespace) && is_name(&claim.name))
    {
        return Err("the PV's claimRef has names that no claim can have".to_owned());
    }
    Ok(directory)
}

/// The directory of an NFS volume below the root of `export`; an error if it is elsewhere or in `.nfsprov`.
fn directory_on(nfs: &Nfs, export: &Location) -> Result<VolumePath, String> {
    if nfs.server != export.server {
        return Err(format!("the PV is on the server {:?}, not on {export}", nfs.server));
    }
    let directory = VolumePath::below(&export.path, nfs.path.trim_end_matches('/'))
        .map_err(|_| format!("the PV's path {:?} is no directory of {export}", nfs.path))?;
    if directory.components()[0] == NFSPROV_DIRECTORY {
        return Err(format!("the PV's path {:?} is nfsprov's own", nfs.path));
    }
    Ok(directory)
}

/// Fails if the claim is not the PV's, could not be bound to it, or has annotations or values that records may not
/// have.
fn check_claim(claim: &ClaimDocument, volume: &VolumeDocument) -> Result<(), String> {
    let (metadata, spec) = (&claim.metadata, &claim.spec);
    let reference = volume.spec.claim_ref.as_ref();
    if reference.map(|reference| (&reference.namespace, &reference.name)) != Some((&metadata.namespace, &metadata.name))
    {
        return Err("the claim is not the one that the PV's claimRef names".to_owned());
    }
    if spec.volume_name != volume.metadata.name {
        return Err(format!("the claim names another PV, {:?}", spec.volume_name));
    }
    if let Some(key) = metadata.annotations.keys().find(|key| is_kubernetes_key(key)) {
        return Err(format!(
            "the claim has the annotation {key:?}, which Kubernetes keeps for itself"
        ));
    }
    check_modes("claim", &spec.access_modes)?;
    check_size_characters("claim", &spec.resources.requests.storage)?;
    check_volume_mode("claim", spec.volume_mode.as_deref())?;
    let class = |name: &Option<String>| name.clone().unwrap_or_default();
    if class(&spec.storage_class_name) != class(&volume.spec.storage_class_name) {
        return Err("the claim and the PV have different classes, so they can't be bound".to_owned());
    }
    if !spec
        .access_modes
        .iter()
        .all(|mode| volume.spec.access_modes.contains(mode))
    {
        return Err("the claim has an access mode that the PV has not, so they can't be bound".to_owned());
    }
    Ok(())
}

/// Fails if there is no access mode or an unknown one. `what` names the object in the error, as in the checks below.
fn check_modes(what: &str, modes: &[String]) -> Result<(), String> {
    let known = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
    match !modes.is_empty() && modes.iter().all(|mode| known.contains(&mode.as_str())) {
        true => Ok(()),
        false => Err(format!("the {what} has no access mode, or an unknown one")),
    }
}

/// Fails if a size can't be a quantity by its characters; it is not parsed.
fn check_size_characters(what: &str, size: &str) -> Result<(), String> {
    let is_quantity = size.starts_with(|c: char| c.is_ascii_digit())
        && size.len() <= 32
        && size
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-'));
    match is_quantity {
        true => Ok(()),
        false => Err(format!("the {what}'s size {size:?} is no quantity")),
    }
}

/// A missing or empty class is valid.
fn check_class(what: &str, class: Option<&str>) -> Result<(), String> {
    match class.is_none_or(|class| class.is_empty() || is_name(class)) {
        true => Ok(()),
        false => Err(format!("the {what}'s class is not a valid name")),
    }
}

/// A missing volume mode is valid: it means `Filesystem`.
fn check_volume_mode(what: &str, mode: Option<&str>) -> Result<(), String> {
    match mode.is_none_or(|mode| mode == "Filesystem") {
        true => Ok(()),
        false => Err(format!("the {what}'s volumeMode is not Filesystem")),
    }
}

/// Whether a word can be an object's name, as an RFC 1123 subdomain. It becomes part of a request's path.
fn is_name(word: &str) -> bool {
    word.len() <= 253 && word.split('.').all(is_word)
}

/// Whether a word can be a namespace's name.
fn is_label(word: &str) -> bool {
    word.len() <= 63 && is_word(word)
}

/// Lower-case letters, digits and inner dashes; at least one character.
fn is_word(word: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    word.starts_with(inner) && word.ends_with(inner) && word.chars().all(|c| inner(c) || c == '-')
}
