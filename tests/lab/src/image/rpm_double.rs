//! The disk of the double of a host with rpm packages: the image, with Debian's own dnf and rpm instead of apt and
//! dpkg, a repository of rpm packages built from Debian's, and the os-release of Rocky Linux 9.
//!
//! Debian's archive has no packages of a Red Hat system. So the package manager and the services are real, but the
//! userland is Debian's.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;

use super::freeze::{Disk, Setup};
use super::made::Made;
use super::{Image, remove};
use crate::process::contained;
use crate::{packages, step};

/// The script that makes a guest the double.
const SETUP: &str = include_str!("../../rpm-double/setup.sh");

static RPM_DOUBLE: Made = Made {
    name: "guest-rpm-double",
    disk: "rpm-double.cow",
    // The script that downloads packages is the same as for nodes.
    recipe: &[
        ("build.sh", include_str!("../../node/build.sh")),
        ("packages", include_str!("../../rpm-double/packages")),
        ("base.spec", include_str!("../../rpm-double/base.spec")),
        ("rpcbind.spec", include_str!("../../rpm-double/rpcbind.spec")),
        ("nfs-utils.spec", include_str!("../../rpm-double/nfs-utils.spec")),
    ],
    setup: &[SETUP],
    versioned: &["dnf", "rpm", "createrepo-c", "libdnf2"],
    found: OnceLock::new(),
};

/// The copy-on-write disk, if it is built for the image and for the versions that apt would install now; builds
/// nothing.
pub fn find() -> Option<PathBuf> {
    RPM_DOUBLE.find()
}

/// Builds the missing parts: the disk and the image that it is based on. Needs root. Works inside and outside a lab.
///
/// # Errors
/// If a package is not available or a step fails; the error then shows the end of the step's log.
pub fn build() -> Result<PathBuf> {
    RPM_DOUBLE.build(build_disk)
}

fn build_disk(dir: &Path, image: &Image, log: &Path) -> Result<()> {
    let payload = dir.join("payload");
    remove(&payload)?;
    RPM_DOUBLE.write_recipe(&payload.join("recipe"))?;
    let download = || {
        let mut command = contained("nice");
        command.args(["sh", "payload/recipe/build.sh", "packages", "payload/recipe"]);
        command.arg(image.disk()).arg("").current_dir(dir);
        command
    };
    packages::with_update(log, || step::run("downloading dnf and rpm", log, &mut download()))?;
    let setup = Setup {
        name: "rpm-double-template",
        script: &format!("payload='{}'\n{SETUP}", payload.display()),
        kernel: image.kernel(),
        disk: Disk::Changes(RPM_DOUBLE.disk),
        title: "making the double of a host with rpm packages in a guest (a minute)",
    };
    setup.run(image, dir, log)?;
    for rest in ["payload", "dpkg-status"] {
        remove(&dir.join(rest))?;
    }
    Ok(())
}
