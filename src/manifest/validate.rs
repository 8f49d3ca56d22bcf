//! Checks values before they reach the cluster (PURE). Each check returns the value to use, or one sentence that says
//! what is wrong with it.

mod amounts;
mod kubernetes;
mod names;
mod places;

pub use amounts::{check_id, check_mode, check_size};
pub use kubernetes::parse_minor_version;
pub use names::{
    check_deployment_name, check_name, check_namespace, check_pod_name, check_pod_volume_name, check_provisioner_name,
    check_service_name, check_stateful_set_name, parse_claim, parse_label,
};
pub use places::{SERVER_PLACEHOLDER, check_image, check_mount_option, check_mount_path, check_path, check_server};

#[cfg(test)]
fn assert_check<T>(check: fn(&str) -> Result<T, String>, good: &[&str], bad: &[&str]) {
    for text in good {
        assert!(check(text).is_ok(), "{text:?} was refused");
    }
    for text in bad {
        assert!(check(text).is_err(), "{text:?} was taken");
    }
}
