//! Results of NFS calls from this machine: NFS403, NFS404 (PURE).
//!
//! This machine is not a node: its address may be refused where nodes are allowed, and nodes may reach servers that it
//! can't. So a server without an answer is a warning, and only if something Pending needs it; all other findings hold
//! for every client.

use super::View;
use crate::doctor::facts::{Probe, ProbeResult};
use crate::doctor::servers::{NamedExport, named_exports};
use crate::doctor::{Confidence, Finding, Severity};

pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    let named = named_exports(view.cluster);
    let each = view.facts.probes.iter().filter_map(|probe| {
        let export = (probe.server.clone(), probe.path.clone());
        find_probe_problem(probe, named.get(&export)?)
    });
    each.collect()
}

/// NFS403 if the export doesn't exist; NFS404 if claims or pods are Pending for it and the server refused the
/// connection, or as a warning if it did not answer.
fn find_probe_problem(probe: &Probe, named: &NamedExport) -> Option<Finding> {
    let export = format!("{}:{}", probe.server, probe.path);
    let (first, others) = named.by.split_first()?;
    let (server, waiting) = (&probe.server, &named.waiting);
    let source = format!("an NFS call to {export} from this machine");
    let finding = |code, cause: String, answer: &str, advice| {
        let finding = Finding::new(code, first.clone(), cause).with_evidence(source, answer);
        finding
            .with_affected(others.iter().cloned())
            .with_advice(advice)
            .with_same_cause(if code == "NFS404" { server } else { &export })
    };
    Some(match &probe.result {
        ProbeResult::Fine | ProbeResult::Unknown(_) => return None,
        ProbeResult::Missing => finding(
            "NFS403",
            format!("{export} doesn't exist on the server, or has another path"),
            "no such directory is exported",
            "create the directory on the server, or use the path of an existing one (showmount -e)",
        )
        .with_affected(waiting.iter().cloned()),
        // No claim or pod is pending for it; perhaps only the nodes reach it.
        ProbeResult::Refused(_) | ProbeResult::NoAnswer(_) if waiting.is_empty() => return None,
        ProbeResult::Refused(why) => finding(
            "NFS404",
            format!("nothing listens for NFS on {server}"),
            why,
            "start the NFS server there; nfsprov setup-server installs, configures and starts it",
        )
        .with_confidence(Confidence::Likely)
        .with_affected(waiting.iter().cloned()),
        // This machine may be outside the storage network, so it is no cause for what waits.
        ProbeResult::NoAnswer(why) => finding(
            "NFS404",
            format!("the NFS server {server} does not answer this machine"),
            why,
            "check that the server runs and that its firewall allows TCP 2049 from the nodes; it may block this machine only",
        )
        .with_confidence(Confidence::Possible)
        .with_severity(Severity::Warning),
    })
}
