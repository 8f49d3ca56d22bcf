//! `nfsprov volumes`: the directories on an export against the PVs that own them. Results go to stdout, notes and
//! failures of single directories to stderr.

mod claims;
mod limit;
mod orphans;
mod rebuild;

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use futures::{TryStreamExt, stream};
use k8s_openapi::jiff::Timestamp;
use kube::{Client, ResourceExt};

use super::access::{export_via, ssh_access_for};
use super::{claim_title, cluster_options, colour_choice, confirm_or_fail, for_scripts, headings_unless};
use crate::cli::{Directories, Expire, ExportAt, Format, Global, Volumes};
use crate::cluster::{ClientUse, Cluster, connect};
use crate::exit::Exit;
use crate::export::{Export, ExportError, Location, never_interrupt};
use crate::output;
use crate::provisioner::rules::record::Record;
use crate::versioned::Items;
use crate::volumes::archives::{
    Expired, Expiry, Recheck, expired_archives, recheck_expired, refusal_of_several_volumes,
};
use crate::volumes::directories::{Row, State, directory_rows};
use crate::volumes::survey::{measure_directories, read_quotas, survey_export};
use crate::volumes::{amount, read};

/// How many directories are listed at once.
const AT_ONCE: usize = 8;

pub async fn run(command: Volumes, global: &Global) -> Result<Exit> {
    match command {
        Volumes::List(args) => list_directories(&args, global, Subject::All).await,
        Volumes::Orphans(args) if args.remove_empty => orphans::remove_empty_orphans(&args, global).await,
        Volumes::Orphans(args) => list_directories(&args.directories, global, Subject::Orphans).await,
        Volumes::Archived(args) => list_directories(&args, global, Subject::Archived).await,
        Volumes::Restore(args) => claims::restore_archive(&args, global).await,
        Volumes::Expire(args) => expire_archives(&args, global).await,
        Volumes::Record(args) => rebuild::record_volumes(&args, global).await,
        Volumes::Rebuild(args) => rebuild::rebuild_volumes(&args, global).await,
        Volumes::Adopt(args) => claims::adopt_directory(&args, global).await,
        Volumes::Limit(args) => limit::limit_volumes(&args, global).await,
    }
}

/// Which directories are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    All,
    Orphans,
    Archived,
}

impl Subject {
    /// Markers that belong to no directory count as orphans.
    fn includes(self, state: State) -> bool {
        match self {
            Self::All => true,
            Self::Orphans => matches!(state, State::Orphan | State::Marker),
            Self::Archived => state == State::Archived,
        }
    }
}

/// The export and the cluster that its PVs are in.
struct ConnectedExport {
    location: Location,
    export: Export,
    cluster: Cluster,
}

impl ConnectedExport {
    /// Connects to the cluster and probes the export, in parallel; fails if either can't be reached, or the SSH options
    /// don't fit `--via`. The cluster's client is for one command: a watch that is silent for long fails.
    async fn connect(at: &ExportAt, global: &Global) -> Result<Self> {
        let location = Location {
            server: at.server.clone(),
            path: at.path.clone(),
        };
        let export = export_via(
            &at.via,
            None,
            &ssh_access_for(&at.via, None, &at.ssh)?,
            location.clone(),
        );
        let options = cluster_options(global);
        // Neither waits for the other, so that what is wrong is known soonest.
        let (cluster, ()) = tokio::try_join!(
            async { connect(&options, ClientUse::OneShot).await.map_err(anyhow::Error::from) },
            async { export.probe_root().await.map_err(anyhow::Error::from) },
        )?;
        Ok(Self {
            location,
            export,
            cluster,
        })
    }

    fn client(&self) -> &Client {
        &self.cluster.client
    }

    /// Compares the export with the cluster's PVs: the rows of [`directory_rows`], and the names of all NFS volumes of
    /// the cluster. PVs are listed before the directories: one that is created meanwhile has an orphan's row.
    async fn read_rows(&self) -> Result<(Vec<Row>, BTreeSet<String>)> {
        let volumes = read::list_nfs_volumes(self.client()).await?;
        let names = volumes.iter().map(ResourceExt::name_any).collect();
        let facts = survey_export(&self.export, &self.location, volumes).await?;
        Ok((directory_rows(&facts), names))
    }
}

