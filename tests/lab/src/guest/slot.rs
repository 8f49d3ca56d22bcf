//! A guest's slot in a lab: its number, which determines its address, its name, and its files.
//!
//! Slots are directories under `guests/` in the lab's directory, so that all processes of a lab share them.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{Lab, cache, network};

/// The numbers of guests; tests can use the addresses of lower numbers.
const NUMBERS: std::ops::RangeInclusive<u8> = 10..=250;

/// A guest's slot; dropping it frees it.
#[derive(Debug)]
pub(super) struct Slot {
    all: PathBuf,
    dir: PathBuf,
    number: u8,
}

/// A guest as other guests of the lab see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) name: String,
    pub(super) address: Ipv4Addr,
    /// Whether it has started, so that commands can run in it.
    pub(super) ready: bool,
}

impl Slot {
    /// Takes the first free slot for a guest called `name`.
    pub(super) fn take(lab: &Lab, name: &str) -> Result<Self> {
        let plain = name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if name.is_empty() || name.len() > 63 || !plain || name.starts_with('-') || name.ends_with('-') {
            bail!("{name:?} is not a host name for a guest: lower-case letters, digits and - inside");
        }
        let all = lab.dir().join("guests");
        cache::create_dir(&all)?;
        let _lock = lock(&all)?;
        if peers(&all)?.iter().any(|peer| peer.name == name) {
            bail!("the lab has a guest {name} already");
        }
        for number in NUMBERS {
            let dir = all.join(number.to_string());
            match std::fs::create_dir(&dir) {
                Ok(()) => {
                    let slot = Self { all, dir, number };
                    let path = slot.dir.join("name");
                    std::fs::write(&path, name).with_context(|| format!("cannot write {}", path.display()))?;
                    return Ok(slot);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("cannot make {}", dir.display())),
            }
        }
        bail!("the lab has {} guests and no address for another", NUMBERS.count())
    }

    pub(super) fn number(&self) -> u8 {
        self.number
    }

    /// The directory of the guest's log and known_hosts file.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// All guests that have a slot now.
    pub(super) fn peers(&self) -> Result<Vec<Peer>> {
        let _lock = lock(&self.all)?;
        peers(&self.all)
    }

    /// Records whether commands can run in the guest, and returns all guests that have a slot now. Guests that start
    /// later see the record.
    pub(super) fn set_ready(&self, ready: bool) -> Result<Vec<Peer>> {
        let _lock = lock(&self.all)?;
        let mark = self.dir.join("ready");
        let changed = if ready {
            std::fs::write(&mark, "")
        } else {
            std::fs::remove_file(&mark)
        };
        match changed {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot change {}", mark.display()))
            }
            _ => peers(&self.all),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // The log may explain a failure of the guest, so it stays until the lab ends.
        let log = self.dir.join("console.log");
        let kept = self.all.with_file_name(format!("guest-{}.log", self.number));
        let _ = std::fs::rename(log, kept);
        // If this fails, the directory is removed with the lab.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The lab's directory in memory for the guests' disks and their memory. It is a separate file system, mounted only in
/// the lab's namespace. It needs no free disk space, ends with the lab, and programs can be executed from it, which a
/// guest's memory requires.
pub(super) fn memory(lab: &Lab) -> Result<PathBuf> {
    let dir = lab.dir().join("memory");
    cache::create_dir(&dir)?;
    let _lock = lock(lab.dir())?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
    let mounted = mounts
        .lines()
        .any(|line| line.split(' ').nth(1).is_some_and(|at| Path::new(at) == dir));
    if !mounted {
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", "exec,mode=700", "nfsprov-lab"])
            .arg(&dir);
        let output = command.stdin(Stdio::null()).output().context("cannot run mount")?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            bail!(
                "cannot mount a file system in memory at {}: {}",
                dir.display(),
                text.trim()
            );
        }
    }
    Ok(dir)
}

/// Excludes other processes and tasks that change `dir`; held only briefly.
fn lock(dir: &Path) -> Result<std::fs::File> {
    let path = dir.join("lock");
    let file = std::fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

fn peers(all: &Path) -> Result<Vec<Peer>> {
    let describe = || format!("cannot list {}", all.display());
    let mut peers = Vec::new();
    for entry in std::fs::read_dir(all).with_context(describe)? {
        let entry = entry.with_context(describe)?;
        let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
        // A slot that is being freed has no name file.
        if let (Some(number), Ok(name)) = (number, std::fs::read_to_string(entry.path().join("name"))) {
            peers.push(Peer {
                name,
                address: network::address(number),
                ready: entry.path().join("ready").exists(),
            });
        }
    }
    peers.sort_by_key(|peer| peer.address);
    Ok(peers)
}
