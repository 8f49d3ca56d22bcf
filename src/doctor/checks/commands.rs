//! Command lines for people (PURE), for fixes that are no [`Change`]: they create objects, or delete and recreate them.
//!
//! Each works when pasted into a shell with kubectl and nfsprov, once its placeholders are replaced, and then changes
//! the cluster at once.

use kube::core::Expression;
use serde_json::{Value, json};

use crate::cluster::provisioners;
use crate::cluster::quantity;
use crate::cluster::snapshot::{Claim, Class, ClusterSnapshot, Workload};
use crate::doctor::Fix;
use crate::manifest::validate::{self, SERVER_PLACEHOLDER};
use crate::provisioner::{DEFAULT_NAME, election};
use crate::shell::shell_word;

/// What stands where only the administrator knows.
const SERVER: &str = SERVER_PLACEHOLDER;
const PATH: &str = "/EXPORT";
const NEW_DIRECTORY: &str = "/EXPORT/NEW-DIRECTORY";

/// What stands where only the administrator knows which class is meant.
pub const CLASS: &str = "CLASS";

/// The annotations that mark a class as the default.
pub const DEFAULT_ANNOTATION: &str = "storageclass.kubernetes.io/is-default-class";
const OLD_DEFAULT_ANNOTATION: &str = "storageclass.beta.kubernetes.io/is-default-class";

/// A name from an object or event as an argument; `NAME` if no object can have it, as with one that begins with `-`.
pub fn object_argument(name: &str) -> String {
    validate::check_name(name).unwrap_or_else(|_| "NAME".to_owned())
}

/// The command that deletes a claim, which must hold nothing, and creates it again with the merge patch `change`; null
/// changes nothing.
pub fn recreate_claim_command(claim: &Claim, change: &Value) -> String {
    let get = format!("{} -o json", claim.object().kubectl_command("get"));
    let mut change = change.clone();
    if claim.has_class_annotation && change.pointer("/spec/storageClassName").is_some() {
        // It would be the stronger one.
        change["metadata"] = json!({"annotations": {"volume.beta.kubernetes.io/storage-class": null}});
    }
    match change.is_null() {
        true => format!("{get} | kubectl replace --force -f -"),
        false => format!(
            "{get} | {} | kubectl replace --force -f -",
            local_patch_command(&change)
        ),
    }
}

/// The command that deletes a claim, which must hold nothing, and creates it again with a class that the user has to
/// name first: pasted unchanged, it ends before it deletes anything.
pub fn choose_class_command(claim: &Claim) -> String {
    let command = recreate_claim_command(claim, &json!({"spec": {"storageClassName": CLASS}}));
    let command = command.replace(&format!("\"{CLASS}\""), "\"'\"$class\"'\"");
    format!("class={CLASS}; kubectl get storageclass \"$class\" && {command}")
}

/// The command that deletes a class and creates it again with another provisioner, a field that can't be edited.
pub fn recreate_class_command(class: &Class, provisioner: &str) -> String {
    let (get, patch) = (
        class.object().kubectl_command("get"),
        local_patch_command(&json!({"provisioner": provisioner})),
    );
    format!("{get} -o json | {patch} | kubectl replace --force -f -")
}

/// The command that marks a class as the default; other classes that are marked stay so.
pub fn mark_default_command(class: &str) -> String {
    format!(
        "kubectl annotate storageclass {} {DEFAULT_ANNOTATION}=true --overwrite",
        shell_word(class)
    )
}

/// The command that marks classes as not the default, and removes the older mark.
pub fn unmark_default_command(names: &[&str]) -> String {
    let words: Vec<_> = names.iter().map(|name| shell_word(name)).collect();
    format!(
        "kubectl annotate storageclass {} {DEFAULT_ANNOTATION}=false {OLD_DEFAULT_ANNOTATION}- --overwrite",
        words.join(" ")
    )
}

pub fn create_class_command(name: &str, provisioner: &str) -> String {
    format!(
        "nfsprov create storageclass {} --provisioner {} --apply",
        shell_word(name),
        shell_word(provisioner)
    )
}

