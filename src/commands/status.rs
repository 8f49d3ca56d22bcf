//! `nfsprov status`: the claims, volumes, classes and provisioners that use NFS.

use std::collections::{HashMap, HashSet};

use anyhow::Result;
use futures::{StreamExt, pin_mut};
use k8s_openapi::jiff::Timestamp;
use kube::Client;

use super::access::{export_via, ssh_access_for};
use super::{claim_title, cluster_options, colour_choice, for_scripts, headings_unless};
use crate::cli::{Format, Global, Status, Via};
use crate::cluster::gather::gather_overview;
use crate::cluster::snapshot::Unread;
use crate::cluster::{ClientUse, connect, watch};
use crate::exit::{Exit, UsageError};
use crate::export::Location;
use crate::output::{self, Colour};
use crate::volumes::overview::{Measurements, Overview, VolumeRow, build_overview};
use crate::volumes::{amount, place, read, survey};

/// Moves the cursor home and clears the terminal.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J\u{1b}[3J";

struct DisplayOptions {
    format: Format,
    no_headers: bool,
    all_namespaces: bool,
    sizes: bool,
    colour: Colour,
}

/// Reads the cluster, with `--server` and `--path` what limited volumes use there, with `--sizes` also the directories,
/// and prints the tables; with `--watch` again after each change, without the export that the environment names. Kinds
/// that can't be read are a warning; claims and PVs that can't be read are an error.
pub async fn run(args: Status, global: &Global) -> Result<Exit> {
    let location = match args.watch {
        true => None,
        false => export_of_options(&args)?,
    };
    let purpose = if args.watch {
        ClientUse::LongRunning
    } else {
        ClientUse::OneShot
    };
    let cluster = connect(&cluster_options(global), purpose).await?;
    let namespace = (!args.all_namespaces).then_some(cluster.namespace.as_str());
    let display = DisplayOptions {
        format: args.listing.output,
        no_headers: args.listing.no_headers,
        all_namespaces: args.all_namespaces,
        sizes: args.sizes,
        colour: colour_choice(global.color),
    };
    if args.watch {
        return print_on_changes(&cluster.client, namespace, &display).await;
    }
    let snapshot = gather_overview(&cluster.client, namespace).await;
    for Unread { what, why, .. } in &snapshot.unread {
        match what.as_str() {
            "persistentvolumeclaims" | "persistentvolumes" => anyhow::bail!("cannot list {what}: {why}"),
            _ => output::say(&format!("warning: cannot list {what}: {why}")),
        }
    }
    let access = ssh_access_for(&args.export.via, None, &args.export.ssh)?;
    let known = location.map(|location| (location.clone(), export_via(&args.export.via, None, &access, location)));
    let mut measured = Measurements::default();
    let mut volumes = match known.is_some() || args.sizes {
        true => read::list_nfs_volumes(&cluster.client).await?,
        false => Vec::new(),
    };
    if let Some(known) = &known {
        measured.quotas = survey::read_volume_usage(&volumes, known).await;
    }
    if args.sizes {
        let shown = build_overview(&snapshot, &measured, Timestamp::now()).volumes;
        let names: HashSet<&str> = shown.iter().map(|volume| volume.name.as_str()).collect();
        volumes.retain(|volume| names.contains(place::volume_name(volume)));
        let bar = output::progress_bar(volumes.len(), "volumes read");
        measured.holdings = survey::measure_volumes(volumes, known, || bar.inc(1)).await;
        bar.finish_and_clear();
    }
    let now = Timestamp::now();
    let overview = build_overview(&snapshot, &measured, now);
    let text = render_overview(&overview, &display, now)?;
    if text.is_empty() {
        output::say("no claim, volume, class or provisioner uses NFS");
    }
    output::print(&text)?;
    Ok(Exit::Done)
}

/// The export of `--server` and `--path`; `None` without them, or a usage error if `--via` needs them.
fn export_of_options(args: &Status) -> Result<Option<Location>, UsageError> {
    match (&args.export.server, &args.export.path) {
        (Some(server), Some(path)) => Ok(Some(Location {
            server: server.clone(),
            path: path.clone(),
        })),
        _ if args.export.via != Via::Nfs => Err(UsageError(
            "--via: pass --server and --path, the export of the directory".into(),
        )),
        _ => Ok(None),
    }
}

