//! `nfsprov doctor`: diagnoses the cluster's NFS storage, and fixes it with `--fix`. What can't be read is recorded as
//! unread, for the report; it ends nothing.

mod fix;
mod gate;
mod hosts;
mod listing;
mod probe;

use std::path::Path;
use std::sync::Mutex;

use anyhow::{Result, anyhow};
use k8s_openapi::jiff::Timestamp;

use super::access::ssh_access;
use super::cluster_options;
use super::host_run::without_duplicates;
use crate::cli::{Doctor, FailOn, Global, ReportFormat, Ssh, Target, What};
use crate::cluster::dump::{self, Dump};
use crate::cluster::gather::{gather, server_time};
use crate::cluster::{ClientUse, Cluster, ClusterError, connect};
use crate::control_plane::{Gate, check_version};
use crate::doctor::facts::Facts;
use crate::doctor::fix::plan_cluster_fixes;
use crate::doctor::report::Report;
use crate::doctor::{Finding, Object, Severity, checks, entry, explain, formats};
use crate::exit::{Exit, UsageError};
use crate::output;

/// The width of a report that is not written to a terminal.
const WIDTH: usize = 100;

/// Runs one of the forms of the command: explain a code, undo the gate, diagnose a dump, write a dump, or diagnose the
/// cluster and fix it with `--fix`. A cluster or dump that can't be read, and an object of the command line that does
/// not exist, are printed and `Unchecked`, and no `Err`.
pub async fn run(mut args: Doctor, global: &Global) -> Result<Exit> {
    args.hosts = without_duplicates(args.hosts, |target| target);
    let args = &args;
    if let Some(What::Explain { code }) = &args.what {
        output::print(&render_explanation(*code))?;
        return Ok(Exit::Done);
    }
    if args.hosts.is_empty() && args.ssh != Ssh::default() {
        let why = "the options for SSH, such as -i or --sudo, go with --ssh [USER@]HOST";
        return Err(UsageError(why.into()).into());
    }
    if args.undo {
        return undo_gate(args, global).await;
    }
    if let Some(directory) = &args.from_dump {
        let namespace = match (args.all_namespaces, &global.namespace) {
            (false, Some(namespace)) => Some(namespace.as_str()),
            _ => None,
        };
        let (cluster, now) = match dump::read(directory, namespace, checks::questions) {
            Ok(read) => read,
            Err(error) => return Ok(exit_unchecked(&format!("{error:#}"))),
        };
        let mut facts = Facts::from(cluster);
        if facts.cluster.volumes.iter().any(|volume| volume.nfs.is_some()) {
            facts.cluster.record_unread(entry::LISTINGS, "--from-dump");
        }
        return match report_on_targets(args, &facts, now) {
            Ok(report) => finish_with_report(args, global, &facts, &report),
            Err(error) => Ok(exit_unchecked(&error.to_string())),
        };
    }
    let cluster = match connect(&cluster_options(global), ClientUse::OneShot).await {
        Ok(cluster) => cluster,
        Err(error) => return report_unreachable(args, global, &error),
    };
    let namespace = (!args.all_namespaces).then(|| cluster.namespace.clone());
    let namespace = namespace.as_deref();
    if let Some(directory) = &args.dump {
        return write_dump(&cluster, namespace, directory).await;
    }
    let hosts = match args.hosts.is_empty() {
        true => hosts::Hosts::default(),
        false => hosts::connect_to_hosts(&args.hosts, &ssh_access(&args.ssh)?).await,
    };
    let facts = gather_facts(args, &cluster, namespace, &hosts).await;
    let report = match report_on_targets(args, &facts, current_time(&cluster).await) {
        Ok(report) => report,
        Err(error) => return Ok(exit_unchecked(&error.to_string())),
    };
    match &args.fix {
        None => finish_with_report(args, global, &facts, &report),
        Some(codes) => fix_findings(args, codes, global, &cluster, &hosts, (facts, report)).await,
    }
}

/// Reads the cluster and the connected hosts, then probes the exports and lists those that answer. What can't be read
/// is recorded as unread, and no error. With `--no-probe`, leaves the exports out and records that.
async fn gather_facts(args: &Doctor, cluster: &Cluster, namespace: Option<&str>, hosts: &hosts::Hosts) -> Facts {
    let mut facts = Facts::from(gather(cluster, namespace, checks::questions, None).await);
    hosts::gather_hosts(hosts, &mut facts).await;
    match args.no_probe {
        true => facts.cluster.record_unread(entry::EXPORTS, "--no-probe"),
        false => {
            probe::probe_exports(&mut facts).await;
            listing::list_reached_exports(&mut facts).await;
        }
    }
    facts
}

