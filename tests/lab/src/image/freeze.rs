//! Sets up a guest once and saves its disk, from which other guests start.

use std::path::Path;

use anyhow::Result;

use super::kernel::Kernel;
use super::{Image, remove, write};
use crate::guest::boot::Boot;
use crate::process::contained;
use crate::{cache, network, step};

/// The script that boots a guest, runs `setup.sh` in it and saves its disk.
pub(super) const FREEZE: &str = include_str!("../../image/freeze.sh");

/// The disk of the guest.
pub(super) enum Disk<'a> {
    /// The image; the changes are saved in a file of this name.
    Changes(&'a str),
    /// The image with the changes in a file of the first name; these and further changes are saved in a file of the
    /// second.
    FurtherChanges(&'a str, &'a str),
    /// A complete disk in a file of this name, which the guest changes itself.
    Whole(&'a str),
}

/// The setup of one guest.
pub(super) struct Setup<'a> {
    /// The guest's host name during the setup.
    pub(super) name: &'a str,
    /// The script that root runs in the guest.
    pub(super) script: &'a str,
    pub(super) kernel: Kernel,
    pub(super) disk: Disk<'a>,
    /// The title shown while the setup runs.
    pub(super) title: &'a str,
}

impl Setup<'_> {
    /// Runs the setup in `dir`, where it saves the disk.
    ///
    /// The guest runs in its own namespaces, so this works inside and outside a lab and leaves no process behind.
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
            // Empty: entries would remain in the /etc/hosts of every guest that starts from this disk.
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
