//! Results of NFS calls from this machine: NFS403, NFS404 (PURE).
//!
//! This machine is not a node: its address may be refused where nodes are allowed, and nodes may reach servers that it
//! can't. So only findings that hold for every client are reported.

use super::{Case, Evidence};
use crate::doctor::explain::Entry;
use crate::doctor::facts::{Probe, Reached};
use crate::doctor::servers::{Named, named};
use crate::doctor::{Confidence, Finding, Severity};

/// Their rows stand beside the checks that find the same by other signs.
pub const ENTRIES: &[Entry] = &[];

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    if case.facts.probes.is_empty() {
        return Vec::new();
    }
    let named = named(case.facts);
    let each = case.facts.probes.iter().filter_map(|probe| {
        let place = (probe.server.clone(), probe.path.clone());
        judge(probe, named.get(&place)?)
    });
    each.collect()
}

fn judge(probe: &Probe, named: &Named) -> Option<Finding> {
    let export = format!("{}:{}", probe.server, probe.path);
    let about = named.by.first()?.clone();
    let others = || named.by[1..].iter().cloned();
    let blocked = || others().chain(named.waiting.iter().cloned());
    let seen = |code, cause: String, text: &str| {
        Finding::new(code, about.clone(), cause).all_seen([Evidence {
            source: format!("an NFS call to {export} from this machine"),
            text: text.to_owned(),
        }])
    };
    match &probe.reached {
        Reached::Fine | Reached::Unknown(_) => None,
        Reached::Missing => {
            let cause = format!("{export} doesn't exist on the server, or has another name there");
            Some(
                seen("NFS403", cause, "no such directory is exported")
                    .explaining(blocked())
                    .advise("create the directory on the server, or use the path of an existing one (showmount -e)"),
            )
        }
        // No claim or pod is pending for it; perhaps only the nodes reach it.
        Reached::Refused(_) | Reached::Silent(_) if named.waiting.is_empty() => None,
        Reached::Refused(why) => {
            let cause = format!("nothing listens for NFS on {}", probe.server);
            Some(
                seen("NFS404", cause, why)
                    .only(Confidence::Likely)
                    .explaining(blocked())
                    .advise("start the NFS server there; nfsprov setup-server installs, configures and starts it"),
            )
        }
        Reached::Silent(why) => {
            let cause = format!("the NFS server {} does not answer this machine", probe.server);
            // This machine may be outside the storage network, so it is no cause for what waits.
            let finding = seen("NFS404", cause, why)
                .only(Confidence::Possible)
                .explaining(others());
            Some(finding.as_bad_as(Severity::Warning).advise(
                "check that the server runs and that its firewall allows TCP 2049 from the nodes; it may block this machine only",
            ))
        }
    }
}
