//! Turns the command line of `create` into checked values, and notes about them. The functions that make a
//! request prompt for required values that are missing; without a terminal these are usage errors.

use std::collections::BTreeMap;

use anyhow::Result;

use super::super::cluster_options;
use super::required::{RequiredValue, fill_missing};
use crate::cli::{self, Delivery, Flavor, Global, Kind, ReclaimPolicy, WaitingOnApply};
use crate::cluster;
use crate::exit::UsageError;
use crate::image::IMAGE;
use crate::manifest::{
    AccessMode, Claim, ClassOnDelete, Flavor as ManifestFlavor, Pod, Provisioner, StatefulSet, StorageClass, Values,
    Volume, validate,
};
use crate::provisioner::{DEFAULT_NAME, election};

/// The default image and name of nfs-subdir-external-provisioner.
const UPSTREAM_IMAGE: &str = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2";
const UPSTREAM_NAME: &str = "k8s-sigs.io/nfs-subdir-external-provisioner";

/// The first minor version of Kubernetes that runs the provisioner without root and has `policy/v1`.
const WITHOUT_ROOT: u32 = 22;

/// The default range of node ports.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30000..=32767;

/// An object to create, and where its manifest goes.
pub struct CreateRequest {
    /// The values of the template.
    pub values: Values,
    pub delivery: Delivery,
    /// `None` for kinds that are not waited for.
    pub waiting: Option<WaitingOnApply>,
    /// Notes and warnings for stderr.
    pub notes: Vec<String>,
    /// Whether a part of the manifest depends on the cluster's version.
    pub follows_version: bool,
}

impl CreateRequest {
    /// A request without notes, which is not waited for and does not depend on the cluster's version.
    fn new(values: Values, delivery: Delivery) -> Self {
        Self {
            values,
            delivery,
            waiting: None,
            notes: Vec::new(),
            follows_version: false,
        }
    }

    /// Checks a command line, and prompts for missing values.
    ///
    /// # Errors
    /// [`UsageError`] for invalid values, and for missing ones without a terminal; others if a prompt gets no answer or
    /// a named kubeconfig can't be read.
    pub async fn from_args(kind: Kind, global: &Global) -> Result<Self> {
        match kind {
            Kind::Pv(args) => volume_request(args),
            Kind::Pvc(args) => claim_request(args, global),
            Kind::Storageclass(args) => class_request(args),
            Kind::Pod(args) => pod_request(args, global),
            Kind::Statefulset(args) => stateful_set_request(args, global),
            Kind::Provisioner(args) => provisioner_request(args, global).await,
        }
    }

    /// Adapts the values to the version that the API server reports, unless the command line names one. Returns a note
    /// for the user; `None` where nothing changes. A version that can't be parsed counts as new.
    pub fn adapt_to_version(&mut self, version: &str) -> Option<String> {
        let Values::Provisioner(provisioner) = &mut self.values else {
            return None;
        };
        let is_old = validate::parse_minor_version(version).is_ok_and(|minor| minor < WITHOUT_ROOT);
        if !self.follows_version || !is_old {
            return None;
        }
        provisioner.before_1_22 = true;
        Some(format!(
            "note: Kubernetes {version} is older than 1.{WITHOUT_ROOT}: the provisioner's pods run as root, with no \
             capability but NET_BIND_SERVICE"
        ))
    }
}

/// Always an error: a [`UsageError`].
fn usage_error<T>(why: &'static str) -> Result<T> {
    Err(UsageError(why.into()).into())
}

