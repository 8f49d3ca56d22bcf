//! Results of NFS calls from this machine: NFS403, NFS404 (PURE).
//!
//! This machine is not a node: its address may be refused where nodes are allowed, and nodes may reach servers that it
//! can't. So a server without an answer is a warning, and only if something Pending needs it; all other findings hold
//! for every client.

use super::View;
use crate::doctor::facts::{Probe, ProbeResult};
use crate::doctor::servers::{NamedExport, named_exports};
use crate::doctor::{Confidence, Finding, Severity};

/// Only exports that were probed and that objects of the cluster name.
pub fn find_problems(view: &View<'_>) -> Vec<Finding> {
    if view.facts.probes.is_empty() {
        return Vec::new();
    }
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
    let blocked = || others.iter().chain(&named.waiting).cloned();
    let finding = |code, cause: String, answer: &str| {
        let source = format!("an NFS call to {export} from this machine");
        Finding::new(code, first.clone(), cause).with_evidence(source, answer)
    };
    match &probe.result {
        ProbeResult::Fine | ProbeResult::Unknown(_) => None,
        ProbeResult::Missing => {
            let cause = format!("{export} doesn't exist on the server, or has another path");
            Some(
                finding("NFS403", cause, "no such directory is exported")
                    .with_affected(blocked())
                    .with_advice(
                        "create the directory on the server, or use the path of an existing one (showmount -e)",
                    ),
            )
        }
        // No claim or pod is pending for it; perhaps only the nodes reach it.
        ProbeResult::Refused(_) | ProbeResult::NoAnswer(_) if named.waiting.is_empty() => None,
        ProbeResult::Refused(why) => {
            let cause = format!("nothing listens for NFS on {}", probe.server);
            Some(
                finding("NFS404", cause, why)
                    .with_confidence(Confidence::Likely)
                    .with_affected(blocked())
                    .with_advice("start the NFS server there; nfsprov setup-server installs, configures and starts it"),
            )
        }
        ProbeResult::NoAnswer(why) => {
            let cause = format!("the NFS server {} does not answer this machine", probe.server);
            // This machine may be outside the storage network, so it is no cause for what waits.
            Some(
                finding("NFS404", cause, why)
                    .with_confidence(Confidence::Possible)
                    .with_severity(Severity::Warning)
                    .with_affected(others.iter().cloned())
                    .with_advice("check that the server runs and that its firewall allows TCP 2049 from the nodes; it may block this machine only"),
            )
        }
    }
}
