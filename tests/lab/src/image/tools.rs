//! The disk of an NFS server with firewalld, ufw and PAM's one-time passwords, all of them inactive.
//!
//! Its guests need the kernel that has iptables.

use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::Result;

use super::made::Made;
use super::with_packages::build_disk;

/// The script that installs them in a guest.
const SETUP: &str = include_str!("../../tools/setup.sh");

static TOOLS: Made = Made {
    name: "guest-tools",
    disk: "tools.cow",
    // The script that downloads packages is the same as for nodes.
    recipe: &[
        ("build.sh", include_str!("../../node/build.sh")),
        ("packages", include_str!("../../tools/packages")),
    ],
    setup: &[SETUP],
    versioned: &["firewalld", "ufw", "iptables", "libpam-oath"],
    found: OnceLock::new(),
};

/// The copy-on-write disk, if it is built for the image and for the versions that apt would install now; builds
/// nothing.
pub fn find() -> Option<PathBuf> {
    TOOLS.find()
}

/// Builds the missing parts: the disk and the image that it is based on. Needs root. Works inside and outside a lab.
///
/// # Errors
/// If a package is not available or a step fails; the error then shows the end of the step's log.
pub fn build() -> Result<PathBuf> {
    TOOLS.build(|dir, image, log| {
        let what = ("tools-template", "firewalls and one-time passwords");
        build_disk(&TOOLS, what, image.kernel_with_iptables(), (dir, image, log))
    })
}
