//! Probes the exports that a cluster names, in parallel, from this machine: by NFS calls for 3 s at most, then by a TCP
//! connection for 3 s at most. They change nothing on an export.

use std::io::ErrorKind;
use std::time::Duration;

use futures::future::join_all;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::doctor::entry::EXPORTS;
use crate::doctor::facts::{Facts, Probe, ProbeResult};
use crate::doctor::servers::{describe_invalid_exports, exports_to_probe};
use crate::export::{Export, ExportError, Location, Wire};

/// The time limit of a probe, so that a dead export does not delay the report.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// The port of NFS.
const PORT: u16 = 2049;

/// Probes the exports that [`exports_to_probe`] chooses of those that the objects in `facts` name, and sets the probes
/// of the facts. An export that is missing on its server is a result. One that is refused or silent is also recorded as
/// unread, an invalid one only that.
pub async fn probe_exports(facts: &mut Facts) {
    let probes = join_all(exports_to_probe(&facts.cluster).into_iter().map(probe_export)).await;
    let unknown = probes.iter().filter_map(|probe| {
        let place = format!("{}:{}", probe.server, probe.path);
        match &probe.result {
            ProbeResult::Fine | ProbeResult::Missing => None,
            ProbeResult::Refused(why) | ProbeResult::NoAnswer(why) | ProbeResult::Unknown(why) => {
                Some(format!("{place} from this machine: {why}"))
            }
        }
    });
    let unknown: Vec<String> = unknown.chain(describe_invalid_exports(&facts.cluster)).collect();
    if !unknown.is_empty() {
        facts.cluster.record_unread(EXPORTS, unknown.join("; "));
    }
    facts.probes = probes;
}

/// Probes an export with an NFS call; if the server does not answer, tries its TCP port to tell why.
async fn probe_export((server, path): (String, String)) -> Probe {
    let location = Location {
        server: server.clone(),
        path: path.clone(),
    };
    let result = match timeout(PATIENCE, Export::Wire(Wire::new(location)).probe_root()).await {
        Ok(Ok(())) => ProbeResult::Fine,
        Ok(Err(ExportError::Missing { .. })) => ProbeResult::Missing,
        Ok(Err(ExportError::Unreachable { .. })) | Err(_) => probe_port(&server).await,
        Ok(Err(error)) => ProbeResult::Unknown(error.to_string()),
    };
    Probe { server, path, result }
}

/// Connects to the NFS port, to tell a refused connection from a silent server; an open port is `NoAnswer`, too.
async fn probe_port(server: &str) -> ProbeResult {
    match timeout(PATIENCE, TcpStream::connect((server, PORT))).await {
        Ok(Ok(_)) => ProbeResult::NoAnswer(format!("TCP port {PORT} is open, but NFS does not answer")),
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            ProbeResult::Refused(format!("TCP port {PORT}: connection refused"))
        }
        Ok(Err(error)) => ProbeResult::NoAnswer(format!("TCP port {PORT}: {error}")),
        Err(_) => ProbeResult::NoAnswer(format!("TCP port {PORT}: no answer within {} s", PATIENCE.as_secs())),
    }
}
