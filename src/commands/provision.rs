//! `nfsprov provision`: one pass, or the loop in the foreground.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use serde_json::json;

use super::access::{access_with_quota_ssh, way, with_quota_ssh};
use super::stop_signal;
use super::{cluster_options, for_scripts, headings_unless};
use crate::cli::{Format, Global, Listing, LogFormat, Provision, Via};
use crate::cluster::{self, Use, connect};
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

/// How often the limits of volumes are checked, at least.
const CHECK_LIMITS: Duration = Duration::from_secs(300);

/// Runs `nfsprov provision`.
pub async fn run(args: Provision, global: &Global) -> Result<Exit> {
    let purpose = if args.watch { Use::LongRunning } else { Use::OneShot };
    let first = Location {
        server: args.server.clone(),
        path: args.path.clone(),
    };
    let access = access_with_quota_ssh(&args.via, args.quota_ssh.as_ref(), &args.ssh)?;
    let export = match &args.quota_ssh {
        Some(target) => with_quota_ssh(target, &access, first.clone()),
        None => way(&args.via, &access, first.clone()),
    };
    let further = further_exports(&args, &first, &access)?;
    let lease = election::lease_name(&args.name);
    if args.leader_elect && lease.is_none() {
        return Err(UsageError(
            "--leader-elect: the Lease is called as the provisioner, whose --name has upper-case letters or `_`, \
             which names of objects can't have"
                .into(),
        )
        .into());
    }
    let listener = match args.metrics_addr {
        Some(address) => Some(http::bind_listener(address).await?),
        None => None,
    };
    // Neither waits for the other, so that what is wrong is known soonest.
    let options = cluster_options(global);
    let (cluster, export) = tokio::try_join!(
        async { connect(&options, purpose).await.map_err(anyhow::Error::from) },
        async {
            let probed = async {
                export.probe_root().await?;
                export.probe_quota_shell().await
            };
            match probed.await {
                // Claims wait for it, as they do for one that goes down later.
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
            let (events, publisher) = Events::start_publishing(cluster.client.clone(), &settings.name);
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
        systemd::report(Report::Ready);
        let stop = async {
            stop.await;
            systemd::report(Report::Stopping);
        };
        if let Some(name) = lease {
            tokio::spawn(watch_for_upstream(cluster.client, namespace, name));
        }
        let serving = listener.map(|listener| tokio::spawn(http::serve_requests(listener, reconciler.clone())));
        // Logs for machines have no line for people under them.
        let live = !global.quiet && args.log_format == LogFormat::Text && super::colour(global.color).on_stderr();
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
            // Its share of the work goes with it; that it was cancelled is no news.
            _ = serving.await;
        }
        tracing::info!("stopped");
        Exit::Done
    } else {
        pass(&reconciler, args.listing, stop).await?
    };
    // With the work the last sender of events goes, which is what the publisher waits for.
    drop(reconciler);
    if let Some(publisher) = publisher {
        publisher.flush().await;
    }
    Ok(exit)
}

/// The exports of `--allow-export`. Those of the same server are reached and limited as the first, all others over NFS.
fn further_exports(args: &Provision, first: &Location, access: &Access) -> Result<Vec<(Location, Export)>, UsageError> {
    let mut known = vec![first.clone()];
    for (server, path) in args.allow_export.iter().cloned() {
        let location = Location { server, path };
        match known.iter().find(|other| other.overlaps(&location)) {
            // Said twice is said once.
            Some(other) if *other == location => {}
            Some(other) => {
                return Err(UsageError(
                    format!("--allow-export: {location} and {other} lie in one another; a volume is on one export")
                        .into(),
                ));
            }
            None => known.push(location),
        }
    }
    let reached = |location: Location| {
        let is_same_server = location.server == first.server;
        let export = match (&args.via, &args.quota_ssh) {
            (Via::Ssh(_), _) if is_same_server => way(&args.via, access, location.clone()),
            (_, Some(target)) if is_same_server => with_quota_ssh(target, access, location.clone()),
            _ => way(&Via::Nfs, access, location.clone()),
        };
        (location, export)
    };
    Ok(known.into_iter().skip(1).map(reached).collect())
}

async fn pass(reconciler: &Reconciler, listing: Listing, stop: impl Future<Output = ()>) -> Result<Exit> {
    let pending = PendingClaims::read_from_cluster(reconciler)
        .await
        .map_err(|error| anyhow!("cannot list claims and classes: {}", cluster::sentence(&error)))?;
    if pending.is_empty() && matches!(listing.output, Format::Table | Format::Wide | Format::Name) {
        output::say(&format!("no claim waits for provisioner {}", reconciler.settings.name));
        return Ok(Exit::Done);
    }
    let total = pending.len();
    let bar = output::progress(total, "claims");
    let rows = pending.provision_all(reconciler, stop, |_| bar.inc(1)).await;
    bar.finish_and_clear();
    let cells: Vec<[String; 4]> = rows.iter().map(cells).collect();
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
        None => output::table(
            headings_unless(
                listing.no_headers,
                &["CLAIM", "RESULT", "VOLUME", "DIRECTORY OR REASON"],
            ),
            cells.into_iter().map(Vec::from),
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

fn cells(row: &Row) -> [String; 4] {
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
