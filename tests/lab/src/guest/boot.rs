//! The command that starts a guest.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::image::kernel::Kernel;
use crate::network;

/// One start of a guest.
pub(crate) struct Boot<'a> {
    /// Determines its address, interface and processor.
    pub(crate) number: u8,
    /// Its host name.
    pub(crate) name: &'a str,
    pub(crate) kernel: Kernel,
    /// The file for its changes; created if it is missing and there is a disk beneath.
    pub(crate) disk: &'a Path,
    /// The disk on which the changes in `disk` are based; `None` if `disk` is complete.
    pub(crate) beneath: Option<&'a Path>,
    /// A complete second disk.
    pub(crate) second: Option<PathBuf>,
    /// The size of its memory in MiB; unused memory costs nothing.
    pub(crate) megabytes: u16,
    /// A directory in memory, which the command also needs as `TMPDIR`.
    pub(crate) memory: &'a Path,
    /// The names that it can resolve.
    pub(crate) hosts: &'a [(String, Ipv4Addr)],
}

impl Boot<'_> {
    /// The program and its arguments. The program replaces itself by the kernel, so its process is the guest's.
    pub(crate) fn command(&self) -> Result<Vec<OsString>> {
        let cpus = allowed_cpus()?;
        // Starts at another processor in each lab, so that not all use the first one.
        let lab: usize = self
            .memory
            .as_os_str()
            .as_encoded_bytes()
            .iter()
            .map(|byte| usize::from(*byte))
            .sum();
        let cpu = cpus[(usize::from(self.number) + lab) % cpus.len()];
        // A guest that moves between processors is three times slower.
        let mut command: Vec<OsString> = ["taskset", "--cpu-list", &cpu.to_string()].map(OsString::from).to_vec();
        match &self.kernel {
            Kernel::Seccomp(program) => command.extend([program.into(), "seccomp=on".into()]),
            Kernel::Ptrace { program, preload } => {
                command.extend(["env".into(), path_argument("LD_PRELOAD=", preload), program.into()]);
            }
        }
        command.push(format!("mem={}M", self.megabytes).into());
        command.push(format!("umid=guest{}", self.number).into());
        command.push(path_argument("uml_dir=", &self.memory.join("umid")));
        let mut disk = path_argument("ubd0=", self.disk);
        if let Some(beneath) = self.beneath {
            disk.push(",");
            disk.push(beneath);
        }
        command.push(disk);
        command.extend(self.second.as_ref().map(|second| path_argument("ubd1=", second)));
        command.push("root=/dev/ubda".into());
        command.push("rw".into());
        let (tap, mac) = (network::tap_name(self.number), network::mac(self.number));
        command.push(format!("vec0:transport=tap,ifname={tap},depth=128,gro=1,mac={mac}").into());
        // Messages go to the log; there are no other terminals.
        command.extend(["con=null", "con0=null,fd:1", "ssl=null", "quiet", "loglevel=3"].map(OsString::from));
        command.push("systemd.show_status=0".into());
        // Guests do not use these, and they take a second of each start: security modules, audit, and a benchmark of
        // RAID algorithms.
        command.extend(["security=none", "audit=0", "initcall_blacklist=raid6_select_algo"].map(OsString::from));
        command.push(format!("systemd.hostname={}", self.name).into());
        command.push(format!("lab.address={}/{}", network::address(self.number), network::PREFIX).into());
        command.push(format!("lab.gateway={}", network::GATEWAY).into());
        let hosts: Vec<_> = self
            .hosts
            .iter()
            .map(|(name, address)| format!("{name}@{address}"))
            .collect();
        command.push(format!("lab.hosts={}", hosts.join(",")).into());
        Ok(command)
    }
}

fn path_argument(name: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(name);
    argument.push(path);
    argument
}

fn allowed_cpus() -> Result<Vec<u16>> {
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.and_then(|list| cpu_list(list.trim()))
        .context("/proc/self/status has no list of allowed processors")
}

/// Parses a list such as `0-3,8`.
fn cpu_list(text: &str) -> Option<Vec<u16>> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        cpus.extend(first.parse::<u16>().ok()?..=last.parse().ok()?);
    }
    (!cpus.is_empty()).then_some(cpus)
}

#[cfg(test)]
mod tests {
    use super::cpu_list;

    #[test]
    fn lists_of_processors_are_understood() {
        assert_eq!(cpu_list("0-1"), Some(vec![0, 1]));
        assert_eq!(cpu_list("0,2-3,8"), Some(vec![0, 2, 3, 8]));
        assert_eq!(cpu_list(""), None);
    }
}