/// Prints the status once the objects are listed, and again after each change that shows in it, until the process is
/// interrupted or stdout is closed. A watch that fails is a warning, printed once for each text, and no error.
async fn print_on_changes(client: &Client, namespace: Option<&str>, display: &DisplayOptions) -> Result<Exit> {
    let (watched, changes) = watch::watch_objects(client, namespace);
    // Changes that arrive together are shown together.
    let changes = changes.ready_chunks(usize::from(u16::MAX));
    pin_mut!(changes);
    let (mut shown, mut troubles) = (None, Vec::new());
    while let Some(news) = changes.next().await {
        for trouble in news
            .into_iter()
            .flatten()
            .filter(|trouble| !troubles.contains(trouble))
            .collect::<Vec<_>>()
        {
            output::say(&format!("warning: {trouble}"));
            troubles.push(trouble);
        }
        if !watched.is_listed() {
            continue;
        }
        let now = Timestamp::now();
        let text = render_overview(
            &build_overview(&watched.current_snapshot(), &Measurements::default(), now),
            display,
            now,
        )?;
        if shown.as_ref() == Some(&text) {
            continue;
        }
        let again = match (output::is_terminal(), display.format) {
            (true, Format::Table | Format::Wide) => format!("{CLEAR}{text}"),
            (_, Format::Table | Format::Wide) if shown.is_some() => format!("\n{text}"),
            (_, Format::Yaml) if shown.is_some() => format!("---\n{text}"),
            _ => text.clone(),
        };
        if !output::try_print(&again)? {
            break;
        }
        shown = Some(text);
    }
    Ok(Exit::Done)
}

/// The overview in the format of the options; an empty text if a table or names have nothing to show.
fn render_overview(overview: &Overview, display: &DisplayOptions, now: Timestamp) -> Result<String> {
    if let Some(text) = for_scripts(display.format, "Status", overview)? {
        return Ok(text);
    }
    Ok(match display.format {
        Format::Name => render_names(overview),
        format => render_tables(overview, display, now, format == Format::Wide),
    })
}

/// The objects as `KIND/NAME`, a line each, without namespaces; provisioners only if they run as workloads of the
/// cluster.
fn render_names(overview: &Overview) -> String {
    let claims = overview
        .claims
        .iter()
        .map(|claim| format!("persistentvolumeclaim/{}\n", claim.name));
    let volumes = overview
        .volumes
        .iter()
        .map(|volume| format!("persistentvolume/{}\n", volume.name));
    let classes = overview
        .classes
        .iter()
        .map(|class| format!("storageclass.storage.k8s.io/{}\n", class.name));
    let workloads = overview.provisioners.iter().filter_map(|provisioner| {
        let (kind, name) = provisioner.workload.as_ref()?.split_once('/')?;
        Some(format!("{kind}.apps/{name}\n"))
    });
    claims.chain(volumes).chain(classes).chain(workloads).collect()
}

