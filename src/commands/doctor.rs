//! `nfsprov doctor`: what is wrong with the cluster's NFS storage, and what mends it.

mod fix;

use std::path::Path;
use std::sync::Mutex;

use anyhow::{Result, anyhow};
use k8s_openapi::jiff::Timestamp;

use super::cluster_options;
use crate::cli::{Doctor, FailOn, Global, ReportFormat, Target, What};
use crate::cluster::{Cluster, ClusterError, Use, connect};
use crate::doctor::dump::{self, Dump};
use crate::doctor::facts::Facts;
use crate::doctor::fix::plan::plan;
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
    if let Some(directory) = &args.from_dump {
        let namespace = match (args.all_namespaces, &global.namespace) {
            (false, Some(namespace)) => Some(namespace.as_str()),
            _ => None,
        };
        let (facts, now) = match dump::read(directory, namespace) {
            Ok(read) => read,
            Err(error) => return Ok(unable(&format!("{error:#}"))),
        };
        return match diagnose(args, &facts, now) {
            Ok(report) => conclude(args, global, &facts, &report),
            Err(error) => Ok(unable(&error.to_string())),
        };
    }
    let cluster = match connect(&cluster_options(global), Use::OneShot).await {
        Ok(cluster) => cluster,
        Err(error) => return unreachable(args, global, &error),
    };
    let namespace = (!args.all_namespaces).then(|| cluster.namespace.clone());
    let namespace = namespace.as_deref();
    if let Some(directory) = &args.dump {
        return write(&cluster, namespace, directory).await;
    }
    let facts = gather(&cluster, namespace, None).await;
    let report = match diagnose(args, &facts, Timestamp::now()) {
        Ok(report) => report,
        Err(error) => return Ok(unable(&error.to_string())),
    };
    if !args.fix {
        return conclude(args, global, &facts, &report);
    }
    mend(args, global, &cluster, (facts, report)).await
}

/// Everything that is wrong with what was asked about.
fn diagnose(args: &Doctor, facts: &Facts, now: Timestamp) -> Result<Report> {
    let targets = targets(args, facts)?;
    Ok(Report::new(facts, checks::all(facts, now), &args.ignore, &targets))
}

/// Prints a report; it decides on the exit status.
fn conclude(args: &Doctor, global: &Global, facts: &Facts, report: &Report) -> Result<Exit> {
    print(args, global, report)?;
    let failed = report.findings.iter().any(|finding| fails(args, finding));
    Ok(match failed {
        true => Exit::Failed,
        // Without claims there is no diagnosis.
        false if !facts.knows("persistentvolumeclaims") => Exit::Unchecked,
        false => Exit::Done,
    })
}

/// Mends what can be mended, and says what is left.
async fn mend(args: &Doctor, global: &Global, cluster: &Cluster, (facts, report): (Facts, Report)) -> Result<Exit> {
    if plan(&report.findings, &facts).is_empty() {
        let exit = conclude(args, global, &facts, &report)?;
        output::say("nothing here is for --fix to mend");
        return Ok(exit);
    }
    // Machines get one report, which is the last.
    if args.output == ReportFormat::Table {
        print(args, global, &report)?;
    }
    let how = fix::How {
        yes: args.yes,
        limit: args.timeout,
        colour: super::colour(global.color),
    };
    let watched = connect(&cluster_options(global), Use::LongRunning).await?;
    let clusters = fix::Clusters {
        cluster,
        watched: &watched,
    };
    let done = fix::fix(clusters, &facts, &report, how).await?;
    if done == fix::Done::default() {
        output::say("nothing was changed");
    }
    let facts = gather(cluster, facts.namespace.as_deref(), None).await;
    let report = match diagnose(args, &facts, Timestamp::now()) {
        Ok(report) => report,
        Err(error) => return Ok(unable(&error.to_string())),
    };
    if args.output == ReportFormat::Table {
        output::print("\nWhat is left:\n\n")?;
    }
    match conclude(args, global, &facts, &report)? {
        Exit::Done if done.failed > 0 => Ok(Exit::Failed),
        exit => Ok(exit),
    }
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
