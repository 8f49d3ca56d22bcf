//! Proves that an export works: by NFS calls from this machine, and by mounts on the clients.

use std::net::{IpAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::hosts::ConnectedHost;
use crate::commands::host_run::{HostReport, Row, Run, Status};
use crate::doctor::explain;
use crate::doctor::messages::{MessageKind, classify};
use crate::export::{Attributes, Export, ExportError, Location, VolumePath, Wire, list_exports, never_interrupt};
use crate::host::exports_file::DesiredExport;
use crate::host::{Proof, ProofResult, Versions, last_output_lines};

/// How long the server may take to answer from here.
const REACH_WITHIN: Duration = Duration::from_secs(30);

/// When a server that gave no answer is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long the mounts on a client may go without a word; each is bounded by itself.
const PATIENCE: Duration = Duration::from_secs(600);

/// The versions to prove; the one that nodes use by default comes first.
pub(super) fn versions_to_prove(versions: Versions) -> Vec<&'static str> {
    match versions {
        Versions::All => vec!["4", "3"],
        Versions::Three => vec!["3"],
        Versions::Four => vec!["4"],
    }
}

/// Mounts each export on a client, and adds to its report a row for each version, one failed row if a script fails, or
/// one that says so once a signal ended the run. Does nothing for a client that is not connected or has a failed step.
pub(super) async fn prove_on_client(
    proofs: &[Proof],
    connected: Option<&ConnectedHost>,
    report: &mut HostReport,
    run: &Run,
) {
    let Some(connected) = connected.filter(|_| report.is_successful()) else {
        return;
    };
    for proof in proofs {
        if run.is_stopped() {
            report.rows.push(not_proved());
            break;
        }
        connected.show_status("proving that it can mount the export");
        report.rows.extend(run_proof(proof, connected).await);
    }
    connected.show_status("done");
}

/// The row of a proof that is not begun because a signal ended the run.
pub(super) fn not_proved() -> Row {
    Row::new("proof", Status::NotDone, "the run was ended")
}

/// Mounts the export on a client; returns a row for each version, or one if the proof did not run to its end.
async fn run_proof(proof: &Proof, connected: &ConnectedHost) -> Vec<Row> {
    let failed = |why: String| vec![Row::new("proof", Status::Failed, why)];
    let ended = match connected.host.run(&proof.shell_script(), PATIENCE).await {
        Ok(output) if output.status == 0 => proof.parse_results(&output.stdout),
        Ok(output) => return failed(last_output_lines(&output)),
        Err(error) => return failed(error.to_string()),
    };
    let to_row = |proved: ProofResult| {
        let (server, version) = (&proved.server, &proved.version);
        match &proved.failure {
            None => Row::new(
                "proof",
                Status::Ok,
                format!(
                    "mounted {server}:{} with NFS {version}, written to, read back",
                    proof.path
                ),
            ),
            Some((what, words)) => {
                let cause = classify(MessageKind::Mount, words).and_then(|(code, _)| explain::find_entry(code));
                let cause = cause.map_or_else(String::new, |entry| format!("; {}: {}", entry.code, entry.title));
                Row::new(
                    "proof",
                    Status::Failed,
                    format!(
                        "cannot {what} {server}:{} with NFS {version}: {words}{cause}",
                        proof.path
                    ),
                )
            }
        }
    };
    ended.into_iter().map(to_row).collect()
}

/// Lists the server's exports, and creates and removes a directory on the export, over NFS from this machine; returns
/// the rows for the report. If this machine is not or may not be among the clients, a directory that fails counts as
/// skipped; an export that is not in the list counts as failed in any case.
pub(super) async fn prove_from_here(server: Option<&String>, wanted: &DesiredExport, versions: Versions) -> Vec<Row> {
    let skipped = |why: String| vec![Row::new("proof", Status::Skipped, why)];
    let Some(server) = server else {
        return skipped("the server has no name that this machine could try".to_owned());
    };
    let Some(own) = own_address(server) else {
        return skipped(format!("{server} has no address on this machine, only on a jump host"));
    };
    let location = Location {
        server: server.clone(),
        path: wanted.path.clone(),
    };
    let tried = timeout(REACH_WITHIN, create_and_remove_with_retry(&location));
    let (tried, mut rows) = futures::future::join(tried, check_mountd_list(&location, versions)).await;
    let (refused, failure) = match tried {
        Ok(Ok(())) => {
            let why = format!("created and removed a directory on {location} from this machine");
            rows.push(Row::new("proof", Status::Ok, why));
            return rows;
        }
        Ok(Err(error)) => (matches!(error, ExportError::Refused { .. }), error.to_string()),
        Err(_) => {
            let why = format!("{location} does not answer within {} s", REACH_WITHIN.as_secs());
            (false, why)
        }
    };
    let (status, why) = match (wanted.allows_address(own), refused) {
        (Some(true), _) => (Status::Failed, failure),
        (Some(false), true) => {
            let why = format!("this machine, {own}, is not among the clients, and the server refuses it");
            (Status::Skipped, why)
        }
        (Some(false), false) => {
            let why = format!("this machine, {own}, is not among the clients: {failure}");
            (Status::Skipped, why)
        }
        (None, _) => {
            let why = format!("this machine, {own}, may not be among the clients: {failure}");
            (Status::Skipped, why)
        }
    };
    rows.push(Row::new("proof", status, why));
    rows
}

/// Checks that the server's mountd lists the directory. NFS 4 alone needs no mountd and gives no row, nor does a mountd
/// without an answer: the other proof reports an unreachable server, and knows whether this machine is a client.
async fn check_mountd_list(location: &Location, versions: Versions) -> Vec<Row> {
    if versions == Versions::Four {
        return Vec::new();
    }
    match list_exports(&location.server).await {
        Ok(paths) if paths.contains(&location.path) => {
            let why = format!("{} lists {} among its exports", location.server, location.path);
            vec![Row::new("proof", Status::Ok, why)]
        }
        Ok(_) => {
            let why = format!("{} does not list {} among its exports", location.server, location.path);
            vec![Row::new("proof", Status::Failed, why)]
        }
        Err(_) => Vec::new(),
    }
}

/// As [`create_and_remove`], repeated while the server can't be reached: it may just have been started. The caller
/// limits the time.
async fn create_and_remove_with_retry(location: &Location) -> Result<(), ExportError> {
    loop {
        // A new one each time: an export remembers for a while that it could not be reached.
        let export = Export::Wire(Wire::new(location.clone()));
        match create_and_remove(&export).await {
            Err(ExportError::Unreachable { .. }) => sleep(AGAIN_AFTER).await,
            ended => return ended,
        }
    }
}

/// Creates a directory of this process in the export's root and removes it.
async fn create_and_remove(export: &Export) -> Result<(), ExportError> {
    export.probe_root().await?;
    let name = format!(".nfsprov-proof-{}", std::process::id());
    // Made of letters, digits and dashes.
    let Ok(path) = VolumePath::parse(&name) else {
        return Ok(());
    };
    export.create_directory(&path, Attributes::with_mode(0o700)).await?;
    export.remove_directory(&path, &never_interrupt()).await.map(|_| ())
}

/// The source address that this machine would use to reach a server; sends nothing to it. `None` if the name can't be
/// resolved. The look-up blocks the thread.
fn own_address(server: &str) -> Option<IpAddr> {
    let address = (server, 2049).to_socket_addrs().ok()?.next()?;
    let any: IpAddr = if address.is_ipv4() {
        [0; 4].into()
    } else {
        [0; 16].into()
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(address).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