/// Refuses the reclaim policy Delete, which nothing carries out for static PVs; notes what the chosen one does.
fn volume_request(args: cli::Pv) -> Result<CreateRequest> {
    let mut notes = Vec::new();
    let reclaim_policy = match args.reclaim_policy {
        ReclaimPolicy::Retain => "Retain",
        ReclaimPolicy::Recycle => "Recycle",
        ReclaimPolicy::Delete => {
            return usage_error(
                "a static PV can't have --reclaim-policy Delete: Kubernetes has no deleter for NFS, \
                 and the PV would end up Failed; use Retain, or a StorageClass",
            );
        }
    };
    let [name, server, path, size] = fill_missing([
        required_value(args.name, "NAME", "Name of the volume", validate::check_name),
        required_value(
            args.server,
            "--server",
            "NFS server, as the nodes reach it",
            validate::check_server,
        ),
        required_value(args.path, "--path", "Exported directory", validate::check_path),
        required_value(args.size, "--size", "Size, such as 1Gi", validate::check_size),
    ])?;
    notes.push(match args.reclaim_policy {
        ReclaimPolicy::Recycle => {
            "warning: Recycle is deprecated: it empties the volume with a pod of its own; dynamic provisioning \
             replaces it"
                .to_owned()
        }
        _ => format!(
            "note: Retain: when its claim is deleted, {name} keeps its data and stays Released; no other claim gets it \
             until you make it Available again"
        ),
    });
    let values = Values::Volume(Volume {
        name,
        labels: unique_pairs("--label", args.labels)?,
        server,
        path,
        size,
        access_modes: check_access_modes(&args.access_modes)?,
        reclaim_policy: reclaim_policy.to_owned(),
        class: args.class,
        mount_options: args.mount_options,
        claim: args.claim,
    });
    Ok(CreateRequest {
        waiting: Some(args.waiting),
        notes,
        ..CreateRequest::new(values, args.delivery)
    })
}

/// The claim has a namespace only if the command line names one.
fn claim_request(args: cli::Pvc, global: &Global) -> Result<CreateRequest> {
    let [name, size] = fill_missing([
        required_value(args.name, "NAME", "Name of the claim", validate::check_name),
        required_value(args.size, "--size", "Size, such as 1Gi", validate::check_size),
    ])?;
    let values = Values::Claim(Claim {
        name,
        namespace: global.namespace.clone(),
        size,
        access_modes: check_access_modes(&args.access_modes)?,
        class: args.class,
        volume: args.volume,
        selector: unique_pairs("--selector", args.selector)?,
    });
    Ok(CreateRequest {
        waiting: Some(args.waiting),
        ..CreateRequest::new(values, args.delivery)
    })
}

/// Refuses the reclaim policy Recycle. With Delete, directories are archived unless `--on-delete` says otherwise.
fn class_request(args: cli::Storageclass) -> Result<CreateRequest> {
    let reclaim_policy = match args.reclaim_policy {
        ReclaimPolicy::Delete => "Delete",
        ReclaimPolicy::Retain => "Retain",
        ReclaimPolicy::Recycle => {
            return usage_error("a StorageClass can't have --reclaim-policy Recycle; use Delete or Retain");
        }
    };
    let binding_mode = match args.binding_mode {
        cli::BindingMode::Immediate => "Immediate",
        cli::BindingMode::WaitForFirstConsumer => "WaitForFirstConsumer",
    };
    let [name] = fill_missing([required_value(
        args.name,
        "NAME",
        "Name of the class",
        validate::check_name,
    )])?;
    let mut notes = Vec::new();
    if let Some(pattern) = args.path_pattern.as_deref().filter(|pattern| !pattern.contains("${")) {
        notes.push(format!(
            "warning: --path-pattern {pattern} is the same for every claim: the first gets the directory, all others \
             are refused"
        ));
    }
    let on_delete = args.on_delete.map(|on_delete| match on_delete {
        cli::OnDelete::Delete => ClassOnDelete::Delete,
        cli::OnDelete::Retain => ClassOnDelete::Retain,
        cli::OnDelete::Archive => ClassOnDelete::Archive,
    });
    let on_delete = match (reclaim_policy, on_delete) {
        ("Delete", None) => Some(ClassOnDelete::Archive),
        ("Retain", Some(_)) => {
            notes.push("warning: --on-delete has no effect with --reclaim-policy Retain: directories stay".to_owned());
            on_delete
        }
        _ => on_delete,
    };
    let values = Values::StorageClass(StorageClass {
        name,
        provisioner: args.provisioner,
        default: args.default,
        reclaim_policy: reclaim_policy.to_owned(),
        binding_mode: binding_mode.to_owned(),
        mount_options: args.mount_options,
        on_delete,
        server: args.server,
        path: args.path,
        path_pattern: args.path_pattern,
        dir_mode: args.dir_mode,
        dir_uid: args.dir_uid,
        dir_gid: args.dir_gid,
        enforces_quota: args.quota.is_some(),
        allow_expansion: args.allow_expansion,
    });
    Ok(CreateRequest {
        notes,
        ..CreateRequest::new(values, args.delivery)
    })
}

