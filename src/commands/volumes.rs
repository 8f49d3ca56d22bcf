//! `nfsprov volumes`: the directories on an export against the PVs that own them.

mod claims;
mod limit;
mod orphans;
mod rebuild;

use std::collections::{BTreeSet, HashMap};

use anyhow::{Result, bail};
use k8s_openapi::jiff::Timestamp;
use kube::{Client, ResourceExt};

use super::access::{access_for, way};
use super::{cluster_options, colour, for_scripts, headings_unless};
use crate::cli::{Directories, Expire, ExportAt, Format, Global, Volumes};
use crate::cluster::{Cluster, Use, connect};
use crate::exit::{Exit, UsageError};
use crate::export::{Export, Location, never_interrupt};
use crate::inventory::archives::{Expired, Expiry, expired, several_volumes};
use crate::inventory::directories::{Row, State, rows};
use crate::inventory::survey::{measure, read_quotas, survey};
use crate::inventory::{amount, gather};
use crate::output;
use crate::provisioner::rules::record::Record;
use crate::versioned::Items;
use crate::volumes::read;

/// Runs `nfsprov volumes`.
pub async fn run(command: Volumes, global: &Global) -> Result<Exit> {
    match command {
        Volumes::List(args) => list(&args, global, Subject::All).await,
        Volumes::Orphans(args) if args.remove_empty => orphans::remove_empty(&args, global).await,
        Volumes::Orphans(args) => list(&args.directories, global, Subject::Orphans).await,
        Volumes::Archived(args) => list(&args, global, Subject::Archived).await,
        Volumes::Restore(args) => claims::restore(&args, global).await,
        Volumes::Expire(args) => expire(&args, global).await,
        Volumes::Record(args) => rebuild::record(&args, global).await,
        Volumes::Rebuild(args) => rebuild::rebuild(&args, global).await,
        Volumes::Adopt(args) => claims::adopt(&args, global).await,
        Volumes::Limit(args) => limit::limit(&args, global).await,
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
    fn shows(self, state: State) -> bool {
        match self {
            Self::All => true,
            Self::Orphans => matches!(state, State::Orphan | State::Marker),
            Self::Archived => state == State::Archived,
        }
    }
}

/// The export and the cluster that its PVs are in.
struct Place {
    location: Location,
    export: Export,
    cluster: Cluster,
}

impl Place {
    async fn reach(at: &ExportAt, global: &Global) -> Result<Self> {
        let location = Location {
            server: at.server.clone(),
            path: at.path.clone(),
        };
        let export = way(&at.via, &access_for(&at.via, &at.ssh)?, location.clone());
        let options = cluster_options(global);
        // Neither waits for the other, so that what is wrong is known soonest.
        let (cluster, ()) = tokio::try_join!(
            async { connect(&options, Use::OneShot).await.map_err(anyhow::Error::from) },
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

    /// The rows, and the names of all NFS volumes.
    async fn rows(&self) -> Result<(Vec<Row>, BTreeSet<String>)> {
        let volumes = gather::volumes(self.client()).await?;
        let names = volumes.iter().map(ResourceExt::name_any).collect();
        let facts = survey(&self.export, &self.location, volumes).await?;
        Ok((rows(&facts), names))
    }
}

async fn measured(export: &Export, rows: &mut [Row]) {
    let bar = output::progress(rows.len(), "directories read");
    measure(export, rows, || bar.inc(1)).await;
    bar.finish_and_clear();
}

async fn list(args: &Directories, global: &Global, subject: Subject) -> Result<Exit> {
    let place = Place::reach(&args.export, global).await?;
    let (mut rows, _) = place.rows().await?;
    rows.retain(|row| subject.shows(row.state));
    if subject == Subject::Archived {
        name_claims(&place, &mut rows).await?;
    }
    if args.sizes {
        measured(&place.export, &mut rows).await;
    }
    let quotas = read_quotas(&place.export, &mut rows).await;
    let text = match for_scripts(args.listing.output, "DirectoryList", Items { items: &rows })? {
        Some(text) => text,
        None if args.listing.output == Format::Name => rows
            .iter()
            .map(|row| format!("{}\n", output::plain(&row.directory)))
            .collect(),
        None if rows.is_empty() => String::new(),
        None => table(&rows, subject, args, global),
    };
    if text.is_empty() {
        let what = match subject {
            Subject::All => "directory of a volume",
            Subject::Orphans => "directory without a PV",
            Subject::Archived => "archive",
        };
        output::say(&format!("there is no {what} on {}", place.location));
    } else if subject == Subject::Orphans {
        output::say("a directory that PVs of another cluster name looks like an orphan here; nothing is removed");
    }
    output::print(&text)?;
    if subject == Subject::Orphans {
        quotas.iter().for_each(orphans::say_unused_limits);
    }
    Ok(Exit::Done)
}

/// Says of archives whose they were: as the record says, or that they hold several volumes.
async fn name_claims(place: &Place, rows: &mut [Row]) -> Result<()> {
    let volumes: Vec<String> = rows.iter().filter_map(|row| row.volume.clone()).collect();
    let records = read::records_of(&place.export, &place.location, None, &volumes).await?;
    let records: HashMap<String, Record> = records
        .into_iter()
        .filter_map(|(name, record)| Some((name, record.ok()?)))
        .collect();
    for row in rows {
        match (&row.volume, &row.path) {
            (Some(volume), _) => {
                let claim = records.get(volume).and_then(Record::claim_key);
                row.claim = claim.map(|(namespace, name)| format!("{namespace}/{name}"));
            }
            (None, Some(path)) => {
                let entries = place.export.list_directory(Some(path)).await?.unwrap_or_default();
                row.claim = several_volumes(path, &entries).map(|_| "(several volumes)".to_owned());
            }
            (None, None) => {}
        }
    }
    Ok(())
}

fn table(rows: &[Row], subject: Subject, args: &Directories, global: &Global) -> String {
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
        let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
        let age = row
            .changed
            .map(|changed| amount::ago(amount::seconds_since(changed, now)))
            .unwrap_or_default();
        let mut cells = match archives {
            true => vec![row.directory.clone(), or_none(&row.claim), age.clone()],
            false => vec![
                row.state.as_str().to_owned(),
                row.directory.clone(),
                or_none(&row.claim),
            ],
        };
        if args.sizes {
            cells.push(row.holds.as_ref().map(|holds| holds.words()).unwrap_or_default());
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
            cells.push(or_none(&row.volume));
        }
        cells
    });
    let headings = headings_unless(args.listing.no_headers, &headings);
    output::table_for(colour(global.color), headings, cells)
}

async fn expire(args: &Expire, global: &Global) -> Result<Exit> {
    let place = Place::reach(&args.export, global).await?;
    let going = going(&place, args).await?;
    if going.is_empty() {
        output::say(&format!("no archive on {} is to go", place.location));
        return Ok(Exit::Done);
    }
    let cells = going.iter().map(|gone| {
        let holds = gone.row.holds.as_ref().map(|holds| holds.words()).unwrap_or_default();
        vec![
            gone.row.directory.clone(),
            amount::ago(gone.age),
            holds,
            gone.why.clone(),
        ]
    });
    output::print(&output::table_for(
        colour(global.color),
        &["ARCHIVE", "AGE", "HOLDS", "WHY"],
        cells,
    ))?;
    let count = match going.len() {
        1 => "this archive".to_owned(),
        count => format!("these {count} archives"),
    };
    if args.dry_run {
        output::say("dry run: nothing was removed");
        return Ok(Exit::Done);
    }
    if !args.yes {
        if !output::can_ask() {
            return Err(UsageError(
                format!("nothing was removed; --yes removes {count}, --dry-run only shows what would go").into(),
            )
            .into());
        }
        if !output::confirm(&format!("Remove {count} for good?"))? {
            bail!("nothing was removed");
        }
    }
    remove(&place, args, &going).await
}

/// The archives that are to go, as things are now.
async fn going(place: &Place, args: &Expire) -> Result<Vec<Expired>> {
    let (mut rows, _) = place.rows().await?;
    rows.retain(|row| row.state == State::Archived && row.volume.is_some());
    if args.keep_total.is_some() {
        measured(&place.export, &mut rows).await;
    }
    let expiry = Expiry {
        older_than: args.older_than,
        keep_total: args.keep_total,
    };
    Ok(expired(&rows, expiry, Timestamp::now().as_second()))
}

/// Removes the archives that were shown, but for those that were changed, or came to be a PV's, since then.
async fn remove(place: &Place, args: &Expire, shown: &[Expired]) -> Result<Exit> {
    let still = going(place, args).await?;
    let mut exit = Exit::Done;
    for gone in shown {
        let directory = output::plain(&gone.row.directory);
        let same = |now: &&Expired| now.row.path == gone.row.path && now.row.changed == gone.row.changed;
        let Some(path) = still.iter().find(same).and_then(|now| now.row.path.as_ref()) else {
            output::say(&format!("{directory} was changed meanwhile; it stays"));
            exit = Exit::Failed;
            continue;
        };
        // In two steps, since what is large takes longer than one call may.
        let removed = match place.export.empty_directory(Some(path)).await {
            Ok(()) => place.export.remove_directory(path, &never_interrupt()).await,
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
