//! `nfsprov image load`: loads the container image into the runtimes of nodes, where there is no registry.
//!
//! `host/container_runtime` decides how; this module reads the archive and runs the scripts on the nodes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use futures::future::join_all;
use tokio::sync::Semaphore;

use super::host_run::{HostReport, Report, Row, Run, Status, display_name, log_in};
use crate::cli::{Global, Image};
use crate::exit::Exit;
use crate::host::{Host, Target, choose_runtime, find_runtime_script, last_output_lines, lists_image};
use crate::image::{ArchivedImage, IMAGE, archive_name, find_image};
use crate::output::{self, StatusLine};

/// The limit of an archive, in bytes; the image of a release has 8 MB.
const MAX_ARCHIVE: u64 = 64 << 20;

/// How many nodes are worked on at once: each has the archive in memory three times, as text.
const NODES_AT_ONCE: usize = 8;

/// How long a runtime may print nothing, and take nothing of the archive.
const PATIENCE: Duration = Duration::from_secs(300);

/// The archive, and what is known of the image in it.
struct ArchiveFile {
    path: PathBuf,
    content: Vec<u8>,
    image: ArchivedImage,
}

/// Reads the archive, and loads its image into each node that does not have it. `Failed` if a node failed, `Changes` if
/// `--check` found a node without the image.
pub async fn run(action: Image, global: &Global) -> Result<Exit> {
    let Image::Load(args) = action;
    let archive = match &args.file {
        Some(file) => read_archive(file)?,
        None => read_archive(archive_name().as_ref()).map_err(|error| anyhow!("{error}; pass the archive's path"))?,
    };
    let run = Run::new(&args.ssh, &args.run, global)?;
    let nodes = run
        .requested_hosts(&args.node, args.nodes_from_cluster, None, global)
        .await?;
    let permits = Semaphore::new(NODES_AT_ONCE);
    let reports = nodes.iter().map(async |node| {
        // The semaphore is never closed.
        let _permit = permits.acquire().await;
        report_on_node(&node.target, &archive, &run).await
    });
    let hosts = join_all(reports).await;
    run.print_report(&Report { hosts }, global)
}

/// Reads an archive and finds [`IMAGE`] in it. An error if it is no regular file, exceeds [`MAX_ARCHIVE`], or lacks the
/// image.
fn read_archive(path: &Path) -> Result<ArchiveFile> {
    let name = path.display();
    let unread = |error: std::io::Error| anyhow!("cannot read {name}: {error}");
    let metadata = std::fs::metadata(path).map_err(unread)?;
    if !metadata.is_file() {
        bail!("cannot read {name}: it is no regular file");
    }
    if metadata.len() > MAX_ARCHIVE {
        bail!(
            "{name} is larger than {} MiB, so it is no archive of nfsprov's image",
            MAX_ARCHIVE >> 20
        );
    }
    let content = std::fs::read(path).map_err(unread)?;
    let image = find_image(&content, IMAGE).map_err(|error| anyhow!("{name} {error}"))?;
    Ok(ArchiveFile {
        path: path.to_owned(),
        content,
        image,
    })
}

/// Logs in to a node and loads the image, unless the run is interrupted before; a load that has begun ends.
async fn report_on_node(target: &Target, archive: &ArchiveFile, run: &Run) -> HostReport {
    const ROLE: &str = "node";
    let name = display_name(target);
    let row = match run.or_stop(log_in(target, run)).await {
        Ok(Ok((host, line))) => match load_image(&host, &name, &line, archive, run).await {
            Ok((status, what)) => Row::new("image", status, what),
            Err(why) => Row::new("image", Status::Failed, why),
        },
        Ok(Err(why)) => return HostReport::not_connected(name, ROLE, &why),
        Err(interrupted) => Row::new("login", Status::NotDone, interrupted.to_string()),
    };
    HostReport::new(name, ROLE, vec![row])
}

/// Loads the image into the node's container runtime, if it does not have it yet; in a dry run, only says so. Returns
/// the row's status and text, `NotDone` if the run is stopped before the load; or why it failed.
async fn load_image(
    host: &Host,
    name: &str,
    line: &StatusLine,
    archive: &ArchiveFile,
    run: &Run,
) -> Result<(Status, String), String> {
    line.set_status("looking for the image");
    let seen = run_script(host, &find_runtime_script()).await?;
    let runtime = choose_runtime(&seen, archive.image.architecture.as_deref())?;
    // A list that fails tells nothing: the load decides.
    let list = run_script(host, &runtime.list_script(IMAGE)).await.unwrap_or_default();
    if lists_image(&list, IMAGE, Some(&archive.image.digests)) {
        return Ok((Status::Ok, format!("{} has {IMAGE}", runtime.name)));
    }
    let what = format!("load {} into {}", archive.path.display(), runtime.name);
    if run.options.is_dry_run() {
        return Ok((Status::Change, what));
    }
    if run.is_stopped() {
        return Ok((Status::NotDone, "the run was ended".to_owned()));
    }
    line.set_status(&what);
    if run.verbose || !output::shows_progress() {
        output::say(&format!("{name}: image: {what}"));
    }
    let loaded = run_script(host, &runtime.load_script(&archive.content, IMAGE)).await;
    match loaded {
        Ok(list) if lists_image(&list, IMAGE, None) => Ok((Status::Changed, what)),
        Ok(_) => Err(format!("{what}: it reports success, but has no complete {IMAGE}")),
        Err(why) => Err(format!("{what}: {why}")),
    }
}

/// The stdout of a script. The error of a script that fails is the end of its output.
async fn run_script(host: &Host, script: &str) -> Result<String, String> {
    match host.run(script, PATIENCE).await {
        Ok(output) if output.status == 0 => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(last_output_lines(&output)),
        Err(error) => Err(error.to_string()),
    }
}
