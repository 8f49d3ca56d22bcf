//! `nfsprov volumes orphans --remove-empty`: removes empty directories that belong to no PV and to no claim.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client};

use super::{AT_ONCE, ConnectedExport};
use crate::cli::{Global, Orphans};
use crate::cluster::{describe_error, list_folded};
use crate::commands::{colour_choice, confirm_or_fail};
use crate::exit::Exit;
use crate::export::{QuotaReport, VolumePath};
use crate::output;
use crate::provisioner::volume::provisioned_uid;
use crate::volumes::amount;
use crate::volumes::directories::{Row, State};

/// Lists the empty directories among orphans and removes them after a confirmation, or with `--yes` without one. One
/// that is not empty any more, or belongs to a PV or claim by then, stays; `Failed` only if one can't be removed.
pub async fn remove_empty_orphans(args: &Orphans, global: &Global) -> Result<Exit> {
    let connected = ConnectedExport::connect(&args.directories.export, global).await?;
    let mut empty = empty_orphans(&connected).await?;
    if empty.is_empty() {
        output::say(&format!(
            "there is no empty directory without a PV on {}",
            connected.location
        ));
        return Ok(Exit::Done);
    }
    let cells = empty.iter().map(|path| vec![path.to_string()]);
    output::print(&output::format_terminal_table(
        colour_choice(global.color),
        &["DIRECTORY"],
        cells,
    ))?;
    let count = match empty.len() {
        1 => "this empty directory".to_owned(),
        count => format!("these {count} empty directories"),
    };
    if !args.yes {
        output::say("directories that another cluster uses are listed as orphans, too");
        let usage = format!("nothing was removed; --yes removes {count}");
        confirm_or_fail(&format!("Remove {count}?"), "nothing was removed", usage)?;
        let still_empty = empty_orphans(&connected).await?;
        empty.retain(|path| {
            let stays = !still_empty.contains(path);
            if stays {
                let shown = output::escape_line(&path.to_string());
                output::say(&format!("{shown} is no longer an empty orphan; it stays"));
            }
            !stays
        });
    }
    let mut exit = Exit::Done;
    for path in &empty {
        let shown = output::escape_line(&path.to_string());
        match connected.export.remove_empty_directory(path).await {
            Ok(true) => output::print(&format!("{shown} removed\n"))?,
            Ok(false) => output::say(&format!("{shown} is no longer empty; it stays")),
            Err(error) => {
                output::say(&error.to_string());
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

/// Prints the limits on the export's file system that hold for no file.
pub fn say_unused_limits(report: &QuotaReport) {
    for (id, kib) in report.unused_limits() {
        let size = amount::format_size(kib.saturating_mul(1024));
        output::say(&format!(
            "project {id} has a limit of {size} and no files; nfsprov provision --watch clears it if the export \
             has limited volumes"
        ));
    }
}

/// The orphans that are empty, have no record, since another cluster may use those with one, and belong to no claim,
/// whose directory is created before its PV. One that can't be listed is an error for all.
async fn empty_orphans(connected: &ConnectedExport) -> Result<Vec<VolumePath>> {
    let (rows, _) = connected.read_rows().await?;
    let recorded = connected
        .export
        .record_names(Timestamp::now().as_second())
        .await?
        .volumes;
    let recorded: BTreeSet<String> = recorded.into_iter().collect();
    let is_recorded = |row: &Row| row.volume.as_ref().is_some_and(|volume| recorded.contains(volume));
    let orphans = rows
        .into_iter()
        .filter(|row| row.state == State::Orphan && !is_recorded(row))
        .filter_map(|row| Some((row.path?, row.volume)));
    let listings: Vec<_> = stream::iter(orphans)
        .map(|(path, volume)| async move {
            let uid = volume.as_deref().and_then(provisioned_uid).map(str::to_owned);
            let entries = connected.export.list_directory(Some(&path)).await;
            (path, uid, entries)
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    // After the directories: each that a provisioner created by then belongs to one of these claims, or to none.
    let claims = uids_of_claims(connected.client()).await?;
    let mut empty = Vec::new();
    for (path, uid, entries) in listings {
        let is_of_claim = uid.is_some_and(|uid| claims.contains(&uid));
        if !is_of_claim && entries?.is_some_and(|entries| entries.is_empty()) {
            empty.push(path);
        }
    }
    Ok(empty)
}

/// The uids of the claims of all namespaces.
async fn uids_of_claims(client: &Client) -> Result<BTreeSet<String>> {
    let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
    let add = |uids: &mut BTreeSet<String>, claim: PersistentVolumeClaim| uids.extend(claim.metadata.uid);
    let listed = list_folded(&claims, ListParams::default(), BTreeSet::new(), add).await;
    listed.map_err(|error| anyhow!("cannot list claims: {}", describe_error(&error)))
}
