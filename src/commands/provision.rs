//! `nfsprov provision`: one pass over the pending claims, or the provisioner in the foreground.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::json;
use tokio::net::TcpListener;

use super::access::{export_via, ssh_access_for};
use super::stop_signal;
use super::{claim_title, cluster_options, for_scripts, headings_unless};
use crate::cli::{Format, Global, Listing, LogFormat, Provision, Via};
use crate::cluster::{self, ClientUse, connect};
use crate::exit::{Exit, UsageError};
use crate::export::{Export, ExportError, Location};
use crate::host::Access;
use crate::output;
use crate::provisioner::events::Events;
use crate::provisioner::http;
use crate::provisioner::lease::{Candidate, watch_for_upstream};
use crate::provisioner::outcome::ProvisionOutcome;
use crate::provisioner::pass::{PendingClaims, Row};
use crate::provisioner::reconcile::{Reconciler, Settings};
use crate::provisioner::served::Exports;
use crate::provisioner::{controller, election};
use crate::systemd::{self, Report};
use crate::versioned::Items;

/// The longest interval at which the limits of volumes are checked.
const CHECK_LIMITS: Duration = Duration::from_secs(300);

/// Connects to the cluster and the exports, then runs one pass, or with `--watch` serves claims until a signal: with
/// metrics, leader election and a status line as the options say. An export that can't be reached is an error without
/// `--watch`, and a warning with it; those of `--allow-export` are not probed. `Failed` if a claim of the pass was
/// refused or failed.
pub async fn run(args: Provision, global: &Global) -> Result<Exit> {
    let purpose = if args.watch {
        ClientUse::LongRunning
    } else {
        ClientUse::OneShot
    };
    let first = Location {
        server: args.server.clone(),
        path: args.path.clone(),
    };
    let quota_ssh = args.quota_ssh.as_ref();
    let access = ssh_access_for(&args.via, quota_ssh, &args.ssh)?;
    let export = export_via(&args.via, quota_ssh, &access, first.clone());
    let further = further_exports(&args, &first, &access)?;
    let lease = election::lease_name(&args.name);
    if args.leader_elect && lease.is_none() {
        return Err(UsageError(
            "--leader-elect: the Lease has the name of the provisioner, and upper-case letters and `_` are not allowed in \
             names of objects"
                .into(),
        )
        .into());
    }
    let listener = match args.metrics_addr {
        Some(address) => {
            let listener = TcpListener::bind(address).await;
            Some(listener.with_context(|| format!("cannot serve metrics on {address}"))?)
        }
        None => None,
    };
    // In parallel, so that an error of either is reported soonest.
    let options = cluster_options(global);
    let (cluster, export) = tokio::try_join!(
        async { connect(&options, purpose).await.map_err(anyhow::Error::from) },
        async {
            let probed = async {
                export.probe_root().await?;
                export.probe_quota_shell().await
            };
            match probed.await {
                // Claims are retried, as when a server goes down later.
                Err(error @ (ExportError::Unreachable { .. } | ExportError::Unresolved { .. })) if args.watch => {
                    tracing::warn!("{error}; waiting for it");
                }
                probed => probed?,
            }
            Ok(export)
        },
    )?;
    let settings = Settings {
        name: args.name,
        namespace: global.namespace.clone(),
        dry_run: args.dry_run,
        request_timeout: global.request_timeout,
        limits_interval: args.usage_interval.unwrap_or(CHECK_LIMITS).min(CHECK_LIMITS),
        reports_usage: args.usage_interval.is_some(),
    };
    let exports = Exports::new((first, export), further, args.concurrency);
    let (events, publisher) = match settings.dry_run {
        true => (Events::without_publishing(), None),
        false => {
            let (events, publisher) = Events::start_publishing(
                cluster.client.clone(),
                &settings.name,
                exports.iter().cloned().collect(),
            );
            (events, Some(publisher))
        }
    };
    let mut reconciler = Reconciler::new(settings, cluster.client.clone(), exports, events);
    let namespace = args.lease_namespace.unwrap_or(cluster.namespace);
    let candidate = match (&lease, args.leader_elect) {
        (Some(name), true) => Some(Candidate::new(cluster.client.clone(), &namespace, name)),
        _ => None,
    };
    if let Some(candidate) = &candidate {
        reconciler = reconciler.with_leadership(candidate.leadership());
    }
    let reconciler = Arc::new(reconciler);
    let stop = stop_signal()?;
    let exit = if args.watch {
        tracing::info!(cluster = cluster.version, "connected");
        systemd::report_state(Report::Ready);
        let stop = async {
            stop.await;
            systemd::report_state(Report::Stopping);
        };
        if let Some(name) = lease {
            tokio::spawn(watch_for_upstream(cluster.client, namespace, name));
        }
        let serving = listener.map(|listener| tokio::spawn(http::serve_requests(listener, reconciler.clone())));
        let live =
            !global.quiet && args.log_format == LogFormat::Text && super::colour_choice(global.color).on_stderr();
        let served = async {
            match candidate {
                Some(candidate) => {
                    candidate
                        .run_while_leading(stop, |over| controller::serve_cluster(reconciler.clone(), over))
                        .await
                }
                None => controller::serve_cluster(reconciler.clone(), stop).await,
            }
        };
        tokio::select! {
            () = served => {}
            never = output::live_line(live, || reconciler.current_counts().to_string()) => match never {},
        }
        if let Some(serving) = serving {
            serving.abort();
            // It holds a reference to the reconciler; the error says that it was aborted.
            _ = serving.await;
        }
        tracing::info!("stopped");
        Exit::Done
    } else {
        run_one_pass(&reconciler, args.listing, stop).await?
    };
    // It holds the last sender of events, whose drop ends the publisher.
    drop(reconciler);
    if let Some(publisher) = publisher {
        publisher.flush().await;
    }
    Ok(exit)
}

