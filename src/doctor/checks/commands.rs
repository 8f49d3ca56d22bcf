//! Command lines for people (PURE), for fixes that are no [`Change`]: they create objects, or delete and recreate them.
//!
//! Each works when pasted into a shell with kubectl and nfsprov.

use serde_json::{Value, json};

use crate::doctor::facts::{Claim, Class, Facts, Workload};
use crate::doctor::fix::Change;
use crate::doctor::names::word;
use crate::doctor::{provisioners, quantity};
use crate::manifest::validate::SERVER_PLACEHOLDER;
use crate::provisioner::{DEFAULT_NAME, election};

/// What stands where only the administrator knows.
const SERVER: &str = SERVER_PLACEHOLDER;
const PATH: &str = "/EXPORT";
const NEW_DIRECTORY: &str = "/EXPORT/NEW-DIRECTORY";

/// What stands where only the administrator knows which class is meant.
pub const CLASS: &str = "CLASS";

/// The annotations that mark a class as the default.
pub const MARK: &str = "storageclass.kubernetes.io/is-default-class";
const OLD_MARK: &str = "storageclass.beta.kubernetes.io/is-default-class";

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

/// The same with a class that people have to name first: pasted as it is, it ends before it deletes anything.
pub fn choose_class(claim: &Claim) -> String {
    let again = recreate_claim(claim, &json!({"spec": {"storageClassName": CLASS}}));
    let again = again.replace(&format!("\"{CLASS}\""), "\"'\"$class\"'\"");
    format!("class={CLASS}; kubectl get storageclass \"$class\" && {again}")
}

/// Deletes a class and creates it again with another provisioner, which can't be edited.
pub fn recreate_class(name: &str, provisioner: &str) -> String {
    format!(
        "kubectl get storageclass {} -o json | {} | kubectl replace --force -f -",
        word(name),
        locally(&json!({"provisioner": provisioner}))
    )
}

/// Marks a class as the default.
pub fn mark_default(class: &str) -> String {
    format!("kubectl annotate storageclass {} {MARK}=true --overwrite", word(class))
}

/// Takes the mark away from classes.
pub fn unmark_default(names: &[&str]) -> String {
    let words: Vec<_> = names.iter().map(|name| word(name)).collect();
    format!(
        "kubectl annotate storageclass {} {MARK}=false {OLD_MARK}- --overwrite",
        words.join(" ")
    )
}

/// Makes a class as `create storageclass` does.
pub fn create_class(name: &str, provisioner: &str) -> String {
    format!(
        "nfsprov create storageclass {} --provisioner {} --apply",
        word(name),
        word(provisioner)
    )
}

/// Serves a class by a provisioner in the cluster, as `create provisioner` makes it.
pub fn create_provisioner(facts: &Facts, class: &Class) -> String {
    let name = &class.provisioner;
    // What the other one does not know of, or can't be called.
    let own = ["server", "path", "dirMode", "dirUid", "dirGid"];
    let own = election::lease_name(name).is_none() || own.iter().any(|key| class.parameters.contains_key(*key));
    let deployment = if own { "nfsprov" } else { "nfs-client-provisioner" };
    let namespace = facts.namespace.as_deref().unwrap_or("default");
    let taken = |workload: &Workload| workload.namespace == namespace && workload.name == deployment;
    let known = provisioners::served_export(facts, name);
    let (server, path) = known.unwrap_or_else(|| (SERVER.to_owned(), PATH.to_owned()));
    let mut command = format!("nfsprov -n {} create provisioner", word(namespace));
    if facts.workloads.iter().any(taken) {
        command += &format!(" {}", word(&plain(name)));
    }
    command += &format!(" --server {} --path {}", word(&server), word(&path));
    if name != DEFAULT_NAME || !own {
        command += &format!(" --provisioner {}", word(name));
    }
    command += &format!(" --class {}", word(&class.name));
    if !own {
        command += " --flavor upstream";
    }
    command + " --apply"
}

/// A provisioner's name as one that objects may have.
fn plain(name: &str) -> String {
    let letter = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_lowercase(),
        false => '-',
    };
    name.chars()
        .map(letter)
        .collect::<String>()
        .trim_matches('-')
        .to_owned()
}

fn locally(change: &Value) -> String {
    format!(
        "kubectl patch --local -f - --type merge -p {} -o json",
        word(&change.to_string())
    )
}

/// Creates a PV called `name` that fits a claim; also returns the note of this fix. Server and directory are placeholders,
/// because every directory known from the cluster already holds data.
pub fn create_new_volume(claim: &Claim, name: &str) -> (String, String) {
    let note = format!(
        "put your NFS server and a directory in place of {SERVER} and {NEW_DIRECTORY}; the directory must exist on the \
         server, and is the new PV's alone: whoever gets the PV can read and change all that is in it"
    );
    (create_volume(claim, name, SERVER, NEW_DIRECTORY), note)
}

/// Creates a PV called `name` that fits a claim, for the directory that the claim's own lost PV had; without it,
/// placeholders.
pub fn create_lost_volume(claim: &Claim, name: &str, place: Option<&(String, String)>) -> String {
    let (server, path) = place.map_or((SERVER, PATH), |(server, path)| (server, path));
    create_volume(claim, name, server, path)
}

fn create_volume(claim: &Claim, name: &str, server: &str, path: &str) -> String {
    let mut command = format!(
        "nfsprov create pv {} --server {} --path {} --size {}",
        word(name),
        word(server),
        word(path),
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

/// Whether a command line still has a word in it that the administrator must replace, as a sentence for its note.
pub fn to_replace(command: &str) -> &'static str {
    match command.contains(&format!("--server {SERVER} ")) {
        true => "put your NFS server and directory in place of SERVER and /EXPORT; ",
        false => "",
    }
}

/// Serves a provisioner's name from where the command runs.
pub fn provision(facts: &Facts, name: &str) -> String {
    let known = provisioners::served_export(facts, name);
    let (server, path) = known.unwrap_or_else(|| (SERVER.to_owned(), PATH.to_owned()));
    format!(
        "nfsprov provision --watch --name {} --server {} --path {}",
        word(name),
        word(&server),
        word(&path)
    )
}

/// Sets a workload's image.
pub fn set_image(workload: &Workload, container: &str, image: &str) -> Change {
    Change::SetImage {
        workload: workload.object(),
        container: container.to_owned(),
        image: image.to_owned(),
    }
}

/// Makes the objects of a list.
pub fn apply(objects: &[Value]) -> String {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    format!("echo {} | kubectl apply -f -", word(&list.to_string()))
}
