//! Values refused before they reach the cluster (PURE): each check says in one sentence what is wrong.

mod amounts;
mod kubernetes;
mod names;
mod places;

pub use amounts::{id, mode, size};
pub use kubernetes::minor_version;
pub use names::{claim, deployment, label, name, namespace, pod, pod_volume, provisioner, service, stateful_set};
pub use places::{SERVER_PLACEHOLDER, image, mount_option, mount_path, path, server};

/// Each check with what it takes and what it refuses.
#[cfg(test)]
fn holds<T>(check: fn(&str) -> Result<T, String>, good: &[&str], bad: &[&str]) {
    for text in good {
        assert!(check(text).is_ok(), "{text:?} was refused");
    }
    for text in bad {
        assert!(check(text).is_err(), "{text:?} was taken");
    }
}
