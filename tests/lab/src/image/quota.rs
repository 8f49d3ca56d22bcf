//! The disk of an NFS server with the tools for XFS and quotas.

use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::Result;

use super::made::Made;
use super::with_packages::build_disk;

/// The script that installs them in a guest.
const SETUP: &str = include_str!("../../quota/setup.sh");

static QUOTA: Made = Made {
    name: "guest-quota",
    disk: "quota.cow",
    // The script that downloads packages is the same as for nodes.
    recipe: &[
        ("build.sh", include_str!("../../node/build.sh")),
        ("packages", include_str!("../../quota/packages")),
    ],
    setup: &[SETUP],
    versioned: &["quota", "xfsprogs"],
    found: OnceLock::new(),
};

/// The copy-on-write disk, if it is built for the image and for the versions that apt would install now; builds
/// nothing.
pub fn find() -> Option<PathBuf> {
    QUOTA.find()
}

/// Builds the missing parts: the disk and the image that it is based on. Needs root. Works inside and outside a lab.
///
/// # Errors
/// If a package is not available or a step fails; the error then shows the end of the step's log.
pub fn build() -> Result<PathBuf> {
    QUOTA.build(|dir, image, log| {
        let what = ("quota-template", "the tools of quotas");
        build_disk(&QUOTA, what, image.kernel(), (dir, image, log))
    })
}
