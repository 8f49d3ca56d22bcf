//! The disk of guests that are nodes of Kubernetes: the image, with containerd, the kubelet and the container images of
//! pods, set up in a guest once. Nodes start from it in seconds, and lack only a cluster.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result};

use super::freeze::{Disk, FREEZE, Setup};
use super::{Image, hash, identity, known_versions, newest, remove, versions, write};
use crate::container::PACK;
use crate::kubernetes::{Lane, from_debian};
use crate::process::contained;
use crate::{cache, packages, step};

/// All that decides what is on the disk, apart from the image, the packages' versions and Kubernetes'.
const RECIPE: [(&str, &str); 9] = [
    ("build.sh", include_str!("../../node/build.sh")),
    ("packages", include_str!("../../node/packages")),
    ("pause.c", include_str!("../../node/pause.c")),
    ("pack.sh", PACK),
    ("lab-node", include_str!("../../node/lab-node")),
    ("kubelet.service", include_str!("../../node/kubelet.service")),
    ("kube-proxy.service", include_str!("../../node/kube-proxy.service")),
    ("kubelet.yaml", include_str!("../../node/kubelet.yaml")),
    ("containerd.toml", include_str!("../../node/containerd.toml")),
];
/// What is run in a guest to make it a node.
const SETUP: &str = include_str!("../../node/setup.sh");

/// Packages whose version is a reason to build the disk anew.
const VERSIONED: [&str; 6] = [
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "busybox-static",
    "user-mode-linux",
];
/// What building needs beyond the image's own tools.
const TOOLS: [&str; 3] = ["gcc", "libc6-dev", "binutils"];
const DISK: &str = "node.raw";

/// The disk that this process found, as with the image.
static FOUND: OnceLock<PathBuf> = OnceLock::new();

/// The disk that nodes start from, if it is built for the image and for the versions that apt would install now; builds
/// nothing.
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

/// Builds whatever is missing of the disk, the image that it is made from, and the programs of Kubernetes for nodes.
/// Needs root, and can be called inside a lab or outside of any.
///
/// # Errors
/// When a tool or package cannot be had or a step fails; the error then shows the end of the step's log.
pub fn build() -> Result<PathBuf> {
    let programs = Lane::V1_20.build_with_nodes()?.nodes;
    let programs = programs.context("the build left no programs for nodes")?;
    let image = super::build()?;
    if let Some(found) = find() {
        return Ok(found);
    }
    packages::install(&TOOLS)?;
    let log = cache::log("guest-node")?;
    let key = key(&prefix(&image)?, &known_versions(&VERSIONED, &log)?);
    let dir = cache::ensure(&key, |dir| build_disk(dir, &image, &programs, &log))?;
    Ok(dir.join(DISK))
}

/// Builds the disk in `dir`, from the start.
fn build_disk(dir: &Path, image: &Image, programs: &Path, log: &Path) -> Result<()> {
    let recipe = dir.join("recipe");
    cache::create_dir(&recipe)?;
    for (name, text) in RECIPE {
        write(&recipe.join(name), text)?;
    }
    let wanted = [("user-mode-linux", "kernel"), ("busybox-static", "busybox")];
    let downloads = dir.join("download");
    let debs = packages::download(&wanted.map(|(package, _)| package), &downloads, log)?;
    for (deb, (_, place)) in debs.iter().zip(wanted) {
        remove(&dir.join(place))?;
        packages::extract(deb, &dir.join(place))?;
    }
    let build = |part: &str| -> Command {
        let mut command = contained("nice");
        command.args(["sh", "recipe/build.sh", part, "recipe"]);
        command.arg(image.disk()).arg(programs).current_dir(dir);
        command
    };
    let title = "downloading what makes a guest a node";
    packages::with_update(log, || step::run(title, log, &mut build("packages")))?;
    step::run("making the images of containers", log, &mut build("images"))?;
    step::run("collecting the files of nodes", log, &mut build("files"))?;
    step::run("copying the guests' disk", log, &mut build("disk"))?;
    let payload = dir.join("payload");
    let setup = Setup {
        name: "node-template",
        script: &format!("payload='{}'\n{SETUP}", payload.display()),
        disk: Disk::Whole(DISK),
        title: "setting a node up in a guest (a minute)",
    };
    setup.run(image, dir, log)?;
    for rest in [
        "recipe",
        "download",
        "kernel",
        "busybox",
        "roots",
        "payload",
        "dpkg-status",
    ] {
        remove(&dir.join(rest))?;
    }
    Ok(())
}

fn prefix(image: &Image) -> Result<String> {
    let identity = identity(&image.dir)?;
    let mut parts: Vec<_> = RECIPE.iter().flat_map(|(name, text)| [*name, *text]).collect();
    parts.extend([&identity, FREEZE, SETUP, from_debian::NODE_KEY]);
    Ok(format!("guest-node-{:016x}-", hash(&parts)))
}

fn key(prefix: &str, versions: &str) -> String {
    format!("{prefix}{:08x}", hash(&[versions]) as u32)
}
