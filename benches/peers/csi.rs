//! csi-driver-nfs, run by its own programs as in its controller's pod.
//!
//! `CSI_PROVISIONER` and `CSI_DRIVER_NFS` are the paths of csi-provisioner and nfsplugin; the lab doesn't build them. The
//! driver mounts the export for each claim. This machine can't mount NFS, so `mount` is a double: a bind mount of a
//! local directory, which takes less time than a mount of NFS.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nfsprov_lab::ControlPlane;
use nfsprov_lab::process::Process;
use tokio::process::Command;

/// The driver's name, which its classes name as their provisioner.
pub const NAME: &str = "nfs.csi.k8s.io";

/// How long the driver may take until it listens.
const START: Duration = Duration::from_secs(20);

/// The two programs of csi-driver-nfs that create volumes.
pub struct Programs {
    provisioner: PathBuf,
    driver: PathBuf,
}

impl Programs {
    /// The programs that the environment names; `None` if it names none.
    ///
    /// # Errors
    /// If it names one of the two only, or a file that doesn't exist.
    pub fn of_environment() -> Result<Option<Self>> {
        let paths = ["CSI_PROVISIONER", "CSI_DRIVER_NFS"].map(|name| (name, std::env::var_os(name)));
        if paths.iter().all(|(_, path)| path.is_none()) {
            return Ok(None);
        }
        let [provisioner, driver] = paths.map(|(name, path)| {
            let path = PathBuf::from(path.with_context(|| format!("{name} is not set"))?);
            path.canonicalize()
                .with_context(|| format!("{name}={}", path.display()))
        });
        Ok(Some(Self {
            provisioner: provisioner?,
            driver: driver?,
        }))
    }

    /// Starts both with the options of the driver's manifests, but without its sidecars for other tasks: csi-provisioner
    /// first in the result.
    ///
    /// # Errors
    /// If one does not start.
    pub async fn start(&self, plane: &ControlPlane) -> Result<[Process; 2]> {
        let dir = plane.dir().join("csi");
        let (bin, mounts, socket) = (dir.join("bin"), dir.join("mounts"), dir.join("csi.sock"));
        for dir in [&bin, &mounts, &dir.join("export")] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        write_mount_double(&bin, &dir.join("export"))?;
        let mut command = Command::new(&self.driver);
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .args(["-v=5", "--nodeid=controller"])
            .arg(format!("--endpoint=unix://{}", socket.display()))
            .arg(format!("--working-mount-dir={}", mounts.display()))
            .env("PATH", format!("{}:{path}", bin.display()));
        let driver = Process::spawn("csi-driver-nfs", plane.dir().join("csi-driver-nfs.log"), command)?;
        let begun = Instant::now();
        while !socket.exists() {
            driver.expect_running()?;
            ensure!(begun.elapsed() < START, "csi-driver-nfs does not listen");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut command = Command::new(&self.provisioner);
        command
            .args([
                "-v=2",
                "--extra-create-metadata=true",
                "--timeout=1200s",
                "--retry-interval-max=30m",
            ])
            .args(["--feature-gates=VolumeAttributesClass=false", "--leader-election"])
            .arg("--leader-election-namespace=kube-system")
            .arg(format!("--csi-address={}", socket.display()))
            .arg("--kubeconfig")
            .arg(plane.kubeconfig());
        let provisioner = Process::spawn("csi-provisioner", plane.dir().join("csi-provisioner.log"), command)?;
        Ok([provisioner, driver])
    }
}

/// Writes the double of `mount`, which mounts `export` instead of an NFS server's directory.
fn write_mount_double(bin: &Path, export: &Path) -> Result<()> {
    let program = bin.join("mount");
    let text = format!(
        "#!/bin/sh\n# A double: mounts a local directory where the last argument says.\nfor target do :; done\n\
         exec /bin/mount --bind '{}' \"$target\"\n",
        export.display()
    );
    fs::write(&program, text)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
