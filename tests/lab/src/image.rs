//! The guests' disk image with its kernels, and the frozen disks of an NFS client and an NFS server.
//!
//! These are artifacts of the cache. mmdebstrap builds the image from the Debian archive of this machine's apt, with
//! the modules of both kernels. A template is a copy-on-write file: the changes on a guest's disk after the
//! installation of the NFS client or server. It is valid only with the exact image on which it was created. Other
//! disks: nodes ([`node`]), a host with rpm packages ([`rpm_double`]), a server with firewalls ([`tools`]), a server
//! with quotas ([`quota`]).

mod freeze;
pub(crate) mod kernel;
mod made;
pub mod node;
pub mod quota;
pub mod rpm_double;
pub mod tools;
mod with_packages;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result};

use crate::process::contained;
use crate::{cache, packages, step};
use freeze::{Disk, FREEZE, Setup};
use kernel::{Kernel, Newer};

/// The recipe of the image: everything that determines its contents, except the versions of packages.
const RECIPE: [(&str, &str); 7] = [
    ("build.sh", include_str!("../image/build.sh")),
    ("packages", include_str!("../image/packages")),
    ("packages-nfs", include_str!("../image/packages-nfs")),
    ("masked-units", include_str!("../image/masked-units")),
    ("lab-net", include_str!("../image/lab-net")),
    ("lab-net.service", include_str!("../image/lab-net.service")),
    ("ptrace.c", include_str!("../image/ptrace.c")),
];
/// The script that makes a guest an NFS client.
const SETUP_CLIENT: &str = include_str!("../image/setup-client.sh");
/// The script that makes an NFS client an NFS server.
const SETUP_SERVER: &str = include_str!("../image/setup-server.sh");

/// The directory that the NFS server's template exports.
pub const NFS_PATH: &str = "/nfsdata";

/// A new version of one of these packages requires a new image.
const VERSIONED: [&str; 4] = ["user-mode-linux", "nfs-kernel-server", "openssh-server", "systemd"];
/// The tools that the build needs. The others are in `util-linux`, which every Debian has.
const TOOLS: [&str; 8] = [
    "mmdebstrap",
    "e2fsprogs",
    "dpkg-dev",
    "openssh-client",
    "iproute2",
    "gcc",
    "libc6-dev",
    kernel::TOOL,
];
const DISK: &str = "image.raw";
const CLIENT_DISK: &str = "nfs-client.cow";
const SERVER_DISK: &str = "nfs-server.cow";

/// The image that this process found: asking apt takes too long to repeat for each guest, and all guests of a process
/// must use the same image.
static FOUND: OnceLock<Image> = OnceLock::new();

#[derive(Clone, Debug)]
pub struct Image {
    newer: Option<Newer>,
    dir: PathBuf,
    template: PathBuf,
}

impl Image {
    /// The kernel on which programs start fastest.
    pub(crate) fn kernel(&self) -> Kernel {
        let newer = self.newer.as_ref().map(Newer::kernel);
        newer.unwrap_or_else(|| self.kernel_with_iptables())
    }

    /// The kernel with iptables.
    pub(crate) fn kernel_with_iptables(&self) -> Kernel {
        Kernel::Ptrace {
            program: self.dir.join("linux.uml"),
            preload: self.dir.join("ptrace.so"),
        }
    }

    /// The disk that all guests read and none writes.
    pub fn disk(&self) -> PathBuf {
        self.dir.join(DISK)
    }

    /// The private key that logs in to every guest as `root`, or as `ops`, who can use sudo.
    pub fn ssh_key(&self) -> PathBuf {
        self.dir.join("id_ed25519")
    }

    /// The copy-on-write file of a guest that was shut down after it became an NFS client.
    pub fn nfs_client_disk(&self) -> PathBuf {
        self.template.join(CLIENT_DISK)
    }

