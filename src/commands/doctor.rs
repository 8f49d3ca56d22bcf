//! `nfsprov doctor`: what is wrong with the cluster's NFS storage, and what mends it.

use std::path::Path;
use std::sync::Mutex;

use anyhow::{Result, anyhow};
use k8s_openapi::jiff::Timestamp;

use super::cluster_options;
use crate::cli::{Doctor, FailOn, Global, ReportFormat, Target, What};
use crate::cluster::{Cluster, ClusterError, Use, connect};
use crate::doctor::dump::{self, Dump};
use crate::doctor::facts::Facts;
use crate::doctor::gather::gather;
use crate::doctor::report::Report;
use crate::doctor::{Finding, Object, Severity, checks, explain, formats};
use crate::exit::Exit;
use crate::output;

/// How wide a report is that nobody looks at.
const WIDTH: usize = 100;

/// Runs `nfsprov doctor`.
pub async fn run(args: &Doctor, global: &Global) -> Result<Exit> {
    if let Some(What::Explain { code }) = &args.what {
        output::print(&explained(*code))?;
        return Ok(Exit::Done);
    }
    let (facts, now) = match &args.from_dump {
        Some(directory) => {
            let namespace = match (args.all_namespaces, &global.namespace) {
                (false, Some(namespace)) => Some(namespace.as_str()),
                _ => None,
            };
            match dump::read(directory, namespace) {
                Ok(read) => read,
                Err(error) => return Ok(unable(&format!("{error:#}"))),
            }
        }
        None => {
            let cluster = match connect(&cluster_options(global), Use::OneShot).await {
                Ok(cluster) => cluster,
                Err(error) => return unreachable(args, global, &error),
            };
            let namespace = (!args.all_namespaces).then(|| cluster.namespace.clone());
            if let Some(directory) = &args.dump {
                return write(&cluster, namespace.as_deref(), directory).await;
            }
            let facts = gather(&cluster, namespace.as_deref(), None).await;
            (facts, Timestamp::now())
        }
    };
    let targets = match targets(args, &facts) {
        Ok(targets) => targets,
        Err(error) => return Ok(unable(&error.to_string())),
    };
    let report = Report::new(&facts, checks::all(&facts, now), &args.ignore, &targets);
    print(args, global, &report)?;
    let failed = report.findings.iter().any(|finding| fails(args, finding));
    Ok(match failed {
        true => Exit::Failed,
        // Without claims there is no diagnosis.
        false if !facts.knows("persistentvolumeclaims") => Exit::Unchecked,
        false => Exit::Done,
    })
}

fn fails(args: &Doctor, finding: &Finding) -> bool {
    match args.fail_on {
        FailOn::Error => finding.severity == Severity::Error,
        FailOn::Warning => finding.severity <= Severity::Warning,
    }
}

fn print(args: &Doctor, global: &Global, report: &Report) -> Result<()> {
    let text = match args.output {
        ReportFormat::Table => {
            let width = output::width().unwrap_or(WIDTH);
            formats::text(report, width, super::colour(global.color).on_stdout())
        }
        ReportFormat::Json => formats::json(report)?,
        ReportFormat::Junit => formats::junit(report, |finding| fails(args, finding)),
        ReportFormat::Sarif => formats::sarif(report)?,
    };
    Ok(output::print(&text)?)
}

/// Says why nothing could be checked.
fn unable(why: &str) -> Exit {
    output::say(&format!("error: {why}"));
    Exit::Unchecked
}

fn unreachable(args: &Doctor, global: &Global, error: &ClusterError) -> Result<Exit> {
    if let ClusterError::Unreachable { url, cause } = error
        && args.dump.is_none()
        && args.output != ReportFormat::Table
    {
        print(args, global, &Report::unreachable(url, cause))?;
    }
    Ok(unable(&error.to_string()))
}

async fn write(cluster: &Cluster, namespace: Option<&str>, directory: &Path) -> Result<Exit> {
    let dump = Mutex::new(Dump::default());
    let facts = gather(cluster, namespace, Some(&dump)).await;
    let dump = dump.into_inner().map_err(|_| anyhow!("the dump is incomplete"))?;
    let written = dump.write(directory, &cluster.version, Timestamp::now())?;
    for path in written {
        output::print(&format!("{}\n", path.display()))?;
    }
    for unread in facts.unread {
        output::say(&format!("not in the dump: {}: {}", unread.what, unread.why));
    }
    Ok(Exit::Done)
}

/// The objects asked about, which must exist.
fn targets(args: &Doctor, facts: &Facts) -> Result<Vec<Object>> {
    let namespaces: Vec<&str> = match &facts.namespace {
        Some(namespace) => vec![namespace],
        None => facts.claims.iter().map(|claim| claim.namespace.as_str()).collect(),
    };
    let of = |target: &Target| -> Result<Vec<Object>> {
        let (found, what, name): (Vec<Object>, _, _) = match target {
            Target::Claim(name) => {
                let claims = facts.claims.iter().filter(|claim| claim.name == *name);
                (claims.map(|claim| claim.object()).collect(), "claim", name)
            }
            Target::Volume(name) => {
                let volumes = facts.volumes.iter().filter(|volume| volume.name == *name);
                (volumes.map(|volume| volume.object()).collect(), "PV", name)
            }
            Target::Pod(name) => {
                let pods = facts.pods.iter().filter(|pod| pod.name == *name);
                (pods.map(|pod| pod.object()).collect(), "pod that uses a claim", name)
            }
        };
        let place = match (target, namespaces.as_slice()) {
            (Target::Volume(_), _) => String::new(),
            (_, [one]) => format!(" in namespace {one}"),
            _ => " in any namespace".to_owned(),
        };
        match found.is_empty() {
            true => Err(anyhow!(
                "there is no {what} called {name}{place}; nfsprov status -A lists what there is"
            )),
            false => Ok(found),
        }
    };
    let found: Result<Vec<_>> = args.targets.iter().map(of).collect();
    Ok(found?.concat())
}

fn explained(code: Option<&str>) -> String {
    let width = output::width().unwrap_or(WIDTH);
    match code.and_then(explain::find) {
        Some(entry) => formats::entry(entry, width),
        None => {
            let rows = explain::CATALOGUE.iter();
            let severity = |entry: &explain::Entry| format!("{:?}", entry.severity).to_lowercase();
            let cells = rows.map(|entry| vec![entry.code.to_owned(), severity(entry), entry.title.to_owned()]);
            output::table(&["CODE", "SEVERITY", "FINDING"], cells)
        }
    }
}