/// A pod of the image `busybox` without a command sleeps; other images run their own command.
fn pod_request(args: cli::Pod, global: &Global) -> Result<CreateRequest> {
    let [name, claim] = fill_missing([
        required_value(args.name, "NAME", "Name of the pod", validate::check_pod_name),
        required_value(args.claim, "--claim", "Claim that it uses", validate::check_name),
    ])?;
    let command = match args.command {
        // Its own command ends at once.
        none if none.is_empty() && args.image == "busybox" => {
            ["/bin/sh", "-c", "sleep 30000"].map(str::to_owned).to_vec()
        }
        command => command,
    };
    let values = Values::Pod(Pod {
        name,
        namespace: global.namespace.clone(),
        claim,
        image: args.image,
        mount_path: args.mount_path,
        command,
    });
    Ok(CreateRequest::new(values, args.delivery))
}

/// The Service has the StatefulSet's name, unless `--app` names it; refuses a name that no Service can have.
fn stateful_set_request(args: cli::Statefulset, global: &Global) -> Result<CreateRequest> {
    let [name, class] = fill_missing([
        required_value(
            args.name,
            "NAME",
            "Name of the StatefulSet",
            validate::check_stateful_set_name,
        ),
        required_value(args.class, "--class", "Class of its claims", validate::check_name),
    ])?;
    let app = match args.app {
        Some(app) => app,
        None => validate::check_service_name(&name).map_err(|why| {
            UsageError(format!("the Service would be called {name}: {why}; give it another with --app").into())
        })?,
    };
    let mut notes = Vec::new();
    if let Some(port) = args.node_port.filter(|port| !NODE_PORTS.contains(port)) {
        notes.push(format!(
            "warning: --node-port {port} is outside of {} to {}, which most clusters keep to",
            NODE_PORTS.start(),
            NODE_PORTS.end()
        ));
    }
    let values = Values::StatefulSet(StatefulSet {
        name,
        namespace: global.namespace.clone(),
        app,
        replicas: args.replicas,
        image: args.image,
        mount_path: args.mount_path,
        volume: args.volume,
        class,
        size: args.size,
        access_modes: check_access_modes(&args.access_modes)?,
        service_port: args.service_port,
        node_port: args.node_port,
    });
    Ok(CreateRequest {
        notes,
        ..CreateRequest::new(values, args.delivery)
    })
}

