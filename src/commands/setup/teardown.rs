//! `nfsprov teardown-server`: removes nfsprov's exports from a host, and keeps the data.

use anyhow::Result;

use super::hosts::{apply_or_show, connect_and_gather};
use crate::cli::{Global, TeardownServer};
use crate::commands::confirm_or_fail;
use crate::commands::host_run::{Report, Run};
use crate::exit::Exit;
use crate::host::{Facts, Subject, plan_teardown};

/// Connects to the host, asks if its plan changes anything, unless `--yes` is given, and applies it. An error if the
/// user declines; `Failed` if the host or a step failed, `Changes` if `--check` found changes to make.
pub async fn run(args: TeardownServer, global: &Global) -> Result<Exit> {
    let run = Run::new(&args.ssh, &args.run, global)?;
    let subject = Subject {
        exports_file: Some(args.exports_file.clone()),
        directory: Some(args.export.clone()),
        ..Subject::default()
    };
    let connected = run.or_stop(connect_and_gather(&args.host, &run, &subject)).await?;
    let plan = |facts: &Facts| plan_teardown(facts, &args.export, run.now);
    let first = connected.as_ref().ok().map(|connected| plan(&connected.facts));
    let changes = first.is_some_and(|plan| plan.has_changes() && !plan.is_refused());
    if changes && !args.yes && !run.options.is_dry_run() {
        let question = format!(
            "No longer export {} on {}? Clients lose their mounts; the data stays.",
            args.export, args.host.host
        );
        let usage = "clients lose their mounts; --yes confirms this";
        confirm_or_fail(&question, "nothing was changed", usage)?;
    }
    let report = Report {
        hosts: vec![apply_or_show(&args.host, "server", &connected, plan, &run).await],
    };
    run.print_report(&report, global)
}