    /// The copy-on-write file of a guest that was shut down after it became an NFS server.
    pub fn nfs_server_disk(&self) -> PathBuf {
        self.template.join(SERVER_DISK)
    }

    /// The lines of a known_hosts file for the guest with these names or addresses.
    ///
    /// # Errors
    /// If the image's host key file cannot be read.
    pub fn known_hosts(&self, names: &[&str]) -> Result<String> {
        let path = self.dir.join("host_key.pub");
        let key = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(format!("{} {}\n", names.join(","), key.trim()))
    }
}

/// The image, if it and its template are built for the versions that apt would install now; builds nothing.
///
/// If apt knows no versions because its lists were never fetched, an image with any versions is accepted.
pub fn find() -> Option<Image> {
    if let Some(found) = FOUND.get() {
        return Some(found.clone());
    }
    let newer = kernel::find();
    let prefix = image_prefix(newer.as_ref()).ok()?;
    let dir = match versions(&VERSIONED) {
        Some(versions) => cache::find(&image_key(&prefix, &versions))?,
        None => newest(&prefix)?,
    };
    let template = cache::find(&template_key(&dir).ok()?)?;
    let image = Image { newer, dir, template };
    Some(FOUND.get_or_init(|| image).clone())
}

/// Builds the missing parts of the image and its template; all of it takes two or three minutes. Needs root. Works
/// inside and outside a lab.
///
/// # Errors
/// If a tool or package is not available or a step fails; the error then shows the end of the step's log.
pub fn build() -> Result<Image> {
    if let Some(image) = find() {
        return Ok(image);
    }
    packages::install(&TOOLS)?;
    let log = cache::log("guest-image")?;
    let versions = known_versions(&VERSIONED, &log)?;
    let newer = match kernel::build(&log) {
        Ok(newer) => Some(newer),
        Err(error) => {
            step::print_line(&format!(
                "Guests will take three times as long to start a program: {error:#}"
            ));
            None
        }
    };
    let key = image_key(&image_prefix(newer.as_ref())?, &versions);
    let dir = cache::ensure(&key, |dir| build_image(dir, newer.as_ref(), &log))?;
    let on = |template: &Path| Image {
        newer: newer.clone(),
        dir: dir.clone(),
        template: template.to_owned(),
    };
    let template = cache::ensure(&template_key(&dir)?, |partial| freeze_nfs(&on(partial), partial, &log))?;
    Ok(on(&template))
}

/// Builds the image in `dir` from the start, because it cannot tell incomplete files of an interrupted call from
/// complete ones.
fn build_image(dir: &Path, newer: Option<&Newer>, log: &Path) -> Result<()> {
    let recipe = dir.join("recipe");
    cache::create_dir(&recipe)?;
    for (name, text) in RECIPE {
        write(&recipe.join(name), text)?;
    }
    let downloads = dir.join("download");
    let kernel = dir.join("kernel");
    remove(&kernel)?;
    for deb in packages::download(&["user-mode-linux"], &downloads, log)? {
        packages::extract(&deb, &kernel)?;
    }
    let mut modules = vec![kernel.join("usr/lib/uml/modules")];
    modules.extend(newer.map(Newer::modules));
    let build = |step: &str| {
        let mut command = contained("nice");
        command.args(["sh", "recipe/build.sh", step, "recipe"]).args(&modules);
        command.current_dir(dir);
        command
    };
    step::run(
        "downloading and unpacking Debian for the guests (a minute)",
        log,
        &mut build("userland"),
    )?;
    step::run("setting the guests' system up", log, &mut build("settings"))?;
    step::run("writing the guests' disk", log, &mut build("disk"))?;
    step::run("compiling what the nodes' kernel lacks", log, &mut build("preload"))?;
    let (packed, program) = (kernel.join("usr/bin/linux.uml"), dir.join("linux.uml"));
    std::fs::rename(&packed, &program).with_context(|| format!("cannot move {}", packed.display()))?;
    for rest in [
        "rootfs",
        "repository",
        "download",
        "kernel",
        "recipe",
        "sources.list",
        "acquire.conf",
    ] {
        remove(&dir.join(rest))?;
    }
    Ok(())
}

