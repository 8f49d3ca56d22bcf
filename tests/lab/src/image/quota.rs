//! The disk of an NFS server with the tools of XFS and of quotas.

use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::Result;

use super::made::Made;
use super::with_packages::build_disk;

/// What is run in a guest to give it them.
const SETUP: &str = include_str!("../../quota/setup.sh");

static QUOTA: Made = Made {
    name: "guest-quota",
    disk: "quota.cow",
    // What downloads packages is the nodes'.
    recipe: &[
        ("build.sh", include_str!("../../node/build.sh")),
        ("packages", include_str!("../../quota/packages")),
    ],
    setup: &[SETUP],
    versioned: &["quota", "xfsprogs"],
    found: OnceLock::new(),
};

/// What they changed on the image's disk, if it is built for the image and for the versions that apt would install
/// now; builds nothing.
pub fn find() -> Option<PathBuf> {
    QUOTA.find()
}

/// Builds whatever is missing of the disk and of the image that it is made from. Needs root, and can be called inside a
/// lab or outside of any.
///
/// # Errors
/// When a package cannot be had or a step fails; the error then shows the end of the step's log.
pub fn build() -> Result<PathBuf> {
    QUOTA.build(|dir, image, log| {
        let what = ("quota-template", "the tools of quotas");
        build_disk(&QUOTA, what, image.kernel(), (dir, image, log))
    })
}