/// Measures the directory of each row and sets what it holds; shows a progress bar.
async fn measure_with_progress(export: &Export, rows: &mut [Row]) {
    let bar = output::progress_bar(rows.len(), "directories read");
    measure_directories(export, rows, || bar.inc(1)).await;
    bar.finish_and_clear();
}

/// Prints the export's directories that `subject` includes; with `--sizes`, measures each. For orphans, also prints
/// limits that hold for no file.
async fn list_directories(args: &Directories, global: &Global, subject: Subject) -> Result<Exit> {
    let connected = ConnectedExport::connect(&args.export, global).await?;
    let (mut rows, _) = connected.read_rows().await?;
    rows.retain(|row| subject.includes(row.state));
    if subject == Subject::Archived {
        set_claims_of_archives(&connected, &mut rows).await?;
    }
    if args.sizes {
        measure_with_progress(&connected.export, &mut rows).await;
    }
    let quotas = read_quotas(&connected.export, &mut rows).await;
    let text = match for_scripts(args.listing.output, "DirectoryList", Items { items: &rows })? {
        Some(text) => text,
        None if args.listing.output == Format::Name => rows
            .iter()
            .map(|row| format!("{}\n", output::escape_line(&row.directory)))
            .collect(),
        None if rows.is_empty() => String::new(),
        None => directories_table(&rows, subject, args, global),
    };
    if text.is_empty() {
        let what = match subject {
            Subject::All => "directory of a volume",
            Subject::Orphans => "directory without a PV",
            Subject::Archived => "archive",
        };
        output::say(&format!("there is no {what} on {}", connected.location));
    } else if subject == Subject::Orphans {
        output::say("directories that PVs of another cluster name are listed, too; nothing is removed");
    }
    output::print(&text)?;
    if subject == Subject::Orphans {
        quotas.iter().for_each(orphans::say_unused_limits);
    }
    Ok(Exit::Done)
}

/// Sets the claim of each row, all of which must be archives: that of the volume's record, or a remark that the archive
/// holds several volumes; none if the record is missing or refused. Prints on stderr why an archive can't be read. An
/// error if the export can't be read.
async fn set_claims_of_archives(connected: &ConnectedExport, rows: &mut [Row]) -> Result<()> {
    let volumes: Vec<String> = rows.iter().filter_map(|row| row.volume.clone()).collect();
    let records = read::read_records_of(&connected.export, &connected.location, None, &volumes).await?;
    let records: HashMap<String, Record> = records
        .into_iter()
        .filter_map(|(name, record)| Some((name, record.ok()?)))
        .collect();
    let rows = stream::iter(rows.iter_mut().map(Ok));
    rows.try_for_each_concurrent(AT_ONCE, |row| async {
        row.claim = match (&row.volume, &row.path) {
            (Some(volume), _) => {
                let claim = records.get(volume).and_then(Record::claim_key);
                claim.map(|(namespace, name)| format!("{namespace}/{name}"))
            }
            (None, Some(path)) => {
                let entries = match connected.export.list_directory(Some(path)).await {
                    Err(error @ (ExportError::Failed { .. } | ExportError::NotADirectory { .. })) => {
                        output::say(&error.to_string());
                        None
                    }
                    entries => entries?,
                };
                refusal_of_several_volumes(path, &entries.unwrap_or_default()).map(|_| "(several volumes)".to_owned())
            }
            (None, None) => None,
        };
        Ok(())
    })
    .await
}

/// The rows as a table. Archives have an age and no state; other directories have an age only with `-o wide`.
fn directories_table(rows: &[Row], subject: Subject, args: &Directories, global: &Global) -> String {
    let wide = args.listing.output == Format::Wide;
    let archives = subject == Subject::Archived;
    let mut headings = match archives {
        true => vec!["ARCHIVE", "CLAIM", "AGE"],
        false => vec!["STATE", "DIRECTORY", "CLAIM"],
    };
    if args.sizes {
        headings.push("HOLDS");
    }
    let has_quotas = rows.iter().any(|row| row.quota.is_some());
    if has_quotas {
        headings.push("USED");
    }
    if !archives && wide {
        headings.push("AGE");
    }
    if wide || !archives {
        headings.push("VOLUME");
    }
    let now = Timestamp::now().as_second();
    let cells = rows.iter().map(|row| {
        let claim = row.claim.as_deref().map(claim_title).unwrap_or_default();
        let age = row
            .changed
            .map(|changed| amount::format_age(amount::seconds_since(changed, now)))
            .unwrap_or_default();
        let mut cells = match archives {
            true => vec![row.directory.clone(), claim, age.clone()],
            false => vec![row.state.as_str().to_owned(), row.directory.clone(), claim],
        };
        if args.sizes {
            cells.push(row.holds.as_ref().map(|holds| holds.short_text()).unwrap_or_default());
        }
        if has_quotas {
            let quota = row
                .quota
                .map(|quota| amount::used_of_limit(quota.used_bytes, quota.limit_bytes));
            cells.push(quota.unwrap_or_default());
        }
        if !archives && wide {
            cells.push(age);
        }
        if wide || !archives {
            cells.push(row.volume.clone().unwrap_or_default());
        }
        cells
    });
    let headings = headings_unless(args.listing.no_headers, &headings);
    output::format_terminal_table(colour_choice(global.color), headings, cells)
}