/// The `create provisioner` command that serves a class: nfs-subdir-external-provisioner, or nfsprov if only that can
/// serve it. It runs in the namespace of the diagnosis, else in `default`. Server and path are placeholders if the
/// cluster doesn't tell them.
pub fn create_provisioner_command(cluster: &ClusterSnapshot, class: &Class) -> String {
    let name = &class.provisioner;
    // What the other one does not know of, or can't be called.
    let own = ["server", "path", "dirMode", "dirUid", "dirGid"];
    let needs_own = election::lease_name(name).is_none() || own.iter().any(|key| class.parameters.contains_key(*key));
    let deployment = if needs_own { "nfsprov" } else { "nfs-client-provisioner" };
    let namespace = cluster.namespace.as_deref().unwrap_or("default");
    let is_taken = |workload: &Workload| workload.namespace == namespace && workload.name == deployment;
    let mut command = format!("nfsprov -n {} create provisioner", shell_word(namespace));
    if cluster.workloads.iter().any(is_taken) {
        command += &format!(" {}", shell_word(&object_name(name)));
    }
    command += &served_export_options(cluster, name);
    if name != DEFAULT_NAME || !needs_own {
        command += &format!(" --provisioner {}", shell_word(name));
    }
    command += &format!(" --class {}", shell_word(&class.name));
    if !needs_own {
        command += " --flavor upstream";
    }
    command + " --apply"
}

/// A provisioner's name in lower case, with dashes for all but letters and digits, and none at the ends.
fn object_name(name: &str) -> String {
    let dashed = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    dashed.trim_matches('-').to_ascii_lowercase()
}

/// A `kubectl patch --local` command, which merges `change` into the object on its standard input.
fn local_patch_command(change: &Value) -> String {
    format!(
        "kubectl patch --local -f - --type merge -p {} -o json",
        shell_word(&change.to_string())
    )
}

/// The fix that creates a PV `name` for a claim. Server and directory are placeholders, because every directory known
/// from the cluster already holds data.
pub fn create_volume_fix(claim: &Claim, name: &str) -> Fix {
    let note = format!(
        "put your NFS server and a directory in place of {SERVER} and {NEW_DIRECTORY}; the directory must exist on the \
         server and belong to the new PV alone: pods that use the PV can read and change everything in it"
    );
    Fix::of_command(create_volume_command(claim, name, SERVER, NEW_DIRECTORY), note)
}

/// The command that creates a PV `name` for a claim, at `place`: server and path of the claim's own lost PV. Without
/// them it has placeholders.
pub fn lost_volume_command(claim: &Claim, name: &str, place: Option<&(String, String)>) -> String {
    let (server, path) = place.map_or((SERVER, PATH), |(server, path)| (server, path));
    create_volume_command(claim, name, server, path)
}

/// The `create pv` command for a volume that fits a claim, except for `matchExpressions` of its selector. An invalid
/// `name` becomes `NAME`.
fn create_volume_command(claim: &Claim, name: &str, server: &str, path: &str) -> String {
    let mut command = format!(
        "nfsprov create pv {} --server {} --path {} --size {}",
        object_argument(name),
        shell_word(server),
        shell_word(path),
        quantity::format_bytes(claim.requirements.bytes)
    );
    for mode in &claim.requirements.modes {
        command += &format!(" --access-mode {}", shell_word(mode));
    }
    command += &format!(" --class {}", shell_word(claim.class.as_deref().unwrap_or_default()));
    let requirements = claim.requirements.selector.iter();
    for label in requirements.filter(|requirement| matches!(requirement, Expression::Equal(..))) {
        command += &format!(" --label {}", shell_word(&label.to_string()));
    }
    command + " --apply"
}

/// A clause for the note of a command that has the placeholder SERVER, which the administrator must replace; empty for
/// other commands.
pub fn placeholder_note(command: &str) -> &'static str {
    match command.contains(&format!("--server {SERVER} ")) {
        true => "put your NFS server and directory in place of SERVER and /EXPORT; ",
        false => "",
    }
}

/// The `provision --watch` command that serves a provisioner's name from the administrator's machine. Server and path
/// are placeholders if the cluster doesn't tell them.
pub fn run_provisioner_command(cluster: &ClusterSnapshot, name: &str) -> String {
    let export = served_export_options(cluster, name);
    format!("nfsprov provision --watch --name {}{export}", shell_word(name))
}

/// The options for the export of a provisioner of this name, after a space; placeholders if the cluster doesn't tell
/// it.
fn served_export_options(cluster: &ClusterSnapshot, name: &str) -> String {
    let known = provisioners::served_export(cluster, name);
    let (server, path) = known.unwrap_or_else(|| (SERVER.to_owned(), PATH.to_owned()));
    format!(" --server {} --path {}", shell_word(&server), shell_word(&path))
}