/// Refuses options that upstream lacks, and a name that no Lease can have, for upstream and for several pods. The
/// default is 2 pods for nfsprov, 1 for upstream or without a Lease. Reads the namespace from the kubeconfig; asks no
/// cluster.
async fn provisioner_request(args: cli::Provisioner, global: &Global) -> Result<CreateRequest> {
    let (flavor, name, called, image) = match args.flavor {
        Flavor::Nfsprov => (ManifestFlavor::Nfsprov, "nfsprov", DEFAULT_NAME, IMAGE),
        Flavor::Upstream => (
            ManifestFlavor::Upstream,
            "nfs-client-provisioner",
            UPSTREAM_NAME,
            UPSTREAM_IMAGE,
        ),
    };
    if flavor == ManifestFlavor::Upstream {
        let without_effect = [
            (
                args.allow_expansion,
                "--allow-expansion: nfs-subdir-external-provisioner expands no claims",
            ),
            (
                args.quota_ssh.is_some(),
                "--quota-ssh: nfs-subdir-external-provisioner limits no directories",
            ),
            (
                args.network_policy,
                "--network-policy: nfs-subdir-external-provisioner has no metrics to let others reach",
            ),
        ];
        if let Some((_, why)) = without_effect.into_iter().find(|(is_given, _)| *is_given) {
            return usage_error(why);
        }
    }
    let called = args.provisioner.unwrap_or_else(|| called.to_owned());
    let lock = election::lease_name(&called);
    let replicas = args.replicas.unwrap_or(match (flavor, &lock) {
        (ManifestFlavor::Nfsprov, Some(_)) => 2,
        _ => 1,
    });
    if lock.is_none() && (flavor == ManifestFlavor::Upstream || replicas > 1) {
        return usage_error(
            "--provisioner: its Lease has the name of the provisioner, and upper-case letters and `_` are not allowed in \
             names of objects",
        );
    }
    let [server, path] = fill_missing([
        required_value(
            args.server,
            "--server",
            "NFS server, as the nodes reach it",
            validate::check_server,
        ),
        required_value(args.path, "--path", "Exported directory", validate::check_path),
    ])?;
    let mut notes = Vec::new();
    if args.image.is_none() && flavor == ManifestFlavor::Nfsprov {
        notes.push(format!(
            "note: the image {image} is not published; build it and load it into the nodes as docs/install.md describes, or pass --image"
        ));
    }
    let values = Values::Provisioner(Provisioner {
        name: args.name.unwrap_or_else(|| name.to_owned()),
        namespace: cluster::resolve_namespace(&cluster_options(global)).await?,
        provisioner: called,
        server,
        path,
        image: args.image.unwrap_or_else(|| image.to_owned()),
        replicas,
        class: args.class,
        allow_expansion: args.allow_expansion,
        quota_ssh: args.quota_ssh.map(|target| target.to_string()),
        ssh_secret: args.ssh_secret,
        host_fingerprints: args.host_fingerprint,
        lock,
        network_policy: args.network_policy,
        before_1_22: args.kubernetes.is_some_and(|minor| minor < WITHOUT_ROOT),
        flavor,
    });
    Ok(CreateRequest {
        notes,
        follows_version: flavor == ManifestFlavor::Nfsprov && args.kubernetes.is_none(),
        ..CreateRequest::new(values, args.delivery)
    })
}

fn required_value(
    value: Option<String>,
    flag: &'static str,
    question: &'static str,
    check: fn(&str) -> Result<String, String>,
) -> RequiredValue {
    RequiredValue {
        value,
        flag,
        question,
        check,
    }
}

/// The access modes in the given order, without duplicates. Refuses ReadWriteOncePod beside others, as the API server
/// does.
fn check_access_modes(modes: &[cli::AccessMode]) -> Result<Vec<AccessMode>> {
    let mut given = Vec::new();
    for mode in modes {
        let mode = match mode {
            cli::AccessMode::Rwo => AccessMode::ReadWriteOnce,
            cli::AccessMode::Rox => AccessMode::ReadOnlyMany,
            cli::AccessMode::Rwx => AccessMode::ReadWriteMany,
            cli::AccessMode::Rwop => AccessMode::ReadWriteOncePod,
        };
        if !given.contains(&mode) {
            given.push(mode);
        }
    }
    if given.len() > 1 && given.contains(&AccessMode::ReadWriteOncePod) {
        return usage_error("--access-mode RWOP allows no other access mode");
    }
    Ok(given)
}

/// Collects pairs in a map; refuses a key with two values. A pair that comes twice counts once. `flag` is for the
/// error.
fn unique_pairs(flag: &str, given: Vec<(String, String)>) -> Result<BTreeMap<String, String>> {
    let mut pairs = BTreeMap::new();
    for (key, value) in given {
        if let Some(other) = pairs.insert(key.clone(), value.clone())
            && other != value
        {
            return Err(UsageError(format!("{flag}: {key} is given two values, {other} and {value}").into()).into());
        }
    }
    Ok(pairs)
}