/// Lists the archives that exceed the limits and removes them after a confirmation, or with `--yes` without one; a dry
/// run only lists them. An error if the user declines; `Failed` if one was not removed.
async fn expire_archives(args: &Expire, global: &Global) -> Result<Exit> {
    let connected = ConnectedExport::connect(&args.export, global).await?;
    let (_, expired) = archives_to_remove(&connected, args).await?;
    if expired.is_empty() {
        output::say(&format!("no archive on {} exceeds the limits", connected.location));
        return Ok(Exit::Done);
    }
    let cells = expired.iter().map(|gone| {
        let holds = gone
            .row
            .holds
            .as_ref()
            .map(|holds| holds.short_text())
            .unwrap_or_default();
        vec![
            gone.row.directory.clone(),
            amount::format_age(gone.age),
            holds,
            gone.why.clone(),
        ]
    });
    output::print(&output::format_terminal_table(
        colour_choice(global.color),
        &["ARCHIVE", "AGE", "HOLDS", "WHY"],
        cells,
    ))?;
    let count = match expired.len() {
        1 => "this archive".to_owned(),
        count => format!("these {count} archives"),
    };
    if args.dry_run {
        output::say("dry run: nothing was removed");
        return Ok(Exit::Done);
    }
    if !args.yes {
        let usage = format!("nothing was removed; --yes removes {count}, --dry-run only lists them");
        confirm_or_fail(&format!("Remove {count} permanently?"), "nothing was removed", usage)?;
    }
    remove_archives(&connected, args, &expired).await
}

/// Reads the export: its archives whose names have a PV, and those of them that exceed the limits.
async fn archives_to_remove(connected: &ConnectedExport, args: &Expire) -> Result<(Vec<Row>, Vec<Expired>)> {
    let (mut rows, _) = connected.read_rows().await?;
    rows.retain(|row| row.state == State::Archived && row.volume.is_some());
    if args.keep_total.is_some() {
        measure_with_progress(&connected.export, &mut rows).await;
    }
    let expiry = Expiry {
        older_than: args.older_than,
        keep_total: args.keep_total,
    };
    let expired = expired_archives(&rows, expiry, Timestamp::now().as_second());
    Ok((rows, expired))
}

/// Removes the archives that were shown, except those that have changed, became a PV's or no longer exceed the limits,
/// for which it prints a line. `Failed` if one that still exceeds the limits, or that has changed, was not removed.
async fn remove_archives(connected: &ConnectedExport, args: &Expire, shown: &[Expired]) -> Result<Exit> {
    let (rows, expired) = archives_to_remove(connected, args).await?;
    let mut exit = Exit::Done;
    for gone in shown {
        let directory = output::escape_line(&gone.row.directory);
        let path = match recheck_expired(gone, &rows, &expired) {
            Recheck::Expired(path) => path,
            Recheck::WithinLimits => {
                output::say(&format!("{directory} no longer exceeds the limits; it stays"));
                continue;
            }
            Recheck::Changed => {
                output::say(&format!("{directory} was changed meanwhile; it was not removed"));
                exit = Exit::Failed;
                continue;
            }
        };
        // In two steps, since what is large takes longer than one call may.
        let removed = match connected.export.empty_directory(Some(path)).await {
            Ok(()) => connected.export.remove_directory(path, &never_interrupt()).await,
            Err(error) => Err(error),
        };
        match removed {
            Ok(_) => output::print(&format!("{directory} removed\n"))?,
            Err(error) => {
                output::say(&error.to_string());
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}
