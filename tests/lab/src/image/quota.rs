//! The disk of an NFS server with the tools of XFS and of quotas.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;

use super::freeze::{Disk, Setup};
use super::made::Made;
use super::{Image, remove};
use crate::process::contained;
use crate::{packages, step};

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
    QUOTA.build(build_disk)
}

/// Builds the disk in `dir`, from the start.
fn build_disk(dir: &Path, image: &Image, log: &Path) -> Result<()> {
    let payload = dir.join("payload");
    remove(&payload)?;
    QUOTA.write_recipe(&payload.join("recipe"))?;
    let download = || {
        let mut command = contained("nice");
        command.args(["sh", "payload/recipe/build.sh", "packages", "payload/recipe"]);
        command.arg(image.disk()).arg("").current_dir(dir);
        command
    };
    packages::with_update(log, || {
        step::run("downloading the tools of quotas", log, &mut download())
    })?;
    let setup = Setup {
        name: "quota-template",
        script: &format!("payload='{}'\n{SETUP}", payload.display()),
        kernel: image.kernel(),
        disk: Disk::Changes(QUOTA.disk),
        title: "installing the tools of quotas in a guest (a minute)",
    };
    setup.run(image, dir, log)?;
    for rest in ["payload", "dpkg-status"] {
        remove(&dir.join(rest))?;
    }
    Ok(())
}
