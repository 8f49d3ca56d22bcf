//! `nfsprov volumes rebuild` and `record`: from records to objects, and back.

use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{Api, ResourceExt};

use super::ConnectedExport;
use crate::cli::{self, Format, Global};
use crate::cluster::{describe_error, list_filtered};
use crate::commands::{claim_title, colour_choice, confirm_or_fail, for_scripts, headings_unless};
use crate::exit::Exit;
use crate::output;
use crate::provisioner::rules::record::Record;
use crate::versioned::Items;
use crate::volumes::rebuild::{Action, Row, Selection, plan_rebuild};
use crate::volumes::{apply, place, read};

/// Prints the plan of the records; with `--apply`, after a confirmation, creates the missing objects and waits for the
/// claims. `Failed` if a record is refused or conflicts, an object can't be created, or a claim is not Bound; always
/// `Done` without `--apply`.
pub async fn rebuild_volumes(args: &cli::Rebuild, global: &Global) -> Result<Exit> {
    let connected = ConnectedExport::connect(&args.export, global).await?;
    let selection = Selection {
        namespace: global.namespace.clone(),
        claim: args.claim.clone(),
        create_namespaces: args.create_namespaces,
    };
    let facts = read::read_facts(
        connected.client(),
        &connected.export,
        &connected.location,
        args.recorded.former_server.as_deref(),
    )
    .await?;
    let rows = plan_rebuild(&facts, &selection);
    drop(facts);
    print_plan(&rows, args, global)?;
    let missing: Vec<Row> = rows
        .iter()
        .filter(|row| row.action == Action::Create)
        .cloned()
        .collect();
    let is_right = !rows
        .iter()
        .any(|row| matches!(row.action, Action::Conflict | Action::Refused));
    let exit = if is_right { Exit::Done } else { Exit::Failed };
    if rows.is_empty() {
        output::say(&format!("no record on {} matches the options", connected.location));
        return Ok(Exit::Done);
    }
    if missing.is_empty() {
        output::say("nothing is to be created");
        return Ok(if args.apply { exit } else { Exit::Done });
    }
    let count = match missing.len() {
        1 => "1 volume with its claim".to_owned(),
        count => format!("{count} volumes with their claims"),
    };
    if !args.apply {
        output::say(&format!("nothing was changed; --apply creates {count}"));
        return Ok(Exit::Done);
    }
    if !args.yes {
        let usage = format!("nothing was changed; --yes creates {count} without asking");
        confirm_or_fail(&format!("Create {count}?"), "nothing was changed", usage)?;
    }
    match create_objects(&connected, &missing, args.waiting).await? {
        true => Ok(exit),
        false => Ok(Exit::Failed),
    }
}

/// Prints the plan; as YAML and as names only what would be created.
fn print_plan(rows: &[Row], args: &cli::Rebuild, global: &Global) -> Result<()> {
    let created = rows.iter().filter(|row| row.action == Action::Create);
    let text = match args.output {
        Format::Json => for_scripts(args.output, "RebuildPlan", Items { items: rows })?.unwrap_or_default(),
        Format::Yaml => created
            .map(|row| row.creation.to_manifests())
            .collect::<Vec<_>>()
            .join("---\n"),
        Format::Name => created
            .map(|row| format!("persistentvolume/{}\n", row.volume))
            .collect(),
        Format::Table | Format::Wide if rows.is_empty() => String::new(),
        Format::Table | Format::Wide => {
            let cells = rows.iter().map(|row| {
                vec![
                    row.action.as_str().to_owned(),
                    row.claim.as_deref().map(claim_title).unwrap_or_default(),
                    row.volume.clone(),
                    row.directory.clone().unwrap_or_default(),
                    row.why.clone(),
                ]
            });
            let headings = ["ACTION", "CLAIM", "VOLUME", "DIRECTORY", "WHAT OR WHY"];
            output::format_terminal_table(
                colour_choice(global.color),
                headings_unless(args.no_headers, &headings),
                cells,
            )
        }
    };
    Ok(output::print(&text)?)
}

/// Creates the objects of rows and waits until the claims are Bound, unless `--wait=false`; prints a line for each
/// object that it created.
/// False if an object was not created or a claim is not Bound; an error if claims can't be watched.
async fn create_objects(connected: &ConnectedExport, rows: &[Row], waiting: cli::Waiting) -> Result<bool> {
    let bar = output::progress_bar(rows.len(), "volumes");
    let created = apply::create_objects(connected.client(), rows, || bar.inc(1)).await;
    bar.finish_and_clear();
    for namespace in &created.namespaces {
        output::print(&format!("namespace/{namespace} created\n"))?;
    }
    let by_volume: HashMap<&str, &Row> = rows.iter().map(|row| (row.volume.as_str(), row)).collect();
    let mut is_right = true;
    // A PV whose claim was deleted is reserved for it and bound to nothing.
    let mut claims: HashMap<&str, (String, String)> = rows
        .iter()
        .filter(|row| row.has_claim)
        .filter_map(|row| Some((row.volume.as_str(), split_claim(row.claim.as_deref()?)?)))
        .collect();
    for (volume, result) in &created.rows {
        match result {
            Ok(()) => output::print(&created_lines(by_volume.get(volume.as_str()).copied()))?,
            Err(why) => {
                output::say(why);
                claims.remove(volume.as_str());
                is_right = false;
            }
        }
    }
    if !waiting.wait {
        return Ok(is_right);
    }
    let waited: BTreeSet<_> = claims.into_values().collect();
    let total = waited.len();
    let pending = apply::wait_until_bound(connected.client(), waited, waiting.timeout).await;
    let pending = pending.context("cannot watch claims")?;
    for (namespace, name) in &pending {
        output::say(&format!(
            "pvc/{name} -n {namespace} is not Bound; `kubectl describe pvc {name} -n {namespace}` says why"
        ));
    }
    output::say(&format!("{} of {total} claims are Bound", total - pending.len()));
    Ok(is_right && pending.is_empty())
}

