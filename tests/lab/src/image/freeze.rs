//! Setting a guest up once, and keeping its disk for others to start from.

use std::path::Path;

use anyhow::Result;

use super::kernel::Kernel;
use super::{Image, remove, write};
use crate::guest::boot::Boot;
use crate::process::contained;
use crate::{cache, network, step};

/// Boots a guest, has `setup.sh` run in it, and keeps its disk.
pub(super) const FREEZE: &str = include_str!("../../image/freeze.sh");

/// What the guest runs on.
pub(super) enum Disk<'a> {
    /// The image; what was changed on it is kept in a file of this name.
    Changes(&'a str),
    /// The image with the changes in a file of the first name; they and what was changed further are kept in one of the
    /// second.
    FurtherChanges(&'a str, &'a str),
    /// A whole disk of this name, which is changed itself.
    Whole(&'a str),
}

/// One setting up.
pub(super) struct Setup<'a> {
    /// The guest's host name meanwhile.
    pub(super) name: &'a str,
    /// What its root runs.
    pub(super) script: &'a str,
    pub(super) kernel: Kernel,
    pub(super) disk: Disk<'a>,
    /// Shown while it takes its time.
    pub(super) title: &'a str,
}

impl Setup<'_> {
    /// Does it in `dir`, where the disk is then.
    ///
    /// The guest runs in namespaces of its own, so this works anywhere, and nothing of it can stay behind.
    pub(super) fn run(&self, image: &Image, dir: &Path, log: &Path) -> Result<()> {
        let number = u8::MAX - 1;
        let memory = dir.join("memory");
        cache::create_dir(&memory)?;
        let address = network::address(number).to_string();
        write(&dir.join("known_hosts"), &image.known_hosts(&[&address])?)?;
        write(&dir.join("setup.sh"), self.script)?;
        let (disk, beneath) = match self.disk {
            Disk::Changes(name) | Disk::FurtherChanges(_, name) => (memory.join(name), Some(image.disk())),
            Disk::Whole(name) => (dir.join(name), None),
        };
        let boot = Boot {
            number,
            name: self.name,
            kernel: self.kernel.clone(),
            disk: &disk,
            beneath: beneath.as_deref(),
            second: None,
            megabytes: 512,
            memory: &memory,
            // None: they would be in the /etc/hosts of every guest that starts from this disk.
            hosts: &[],
        };
        let mut command = contained("unshare");
        command
            .args(["--net", "--", "sh", "-euc", FREEZE, "freeze"])
            .args(boot.command()?)
            .current_dir(dir);
        command
            .env("TMPDIR", &memory)
            .env("LAB_KEY", image.ssh_key())
            .env("LAB_ADDRESS", &address);
        command.env("LAB_TAP", network::tap_name(number));
        command.env("LAB_GATEWAY", format!("{}/{}", network::GATEWAY, network::PREFIX));
        if let Disk::FurtherChanges(begin, _) = self.disk {
            command.env("LAB_BEGIN", begin);
        }
        if let Disk::Changes(name) | Disk::FurtherChanges(_, name) = self.disk {
            command.env("LAB_DISK", name);
        }
        step::run(self.title, log, &mut command)?;
        for rest in ["memory", "known_hosts", "setup.sh"] {
            remove(&dir.join(rest))?;
        }
        Ok(())
    }
}