/// The time by the API server's clock, else by this machine's.
async fn current_time(cluster: &Cluster) -> Timestamp {
    server_time(cluster).await.unwrap_or_else(Timestamp::now)
}

/// The report on the objects of the command line, or on all objects, with the findings that `--select` and `--ignore`
/// leave; an error if one of the objects does not exist.
fn report_on_targets(args: &Doctor, facts: &Facts, now: Timestamp) -> Result<Report> {
    let targets = find_targets(args, facts)?;
    Ok(Report::new(
        facts,
        checks::find_all_problems(facts, now),
        (&args.select, &args.ignore),
        &targets,
    ))
}

/// Prints the report, and returns [`exit_of_report`].
fn finish_with_report(args: &Doctor, global: &Global, facts: &Facts, report: &Report) -> Result<Exit> {
    print_report(args, global, report)?;
    Ok(exit_of_report(args, facts, report))
}

/// `Failed` if a finding counts as a failure, `Unchecked` if claims, or with `--strict` anything that a check needs,
/// could not be read; what was left out on request does not count.
fn exit_of_report(args: &Doctor, facts: &Facts, report: &Report) -> Exit {
    let failed = report.findings.iter().any(|finding| is_failure(args, finding));
    match failed {
        true => Exit::Failed,
        // Without claims there is no diagnosis.
        false if !facts.cluster.was_read("persistentvolumeclaims") => Exit::Unchecked,
        false if args.strict && report.skipped.iter().any(|skipped| !skipped.on_request) => Exit::Unchecked,
        false => Exit::Done,
    }
}

