//! NFS volumes that a node can't mount: NFS401 to NFS409, NFS413 to NFS419 (PURE).
//!
//! The kubelet's newest words about a pod's volumes say which cause it is; [`node`] describes those that lie on the node,
//! [`server`] those that lie on the server or in the volume. [`Failure`] is also what a CSI driver's controller met.

mod node;
mod server;

use std::collections::BTreeMap;

use super::pods::nfs_volumes;
use super::{Case, said};
use crate::doctor::Severity::Error;
use crate::doctor::explain::{EVENTS, Entry, PODS, entry};
use crate::doctor::facts::{Event, Pod, Volume};
use crate::doctor::messages::{self, Place};
use crate::doctor::provisioners::NFS_CSI;
use crate::doctor::{Confidence, Evidence, Finding, Fix, Object};

pub const ENTRIES: &[Entry] = &[entry(
    "NFS413",
    Error,
    &[PODS, EVENTS],
    "the mount fails, cause unknown",
    "The kubelet could not mount the pod's NFS volume, and its words match no known cause. The finding quotes them. The kubelet tries again every two minutes; mounting by hand on the node (mount -v -t nfs SERVER:PATH /mnt) often says more.",
)];

pub use node::{ENTRIES as OF_NODES, not_registered};
pub use server::ENTRIES as OF_SERVERS;

/// A mount that failed.
pub struct Failure<'a> {
    /// What its words are a sign of.
    pub code: &'static str,
    /// What these name.
    pub named: Option<String>,
    /// The node; empty where it is not known.
    pub node: &'a str,
    /// The NFS server and path; none where they are not known.
    pub export: Option<(String, String)>,
    /// The mount options; empty where they are not known.
    pub options: String,
}

/// A cause in words, how sure it is, and what fixes it.
pub struct Description {
    cause: String,
    confidence: Confidence,
    fix: Fix,
}

impl Description {
    fn new(cause: impl Into<String>, note: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            confidence: Confidence::Certain,
            fix: Fix::advice(note),
        }
    }

    fn with_fix(mut self, fix: Fix) -> Self {
        self.fix = fix;
        self
    }

    fn only(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    /// As a finding about `object`.
    pub fn finding(self, code: &'static str, object: Object, evidence: Evidence) -> Finding {
        Finding::new(code, object, self.cause)
            .only(self.confidence)
            .all_seen([evidence])
            .with_fix(self.fix)
    }
}

impl Failure<'_> {
    fn server(&self) -> &str {
        self.export.as_ref().map_or("(not known)", |(server, _)| server)
    }

    /// `SERVER:PATH`.
    fn place(&self) -> String {
        match &self.export {
            Some((server, path)) if server.contains(':') => format!("[{server}]:{path}"),
            Some((server, path)) => format!("{server}:{path}"),
            None => "the export".to_owned(),
        }
    }

    /// `node n1`, or the node that is not known.
    fn node(&self) -> String {
        match self.node {
            "" => "the provisioner's node".to_owned(),
            node => format!("node {node}"),
        }
    }

    /// The cause and its fix.
    pub fn describe(&self, case: &Case<'_>) -> Option<Description> {
        node::describe(case, self).or_else(|| server::describe(case, self))
    }
}

/// What a failed mount's words are a sign of: some causes show only beside the objects.
pub fn classify(
    case: &Case<'_>,
    text: &str,
    node: &str,
    server: Option<&str>,
) -> Option<(&'static str, Option<String>)> {
    let (code, named) = messages::classify(Place::Mount, text)?;
    let code = match code {
        "NFS408"
            if server.is_some_and(|server| server.parse::<std::net::Ipv6Addr>().is_ok())
                && node::is_old(case, node) =>
        {
            "NFS417"
        }
        "NFS211" if named.as_deref().is_some_and(|name| !name.contains("nfs")) => return None,
        code => code,
    };
    Some((code, named))
}

pub fn check(case: &Case<'_>) -> Vec<Finding> {
    let mut found: BTreeMap<(&str, Object), Finding> = BTreeMap::new();
    for pod in &case.facts.pods {
        if pod.node.is_empty() || pod.deleting.is_some() {
            continue;
        }
        // A pod that runs has mounted what it needs, whatever was said before.
        let failed = match pod.phase.as_str() {
            "Pending" => unmounted(case, pod).or_else(|| stopped(case, pod)),
            _ => stopped(case, pod).filter(|(failure, ..)| failure.code == "NFS406"),
        };
        let Some((failure, evidence, volume)) = failed else {
            continue;
        };
        let about = subject(case, &failure, pod, volume);
        let key = (failure.code, about.clone());
        let finding = found.remove(&key).or_else(|| {
            let description = failure.describe(case)?;
            Some(description.finding(failure.code, about, evidence))
        });
        if let Some(finding) = finding {
            found.insert(key, finding.explaining([pod.object()]));
        }
    }
    found.into_values().collect()
}

