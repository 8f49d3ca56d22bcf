//! Renders a class's `pathPattern` for a claim (PURE).
//!
//! The syntax is nfs-subdir-external-provisioner's: `${.PVC.name}`, `${.PVC.namespace}`, `${.PVC.labels.KEY}` and
//! `${.PVC.annotations.KEY}`, where KEY may hold dots and slashes; and `${.PV.name}`. There an unknown or missing value
//! is empty, which has mounted the directory of a whole namespace, or the export's root, into a pod. Here it is an
//! error.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;

use super::claim::volume_name_for;
use crate::export::VolumePath;

/// Renders `pattern` for a claim.
///
/// Empty and `.` components of the pattern are dropped, as nfs-subdir-external-provisioner does; those of a value are
/// errors, and so is `..`. A value with slashes gives several components.
///
/// # Errors
/// One sentence that names the pattern and its fault: an unknown or missing value, an unclosed `${`, or a result that
/// is no directory below the export.
pub fn render_directory(pattern: &str, claim: &PersistentVolumeClaim) -> Result<VolumePath, String> {
    let wrong = |why: String| format!("pathPattern {pattern:?}: {why}");
    let mut path = String::new();
    let mut rest = normalize_slashes(pattern);
    while let Some((literal, tail)) = rest.split_once("${") {
        path += literal;
        let Some((variable, tail)) = tail.split_once('}') else {
            return Err(wrong("a ${ has no }".to_owned()));
        };
        path += &variable_value(variable, claim).ok_or_else(|| wrong(format!("the claim has no {variable}")))?;
        rest = tail.to_owned();
    }
    path += &rest;
    VolumePath::parse(&path).map_err(|error| wrong(error.to_string()))
}

/// The value of a variable; `None` if it is unknown, missing or empty.
fn variable_value(variable: &str, claim: &PersistentVolumeClaim) -> Option<String> {
    let meta = &claim.metadata;
    if variable == ".PV.name" {
        return meta.uid.as_deref().filter(|uid| !uid.is_empty()).map(volume_name_for);
    }
    let found = match variable.strip_prefix(".PVC.")? {
        "name" => meta.name.as_ref(),
        "namespace" => meta.namespace.as_ref(),
        other => match other.split_once('.')? {
            ("labels", key) => meta.labels.as_ref()?.get(key),
            ("annotations", key) => meta.annotations.as_ref()?.get(key),
            _ => None,
        },
    };
    found.filter(|text| !text.is_empty()).cloned()
}

/// The pattern without empty and `.` components. Slashes in the keys of variables separate nothing.
fn normalize_slashes(pattern: &str) -> String {
    let (mut is_inside, mut before) = (false, ' ');
    let is_separator = |character| {
        match character {
            '{' if before == '$' => is_inside = true,
            '}' => is_inside = false,
            _ => {}
        }
        before = character;
        character == '/' && !is_inside
    };
    let components = pattern.split(is_separator);
    let components: Vec<&str> = components.filter(|name| !matches!(*name, "" | ".")).collect();
    components.join("/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claim() -> PersistentVolumeClaim {
        serde_json::from_value(json!({"metadata": {
            "name": "data", "namespace": "team", "uid": "0b51",
            "labels": {"app": "web", "app.kubernetes.io/name": "shop", "none": ""},
            "annotations": {"nfs.io/storage-path": "a/b", "up": "../../etc", "root": "/", "abs": "/etc", "dot": "."},
        }}))
        .unwrap()
    }

    #[test]
    fn values_are_filled_in() {
        for (pattern, path) in [
            ("${.PVC.namespace}/${.PVC.name}", "team/data"),
            ("${.PVC.namespace}-${.PVC.name}", "team-data"),
            ("fixed", "fixed"),
            ("/${.PVC.namespace}//${.PVC.name}/", "team/data"),
            ("./${.PVC.name}", "data"),
            ("${.PVC.labels.app}", "web"),
            ("${.PVC.labels.app.kubernetes.io/name}/x", "shop/x"),
            ("${.PVC.namespace}/${.PVC.annotations.nfs.io/storage-path}", "team/a/b"),
            ("$5/$/{x}", "$5/$/{x}"),
            ("${.PVC.namespace}/${.PV.name}", "team/pvc-0b51"),
        ] {
            assert_eq!(
                render_directory(pattern, &claim()).unwrap().to_string(),
                path,
                "{pattern}"
            );
        }
    }

    #[test]
    fn what_gives_no_directory_of_the_claims_own_is_refused() {
        for pattern in [
            "",
            "/",
            ".",
            "..",
            "a/..",
            "../${.PVC.name}",
            "${.PVC.namespace}/${.PVC.labels.missing}",
            "${.PVC.labels.none}",
            "${.PVC.annotations.up}",
            "${.PVC.namespace}/${.PVC.annotations.up}",
            "${.PVC.annotations.root}",
            "x${.PVC.annotations.abs}/..",
            "${.PVC.namespace}/${.PVC.annotations.dot}",
            "${.PVC.annotations.abs}",
            "${.PVC.uid}",
            "${.PVC.}",
            "${}",
            "${.PV.uid}",
            "${.PV}",
            "${.PVC.name",
            "${ .PVC.name }",
            "a\0b",
        ] {
            let result = render_directory(pattern, &claim());
            assert!(result.is_err(), "{pattern:?} gave {result:?}");
        }
    }

    proptest::proptest! {
        /// Whatever a user writes: a directory below the export and never the export itself, or a refusal.
        #[test]
        fn nothing_leads_out_of_the_export(
            pattern in "(\\PC{0,8}|/|\\.\\./|\\$\\{\\.PVC\\.(name|namespace|labels\\.a|annotations\\.b/c|x)\\}){0,6}",
            name in "[a-z.-]{1,8}",
            label in "[a-zA-Z0-9._-]{0,8}",
            annotation in "(\\PC|/|\\.\\./|\0|\n){0,8}",
        ) {
            let claim = serde_json::from_value(json!({"metadata": {
                "name": name, "namespace": "n", "labels": {"a": label}, "annotations": {"b/c": annotation},
            }})).unwrap();
            if let Ok(path) = render_directory(&pattern, &claim) {
                let full = path.under("/export");
                proptest::prop_assert!(full.starts_with("/export/") && full.len() > "/export/".len(), "{full:?}");
                let plain = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
                proptest::prop_assert!(full["/export/".len()..].split('/').all(plain), "{full:?}");
            }
        }
    }
}
