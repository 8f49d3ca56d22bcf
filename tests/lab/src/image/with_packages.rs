//! Disks that consist of the image and further packages: downloading the packages, and installing them in a guest.

use std::path::Path;

use anyhow::Result;

use super::freeze::{Disk, Setup};
use super::kernel::Kernel;
use super::made::Made;
use super::{Image, remove};
use crate::process::contained;
use crate::{packages, step};

/// Builds the disk in `dir` from the start: downloads the recipe's packages, and runs the setup in a guest with this
/// host name and kernel. `what` is the text for the log.
///
/// # Errors
/// If a package is not available or a step fails.
pub(super) fn build_disk(
    made: &Made,
    (host_name, what): (&str, &str),
    kernel: Kernel,
    (dir, image, log): (&Path, &Image, &Path),
) -> Result<()> {
    let payload = dir.join("payload");
    remove(&payload)?;
    made.write_recipe(&payload.join("recipe"))?;
    let download = || {
        let mut command = contained("nice");
        command.args(["sh", "payload/recipe/build.sh", "packages", "payload/recipe"]);
        command.arg(image.disk()).arg("").current_dir(dir);
        command
    };
    packages::with_update(log, || step::run(&format!("downloading {what}"), log, &mut download()))?;
    let setup = Setup {
        name: host_name,
        script: &format!("payload='{}'\n{}", payload.display(), made.setup.concat()),
        kernel,
        disk: Disk::Changes(made.disk),
        title: &format!("installing {what} in a guest (a minute)"),
    };
    setup.run(image, dir, log)?;
    for rest in ["payload", "dpkg-status"] {
        remove(&dir.join(rest))?;
    }
    Ok(())
}