/// A failure, the words that tell of it, and the volume.
type Failed<'a> = (Failure<'a>, Evidence, Option<&'a Volume>);

/// The kubelet's newest word on why a volume is not mounted.
pub fn unmounted<'a>(case: &'a Case<'_>, pod: &'a Pod) -> Option<Failed<'a>> {
    let events = case.events(&pod.object()).iter();
    let found = events.filter_map(|event| Some((failure(case, pod, event)?, said(event))));
    let mut found = found.filter(|((failure, _), _)| failure.code != "NFS410");
    let ((failure, volume), evidence) = found.next()?;
    Some((failure, evidence, volume))
}

fn failure<'a>(case: &'a Case<'_>, pod: &'a Pod, event: &'a Event) -> Option<(Failure<'a>, Option<&'a Volume>)> {
    let node = match event.host.is_empty() {
        true => &pod.node,
        false => &event.host,
    };
    of_text(case, pod, &event.message, node)
}

fn of_text<'a>(
    case: &'a Case<'_>,
    pod: &'a Pod,
    text: &'a str,
    node: &'a str,
) -> Option<(Failure<'a>, Option<&'a Volume>)> {
    let (volume, export, options) = mounted(case, pod, text);
    let server = export.as_ref().map(|(server, _)| server.as_str());
    let (code, named) = classify(case, text, node, server)?;
    let failure = Failure {
        code,
        named,
        node,
        export,
        options,
    };
    Some((failure, volume))
}

/// What a provisioner met that mounts the export itself, on a node that is not known; `export` where its words name none.
pub fn of_provisioner(case: &Case<'_>, text: &str, export: Option<(String, String)>) -> Option<Failure<'static>> {
    let (told, options) = messages::mount_command(text)
        .map(|command| (command.export, command.options))
        .unzip();
    let export = told.or(export);
    let server = export.as_ref().map(|(server, _)| server.as_str());
    let (code, named) = classify(case, text, "", server)?;
    Some(Failure {
        code,
        named,
        node: "",
        export,
        options: options.unwrap_or_default(),
    })
}

/// The volume that a text is about, its export, and the mount options.
fn mounted<'a>(case: &'a Case<'_>, pod: &'a Pod, text: &str) -> (Option<&'a Volume>, Option<(String, String)>, String) {
    // By the kubelet's words, or by the directory in which it mounts.
    let named = ["volume \"", "kubernetes.io~nfs/", "kubernetes.io~csi/"]
        .iter()
        .find_map(|before| {
            let (_, rest) = text.split_once(before)?;
            rest.split(['"', '/', ':', ' ']).next()
        });
    let volume = named
        .and_then(|name| case.volume(name))
        .or_else(|| nfs_volumes(case, pod).next());
    let (command, options) = messages::mount_command(text)
        .map(|command| (command.export, command.options))
        .unzip();
    let export = volume.and_then(|volume| volume.export().cloned()).or(command);
    let export = export.or_else(|| pod.nfs.first().cloned());
    (volume, export, options.unwrap_or_default())
}

/// That a container can't be started because of its volume.
fn stopped<'a>(case: &'a Case<'_>, pod: &'a Pod) -> Option<Failed<'a>> {
    pod.stopped.iter().find_map(|stopped| {
        let (failure, volume) = of_text(case, pod, &stopped.message, &pod.node)?;
        let evidence = Evidence {
            source: format!("container {} of {}", stopped.container, pod.object().title()),
            text: format!("{} {}", stopped.reason, stopped.message),
        };
        matches!(failure.code, "NFS406" | "NFS418" | "NFS419").then_some((failure, evidence, volume))
    })
}

/// What is at fault: the node where it lacks something, else the volume.
fn subject(case: &Case<'_>, failure: &Failure<'_>, pod: &Pod, volume: Option<&Volume>) -> Object {
    match (node::is_at_fault(failure.code), volume) {
        (true, _) if failure.code == "NFS211" && node::waits_for_attachment(failure, case) => {
            Object::cluster("CSIDriver", NFS_CSI)
        }
        (true, _) => Object::cluster("Node", failure.node),
        (false, Some(volume)) => volume.object(),
        (false, None) => pod.object(),
    }
}
