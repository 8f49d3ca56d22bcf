//! `nfsprov create`: a manifest on stdout, or applied.

use anyhow::Result;

use super::cluster_options;
use crate::cli::{self, Delivery, DryRun, Global, Kind, Pv, Pvc, ReclaimPolicy, Storageclass};
use crate::cluster::{Use, connect};
use crate::exit::{Exit, UsageError};
use crate::manifest::{self, AccessMode, Claim, ClassOnDelete, Manifest, StorageClass, Values, Volume, apply, render};
use crate::output;

/// Runs `nfsprov create`.
pub async fn run(kind: Kind, global: &Global) -> Result<Exit> {
    let (values, delivery) = match kind {
        Kind::Pv(args) => volume(args)?,
        Kind::Pvc(args) => claim(args, global),
        Kind::Storageclass(args) => class(args)?,
    };
    let manifest = render(&values)?;
    deliver(&manifest, &delivery, global).await?;
    Ok(Exit::Done)
}

async fn deliver(manifest: &Manifest, delivery: &Delivery, global: &Global) -> Result<()> {
    let on_server = delivery.dry_run == Some(DryRun::Server);
    if !(on_server || (delivery.apply && delivery.dry_run.is_none())) {
        return Ok(output::print(&manifest.yaml)?);
    }
    let purpose = if delivery.wait { Use::LongRunning } else { Use::OneShot };
    let cluster = connect(&cluster_options(global), purpose).await?;
    let applied = apply::apply(&cluster, manifest, on_server).await?;
    let title = apply::title(&manifest.object);
    let note = if on_server { " (server dry run)" } else { "" };
    output::print(&format!("{title} {applied}{note}\n"))?;
    if delivery.wait
        && let Some(phase) = manifest::wait::wait(&cluster, &manifest.object, delivery.timeout).await?
    {
        output::print(&format!("{title} is {phase}\n"))?;
    }
    Ok(())
}

fn volume(args: Pv) -> Result<(Values, Delivery), UsageError> {
    let reclaim_policy = match args.reclaim_policy {
        ReclaimPolicy::Retain => "Retain",
        ReclaimPolicy::Recycle => {
            output::say(
                "warning: Recycle is deprecated: it empties the volume with a pod of its own; dynamic provisioning replaces it",
            );
            "Recycle"
        }
        ReclaimPolicy::Delete => {
            return Err(UsageError(
                "a PV made by hand can't have --reclaim-policy Delete: Kubernetes has no deleter for NFS, \
                 and the PV would end up Failed; use Retain, or a StorageClass"
                    .to_owned(),
            ));
        }
    };
    let values = Values::Volume(Volume {
        name: args.name,
        labels: args.labels.into_iter().collect(),
        server: args.server,
        path: args.path,
        size: args.size,
        access_modes: modes(&args.access_modes),
        reclaim_policy: reclaim_policy.to_owned(),
        class: args.class,
        mount_options: args.mount_options,
        claim: args.claim,
    });
    Ok((values, args.delivery))
}

fn claim(args: Pvc, global: &Global) -> (Values, Delivery) {
    let values = Values::Claim(Claim {
        name: args.name,
        namespace: global.namespace.clone(),
        size: args.size,
        access_modes: modes(&args.access_modes),
        class: args.class,
        volume: args.volume,
        selector: args.selector.into_iter().collect(),
    });
    (values, args.delivery)
}

fn class(args: Storageclass) -> Result<(Values, Delivery), UsageError> {
    let reclaim_policy = match args.reclaim_policy {
        ReclaimPolicy::Delete => "Delete",
        ReclaimPolicy::Retain => "Retain",
        ReclaimPolicy::Recycle => {
            return Err(UsageError(
                "a StorageClass can't have --reclaim-policy Recycle; use Delete or Retain".to_owned(),
            ));
        }
    };
    let binding_mode = match args.binding_mode {
        cli::BindingMode::Immediate => "Immediate",
        cli::BindingMode::WaitForFirstConsumer => "WaitForFirstConsumer",
    };
    let values = Values::StorageClass(StorageClass {
        name: args.name,
        provisioner: args.provisioner,
        default: args.default,
        reclaim_policy: reclaim_policy.to_owned(),
        binding_mode: binding_mode.to_owned(),
        mount_options: args.mount_options,
        on_delete: match args.on_delete {
            cli::OnDelete::Delete => ClassOnDelete::Delete,
            cli::OnDelete::Retain => ClassOnDelete::Retain,
            cli::OnDelete::Archive => ClassOnDelete::Archive,
        },
        server: args.server,
        path: args.path,
        dir_mode: args.dir_mode,
    });
    Ok((values, args.delivery))
}

fn modes(modes: &[cli::AccessMode]) -> Vec<AccessMode> {
    let mode = |mode: &cli::AccessMode| match mode {
        cli::AccessMode::Rwo => AccessMode::ReadWriteOnce,
        cli::AccessMode::Rox => AccessMode::ReadOnlyMany,
        cli::AccessMode::Rwx => AccessMode::ReadWriteMany,
        cli::AccessMode::Rwop => AccessMode::ReadWriteOncePod,
    };
    modes.iter().map(mode).collect()
}
