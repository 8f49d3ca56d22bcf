//! `nfsprov doctor`: diagnoses the cluster's NFS storage, and fixes it with `--fix`.

mod fix;
mod gate;
mod hosts;
mod listing;
mod probe;

use std::path::Path;
use std::sync::Mutex;

use anyhow::{Result, anyhow};
use k8s_openapi::jiff::Timestamp;

use super::access::access;
use super::cluster_options;
use crate::cli::{Doctor, FailOn, Global, ReportFormat, Ssh, Target, What};
use crate::cluster::{ClientUse, Cluster, ClusterError, connect};
use crate::control_plane::{Gate, check_version};
use crate::doctor::dump::{self, Dump};
use crate::doctor::facts::Facts;
use crate::doctor::fix::plan::{plan, restarts};
use crate::doctor::gather::{gather, server_time};
use crate::doctor::report::Report;
use crate::doctor::{Finding, Object, Severity, checks, explain, formats};
use crate::exit::{Exit, UsageError};
use crate::output;

/// The width of a report that is not written to a terminal.
const WIDTH: usize = 100;

/// The findings that the gate fixes too.
const NEED_SELF_LINK: [&str; 2] = ["NFS301", "NFS302"];

/// Runs `nfsprov doctor`.
pub async fn run(args: &Doctor, global: &Global) -> Result<Exit> {
    if let Some(What::Explain { code }) = &args.what {
        output::print(&explained(*code))?;
        return Ok(Exit::Done);
    }
    if args.hosts.is_empty() && args.ssh != Ssh::default() {
        let why = "the options for SSH, such as -i or --sudo, go with --ssh [USER@]HOST";
        return Err(UsageError(why.into()).into());
    }
    if args.undo {
        return undo(args, global).await;
    }
    if let Some(directory) = &args.from_dump {
        let namespace = match (args.all_namespaces, &global.namespace) {
            (false, Some(namespace)) => Some(namespace.as_str()),
            _ => None,
        };
        let (mut facts, now) = match dump::read(directory, namespace) {
            Ok(read) => read,
            Err(error) => return Ok(unable(&format!("{error:#}"))),
        };
        if facts.volumes.iter().any(|volume| volume.nfs.is_some()) {
            facts.leave_out(explain::LISTINGS, "--from-dump");
        }
        return match diagnose(args, &facts, now) {
            Ok(report) => conclude(args, global, &facts, &report),
            Err(error) => Ok(unable(&error.to_string())),
        };
    }
    let cluster = match connect(&cluster_options(global), ClientUse::OneShot).await {
        Ok(cluster) => cluster,
        Err(error) => return unreachable(args, global, &error),
    };
    let namespace = (!args.all_namespaces).then(|| cluster.namespace.clone());
    let namespace = namespace.as_deref();
    if let Some(directory) = &args.dump {
        return write(&cluster, namespace, directory).await;
    }
    let (facts, reached) = match args.hosts.is_empty() {
        true => (read(args, &cluster, namespace, &[]).await, Vec::new()),
        false => first_read(args, &cluster, namespace).await?,
    };
    let report = match diagnose(args, &facts, now(&cluster).await) {
        Ok(report) => report,
        Err(error) => return Ok(unable(&error.to_string())),
    };
    match &args.fix {
        None => conclude(args, global, &facts, &report),
        Some(codes) => fix_findings(args, codes, global, &cluster, &reached, (facts, report)).await,
    }
}

/// Reads the cluster, the hosts of `--ssh`, and what NFS servers answer this machine.
async fn read(args: &Doctor, cluster: &Cluster, namespace: Option<&str>, hosts: &[hosts::Reached]) -> Facts {
    let mut facts = gather(cluster, namespace, None).await;
    hosts::look(hosts, &mut facts).await;
    match args.no_probe {
        true => facts.leave_out(explain::EXPORTS, "--no-probe"),
        false => {
            probe::probe(&mut facts).await;
            listing::list(&mut facts).await;
        }
    }
    facts
}