/// Applies the automatic fixes of `codes`, or all if it is empty: on hosts, then in the cluster, then the gate, which
/// replaces the other fixes for selfLink. Then reads everything again and reports the remaining findings. A dry run,
/// which only shows changes, and a run without an automatic fix return the status of `report`; `Failed` also if a fix
/// failed.
///
/// # Errors
/// [`UsageError`] if `--gate` is refused, or a confirmation is required and stdin is no terminal; when a signal stops
/// it; otherwise as [`gate::change_gate`].
async fn fix_findings(
    args: &Doctor,
    codes: &[&'static str],
    global: &Global,
    cluster: &Cluster,
    hosts: &hosts::Hosts,
    (facts, report): (Facts, Report),
) -> Result<Exit> {
    let sets_gate = check_gate_option(args, &facts, &report)?;
    let by_gate = |finding: &&Finding| args.gate && checks::NEED_SELF_LINK.contains(&finding.code);
    let wanted = |finding: &&Finding| codes.is_empty() || codes.contains(&finding.code);
    let findings = report.findings.iter().filter(|one| wanted(one) && !by_gate(one));
    let findings: Vec<Finding> = findings.cloned().collect();
    let steps = plan_cluster_fixes(&findings, &facts.cluster);
    if steps.is_empty() && !sets_gate && hosts::host_changes(&findings).is_empty() {
        let exit = finish_with_report(args, global, &facts, &report)?;
        output::say("no automatic fix available");
        return Ok(exit);
    }
    // A program that parses the output gets one report: the last.
    if args.output == ReportFormat::Table || args.dry_run {
        print_report(args, global, &report)?;
    }
    let (mut stop, mut done) = (fix::StopSignals::listen()?, fix::FixCounts::default());
    let options = fix_options(args, global);
    // Hosts come first: claims may wait for a node that can't mount.
    hosts::fix_hosts(&hosts.reached, &findings, options, &mut stop, &mut done).await?;
    fix::fix_objects(cluster, &steps, options, &mut stop, &mut done).await?;
    if sets_gate {
        let connection = cluster_options(global);
        let job = gate::GateChange {
            connection: &connection,
            cluster: Some((cluster, &facts.cluster)),
            hosts: &args.hosts,
            access: &ssh_access(&args.ssh)?,
            wanted: Gate::Set,
            options,
        };
        gate::change_gate(&job, &mut stop, &mut done).await?;
        let restarts = checks::restart_after_gate(&facts, &report.findings, &Timestamp::now().to_string());
        let steps = plan_cluster_fixes(&restarts, &facts.cluster);
        fix::fix_objects(cluster, &steps, options, &mut stop, &mut done).await?;
        let printed = restarts.iter().filter_map(|finding| finding.fix.as_ref());
        for fix in printed.filter(|fix| !fix.automatic) {
            let command = fix.command.as_deref().unwrap_or_default();
            output::say(&format!(
                "note: run {command} once every API server has the gate: {}",
                fix.note
            ));
        }
    }
    done.fail_if_unanswered()?;
    if args.dry_run {
        output::say("dry run: no change was made");
        return Ok(match exit_of_report(args, &facts, &report) {
            Exit::Done if done.failed > 0 => Exit::Failed,
            exit => exit,
        });
    }
    if done == fix::FixCounts::default() {
        output::say("no change was made");
    }
    let facts = gather_facts(args, cluster, facts.cluster.namespace.as_deref(), hosts).await;
    let report = match report_on_targets(args, &facts, current_time(cluster).await) {
        Ok(report) => report,
        Err(error) => return Ok(exit_unchecked(&error.to_string())),
    };
    if args.output == ReportFormat::Table {
        output::print("\nRemaining findings:\n\n")?;
    }
    match finish_with_report(args, global, &facts, &report)? {
        Exit::Done if done.failed > 0 => Ok(Exit::Failed),
        exit => Ok(exit),
    }
}

fn fix_options(args: &Doctor, global: &Global) -> fix::FixOptions {
    fix::FixOptions {
        yes: args.yes,
        dry_run: args.dry_run,
        limit: args.timeout,
        colour: super::colour_choice(global.color),
    }
}

/// Whether `--gate` is given. Refuses it if no finding needs selfLink, or the API server does not support the gate.
fn check_gate_option(args: &Doctor, facts: &Facts, report: &Report) -> Result<bool> {
    if !args.gate {
        return Ok(false);
    }
    let mut findings = report.findings.iter();
    if !findings.any(|finding| checks::NEED_SELF_LINK.contains(&finding.code)) {
        let why = "--gate has no effect: no provisioner needs selfLink";
        return Err(UsageError(why.into()).into());
    }
    check_version(&facts.cluster.version, facts.cluster.minor_version()).map_err(|why| {
        let why = format!("--gate is not supported here: {why}; without it the image is changed");
        UsageError(why.into())
    })?;
    Ok(true)
}

/// Removes the gate from the hosts of `--ssh` after a confirmation, even if the API server does not answer. Fails as
/// [`gate::change_gate`], and if the kubeconfig can't be read.
async fn undo_gate(args: &Doctor, global: &Global) -> Result<Exit> {
    let connection = cluster_options(global);
    let cluster = match connect(&connection, ClientUse::OneShot).await {
        Ok(cluster) => Some((
            gather(&cluster, Some("kube-system"), checks::questions, None).await,
            cluster,
        )),
        Err(error @ ClusterError::Kubeconfig { .. }) => return Err(error.into()),
        // The gate may be the reason why it does not start.
        Err(error) => {
            output::say(&format!("note: {error}"));
            None
        }
    };
    let (mut stop, mut done) = (fix::StopSignals::listen()?, fix::FixCounts::default());
    let job = gate::GateChange {
        connection: &connection,
        cluster: cluster.as_ref().map(|(snapshot, cluster)| (cluster, snapshot)),
        hosts: &args.hosts,
        access: &ssh_access(&args.ssh)?,
        wanted: Gate::Unset,
        options: fix_options(args, global),
    };
    gate::change_gate(&job, &mut stop, &mut done).await?;
    done.fail_if_unanswered()?;
    Ok(Exit::Done)
}

/// Whether the severity of a finding is one that `--fail-on` counts as a failure.
fn is_failure(args: &Doctor, finding: &Finding) -> bool {
    match args.fail_on {
        FailOn::Error => finding.severity == Severity::Error,
        FailOn::Warning => finding.severity <= Severity::Warning,
    }
}

/// Prints the report to stdout, in the format of `--output`.
fn print_report(args: &Doctor, global: &Global, report: &Report) -> Result<()> {
    let text = match args.output {
        ReportFormat::Table => {
            let width = output::stdout_width().unwrap_or(WIDTH);
            formats::text(report, width, super::colour_choice(global.color).on_stdout())
        }
        ReportFormat::Markdown => formats::markdown(report),
        ReportFormat::Json => formats::json(report)?,
        ReportFormat::Junit => formats::junit(report, |finding| is_failure(args, finding)),
        ReportFormat::Sarif => formats::sarif(report)?,
    };
    Ok(output::print(&text)?)
}

/// Prints on stderr why no check could run, and returns `Unchecked`.
fn exit_unchecked(why: &str) -> Exit {
    output::say(&format!("error: {why}"));
    Exit::Unchecked
}

/// Prints the error on stderr, and returns `Unchecked`. If the API server does not answer and the output is not a table
/// or a dump, also prints a report that says so.
fn report_unreachable(args: &Doctor, global: &Global, error: &ClusterError) -> Result<Exit> {
    if let ClusterError::Unreachable { url, cause } = error
        && args.dump.is_none()
        && args.output != ReportFormat::Table
    {
        print_report(args, global, &Report::unreachable(url, cause))?;
    }
    Ok(exit_unchecked(&error.to_string()))
}

/// Reads the cluster into a dump and prints the paths of its files; names on stderr what could not be read, and is
/// `Done` all the same.
async fn write_dump(cluster: &Cluster, namespace: Option<&str>, directory: &Path) -> Result<Exit> {
    let dump = Mutex::new(Dump::default());
    let snapshot = gather(cluster, namespace, checks::questions, Some(&dump)).await;
    let dump = dump.into_inner().map_err(|_| anyhow!("the dump is incomplete"))?;
    let written = dump.write(directory, &cluster.version, current_time(cluster).await)?;
    for path in written {
        output::print(&format!("{}\n", path.display()))?;
    }
    for unread in snapshot.unread {
        output::say(&format!("not in the dump: {}: {}", unread.what, unread.why));
    }
    Ok(Exit::Done)
}

/// Finds the objects of the command line; a name of a claim or pod that several namespaces have stands for all of them.
///
/// # Errors
/// When one of them does not exist.
fn find_targets(args: &Doctor, facts: &Facts) -> Result<Vec<Object>> {
    let namespaces: Vec<&str> = match &facts.cluster.namespace {
        Some(namespace) => vec![namespace],
        None => facts
            .cluster
            .claims
            .iter()
            .map(|claim| claim.namespace.as_str())
            .collect(),
    };
    let of = |target: &Target| -> Result<Vec<Object>> {
        let (found, kind, name): (Vec<Object>, _, _) = match target {
            Target::Claim(name) => {
                let claims = facts.cluster.claims.iter().filter(|claim| claim.name == *name);
                (claims.map(|claim| claim.object()).collect(), "pvc", name)
            }
            Target::Volume(name) => {
                let volumes = facts.cluster.volumes.iter().filter(|volume| volume.name == *name);
                (volumes.map(|volume| volume.object()).collect(), "pv", name)
            }
            Target::Pod(name) => {
                let pods = facts.cluster.pods.iter().filter(|pod| pod.name == *name);
                (pods.map(|pod| pod.object()).collect(), "pod", name)
            }
        };
        let namespace = match (target, namespaces.as_slice()) {
            (Target::Volume(_), _) => String::new(),
            (_, [one]) => format!(" -n {one}"),
            _ => " in any namespace".to_owned(),
        };
        let hint = match target {
            Target::Pod(_) => "the doctor reads pods that use a claim or NFS",
            _ => "nfsprov status -A lists claims and volumes",
        };
        match found.is_empty() {
            true => Err(anyhow!("{kind}/{name}{namespace} not found; {hint}")),
            false => Ok(found),
        }
    };
    let found: Result<Vec<_>> = args.targets.iter().map(of).collect();
    Ok(found?.concat())
}

/// The explanation of a code; the table of all codes without one, or for an unknown one.
fn render_explanation(code: Option<&str>) -> String {
    let width = output::stdout_width().unwrap_or(WIDTH);
    match code.and_then(explain::find_entry) {
        Some(entry) => formats::format_entry(entry, width),
        None => {
            let rows = explain::CATALOGUE.iter();
            let severity = |entry: &entry::Entry| format!("{:?}", entry.severity).to_lowercase();
            let cells = rows.map(|entry| vec![entry.code.to_owned(), severity(entry), entry.title.to_owned()]);
            output::format_table(&["CODE", "SEVERITY", "FINDING"], cells)
        }
    }
}