/// A line for the PV and one for the claim that were created for a row, as kubectl writes them; empty without a row.
fn created_lines(row: Option<&Row>) -> String {
    let Some(Row { creation, .. }) = row else {
        return String::new();
    };
    let volume = creation
        .volume
        .as_ref()
        .map(|volume| format!("persistentvolume/{} created\n", volume.name_any()));
    let claim = creation.claim.as_ref();
    let claim = claim.map(|claim| format!("persistentvolumeclaim/{} created\n", claim.name_any()));
    volume.into_iter().chain(claim).collect()
}

fn split_claim(claim: &str) -> Option<(String, String)> {
    let (namespace, name) = claim.split_once('/')?;
    Some((namespace.to_owned(), name.to_owned()))
}

/// Writes the records of the export's volumes, or of those named, that are missing or out of date; with `--dry-run`
/// only prints which. Leaves out volumes of CSI drivers; one that is named, or a name that is not on the export, is an
/// error before anything is written. `Failed` if a record can't be written or a volume can't have one.
pub async fn record_volumes(args: &cli::Record, global: &Global) -> Result<Exit> {
    let connected = ConnectedExport::connect(&args.export, global).await?;
    let mut volumes = read::list_nfs_volumes(connected.client()).await?;
    volumes.retain(|volume| place::directory_on(volume, &connected.location).is_ok());
    for name in &args.volumes {
        match volumes.iter().find(|volume| place::volume_name(volume) == name) {
            Some(volume) => place::check_in_tree(volume).map_err(anyhow::Error::msg)?,
            None => bail!("pv/{name} not found on {}", connected.location),
        }
    }
    let is_named = |name: &str| args.volumes.is_empty() || args.volumes.iter().any(|named| named == name);
    volumes.retain(|volume| place::check_in_tree(volume).is_ok() && is_named(place::volume_name(volume)));
    let claims: Vec<PersistentVolumeClaim> = list_filtered(&Api::all(connected.client().clone()), |_| true)
        .await
        .map_err(|error| anyhow::anyhow!("cannot list claims: {}", describe_error(&error)))?;
    let claims: HashMap<(Option<String>, String), &PersistentVolumeClaim> = claims
        .iter()
        .map(|claim| ((claim.namespace(), claim.name_any()), claim))
        .collect();
    let mut exit = Exit::Done;
    let mut due = Vec::new();
    for volume in &volumes {
        let reference = volume.spec.as_ref().and_then(|spec| spec.claim_ref.as_ref());
        let claim = reference.and_then(|claim| {
            let key = (claim.namespace.clone(), claim.name.clone().unwrap_or_default());
            claims.get(&key).copied()
        });
        match Record::of(volume, claim, &connected.location) {
            Ok(record) => due.push((record.name().to_owned(), record.text())),
            Err(why) => {
                output::say(&format!("pv/{} has no record: {why}", place::volume_name(volume)));
                exit = Exit::Failed;
            }
        }
    }
    let names: Vec<String> = due.iter().map(|(name, _)| name.clone()).collect();
    let found = connected.export.read_records(&names).await?;
    let written: HashMap<String, Vec<u8>> = found
        .into_iter()
        .filter_map(|found| Some((found.volume?, found.content.ok()?)))
        .collect();
    due.retain(|(name, text)| written.get(name).is_none_or(|known| known != text.as_bytes()));
    let failed: HashMap<String, String> = match args.dry_run {
        true => HashMap::new(),
        false => {
            let failed = connected.export.write_records(&due).await;
            failed
                .into_iter()
                .map(|(name, error)| (name, error.to_string()))
                .collect()
        }
    };
    let done = if args.dry_run { "would be recorded" } else { "recorded" };
    for (name, _) in &due {
        match failed.get(name) {
            None => output::print(&format!("persistentvolume/{name} {done}\n"))?,
            Some(why) => {
                output::say(&format!("pv/{name} is not recorded: {why}"));
                exit = Exit::Failed;
            }
        }
    }
    let unchanged = names.len() - due.len();
    output::say(&format!("{} {done}, {unchanged} unchanged", due.len() - failed.len()));
    Ok(exit)
}