/// The same, and the hosts of `--ssh`, logged in to.
async fn first_read(args: &Doctor, cluster: &Cluster, namespace: Option<&str>) -> Result<(Facts, Vec<hosts::Reached>)> {
    let mut missed = Facts::default();
    let reached = hosts::reach(&args.hosts, &access(&args.ssh)?, &mut missed).await;
    let mut facts = read(args, cluster, namespace, &reached).await;
    facts.unread.extend(missed.unread);
    Ok((facts, reached))
}

/// The time by the API server's clock, else by this machine's.
async fn now(cluster: &Cluster) -> Timestamp {
    server_time(cluster).await.unwrap_or_else(Timestamp::now)
}

/// The report on the objects that were asked about.
fn diagnose(args: &Doctor, facts: &Facts, now: Timestamp) -> Result<Report> {
    let targets = targets(args, facts)?;
    Ok(Report::new(
        facts,
        checks::all(facts, now),
        (&args.select, &args.ignore),
        &targets,
    ))
}

/// Prints a report; it decides on the exit status.
fn conclude(args: &Doctor, global: &Global, facts: &Facts, report: &Report) -> Result<Exit> {
    print(args, global, report)?;
    let failed = report.findings.iter().any(|finding| fails(args, finding));
    Ok(match failed {
        true => Exit::Failed,
        // Without claims there is no diagnosis.
        false if !facts.knows("persistentvolumeclaims") => Exit::Unchecked,
        false if args.strict && report.skipped.iter().any(|skipped| !skipped.on_request) => Exit::Unchecked,
        false => Exit::Done,
    })
}

