//! The guests' kernels: Linux that runs as an ordinary process, of Debian's package `user-mode-linux`.
//!
//! Most guests have the one of a newer Debian than this machine's. Since Linux 6.16 such a kernel can have its programs'
//! system calls caught by seccomp instead of ptrace, and a guest starts a program in a third of the time. It is linked with
//! that Debian's C library, which it gets beside it. It lacks iptables and nftables' NAT, so nodes, whose pods are reached
//! through both, have this machine's release's own, as all guests have where the archive lacks that Debian.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::remove;
use crate::{cache, packages, step};

/// A kernel that can be started.
#[derive(Clone, Debug)]
pub(crate) enum Kernel {
    /// Catches system calls by seccomp.
    Seccomp(PathBuf),
    /// Catches them by ptrace, and needs a library loaded into it that does what it lacks on some processors.
    Ptrace { program: PathBuf, preload: PathBuf },
}

/// The Debian that has it.
const SUITE: &str = "forky";
/// Changes with what is done to it.
const KEY: &str = "guest-kernel-forky-1";
const PROGRAM: &str = "linux.uml";
const LIBRARIES: &str = "lib";
const MODULES: &str = "modules";
/// What makes it find its own C library.
pub(super) const TOOL: &str = "patchelf";

/// The newer kernel with its modules.
#[derive(Clone, Debug)]
pub(super) struct Newer(PathBuf);

impl Newer {
    pub(super) fn kernel(&self) -> Kernel {
        Kernel::Seccomp(self.0.join(PROGRAM))
    }

    /// The directory that holds its modules, in one named like its release.
    pub(super) fn modules(&self) -> PathBuf {
        self.0.join(MODULES)
    }

    /// Its release, such as 7.2.7.
    pub(super) fn release(&self) -> Result<String> {
        let describe = || format!("cannot list {}", self.modules().display());
        let mut entries = std::fs::read_dir(self.modules()).with_context(describe)?;
        let entry = entries.next().with_context(describe)?.with_context(describe)?;
        Ok(entry.file_name().to_string_lossy().into_owned())
    }
}

/// The newer kernel, if it is there; downloads nothing.
pub(super) fn find() -> Option<Newer> {
    cache::find(KEY).map(Newer)
}

/// Downloads the newer kernel unless it is there.
///
/// # Errors
/// When Debian's archive cannot be reached or does not have it; the error then shows the end of the step's log.
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
    // Where they will be: the directory gets its name when it is complete.
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

/// What its arguments, or the list of its libraries' directories, would be cut at.
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
