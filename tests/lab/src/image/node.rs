//! The disk of guests that are nodes of Kubernetes: the image with containerd, the kubelet and container images, set up
//! in a guest once. Nodes start from it in seconds and only need a cluster to join.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::Result;

use super::freeze::{Disk, Setup};
use super::made::Made;
use super::{Image, remove};
use crate::container::PACK;
use crate::kubernetes::{Lane, from_debian};
use crate::process::contained;
use crate::{packages, step};

/// The script that makes a guest a node.
const SETUP: &str = include_str!("../../node/setup.sh");

/// The tools that this build needs besides the image's.
const TOOLS: [&str; 1] = ["binutils"];

static NODE: Made = Made {
    name: "guest-node",
    disk: "node.raw",
    recipe: &[
        ("build.sh", include_str!("../../node/build.sh")),
        ("packages", include_str!("../../node/packages")),
        ("pause.c", include_str!("../../node/pause.c")),
        ("pack.sh", PACK),
        ("lab-node", include_str!("../../node/lab-node")),
        ("kubelet.service", include_str!("../../node/kubelet.service")),
        ("kube-proxy.service", include_str!("../../node/kube-proxy.service")),
        ("kubelet.yaml", include_str!("../../node/kubelet.yaml")),
        ("containerd.toml", include_str!("../../node/containerd.toml")),
    ],
    setup: &[SETUP, from_debian::KEY],
    versioned: &[
        "containerd",
        "runc",
        "containernetworking-plugins",
        "iptables",
        "busybox-static",
    ],
    found: OnceLock::new(),
};

/// The disk from which nodes start, if it is built for the image and for the versions that apt would install now;
/// builds nothing.
pub fn find() -> Option<PathBuf> {
    NODE.find()
}

/// Builds the missing parts: the disk, the image that it is based on, and the programs of Kubernetes for nodes. Needs
/// root. Works inside and outside a lab.
///
/// # Errors
/// If a tool or package is not available or a step fails; the error then shows the end of the step's log.
pub fn build() -> Result<PathBuf> {
    let programs = Lane::V1_20.build_node_programs()?;
    NODE.build(|dir, image, log| build_disk(dir, image, &programs, log))
}

fn build_disk(dir: &Path, image: &Image, programs: &Path, log: &Path) -> Result<()> {
    packages::install(&TOOLS)?;
    NODE.write_recipe(&dir.join("recipe"))?;
    let busybox = dir.join("busybox");
    remove(&busybox)?;
    for deb in packages::download(&["busybox-static"], &dir.join("download"), log)? {
        packages::extract(&deb, &busybox)?;
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
        kernel: image.kernel_with_iptables(),
        disk: Disk::Whole(NODE.disk),
        title: "setting a node up in a guest (a minute)",
    };
    setup.run(image, dir, log)?;
    for rest in ["recipe", "download", "busybox", "roots", "payload", "dpkg-status"] {
        remove(&dir.join(rest))?;
    }
    Ok(())
}
