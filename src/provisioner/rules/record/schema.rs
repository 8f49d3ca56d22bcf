//! What a record may say (PURE): strict, since whoever can write to the export can write one.

use k8s_openapi::api::core::v1::{NFSVolumeSource, PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Record, claim_manifest, is_kubernetes_key, volume_manifest};
use crate::export::{Location, MAX_RECORD, NFSPROV_DIRECTORY, VolumePath};
use crate::provisioner::claim::{class_name, requested_size, volume_name_in_spec};
use crate::provisioner::class::OnDelete;
use crate::provisioner::volume::{self, DIRECTORY, ENFORCE, FINALIZER, ON_DELETE, PROVISIONED_BY, QUOTA};
use crate::yaml;

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
    let volume = parse_document(volume, "PersistentVolume", volume_manifest)?;
    let directory = check_volume(name, &volume, export)?;
    let claim = match claim {
        Some(claim) => {
            let claim = parse_document(claim, "PersistentVolumeClaim", claim_manifest)?;
            check_claim(&claim, &volume)?;
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

/// Parses a document as a Kubernetes object. Fails if it is of another kind or not of `v1`, or has a field that
/// `manifest`, which gives what a record has of an object, doesn't write. Keys of annotations are not checked.
fn parse_document<K: DeserializeOwned>(
    document: &Value,
    kind: &str,
    manifest: impl FnOnce(&K) -> Value,
) -> Result<K, String> {
    let found = (&document["apiVersion"], &document["kind"]);
    if found != (&Value::from("v1"), &Value::from(kind)) {
        return Err(format!("it has another object in the place of a {kind}"));
    }
    let object: K = serde_json::from_value(document.clone()).map_err(|error| {
        let text = error.to_string();
        format!("{kind}: {}", text.split(", expected").next().unwrap_or_default())
    })?;
    match find_unknown_field(document, &manifest(&object)) {
        Some(field) => Err(format!("{kind}: unknown field `{}`", field.escape_debug())),
        None => Ok(object),
    }
}

/// The first field of `document`, at any depth but in annotations, that `known` doesn't have.
fn find_unknown_field<'a>(document: &'a Value, known: &Value) -> Option<&'a str> {
    let mut unknown = document
        .as_object()?
        .iter()
        .filter_map(|(key, value)| match known.get(key) {
            None => Some(key.as_str()),
            Some(_) if key == "annotations" => None,
            Some(known) => find_unknown_field(value, known),
        });
    unknown.next()
}

/// Refuses what a record of the PV `name` may not say; returns the PV's directory on the export.
fn check_volume(name: &str, volume: &PersistentVolume, export: &Location) -> Result<VolumePath, String> {
    let metadata = &volume.metadata;
    let found = metadata.name.as_deref().unwrap_or_default();
    if found != name || !is_name(name) {
        return Err(format!("it is the record of another PV, {found:?}"));
    }
    let spec = volume.spec.clone().unwrap_or_default();
    let directory = directory_on(&spec.nfs.unwrap_or_default(), export)?;
    for (key, value) in metadata.annotations.iter().flatten() {
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
    let mut finalizers = metadata.finalizers.iter().flatten();
    if let Some(other) = finalizers.find(|name| *name != FINALIZER) {
        return Err(format!("the PV has the finalizer {other:?}, which no record has"));
    }
    let policy = spec.persistent_volume_reclaim_policy.unwrap_or_default();
    if !matches!(policy.as_str(), "Retain" | "Delete") {
        return Err(format!(
            "the PV has the reclaim policy {policy:?}, not Retain or Delete"
        ));
    }
    check_modes("PV", spec.access_modes.as_deref())?;
    let capacity = spec.capacity.as_ref().and_then(|capacity| capacity.get("storage"));
    check_size_characters("PV", capacity)?;
    let class = volume::class_name(volume).unwrap_or_default();
    if !class.is_empty() && !is_name(class) {
        return Err("the PV's class is not a valid name".to_owned());
    }
    check_volume_mode("PV", spec.volume_mode.as_deref())?;
    let is_option = |option: &String| option.len() <= 255 && option.chars().all(|c| c.is_ascii_graphic());
    if !volume::mount_options(volume).iter().all(is_option) {
        return Err("the PV has a mount option with blanks or control characters".to_owned());
    }
    if let Some(claim) = volume::claim_of(volume)
        && !(claim.namespace.as_deref().is_some_and(is_label) && claim.name.as_deref().is_some_and(is_name))
    {
        return Err("the PV's claimRef has names that no claim can have".to_owned());
    }
    Ok(directory)
}

/// The directory of an NFS volume below the root of `export`; an error if it is elsewhere or in `.nfsprov`.
fn directory_on(nfs: &NFSVolumeSource, export: &Location) -> Result<VolumePath, String> {
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
fn check_claim(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> Result<(), String> {
    let (metadata, spec) = (&claim.metadata, claim.spec.clone().unwrap_or_default());
    let reference = volume::claim_of(volume);
    if reference.map(|reference| (&reference.namespace, &reference.name)) != Some((&metadata.namespace, &metadata.name))
    {
        return Err("the claim is not the one that the PV's claimRef names".to_owned());
    }
    let named = volume_name_in_spec(claim);
    if Some(named) != volume.metadata.name.as_deref() {
        return Err(format!("the claim names another PV, {named:?}"));
    }
    let mut keys = metadata.annotations.iter().flatten().map(|(key, _)| key);
    if let Some(key) = keys.find(|key| is_kubernetes_key(key)) {
        return Err(format!(
            "the claim has the annotation {key:?}, which Kubernetes keeps for itself"
        ));
    }
    let modes = spec.access_modes.as_deref();
    check_modes("claim", modes)?;
    check_size_characters("claim", requested_size(claim))?;
    check_volume_mode("claim", spec.volume_mode.as_deref())?;
    if class_name(claim).unwrap_or_default() != volume::class_name(volume).unwrap_or_default() {
        return Err("the claim and the PV have different classes, so they can't be bound".to_owned());
    }
    let of_volume = volume.spec.as_ref().and_then(|spec| spec.access_modes.as_deref());
    let is_of_volume = |mode: &String| of_volume.unwrap_or_default().contains(mode);
    if !modes.unwrap_or_default().iter().all(is_of_volume) {
        return Err("the claim has an access mode that the PV has not, so they can't be bound".to_owned());
    }
    Ok(())
}

/// Fails if there is no access mode or an unknown one. `what` names the object in the error, as in the checks below.
fn check_modes(what: &str, modes: Option<&[String]>) -> Result<(), String> {
    let known = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
    let modes = modes.unwrap_or_default();
    match !modes.is_empty() && modes.iter().all(|mode| known.contains(&mode.as_str())) {
        true => Ok(()),
        false => Err(format!("the {what} has no access mode, or an unknown one")),
    }
}

/// Fails if a size can't be a quantity by its characters; it is not parsed.
fn check_size_characters(what: &str, size: Option<&Quantity>) -> Result<(), String> {
    let size = size.map_or("", |size| size.0.as_str());
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