/// Installs the NFS client in a guest on the image, then the server; saves both disks in `dir`.
fn freeze_nfs(image: &Image, dir: &Path, log: &Path) -> Result<()> {
    let client = Setup {
        name: "nfs-client",
        script: SETUP_CLIENT,
        kernel: image.kernel(),
        disk: Disk::Changes(CLIENT_DISK),
        title: "installing the NFS client in a guest (half a minute)",
    };
    client.run(image, dir, log)?;
    let server = Setup {
        name: "nfs-server",
        script: SETUP_SERVER,
        kernel: image.kernel(),
        disk: Disk::FurtherChanges(CLIENT_DISK, SERVER_DISK),
        title: "installing the NFS server in it (half a minute)",
    };
    server.run(image, dir, log)
}

/// The versions of `packages`; updates apt's package lists first if apt does not know them all.
fn known_versions(packages: &[&str], log: &Path) -> Result<String> {
    if let Some(versions) = versions(packages) {
        return Ok(versions);
    }
    let mut update = Command::new("apt-get");
    step::run("apt-get update", log, update.args(["--quiet", "update"]))?;
    versions(packages).with_context(|| format!("this machine's apt sources lack one of: {}", packages.join(", ")))
}

/// The versions of `packages` that apt would install now; `None` if it does not know all of them.
fn versions(packages: &[&str]) -> Option<String> {
    let mut command = Command::new("apt-cache");
    let output = command
        .arg("policy")
        .args(packages)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let candidates = text.lines().filter_map(|line| line.trim().strip_prefix("Candidate: "));
    let known: Vec<_> = candidates.filter(|version| *version != "(none)").collect();
    (known.len() == packages.len()).then(|| known.join(" "))
}

fn image_prefix(newer: Option<&Newer>) -> Result<String> {
    let release = newer.map(Newer::release).transpose()?.unwrap_or_default();
    let mut parts: Vec<_> = RECIPE.iter().flat_map(|(name, text)| [*name, *text]).collect();
    parts.push(&release);
    Ok(format!("guest-image-{:016x}-", hash(&parts)))
}

fn image_key(prefix: &str, versions: &str) -> String {
    format!("{prefix}{:08x}", hash(&[versions]) as u32)
}

/// The template's key. It depends on the image's identity: the disk is invalid with any other image, even of the same
/// recipe.
fn template_key(image: &Path) -> Result<String> {
    let parts = hash(&[&identity(image)?, FREEZE, SETUP_CLIENT, SETUP_SERVER]);
    Ok(format!("guest-nfs-{parts:016x}"))
}

/// A text that differs between any two images.
fn identity(image: &Path) -> Result<String> {
    let disk = image.join(DISK);
    let data = std::fs::metadata(&disk).with_context(|| format!("cannot read {}", disk.display()))?;
    Ok(format!("{} {}", image.display(), data.mtime()))
}

/// FNV-1a, because its result is the same on each machine and with each compiler.
pub(crate) fn hash(parts: &[&str]) -> u64 {
    // 0xff occurs in no UTF-8 text, so it separates the parts unambiguously.
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The newest finished artifact whose key starts with `prefix`.
fn newest(prefix: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(cache::root()).ok()?.filter_map(Result::ok);
    let keys = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let finished = keys
        .filter(|key| key.starts_with(prefix) && !key.contains('.'))
        .filter_map(|key| cache::find(&key));
    finished.max_by_key(|dir| std::fs::metadata(dir).and_then(|data| data.modified()).ok())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Removes a file or a directory with its contents, if it exists.
fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::hash;

    #[test]
    fn the_hash_is_the_published_one_and_distinguishes_parts() {
        assert_eq!(hash(&[]), 0xcbf2_9ce4_8422_2325);
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    }
}
