//! `nfsprov volumes restore` and `adopt`: a directory becomes the volume of a claim.

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::{Api, ResourceExt};

use super::ConnectedExport;
use crate::cli::{self, AccessMode, Global};
use crate::cluster::waiting::wait_for_object;
use crate::cluster::{describe_error, list_filtered};
use crate::exit::{Exit, UsageError};
use crate::export::{Export, Location};
use crate::output;
use crate::provisioner::rules::record::Record;
use crate::volumes::archives::{Archive, ReusePlan, plan_restore, refusal_of_several_volumes};
use crate::volumes::restore::{self, NewClaim};
use crate::volumes::servers::find_server_names;
use crate::volumes::{adopt, read};

/// Makes an archive the volume of a claim, by default of the one that its record names. Refuses an archive that holds
/// several volumes.
pub async fn restore_archive(args: &cli::Restore, global: &Global) -> Result<Exit> {
    let connected = ConnectedExport::connect(&args.export, global).await?;
    let (rows, names) = connected.read_rows().await?;
    let reuse = plan_restore(&args.archive, &rows, &names).map_err(|why| anyhow!("{}", output::escape_line(&why)))?;
    if let Some(archive) = &reuse.archive
        && Archive::parse(&archive.to_string()).is_some_and(|archive| archive.volume.is_none())
        && let Some(why) = refusal_of_several_volumes(
            archive,
            &connected
                .export
                .list_directory(Some(archive))
                .await?
                .unwrap_or_default(),
        )
    {
        bail!("{}", output::escape_line(&why));
    }
    let record = record_of(&connected.export, &connected.location, &reuse.volume, &args.recorded).await?;
    let claim = wanted_claim(args.claim.as_ref(), record.as_ref())?;
    bind_directory(
        &connected,
        &reuse,
        record.as_ref(),
        &claim,
        &args.new_claim,
        args.waiting,
    )
    .await
}

/// The claim of the command line, else the record's; a usage error without either.
fn wanted_claim(asked: Option<&(String, String)>, record: Option<&Record>) -> Result<(String, String), UsageError> {
    let recorded = record.and_then(Record::claim_key);
    let recorded = recorded.map(|(namespace, name)| (namespace.to_owned(), name.to_owned()));
    let why = "required: --claim NAMESPACE/NAME; no record of the volume names its claim";
    asked.cloned().or(recorded).ok_or_else(|| UsageError(why.into()))
}

/// The record of a PV on the export; `None` if it has none, or it is refused, after a note that says why. An export
/// that can't be read is an error: the record may say that the volume was limited.
async fn record_of(
    export: &Export,
    location: &Location,
    volume: &str,
    recorded: &cli::Recorded,
) -> Result<Option<Record>> {
    let (volumes, former_server) = ([volume.to_owned()], recorded.former_server.as_deref());
    let mut found = read::read_records_of(export, location, former_server, &volumes).await?;
    let Some((_, record)) = found.pop() else {
        return Ok(None);
    };
    if let Err(why) = &record {
        output::say(&format!("the record of pv/{volume} is not used: {why}"));
    }
    Ok(record.ok())
}

/// Makes an existing directory the volume of a claim, where [`adopt::plan_adoption`] allows it. Refused records on the
/// export are only counted in a note.
pub async fn adopt_directory(args: &cli::Adopt, global: &Global) -> Result<Exit> {
    let connected = ConnectedExport::connect(&args.export, global).await?;
    let volumes: Vec<PersistentVolume> = list_filtered(&Api::all(connected.client().clone()), |_| true)
        .await
        .map_err(|error| anyhow!("cannot list persistent volumes: {}", describe_error(&error)))?;
    let former_server = args.recorded.former_server.as_deref();
    let records = read::read_records(&connected.export, &connected.location, former_server).await?;
    let refused = records.iter().filter(|(_, record)| record.is_err()).count();
    if refused > 0 {
        output::say(&format!(
            "{refused} records are refused and not used; `nfsprov volumes rebuild` lists the reasons"
        ));
    }
    let facts = adopt::Facts {
        location: connected.location.clone(),
        servers: find_server_names(&connected.location, former_server, &volumes).await,
        volumes,
        markers: connected.export.list_markers().await?,
        records: records.into_iter().filter_map(|(_, record)| record.ok()).collect(),
    };
    let (namespace, name) = &args.claim;
    let adoption = adopt::plan_adoption(&args.directory, (namespace, name), &facts)
        .map_err(|why| anyhow!("{}; nothing was changed", output::escape_line(&why)))?;
    if connected.export.list_directory(Some(&args.directory)).await?.is_none() {
        let directory = args.directory.to_string();
        bail!(
            "directory {} is not on {}",
            output::escape_line(&directory),
            connected.location
        );
    }
    let record = adoption.record.as_ref();
    bind_directory(
        &connected,
        &adoption.reuse,
        record,
        &args.claim,
        &args.new_claim,
        args.waiting,
    )
    .await
}

