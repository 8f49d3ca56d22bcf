//! The options of `create pv`, `create pvc` and `create storageclass`. Checks of values return the value to use, or one
//! clause that says what is wrong with it.

use std::collections::BTreeMap;

use clap::Args;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;

use super::{AccessMode, BindingMode, Delivery, OnDelete, Quota, ReclaimPolicy, WaitingOnApply, check_class_or_none};
use crate::manifest::validate;
use crate::provisioner::{DEFAULT_NAME, pattern};

#[derive(Debug, Args)]
pub struct Pv {
    /// Name of the volume
    #[arg(value_parser = validate::check_name)]
    pub name: Option<String>,
    /// Host name or address by which the nodes reach the NFS server
    #[arg(long, env = "NFSPROV_SERVER", value_parser = validate::check_server)]
    pub server: Option<String>,
    /// Exported directory
    #[arg(long, env = "NFSPROV_PATH", value_parser = validate::check_path)]
    pub path: Option<String>,
    /// Size, such as 1Gi; NFS does not enforce it
    #[arg(long, value_parser = validate::check_size)]
    pub size: Option<String>,
    /// Access mode (repeatable)
    #[arg(long = "access-mode", value_enum, value_name = "MODE", default_value = "RWX")]
    pub access_modes: Vec<AccessMode>,
    /// Effect of the claim's deletion on the volume
    #[arg(long, value_enum, value_name = "POLICY", default_value = "Retain")]
    pub reclaim_policy: ReclaimPolicy,
    /// Class that a claim must have to bind to the volume, or "" for none
    #[arg(long, default_value = "nfs", value_parser = check_class_or_none)]
    pub class: String,
    /// Mount option (repeatable)
    #[arg(long = "mount-option", value_name = "OPTION", value_parser = validate::check_mount_option)]
    pub mount_options: Vec<String>,
    /// Only claim that can bind to the volume
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = validate::parse_claim)]
    pub claim: Option<(String, String)>,
    /// Label (repeatable)
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = validate::parse_label)]
    pub labels: Vec<(String, String)>,
    #[command(flatten)]
    pub delivery: Delivery,
    #[command(flatten)]
    pub waiting: WaitingOnApply,
}

#[derive(Debug, Args)]
pub struct Pvc {
    /// Name of the claim
    #[arg(value_parser = validate::check_name)]
    pub name: Option<String>,
    /// Size, such as 1Gi
    #[arg(long, value_parser = validate::check_size)]
    pub size: Option<String>,
    /// Class, or "" for none [default: the cluster's default class]
    #[arg(long, env = "NFSPROV_CLASS", value_parser = check_class_or_none)]
    pub class: Option<String>,
    /// Access mode (repeatable)
    #[arg(long = "access-mode", value_enum, value_name = "MODE", default_value = "RWX")]
    pub access_modes: Vec<AccessMode>,
    /// Volume that the claim must bind to
    #[arg(long, value_name = "PV", value_parser = validate::check_name)]
    pub volume: Option<String>,
    /// Label that the volume must have (repeatable)
    #[arg(long = "selector", value_name = "KEY=VALUE", value_parser = validate::parse_label)]
    pub selector: Vec<(String, String)>,
    #[command(flatten)]
    pub delivery: Delivery,
    #[command(flatten)]
    pub waiting: WaitingOnApply,
}

#[derive(Debug, Args)]
pub struct Storageclass {
    /// Name of the class
    #[arg(value_parser = validate::check_name)]
    pub name: Option<String>,
    /// Name of the provisioner
    #[arg(long, env = "NFSPROV_PROVISIONER", default_value = DEFAULT_NAME, value_parser = validate::check_provisioner_name)]
    pub provisioner: String,
    /// Make this the default class
    #[arg(long)]
    pub default: bool,
    /// Effect of a claim's deletion on its volume
    #[arg(long, value_enum, value_name = "POLICY", default_value = "Delete")]
    pub reclaim_policy: ReclaimPolicy,
    /// Time at which volumes are provisioned
    #[arg(long, value_enum, value_name = "MODE", default_value = "Immediate")]
    pub binding_mode: BindingMode,
    /// Mount option (repeatable)
    #[arg(long = "mount-option", value_name = "OPTION", value_parser = validate::check_mount_option)]
    pub mount_options: Vec<String>,
    /// Effect of a volume's deletion on its directory [default: archive; none with --reclaim-policy Retain]
    #[arg(long, value_enum)]
    pub on_delete: Option<OnDelete>,
    /// NFS server to write into the class
    #[arg(long, requires = "path", value_parser = validate::check_server)]
    pub server: Option<String>,
    /// Exported directory to write into the class
    #[arg(long, requires = "server", value_parser = validate::check_path)]
    pub path: Option<String>,
    /// Path pattern of new directories, such as '${.PVC.namespace}/${.PVC.name}' [default: claim and volume name]
    #[arg(long, value_name = "PATTERN", value_parser = check_path_pattern)]
    pub path_pattern: Option<String>,
    /// Permission bits of new directories [default: 0777]
    #[arg(long, value_name = "OCTAL", value_parser = validate::check_mode)]
    pub dir_mode: Option<String>,
    /// User id that owns new directories [default: 0]
    #[arg(long, value_name = "ID", value_parser = validate::check_id)]
    pub dir_uid: Option<String>,
    /// Group id of new directories [default: 0]
    #[arg(long, value_name = "ID", value_parser = validate::check_id)]
    pub dir_gid: Option<String>,
    /// Bind claims only once the server limits their directories to their size (docs/capacity.md)
    #[arg(long, value_enum)]
    pub quota: Option<Quota>,
    /// Allow claims to be expanded; the provisioner needs --allow-expansion, too
    #[arg(long)]
    pub allow_expansion: bool,
    #[command(flatten)]
    pub delivery: Delivery,
}

/// Accepts a path pattern, unchanged, if the provisioner can expand it for a claim that has every label and annotation
/// in it.
fn check_path_pattern(text: &str) -> Result<String, String> {
    let keys = |kind: &str| -> BTreeMap<String, String> {
        let variables = text.split("${").skip(1).filter_map(|rest| rest.split('}').next());
        let keys = variables.filter_map(|variable| variable.strip_prefix(".PVC.")?.strip_prefix(kind));
        keys.map(|key| (key.to_owned(), "x".to_owned())).collect()
    };
    let mut claim = PersistentVolumeClaim::default();
    claim.metadata.name = Some("name".to_owned());
    claim.metadata.namespace = Some("namespace".to_owned());
    claim.metadata.labels = Some(keys("labels."));
    claim.metadata.annotations = Some(keys("annotations."));
    match pattern::render_directory(text, &claim) {
        Ok(_) => Ok(text.to_owned()),
        Err(why) => Err(format!(
            "{why}; it consists of ${{.PVC.name}}, ${{.PVC.namespace}}, ${{.PVC.labels.KEY}} and ${{.PVC.annotations.KEY}}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_the_provisioners() {
        for good in [
            "${.PVC.namespace}/${.PVC.name}",
            "fixed",
            "${.PVC.labels.app.kubernetes.io/name}/x",
            "${.PVC.annotations.nfs.io/storage-path}",
        ] {
            assert_eq!(check_path_pattern(good), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "/",
            "..",
            "${.PVC.uid}",
            "${.PVC.name",
            "${.PVC.labels}",
            "../${.PVC.name}",
        ] {
            assert!(check_path_pattern(bad).is_err(), "{bad:?} was taken");
        }
    }
}
