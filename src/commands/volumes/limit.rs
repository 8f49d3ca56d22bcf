//! `nfsprov volumes limit`: limits existing volumes to their size.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};
use k8s_openapi::api::core::v1::{PersistentVolume, Pod};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

use super::ConnectedExport;
use crate::cli::{Global, Limit};
use crate::cluster::{api_in, describe_error, list_filtered};
use crate::escape::escape_line;
use crate::exit::{Exit, UsageError};
use crate::export::{ExistingFiles, ServerNames};
use crate::output;
use crate::provisioner::volume::{ENFORCE, QUOTA};
use crate::volumes::limit::{claim_namespace, plan_limit};
use crate::volumes::servers::find_server_names;
use crate::volumes::{amount, place, read};

/// Limits each volume of the command line and prints a line for it. Continues after one that can't be limited; `Failed`
/// then. Fails before the first if pods can't be listed. A `--via` that can't set limits is a usage error. Asks nothing.
pub async fn limit_volumes(args: &Limit, global: &Global) -> Result<Exit> {
    let connected = ConnectedExport::connect(&args.export, global).await?;
    if let Err(why) = connected.export.check_can_limit() {
        return Err(UsageError(why.into()).into());
    }
    let volumes = read::list_nfs_volumes(connected.client()).await?;
    let servers = find_server_names(&connected.location, None, &volumes).await;
    let named = |name: &String| volumes.iter().find(|volume| place::volume_name(volume) == name);
    let pods = list_pods(connected.client(), args.volumes.iter().filter_map(named)).await?;
    let mut exit = Exit::Done;
    for name in &args.volumes {
        let limited = match named(name) {
            Some(volume) => limit_volume((&connected, &servers), volume, &volumes, &pods, args.dry_run).await,
            None => Err(anyhow!("not found, or not an NFS volume")),
        };
        match limited {
            Ok(done) => output::print(&format!("persistentvolume/{name} {done}\n"))?,
            Err(why) => {
                output::say(&escape_line(&format!("error: pv/{name}: {why}")));
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

/// The pods in the namespaces of the claims of `volumes`. Lists once: one namespace, or all if there are several.
async fn list_pods(client: &Client, volumes: impl Iterator<Item = &PersistentVolume>) -> Result<Vec<Pod>> {
    let namespaces: BTreeSet<&str> = volumes.filter_map(claim_namespace).collect();
    let namespace = match namespaces.len() {
        0 => return Ok(Vec::new()),
        1 => namespaces.first().copied(),
        _ => None,
    };
    let is_wanted = |pod: &Pod| {
        pod.metadata
            .namespace
            .as_deref()
            .is_some_and(|its| namespaces.contains(its))
    };
    let pods = list_filtered(&api_in(client, namespace), is_wanted).await;
    let whose = namespace.map_or_else(|| "in all namespaces".to_owned(), |namespace| format!("-n {namespace}"));
    pods.map_err(|error| anyhow!("cannot list pods {whose}: {}", describe_error(&error)))
}

/// Limits one volume and annotates its PV, or with `is_dry_run` only measures it. `servers` are the names of the
/// export's server, `all` the NFS volumes, `pods` those of its claim's namespace and others. Returns what was done, for
/// its line; the error says why it is refused or failed. After an error, the files may have the project id, and the
/// directory may be limited.
async fn limit_volume(
    (connected, servers): (&ConnectedExport, &ServerNames),
    volume: &PersistentVolume,
    all: &[PersistentVolume],
    pods: &[Pod],
    is_dry_run: bool,
) -> Result<String> {
    let plan =
        plan_limit(volume, (&connected.location, servers), all, pods).map_err(|why| anyhow!("not limited: {why}"))?;
    if is_dry_run {
        let files = connected.export.measure_existing(&plan.directory, &plan.limit).await?;
        return Ok(format!("would be limited to {}{}", plan.size, describe_files(files)));
    }
    let files = connected.export.limit_existing(&plan.directory, &plan.limit).await?;
    let volumes: Api<PersistentVolume> = Api::all(connected.client().clone());
    let patch = json!({"metadata": {"uid": volume.uid(), "annotations": {QUOTA: ENFORCE}}});
    let name = volume.name_any();
    let patched = volumes
        .patch(&name, &PatchParams::default(), &Patch::Merge(&patch))
        .await;
    patched.map_err(|error| {
        anyhow!(
            "its directory is limited, but cannot patch pv/{name}: {}; run the command again",
            describe_error(&error)
        )
    })?;
    Ok(format!("limited to {}{}", plan.size, describe_files(files)))
}

/// Text to append to a message: in brackets, after a space, the usage of a limited volume, and the number of its files
/// that the limit can't count, if there are any.
fn describe_files(files: ExistingFiles) -> String {
    let used = amount::format_size(files.used_bytes);
    match files.without_project {
        0 => format!(" ({used} used)"),
        count => format!(
            " ({used} used; the limit does not count {count} of its files, which are symbolic links, sockets, pipes \
             or devices: these can be removed and created again, and not be renamed)"
        ),
    }
}