/// Creates a PV of a directory for a claim, and the claim if that is asked for; waits until the claim is Bound, unless
/// `--wait=false`, and fails if it is not in time or bound to another PV; the PV stays then. The directory of an
/// archive is renamed first.
async fn bind_directory(
    connected: &ConnectedExport,
    reuse: &ReusePlan,
    record: Option<&Record>,
    claim: &(String, String),
    wanted: &cli::NewClaim,
    waiting: cli::Waiting,
) -> Result<Exit> {
    let (namespace, name) = claim;
    let new_claim = match wanted.create_claim {
        true => Some(new_claim(wanted, record)?),
        false => None,
    };
    let restore = restore::Restore {
        client: connected.client(),
        export: &connected.export,
        location: &connected.location,
        reuse,
        namespace,
        claim: name,
        size: wanted.size.as_deref(),
        new_claim,
        was_limited: record.is_some_and(Record::is_limited),
    };
    let (volume, made) = restore.run().await?;
    let title = volume.name_any();
    if made {
        output::print(&format!("persistentvolumeclaim/{name} created\n"))?;
    }
    output::print(&format!("persistentvolume/{title} created\n"))?;
    output::say(&format!(
        "its directory is {}",
        reuse.directory.under(&connected.location.path)
    ));
    if !waiting.wait {
        return Ok(Exit::Done);
    }
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(connected.client().clone(), namespace);
    let settled = |claim: Option<&PersistentVolumeClaim>| {
        claim.is_none_or(|claim| claim.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound"))
    };
    let waited = wait_for_object(claims, name, waiting.timeout, settled).await;
    let Some(claim) = waited.with_context(|| format!("cannot watch pvc/{name} -n {namespace}"))? else {
        bail!(
            "pvc/{name} -n {namespace} is not Bound after {} s; pv/{title} is created and reserved for it: \
             `kubectl describe pvc/{name} -n {namespace}` says why",
            waiting.timeout.as_secs()
        );
    };
    let bound_volume = claim.and_then(|claim| claim.spec?.volume_name).unwrap_or_default();
    if bound_volume != title {
        bail!(
            "pvc/{name} -n {namespace} was bound to another volume meanwhile, {bound_volume:?}; pv/{title} has the data and is kept"
        );
    }
    output::print(&format!("persistentvolumeclaim/{name} is Bound\n"))?;
    Ok(Exit::Done)
}

/// A claim as it was asked for; what was not asked for is as the record says, else no class, and RWX. A usage error if
/// neither has a size.
fn new_claim(wanted: &cli::NewClaim, record: Option<&Record>) -> Result<NewClaim, UsageError> {
    let recorded = record.and_then(|record| record.volume.spec.clone()).unwrap_or_default();
    let capacity = recorded.capacity.unwrap_or_default();
    let capacity = capacity.get("storage").map(|size| size.0.clone());
    let size = wanted.size.clone().or(capacity);
    let asked: Vec<String> = wanted
        .access_mode
        .iter()
        .map(|mode| mode_name(mode).to_owned())
        .collect();
    let access_modes = match (asked.is_empty(), recorded.access_modes) {
        (true, Some(recorded)) => recorded,
        (true, None) => vec![mode_name(&AccessMode::Rwx).to_owned()],
        (false, _) => asked,
    };
    Ok(NewClaim {
        size: size.ok_or_else(|| UsageError("required: --size; no record has the size of the claim".into()))?,
        class: wanted.class.clone().or(recorded.storage_class_name).unwrap_or_default(),
        access_modes,
    })
}

fn mode_name(mode: &AccessMode) -> &'static str {
    match mode {
        AccessMode::Rwo => "ReadWriteOnce",
        AccessMode::Rox => "ReadOnlyMany",
        AccessMode::Rwx => "ReadWriteMany",
        AccessMode::Rwop => "ReadWriteOncePod",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::export::Mounted;
    use crate::provisioner::rules::record::parse;

    /// The record of a volume of 2Gi of the class `managed`.
    fn record() -> Record {
        let volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "v"},
            "spec": {"accessModes": ["ReadWriteOnce", "ReadOnlyMany"], "capacity": {"storage": "2Gi"},
                     "claimRef": {"namespace": "team", "name": "data"},
                     "nfs": {"server": "nfs", "path": "/nfsdata/a"},
                     "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "managed"},
        });
        let export = Location {
            server: "nfs".into(),
            path: "/nfsdata".into(),
        };
        parse("v", volume.to_string().as_bytes(), &export).unwrap()
    }

    fn asked(size: Option<&str>, class: Option<&str>, access_mode: Vec<AccessMode>) -> cli::NewClaim {
        cli::NewClaim {
            create_claim: true,
            size: size.map(str::to_owned),
            class: class.map(str::to_owned),
            access_mode,
        }
    }

    #[test]
    fn a_claim_is_as_asked_for_then_as_recorded_then_as_before_there_were_records() {
        let record = record();
        for (what, recorded, asked, size, class, modes) in [
            (
                "nothing asked for",
                Some(&record),
                asked(None, None, vec![]),
                Some("2Gi"),
                "managed",
                &["ReadWriteOnce", "ReadOnlyMany"][..],
            ),
            (
                "all asked for",
                Some(&record),
                asked(Some("3Gi"), Some("other"), vec![AccessMode::Rwop]),
                Some("3Gi"),
                "other",
                &["ReadWriteOncePod"],
            ),
            (
                "a size, and no record",
                None,
                asked(Some("3Gi"), None, vec![]),
                Some("3Gi"),
                "",
                &["ReadWriteMany"],
            ),
            ("nothing, and no record", None, asked(None, None, vec![]), None, "", &[]),
        ] {
            let found = new_claim(&asked, recorded).ok();
            let wanted = size.map(|size| NewClaim {
                size: size.to_owned(),
                class: class.to_owned(),
                access_modes: modes.iter().map(|mode| (*mode).to_owned()).collect(),
            });
            assert_eq!(found, wanted, "{what}");
        }
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_is_not_one_that_is_missing() {
        let root = tempfile::tempdir().unwrap();
        let location = Location {
            server: "nfs".into(),
            path: "/nfsdata".into(),
        };
        let export = Export::Mounted(Mounted::new(location.clone(), root.path()));
        let recorded = cli::Recorded { former_server: None };
        let found = record_of(&export, &location, "v", &recorded).await.unwrap();
        assert_eq!(found, None);
        std::fs::write(root.path().join(".nfsprov"), "").unwrap();
        let failed = record_of(&export, &location, "v", &recorded).await;
        assert!(failed.is_err(), "{failed:?}");
    }

    #[test]
    fn an_archive_goes_to_the_claim_that_is_asked_for_or_recorded() {
        let (record, other) = (record(), ("web".to_owned(), "other".to_owned()));
        let recorded = ("team".to_owned(), "data".to_owned());
        assert_eq!(wanted_claim(Some(&other), Some(&record)).ok().as_ref(), Some(&other));
        assert_eq!(wanted_claim(Some(&other), None).ok().as_ref(), Some(&other));
        assert_eq!(wanted_claim(None, Some(&record)).ok(), Some(recorded));
        assert!(wanted_claim(None, None).is_err());
    }
}
