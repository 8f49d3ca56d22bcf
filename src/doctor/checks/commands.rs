//! Command lines that mend things (PURE). They work when pasted into a shell with kubectl and nfsprov.

use serde_json::{Value, json};

use crate::doctor::facts::{Claim, Facts, Volume, Workload};
use crate::doctor::names::word;
use crate::doctor::{provisioners, quantity};

/// What stands where only the administrator knows.
const SERVER: &str = "SERVER";
const PATH: &str = "/EXPORT";

/// What every new PV's note says.
pub const DIRECTORY: &str =
    "the directory must exist on the server, and is the new PV's alone unless you mean to share it";

/// Deletes a claim that holds nothing and creates it again with `change` merged into it.
pub fn recreate_claim(claim: &Claim, change: &Value) -> String {
    let get = format!(
        "kubectl -n {} get pvc {} -o json",
        word(&claim.namespace),
        word(&claim.name)
    );
    let mut change = change.clone();
    if claim.annotated && change.pointer("/spec/storageClassName").is_some() {
        // It would be the stronger one.
        change["metadata"] = json!({"annotations": {"volume.beta.kubernetes.io/storage-class": null}});
    }
    match change.is_null() {
        true => format!("{get} | kubectl replace --force -f -"),
        false => format!("{get} | {} | kubectl replace --force -f -", locally(&change)),
    }
}

/// Deletes a class and creates it again with another provisioner, which can't be edited.
pub fn recreate_class(name: &str, provisioner: &str) -> String {
    let change = locally(&json!({"provisioner": provisioner}));
    format!(
        "kubectl get storageclass {} -o json | {change} | kubectl replace --force -f -",
        word(name)
    )
}

fn locally(change: &Value) -> String {
    format!(
        "kubectl patch --local -f - --type merge -p {} -o json",
        word(&change.to_string())
    )
}

/// Merges `change` into a PV.
pub fn patch_volume(name: &str, change: &Value) -> String {
    format!(
        "kubectl patch pv {} --type merge -p {}",
        word(name),
        word(&change.to_string())
    )
}

/// Makes a PV called `name` that fits a claim, on a known export or with words to be replaced.
pub fn create_volume(facts: &Facts, claim: &Claim, name: &str, place: Option<(String, String)>) -> String {
    let place = place.or_else(|| provisioners::known_export(facts, None));
    let (server, path) = place.unwrap_or_else(|| (SERVER.to_owned(), PATH.to_owned()));
    let mut command = format!(
        "nfsprov create pv {} --server {} --path {} --size {}",
        word(name),
        word(&server),
        word(&path),
        quantity::print(claim.wish.bytes)
    );
    for mode in &claim.wish.modes {
        command += &format!(" --access-mode {}", word(mode));
    }
    command += &format!(" --class {}", word(claim.class.as_deref().unwrap_or_default()));
    let labels = claim
        .wish
        .selector
        .as_ref()
        .and_then(|selector| selector.match_labels.as_ref());
    for (key, value) in labels.into_iter().flatten() {
        command += &format!(" --label {}", word(&format!("{key}={value}")));
    }
    command + " --apply"
}

/// The server and path of a PV.
pub fn place(volume: &Volume) -> Option<(String, String)> {
    volume.nfs.clone()
}

/// Whether a command line still has a word in it that the administrator must replace, as a sentence for its note.
pub fn to_replace(command: &str) -> &'static str {
    match command.contains(&format!("--server {SERVER} ")) {
        true => "put your NFS server and directory in place of SERVER and /EXPORT; ",
        false => "",
    }
}

/// Serves the claims that wait for a provisioner's name.
pub fn provision(facts: &Facts, name: &str, watch: bool) -> String {
    let known = provisioners::known_export(facts, Some(name));
    let (server, path) = known.unwrap_or_else(|| (SERVER.to_owned(), PATH.to_owned()));
    format!(
        "nfsprov provision {}--name {} --server {} --path {}",
        if watch { "--watch " } else { "" },
        word(name),
        word(&server),
        word(&path)
    )
}

/// Sets a workload's image.
pub fn set_image(workload: &Workload, container: &str, image: &str) -> String {
    format!(
        "kubectl -n {} set image {}/{} {}={}",
        word(&workload.namespace),
        workload.kind.to_lowercase(),
        word(&workload.name),
        word(container),
        word(image)
    )
}
