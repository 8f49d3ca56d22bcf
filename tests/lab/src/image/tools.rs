//! The disk of an NFS server that has firewalld, ufw and PAM's one-time passwords, none of which is in use yet.
//!
//! Its guests need the kernel that has iptables.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;

use super::freeze::{Disk, Setup};
use super::made::Made;
use super::{Image, remove};
use crate::process::contained;
use crate::{packages, step};

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
    TOOLS.build(build_disk)
}

/// Builds the disk in `dir`, from the start.
fn build_disk(dir: &Path, image: &Image, log: &Path) -> Result<()> {
    let payload = dir.join("payload");
    remove(&payload)?;
    TOOLS.write_recipe(&payload.join("recipe"))?;
    let download = || {
        let mut command = contained("nice");
        command.args(["sh", "payload/recipe/build.sh", "packages", "payload/recipe"]);
        command.arg(image.disk()).arg("").current_dir(dir);
        command
    };
    packages::with_update(log, || {
        step::run("downloading firewalls and one-time passwords", log, &mut download())
    })?;
    let setup = Setup {
        name: "tools-template",
        script: &format!("payload='{}'\n{SETUP}", payload.display()),
        kernel: image.kernel_with_iptables(),
        disk: Disk::Changes(TOOLS.disk),
        title: "installing firewalls and one-time passwords in a guest (a minute)",
    };
    setup.run(image, dir, log)?;
    for rest in ["payload", "dpkg-status"] {
        remove(&dir.join(rest))?;
    }
    Ok(())
}
