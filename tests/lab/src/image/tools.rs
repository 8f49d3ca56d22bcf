//! The disk of an NFS server that has firewalld, ufw and PAM's one-time passwords, none of which is in use yet.
//!
//! Its guests need the kernel that has iptables.

use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::Result;

use super::made::Made;
use super::with_packages::build_disk;

/// What is run in a guest to give it them.
const SETUP: &str = include_str!("../../tools/setup.sh");

static TOOLS: Made = Made {
    name: "guest-tools",
    disk: "tools.cow",
    // What downloads packages is the nodes'.
    recipe: &[
        ("build.sh", include_str!("../../node/build.sh")),
        ("packages", include_str!("../../tools/packages")),
    ],
    setup: &[SETUP],
    versioned: &["firewalld", "ufw", "iptables", "libpam-oath"],
    found: OnceLock::new(),
};

/// What they changed on the image's disk, if it is built for the image and for the versions that apt would install
/// now; builds nothing.
pub fn find() -> Option<PathBuf> {
    TOOLS.find()
}

/// Builds whatever is missing of the disk and of the image that it is made from. Needs root, and can be called inside a
/// lab or outside of any.
///
/// # Errors
/// When a package cannot be had or a step fails; the error then shows the end of the step's log.
pub fn build() -> Result<PathBuf> {
    TOOLS.build(|dir, image, log| {
        let what = ("tools-template", "firewalls and one-time passwords");
        build_disk(&TOOLS, what, image.kernel_with_iptables(), (dir, image, log))
    })
}
