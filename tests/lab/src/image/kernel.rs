//! The guests' kernels: Linux that runs as an ordinary process, from Debian's package `user-mode-linux`.
//!
//! Most guests use the kernel of a newer Debian than this machine's. Since Linux 6.16 such a kernel can catch system
//! calls by seccomp instead of ptrace, so a guest starts a program in a third of the time. The kernel needs that
//! Debian's C library, which is stored beside it. It lacks iptables and the NAT of nftables, which the pods of nodes
//! need. So nodes use the kernel of this machine's release, as do all guests if the archive lacks that newer Debian.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::remove;
use crate::{cache, packages, step};

#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    /// Catches system calls by seccomp.
    Seccomp(PathBuf),
    /// Catches system calls by ptrace. On some processors it needs a preloaded library for what it lacks.
    Ptrace { program: PathBuf, preload: PathBuf },
}

/// The Debian release that has the newer kernel.
const SUITE: &str = "forky";
/// Increase the number when the steps of the build change.
const KEY: &str = "guest-kernel-forky-1";
const PROGRAM: &str = "linux.uml";
const LIBRARIES: &str = "lib";
const MODULES: &str = "modules";
/// The tool that makes the kernel find its own C library.
pub(super) const TOOL: &str = "patchelf";

/// The newer kernel with its modules.
#[derive(Clone, Debug)]
pub(super) struct Newer(PathBuf);

impl Newer {
    pub(super) fn kernel(&self) -> Kernel {
        Kernel::Seccomp(self.0.join(PROGRAM))
    }

    /// The directory of its modules, which contains one directory named after the kernel's release.
    pub(super) fn modules(&self) -> PathBuf {
        self.0.join(MODULES)
    }

    /// Its release, such as `7.2.7`.
    pub(super) fn release(&self) -> Result<String> {
        let describe = || format!("cannot list {}", self.modules().display());
        let mut entries = std::fs::read_dir(self.modules()).with_context(describe)?;
        let entry = entries.next().with_context(describe)?.with_context(describe)?;
        Ok(entry.file_name().to_string_lossy().into_owned())
    }
}

/// The newer kernel, if it is in the cache; downloads nothing.
pub(super) fn find() -> Option<Newer> {
    cache::find(KEY).map(Newer)
}

/// Downloads the newer kernel unless it is in the cache.
///
/// # Errors
/// If Debian's archive cannot be reached or lacks the package; the error then shows the end of the step's log.
pub(super) fn build(log: &Path) -> Result<Newer> {
    cache::ensure(KEY, |dir| make(dir, log)).map(Newer)
}

fn make(dir: &Path, log: &Path) -> Result<()> {
    let downloads = dir.join("download");
    let debs = packages::download_of(SUITE, &["user-mode-linux", "libc6"], &downloads, log)?;
    let unpacked = dir.join("unpacked");
    for place in [&unpacked, &dir.join(MODULES), &dir.join(LIBRARIES)] {
        remove(place)?;
    }
    for deb in debs {
        packages::extract(&deb, &unpacked)?;
    }
    for (from, to) in [
        ("usr/bin/linux.uml", PROGRAM),
        ("usr/lib/uml/modules", MODULES),
        ("usr/lib/x86_64-linux-gnu", LIBRARIES),
    ] {
        let from = unpacked.join(from);
        std::fs::rename(&from, dir.join(to)).with_context(|| format!("cannot move {}", from.display()))?;
    }
    // The final path: the directory gets its name when it is complete.
    let libraries = cache::root().join(KEY).join(LIBRARIES);
    if let Some(sign) = unusable(&libraries) {
        bail!(
            "the guests' kernel cannot take a path with {sign:?} in it, such as {}: set XDG_CACHE_HOME",
            libraries.display()
        );
    }
    let mut patch = Command::new("patchelf");
    patch
        .arg("--set-interpreter")
        .arg(libraries.join("ld-linux-x86-64.so.2"))
        .arg("--set-rpath")
        .arg(&libraries)
        .arg(dir.join(PROGRAM));
    step::run("giving the guests' kernel its C library", log, &mut patch)?;
    remove(&unpacked)?;
    remove(&downloads)
}

/// The first character of the path that would end a kernel argument or an entry in the list of library directories.
fn unusable(path: &Path) -> Option<char> {
    let text = path.to_string_lossy();
    text.chars().find(|c| [',', ':', ' ', '\'', '"'].contains(c))
}

#[cfg(test)]
mod tests {
    use super::unusable;

    #[test]
    fn paths_that_the_kernel_would_cut_are_seen() {
        assert_eq!(unusable("/home/me/.cache".as_ref()), None);
        assert_eq!(unusable("/home/a b".as_ref()), Some(' '));
    }
}
