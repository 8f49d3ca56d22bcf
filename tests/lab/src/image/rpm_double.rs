//! The disk of the double of a host with rpm packages: the image, with Debian's own dnf and rpm instead of apt and dpkg,
//! a repository of rpm packages made from Debian's, and the os-release of Rocky Linux 9.
//!
//! No host of that kind can be had where there is only Debian's archive. So what finds, installs and asks for packages
//! is real, and so are the services; only the userland below is Debian's.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;

use super::freeze::{Disk, FREEZE, Setup};
use super::{Image, hash, identity, known_versions, newest, remove, versions, write};
use crate::process::contained;
use crate::{cache, packages, step};

/// All that decides what is on the disk, apart from the image and the packages' versions. What downloads packages is
/// the nodes'.
const RECIPE: [(&str, &str); 5] = [
    ("build.sh", include_str!("../../node/build.sh")),
    ("packages", include_str!("../../rpm-double/packages")),
    ("base.spec", include_str!("../../rpm-double/base.spec")),
    ("rpcbind.spec", include_str!("../../rpm-double/rpcbind.spec")),
    ("nfs-utils.spec", include_str!("../../rpm-double/nfs-utils.spec")),
];
/// What is run in a guest to make it the double.
const SETUP: &str = include_str!("../../rpm-double/setup.sh");

/// Packages whose version is a reason to build the disk anew.
const VERSIONED: [&str; 4] = ["dnf", "rpm", "createrepo-c", "libdnf2"];
const DISK: &str = "rpm-double.cow";

/// The disk that this process found, as with the image.
static FOUND: OnceLock<PathBuf> = OnceLock::new();

/// What the double changed on the image's disk, if it is built for the image and for the versions that apt would install
/// now; builds nothing.
pub fn find() -> Option<PathBuf> {
    if let Some(found) = FOUND.get() {
        return Some(found.clone());
    }
    let prefix = prefix(&super::find()?).ok()?;
    let dir = match versions(&VERSIONED) {
        Some(versions) => cache::find(&key(&prefix, &versions))?,
        None => newest(&prefix)?,
    };
    Some(FOUND.get_or_init(|| dir.join(DISK)).clone())
}

/// Builds whatever is missing of the double and of the image that it is made from. Needs root, and can be called inside a
/// lab or outside of any.
///
/// # Errors
/// When a package cannot be had or a step fails; the error then shows the end of the step's log.
pub fn build() -> Result<PathBuf> {
    let image = super::build()?;
    if let Some(found) = find() {
        return Ok(found);
    }
    let log = cache::log("guest-rpm-double")?;
    let key = key(&prefix(&image)?, &known_versions(&VERSIONED, &log)?);
    let dir = cache::ensure(&key, |dir| build_disk(dir, &image, &log))?;
    Ok(dir.join(DISK))
}

/// Builds the disk in `dir`, from the start.
fn build_disk(dir: &Path, image: &Image, log: &Path) -> Result<()> {
    let payload = dir.join("payload");
    remove(&payload)?;
    let recipe = payload.join("recipe");
    cache::create_dir(&recipe)?;
    for (name, text) in RECIPE {
        write(&recipe.join(name), text)?;
    }
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
        disk: Disk::Changes(DISK),
        title: "making the double of a host with rpm packages in a guest (a minute)",
    };
    setup.run(image, dir, log)?;
    for rest in ["payload", "dpkg-status"] {
        remove(&dir.join(rest))?;
    }
    Ok(())
}

fn prefix(image: &Image) -> Result<String> {
    let identity = identity(&image.dir)?;
    let mut parts: Vec<_> = RECIPE.iter().flat_map(|(name, text)| [*name, *text]).collect();
    parts.extend([&identity, FREEZE, SETUP]);
    Ok(format!("guest-rpm-double-{:016x}-", hash(&parts)))
}

fn key(prefix: &str, versions: &str) -> String {
    format!("{prefix}{:08x}", hash(&[versions]) as u32)
}