/// The exports of `--allow-export`, without duplicates and without `first`; overlapping ones are a usage error. Those
/// on the server of `first` are accessed and limited as it is, unless that is a local mount; all others are accessed
/// over NFS, without limits.
fn further_exports(args: &Provision, first: &Location, access: &Access) -> Result<Vec<(Location, Export)>, UsageError> {
    let mut known = vec![first.clone()];
    for (server, path) in args.allow_export.iter().cloned() {
        let location = Location { server, path };
        match known.iter().find(|other| other.overlaps(&location)) {
            Some(other) if *other == location => {}
            Some(other) => {
                return Err(UsageError(
                    format!("--allow-export: {location} and {other} overlap, and each volume must be on one export")
                        .into(),
                ));
            }
            None => known.push(location),
        }
    }
    let reached = |location: Location| {
        let is_local_mount = matches!(args.via, Via::Dir(_));
        let (via, quota_ssh) = match location.server == first.server && !is_local_mount {
            true => (&args.via, args.quota_ssh.as_ref()),
            false => (&Via::Nfs, None),
        };
        let export = export_via(via, quota_ssh, access, location.clone());
        (location, export)
    };
    Ok(known.into_iter().skip(1).map(reached).collect())
}

/// Provisions the claims that are pending now and prints a row for each; `stop` ends it after the claims in progress.
/// `Failed` if one was refused or failed.
async fn run_one_pass(reconciler: &Reconciler, listing: Listing, stop: impl Future<Output = ()>) -> Result<Exit> {
    let pending = PendingClaims::read_from_cluster(reconciler)
        .await
        .map_err(|error| anyhow!("cannot list claims and classes: {}", cluster::describe_error(&error)))?;
    if pending.is_empty() && matches!(listing.output, Format::Table | Format::Wide | Format::Name) {
        output::say(&format!(
            "no claim is pending for provisioner {}",
            reconciler.settings.name
        ));
        return Ok(Exit::Done);
    }
    let total = pending.len();
    let bar = output::progress_bar(total, "claims");
    let rows = pending.provision_all(reconciler, stop, |_| bar.inc(1)).await;
    bar.finish_and_clear();
    let cells: Vec<[String; 4]> = rows.iter().map(result_cells).collect();
    let object = |[claim, result, volume, detail]: &[String; 4]| json!({"claim": claim, "result": result, "volume": volume, "detail": detail});
    let items: Vec<_> = cells.iter().map(object).collect();
    let text = match for_scripts(listing.output, "ProvisionResult", Items { items })? {
        Some(text) => text,
        None if listing.output == Format::Name => {
            let volumes = cells
                .iter()
                .map(|[_, _, volume, _]| volume)
                .filter(|volume| !volume.is_empty());
            volumes.map(|volume| format!("persistentvolume/{volume}\n")).collect()
        }
        None => output::format_table(
            headings_unless(
                listing.no_headers,
                &["CLAIM", "RESULT", "VOLUME", "DIRECTORY OR REASON"],
            ),
            cells
                .into_iter()
                .map(|[claim, result, volume, detail]| vec![claim_title(&claim), result, volume, detail]),
        ),
    };
    output::print(&text)?;
    let failed = |row: &Row| matches!(row.result, Err(_) | Ok(ProvisionOutcome::Refused(_)));
    Ok(if rows.iter().any(failed) {
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// The claim, the result in words, the PV, empty if there is none, and the directory or the reason.
fn result_cells(row: &Row) -> [String; 4] {
    let (result, volume, detail) = match &row.result {
        Ok(ProvisionOutcome::Provisioned { volume, path, .. }) => ("provisioned", volume.clone(), path.clone()),
        Ok(ProvisionOutcome::WouldProvision { volume, path }) => ("would provision", volume.clone(), path.clone()),
        Ok(ProvisionOutcome::WaitingForConsumer) => {
            ("waiting", String::new(), "for its first pod to be scheduled".to_owned())
        }
        Ok(ProvisionOutcome::NothingToDo) => ("left", String::new(), "bound or deleted meanwhile".to_owned()),
        Ok(ProvisionOutcome::Refused(why)) => ("refused", String::new(), why.clone()),
        Err(error) => ("failed", String::new(), error.to_string()),
    };
    [row.claim.clone(), result.to_owned(), volume, detail]
}
