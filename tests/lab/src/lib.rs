//! A real Kubernetes control plane and real NFS hosts for nfsprov's tests, on one Debian machine.
//!
//! Everything runs in its own namespaces (network, processes, mounts). Outside programs cannot reach it, and when the
//! program that opened the namespaces ends, the kernel ends everything in them.
//!
//! A test harness calls [`namespace::enter`] first in its `main`, and then uses the [`Lab`] that it returns:
//!
//! ```no_run
//! use nfsprov_lab::namespace::{Entry, enter};
//!
//! fn main() -> anyhow::Result<()> {
//!     let lab = match enter()? {
//!         Entry::Inside(lab) => lab,
//!         Entry::Skip(why) => return Ok(eprintln!("left out: {why}")),
//!     };
//!     tokio::runtime::Runtime::new()?.block_on(async {
//!         let control_plane = lab.control_plane(Default::default()).await?;
//!         println!("{} at {}", control_plane.version(), control_plane.url());
//!         control_plane.stop().await
//!     })
//! }
//! ```

pub mod cache;
pub mod certs;
pub mod container;
pub mod control_plane;
pub mod guest;
pub mod image;
pub mod kubernetes;
pub mod namespace;
pub mod network;
pub mod node;
pub mod packages;
pub mod ports;
pub mod proc;
pub mod process;
pub mod run;
pub mod step;
pub mod suite;
pub mod times;
pub mod trial;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use control_plane::{ControlPlane, ControlPlaneOptions};
pub use guest::{Guest, Template};
pub use kubernetes::Lane;

/// The environment variable with the directory of the lab in whose namespaces a process runs.
pub(crate) const DIR_VARIABLE: &str = "NFSPROV_LAB_DIR";

/// The lab in whose namespaces this process runs.
#[derive(Clone, Debug)]
pub struct Lab {
    dir: PathBuf,
}

impl Lab {
    /// The lab in whose namespaces this process runs; `None` outside a lab.
    pub fn current() -> Option<Lab> {
        let dir = PathBuf::from(std::env::var_os(DIR_VARIABLE)?);
        dir.is_dir().then_some(Lab { dir })
    }

    /// The directory of this lab's files and logs; it is removed with the lab.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Creates a directory `<name>-<number>` in the directory of the running test, or else in the lab's.
    pub(crate) fn unique_dir(&self, name: &str) -> Result<PathBuf> {
        unique(&trial::directory(self), name, "", |path| std::fs::create_dir(path))
    }
}

/// Creates `<name>-<number><end>` in `dir` with the first free number. `make` creates it, and must fail if it exists.
/// Concurrent processes and tasks get different numbers.
pub(crate) fn unique(
    dir: &Path,
    name: &str,
    end: &str,
    make: impl Fn(&Path) -> std::io::Result<()>,
) -> Result<PathBuf> {
    for number in 1.. {
        let path = dir.join(format!("{name}-{number}{end}"));
        match make(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).with_context(|| format!("cannot make {}", path.display())),
        }
    }
    unreachable!("there are more numbers than files")
}
