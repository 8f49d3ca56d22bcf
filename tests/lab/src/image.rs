//! The guests' disk image with its kernels, and the frozen disks of an NFS client and an NFS server.
//!
//! Artifacts of the cache. The image is Debian's own userland, made by mmdebstrap from the archive that this
//! machine's apt is configured with, with the modules of both kernels. The templates are what a guest changed on its disk while the NFS client, or the server, was
//! installed in it: copy-on-write files, good only with the very image they were made on. A node's disk is in [`node`], that
//! of a host with rpm packages in [`rpm_double`], that of a server with firewalls in [`tools`], that of
//! one with quotas in [`quota`].

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

/// The recipe of the image: all that decides what is in it, apart from the packages' versions.
const RECIPE: [(&str, &str); 7] = [
    ("build.sh", include_str!("../image/build.sh")),
    ("packages", include_str!("../image/packages")),
    ("packages-nfs", include_str!("../image/packages-nfs")),
    ("masked-units", include_str!("../image/masked-units")),
    ("lab-net", include_str!("../image/lab-net")),
    ("lab-net.service", include_str!("../image/lab-net.service")),
    ("ptrace.c", include_str!("../image/ptrace.c")),
];
/// What is run in a guest to make it an NFS client.
const SETUP_CLIENT: &str = include_str!("../image/setup-client.sh");
/// What is run in an NFS client to make it an NFS server.
const SETUP_SERVER: &str = include_str!("../image/setup-server.sh");

/// The directory that the NFS server's template exports.
pub const NFS_PATH: &str = "/nfsdata";

/// Packages whose version is a reason to build the image anew.
const VERSIONED: [&str; 4] = ["user-mode-linux", "nfs-kernel-server", "openssh-server", "systemd"];
/// Tools that building needs; `util-linux`, which has the others, is part of every Debian.
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

/// The image that this process found: asking apt takes longer than a process should wait for each guest, and all its
/// guests should be of one kind.
static FOUND: OnceLock<Image> = OnceLock::new();

/// The finished image with its kernels, keys and template.
#[derive(Clone, Debug)]
pub struct Image {
    newer: Option<Newer>,
    dir: PathBuf,
    template: PathBuf,
}

impl Image {
    /// The kernel that starts programs fastest.
    pub(crate) fn kernel(&self) -> Kernel {
        let newer = self.newer.as_ref().map(Newer::kernel);
        newer.unwrap_or_else(|| self.kernel_with_iptables())
    }

    /// The kernel that has iptables.
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

    /// The private key whose owner may log in to every guest as `root`, or as `ops`, who has sudo.
    pub fn ssh_key(&self) -> PathBuf {
        self.dir.join("id_ed25519")
    }

    /// The copy-on-write file of a guest that was switched off after it became an NFS client.
    pub fn nfs_client_disk(&self) -> PathBuf {
        self.template.join(CLIENT_DISK)
    }

    /// The copy-on-write file of a guest that was switched off after it became an NFS server.
    pub fn nfs_server_disk(&self) -> PathBuf {
        self.template.join(SERVER_DISK)
    }

    /// The lines of a known_hosts file that holds for the guest with these names (or addresses) and no other host.
    ///
    /// # Errors
    /// When the image's file of its host key cannot be read.
    pub fn known_hosts(&self, names: &[&str]) -> Result<String> {
        let path = self.dir.join("host_key.pub");
        let key = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(format!("{} {}\n", names.join(","), key.trim()))
    }
}

/// The image, if it and its template are built for the versions that apt would install now; builds nothing.
///
/// Where apt knows no versions (its lists were never fetched), an image of any versions will do.
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

/// Builds whatever is missing of the image and its template: two or three minutes for all of it. Needs root, and can
/// be called inside a lab or outside of any.
///
/// # Errors
/// When a tool or package cannot be had or a step fails; the error then shows the end of the step's log.
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
            step::say(&format!(
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

/// Builds the image in `dir`, from the start: what an interrupted call left cannot be told from a whole.
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

/// Installs the NFS client in a guest on the image, then the server; leaves both disks in `dir`.
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

/// The versions of `packages`, after a look at the archive if apt does not know them.
fn known_versions(packages: &[&str], log: &Path) -> Result<String> {
    if let Some(versions) = versions(packages) {
        return Ok(versions);
    }
    let mut update = Command::new("apt-get");
    step::run("apt-get update", log, update.args(["--quiet", "update"]))?;
    versions(packages).with_context(|| format!("this machine's apt sources lack one of: {}", packages.join(", ")))
}

/// The versions of `packages`, as apt would install them now; none when it does not know them all.
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

/// The template's key: its disk is void with any other image, even one of the same recipe.
fn template_key(image: &Path) -> Result<String> {
    let parts = hash(&[&identity(image)?, FREEZE, SETUP_CLIENT, SETUP_SERVER]);
    Ok(format!("guest-nfs-{parts:016x}"))
}

/// What tells the image in a directory from all others.
fn identity(image: &Path) -> Result<String> {
    let disk = image.join(DISK);
    let data = std::fs::metadata(&disk).with_context(|| format!("cannot read {}", disk.display()))?;
    Ok(format!("{} {}", image.display(), data.mtime()))
}

/// FNV-1a, chosen for being the same on each machine and with each compiler.
pub(crate) fn hash(parts: &[&str]) -> u64 {
    // The separator keeps parts apart: it occurs in no UTF-8 text.
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

/// Removes a file or a directory with all in it, if it is there.
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
    fn the_hash_is_the_published_one_and_tells_parts_apart() {
        assert_eq!(hash(&[]), 0xcbf2_9ce4_8422_2325);
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
    }
}