/// A table for each kind of which there are objects, separated by empty lines as kubectl does.
fn render_tables(overview: &Overview, display: &DisplayOptions, now: Timestamp, wide: bool) -> String {
    let tables = [
        claims_table(overview, display, now, wide),
        classes_table(overview, display, wide),
        provisioners_table(overview, display, wide),
    ];
    tables.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// The claims with their volumes, then the volumes without a shown claim; `None` without any.
fn claims_table(overview: &Overview, display: &DisplayOptions, now: Timestamp, wide: bool) -> Option<String> {
    let mut headings = vec!["CLAIM", "PHASE", "CLASS", "SIZE", "MODES", "VOLUME", "AGE"];
    if display.all_namespaces {
        headings.insert(0, "NAMESPACE");
    }
    if display.sizes {
        headings.push("HOLDS");
    }
    let has_quotas = overview.volumes.iter().any(|volume| volume.quota.is_some());
    if has_quotas {
        headings.push("USED");
    }
    if wide {
        headings.extend(["POLICY", "DIRECTORY"]);
    }
    let more = |volume: Option<&VolumeRow>| {
        let mut cells = Vec::new();
        if display.sizes {
            let holds = volume.and_then(|volume| volume.holds.as_ref());
            cells.push(holds.map(|holds| holds.short_text()).unwrap_or_default());
        }
        if has_quotas {
            let quota = volume.and_then(|volume| volume.quota);
            let used = quota.map(|quota| amount::used_of_limit(quota.used_bytes, quota.limit_bytes));
            cells.push(used.unwrap_or_default());
        }
        if wide {
            cells.push(volume.map(|volume| volume.reclaim_policy.clone()).unwrap_or_default());
            cells.push(
                volume
                    .map(|volume| format!("{}:{}", volume.server, volume.path))
                    .unwrap_or_default(),
            );
        }
        cells
    };
    let volumes: HashMap<&str, &VolumeRow> = overview
        .volumes
        .iter()
        .map(|volume| (volume.name.as_str(), volume))
        .collect();
    let claimed: HashSet<&str> = overview.claims.iter().map(|claim| claim.volume.as_str()).collect();
    let claims = overview.claims.iter().map(|claim| {
        let volume = volumes.get(claim.volume.as_str()).copied();
        let mut cells = vec![
            claim.name.clone(),
            claim.phase.clone(),
            claim.class.clone(),
            claim.size.clone(),
            short_modes(&claim.access_modes),
            claim.volume.clone(),
            age_of(claim.created, now),
        ];
        if display.all_namespaces {
            cells.insert(0, claim.namespace.clone());
        }
        cells.extend(more(volume));
        cells
    });
    let free = overview
        .volumes
        .iter()
        .filter(|volume| !claimed.contains(volume.name.as_str()));
    let unclaimed = free.map(|volume| {
        let owner = match (volume.phase.as_str(), &volume.claim) {
            (_, None) => String::new(),
            ("Released" | "Failed", Some(claim)) => format!("(was {})", claim_title(claim)),
            (_, Some(claim)) => format!("(for {})", claim_title(claim)),
        };
        let mut cells = vec![
            owner,
            volume.phase.clone(),
            volume.class.clone(),
            volume.size.clone(),
            short_modes(&volume.access_modes),
            volume.name.clone(),
            age_of(volume.created, now),
        ];
        if display.all_namespaces {
            cells.insert(0, String::new());
        }
        cells.extend(more(Some(volume)));
        cells
    });
    table_unless_empty(display, &headings, claims.chain(unclaimed).collect())
}

/// Access modes as kubectl shortens them.
fn short_modes(modes: &[String]) -> String {
    let short = modes.iter().map(|mode| match mode.as_str() {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        other => other,
    });
    short.collect::<Vec<_>>().join(",")
}

/// The age in short, such as `3d`; empty if the creation is not known.
fn age_of(created: Option<Timestamp>, now: Timestamp) -> String {
    let seconds = created.map(|created| amount::seconds_since(created.as_second(), now.as_second()));
    seconds.map(amount::format_age).unwrap_or_default()
}

/// The classes, with what becomes of directories, `?` if that is not known; `None` without any class.
fn classes_table(overview: &Overview, display: &DisplayOptions, wide: bool) -> Option<String> {
    let mut headings = vec!["CLASS", "PROVISIONER", "POLICY", "ON DELETE"];
    if wide {
        headings.extend(["BINDING", "DIRECTORIES"]);
    }
    let rows = overview.classes.iter().map(|class| {
        let name = match class.default {
            true => format!("{} (default)", class.name),
            false => class.name.clone(),
        };
        let on_delete = class.on_delete.clone().unwrap_or_else(|| "?".to_owned());
        let mut cells = vec![name, class.provisioner.clone(), class.reclaim_policy.clone(), on_delete];
        if wide {
            cells.push(class.binding_mode.clone());
            cells.push(class.path_pattern.clone().unwrap_or_default());
        }
        cells
    });
    table_unless_empty(display, &headings, rows.collect())
}

/// The provisioners, those outside of the cluster included; `None` without any.
fn provisioners_table(overview: &Overview, display: &DisplayOptions, wide: bool) -> Option<String> {
    let mut headings = vec!["PROVISIONER", "READY", "RUNS AS", "LEADER"];
    if wide {
        headings.push("IMAGE");
    }
    let rows = overview.provisioners.iter().map(|provisioner| {
        let (ready, place) = match (&provisioner.workload, &provisioner.namespace) {
            (Some(workload), Some(namespace)) => (
                format!("{}/{}", provisioner.ready, provisioner.wanted),
                format!("{workload} -n {namespace}"),
            ),
            // A provisioner may run outside the cluster.
            _ => (String::new(), "(not seen in the cluster)".to_owned()),
        };
        let leader = provisioner.leader.clone().unwrap_or_default();
        let mut cells = vec![provisioner.name.clone(), ready, place, leader];
        if wide {
            cells.push(provisioner.image.clone().unwrap_or_default());
        }
        cells
    });
    table_unless_empty(display, &headings, rows.collect())
}

fn table_unless_empty(display: &DisplayOptions, headings: &[&str], rows: Vec<Vec<String>>) -> Option<String> {
    (!rows.is_empty())
        .then(|| output::format_terminal_table(display.colour, headings_unless(display.no_headers, headings), rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_modes_and_ages_are_as_kubectl_shows_them() {
        for (modes, wanted) in [
            (&["ReadWriteMany"][..], "RWX"),
            (&["ReadWriteOnce", "ReadOnlyMany"], "RWO,ROX"),
            (&["ReadWriteOncePod"], "RWOP"),
            (&["Other"], "Other"),
            (&[], ""),
        ] {
            let modes: Vec<String> = modes.iter().map(|mode| (*mode).to_owned()).collect();
            assert_eq!(short_modes(&modes), wanted);
        }
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        for (created, wanted) in [(Some(at(1_000)), "50m"), (Some(at(9_000)), "0s"), (None, "")] {
            assert_eq!(age_of(created, at(4_000)), wanted);
        }
    }
}