/// Makes the automatic fixes of these codes, or all, and reports the remaining findings.
async fn fix_findings(
    args: &Doctor,
    codes: &[&'static str],
    global: &Global,
    cluster: &Cluster,
    reached: &[hosts::Reached],
    (facts, report): (Facts, Report),
) -> Result<Exit> {
    let sets_gate = sets_gate(args, &facts, &report)?;
    let by_gate = |finding: &&Finding| args.gate && NEED_SELF_LINK.contains(&finding.code);
    let wanted = |finding: &&Finding| codes.is_empty() || codes.contains(&finding.code);
    let findings = report.findings.iter().filter(|one| wanted(one) && !by_gate(one));
    let findings: Vec<Finding> = findings.cloned().collect();
    let steps = plan(&findings, &facts);
    if steps.is_empty() && !sets_gate && hosts::steps(&findings).is_empty() {
        let exit = conclude(args, global, &facts, &report)?;
        output::say("no automatic fix available");
        return Ok(exit);
    }
    // Programs that read the output get one report, the last.
    if args.output == ReportFormat::Table || args.dry_run {
        print(args, global, &report)?;
    }
    let watched = connect(&cluster_options(global), ClientUse::LongRunning).await?;
    let clusters = fix::Clusters {
        cluster,
        watched: &watched,
    };
    let (mut stop, mut done) = (fix::Stop::listen()?, fix::Done::default());
    let how = how(args, global);
    // Hosts come first: claims may wait for a node that can't mount.
    hosts::fix(reached, &findings, how, &mut stop, &mut done).await?;
    fix::fix(clusters, &steps, how, &mut stop, &mut done).await?;
    if sets_gate {
        let options = cluster_options(global);
        let job = gate::Job {
            options: &options,
            cluster: Some((cluster, &facts)),
            hosts: &args.hosts,
            access: &access(&args.ssh)?,
            wanted: Gate::Set,
            how,
        };
        gate::gate(&job, &mut stop, &mut done).await?;
        let again = restarts(&report.findings, &facts, &Timestamp::now().to_string());
        fix::fix(clusters, &plan(&again, &facts), how, &mut stop, &mut done).await?;
    }
    if args.dry_run {
        output::say("dry run: no change was made");
        let failed = report.findings.iter().any(|finding| fails(args, finding));
        return Ok(if failed { Exit::Failed } else { Exit::Done });
    }
    if done == fix::Done::default() {
        output::say("no change was made");
    }
    let facts = read(args, cluster, facts.namespace.as_deref(), reached).await;
    let report = match diagnose(args, &facts, now(cluster).await) {
        Ok(report) => report,
        Err(error) => return Ok(unable(&error.to_string())),
    };
    if args.output == ReportFormat::Table {
        output::print("\nRemaining findings:\n\n")?;
    }
    match conclude(args, global, &facts, &report)? {
        Exit::Done if done.failed > 0 => Ok(Exit::Failed),
        exit => Ok(exit),
    }
}

fn how(args: &Doctor, global: &Global) -> fix::How {
    fix::How {
        yes: args.yes,
        dry_run: args.dry_run,
        limit: args.timeout,
        colour: super::colour(global.color),
    }
}

/// Whether RemoveSelfLink=false is set on the hosts of `--ssh`: only if `--gate` asks for it by name, and it helps.
fn sets_gate(args: &Doctor, facts: &Facts, report: &Report) -> Result<bool> {
    if !args.gate {
        return Ok(false);
    }
    let mut findings = report.findings.iter();
    if !findings.any(|finding| NEED_SELF_LINK.contains(&finding.code)) {
        let why = "--gate has no effect: no provisioner needs selfLink";
        return Err(UsageError(why.into()).into());
    }
    check_version(&facts.version, facts.minor()).map_err(|why| {
        let why = format!("--gate is not supported here: {why}; without it the image is changed");
        UsageError(why.into())
    })?;
    Ok(true)
}

/// Undoes what `--gate` did, whether the API server answers or not.
async fn undo(args: &Doctor, global: &Global) -> Result<Exit> {
    let options = cluster_options(global);
    let cluster = match connect(&options, ClientUse::OneShot).await {
        Ok(cluster) => Some((gather(&cluster, Some("kube-system"), None).await, cluster)),
        Err(error @ ClusterError::Kubeconfig { .. }) => return Err(error.into()),
        // It may be the gate that keeps it from starting.
        Err(error) => {
            output::say(&format!("note: {error}"));
            None
        }
    };
    let (mut stop, mut done) = (fix::Stop::listen()?, fix::Done::default());
    let job = gate::Job {
        options: &options,
        cluster: cluster.as_ref().map(|(facts, cluster)| (cluster, facts)),
        hosts: &args.hosts,
        access: &access(&args.ssh)?,
        wanted: Gate::Unset,
        how: how(args, global),
    };
    gate::gate(&job, &mut stop, &mut done).await?;
    Ok(Exit::Done)
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
            let width = output::stdout_width().unwrap_or(WIDTH);
            formats::text(report, width, super::colour(global.color).on_stdout())
        }
        ReportFormat::Markdown => formats::markdown(report),
        ReportFormat::Json => formats::json(report)?,
        ReportFormat::Junit => formats::junit(report, |finding| fails(args, finding)),
        ReportFormat::Sarif => formats::sarif(report)?,
    };
    Ok(output::print(&text)?)
}

/// Reports why nothing could be checked.
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
    let written = dump.write(directory, &cluster.version, now(cluster).await)?;
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
                "{what} {name} not found{place}; nfsprov status -A lists claims and volumes"
            )),
            false => Ok(found),
        }
    };
    let found: Result<Vec<_>> = args.targets.iter().map(of).collect();
    Ok(found?.concat())
}

fn explained(code: Option<&str>) -> String {
    let width = output::stdout_width().unwrap_or(WIDTH);
    match code.and_then(explain::find) {
        Some(entry) => formats::entry(entry, width),
        None => {
            let rows = explain::CATALOGUE.iter();
            let severity = |entry: &explain::Entry| format!("{:?}", entry.severity).to_lowercase();
            let cells = rows.map(|entry| vec![entry.code.to_owned(), severity(entry), entry.title.to_owned()]);
            output::format_table(&["CODE", "SEVERITY", "FINDING"], cells)
        }
    }
}
