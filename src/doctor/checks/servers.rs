//! What NFS servers answer from here: NFS403, NFS404 (PURE).
//!
//! This machine is no node: what it is refused says nothing about nodes, and what it can't reach they may. So only what
//! holds for everybody is found.

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
            source: format!("an NFS call to {export} from here"),
            text: text.to_owned(),
        }])
    };
    match &probe.reached {
        Reached::Fine | Reached::Unknown(_) => None,
        Reached::Missing => {
            let cause = format!("{export} doesn't exist on the server, or not under that name");
            Some(
                seen("NFS403", cause, "no such directory is exported")
                    .explaining(blocked())
                    .advise("make the directory on the server, or name the one that is there (showmount -e)"),
            )
        }
        // Nobody waits for it; it may be that only nodes reach it.
        Reached::Refused(_) | Reached::Silent(_) if named.waiting.is_empty() => None,
        Reached::Refused(why) => {
            let cause = format!("nothing listens for NFS on {}", probe.server);
            Some(
                seen("NFS404", cause, why)
                    .only(Confidence::Likely)
                    .explaining(blocked())
                    .advise("start the NFS server there: nfsprov setup-server does all that it needs"),
            )
        }
        Reached::Silent(why) => {
            let cause = format!("the NFS server {} does not answer, from here", probe.server);
            // This machine may be outside the storage network, so it is no cause for what waits.
            let finding = seen("NFS404", cause, why)
                .only(Confidence::Possible)
                .explaining(others());
            Some(finding.as_bad_as(Severity::Warning).advise(
                "is it up, and does its firewall let TCP 2049 in from the nodes? This machine may be one that it shuts out",
            ))
        }
    }
}
