//! kube-scheduler, which runs only in control planes with nodes, or where the options ask for it.

use std::path::Path;

use anyhow::Result;

use super::spawn;
use crate::certs::Authority;
use crate::kubernetes::{Binaries, Lane};
use crate::process::Process;

/// Starts it beside the API server at `url`.
pub(super) fn start(
    dir: &Path,
    lane: Lane,
    binaries: &Binaries,
    authority: &Authority,
    url: &str,
    port: u16,
) -> Result<Process> {
    let kubeconfig = dir.join("scheduler.kubeconfig");
    authority
        .client("system:kube-scheduler", &[])?
        .write_kubeconfig(authority, url, &kubeconfig)?;
    let mut args = vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--cert-dir={}", dir.display()),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        "--leader-elect=false".to_owned(),
    ];
    if lane == Lane::V1_20 {
        // Disables the insecure port, on which two schedulers would collide.
        args.push("--port=0".to_owned());
    }
    spawn(dir, &binaries.kubernetes.join("kube-scheduler"), &args)
}
