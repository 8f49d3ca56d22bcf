//! Reads data about processes from /proc.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// A process, identified by id and start time, since a later process can get the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProcessId {
    /// The process id.
    pub pid: u32,
    /// Its start time, in clock ticks since boot.
    pub started: u64,
}

impl ProcessId {
    /// The process that has the id `pid` now, if one runs.
    pub fn of(pid: u32) -> Option<Self> {
        let (state, started) = (stat(pid, 0)?, stat(pid, 19)?);
        // A zombie has ended and only waits for its parent to read its status.
        if state == "Z" || state == "X" {
            return None;
        }
        Some(Self {
            pid,
            started: started.parse().ok()?,
        })
    }

    /// Whether this process still runs; false if another process has its id.
    pub fn is_running(self) -> bool {
        Self::of(self.pid) == Some(self)
    }
}

/// The resident memory of a process in bytes.
pub fn rss(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

/// The ids of all processes.
pub fn all() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The ids of the processes that `parent` started.
pub fn children(parent: u32) -> Vec<u32> {
    let parent = parent.to_string();
    all()
        .into_iter()
        .filter(|&pid| stat(pid, 1).as_deref() == Some(parent.as_str()))
        .collect()
}

/// The pid namespace of a process.
pub fn pid_namespace(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// The file name of the program, or of the first word of the command line.
pub fn name(pid: u32) -> Option<String> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let first = line.split(|&byte| byte == 0).next().filter(|first| !first.is_empty())?;
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(first));
    Some(path.file_name()?.to_string_lossy().into_owned())
}

/// Field `index` of /proc/PID/stat, counted from the state, which follows the program's name in parentheses.
fn stat(pid: u32, index: usize) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(index).map(str::to_owned)
}
