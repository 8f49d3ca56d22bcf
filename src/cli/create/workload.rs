//! The options of `create pod`, `create statefulset` and `create provisioner`. A parser of values returns the value, or
//! one clause that says what is wrong with it.

use std::ops::RangeInclusive;

use clap::{Args, ValueEnum};

use super::{AccessMode, Delivery};
use crate::cli::export::parse_quota_ssh;
use crate::cli::ssh::parse_fingerprint;
use crate::host::Target;
use crate::manifest::validate;

#[derive(Debug, Args)]
pub struct Pod {
    /// Name of the pod and of its container
    #[arg(value_parser = validate::check_pod_name)]
    pub name: Option<String>,
    /// Claim that the pod uses
    #[arg(long, value_parser = validate::check_name)]
    pub claim: Option<String>,
    /// Image of the container
    #[arg(long, default_value = "busybox", value_parser = validate::check_image)]
    pub image: String,
    /// Mount path in the container
    #[arg(long, value_name = "PATH", default_value = "/mydata", value_parser = validate::check_mount_path)]
    pub mount_path: String,
    /// Command of the container [default for the image busybox: /bin/sh -c "sleep 30000"; else the image's own]
    #[arg(last = true)]
    pub command: Vec<String>,
    #[command(flatten)]
    pub delivery: Delivery,
}

#[derive(Debug, Args)]
pub struct Statefulset {
    /// Name of the StatefulSet
    #[arg(value_parser = validate::check_stateful_set_name)]
    pub name: Option<String>,
    /// Class of the claims
    #[arg(long, env = "NFSPROV_CLASS", value_parser = validate::check_name)]
    pub class: Option<String>,
    /// Name of the Service and of the container, and the label `app` [default: the StatefulSet's name]
    #[arg(long, value_parser = validate::check_service_name)]
    pub app: Option<String>,
    /// Number of pods
    #[arg(long, default_value_t = 3, value_parser = parse_pod_count)]
    pub replicas: u32,
    /// Size of each claim, such as 1Gi
    #[arg(long, default_value = "1Gi", value_parser = validate::check_size)]
    pub size: String,
    /// Access mode of the claims (repeatable)
    #[arg(long = "access-mode", value_enum, value_name = "MODE", default_value = "RWX")]
    pub access_modes: Vec<AccessMode>,
    /// Image of the container
    #[arg(long, default_value = "nginx", value_parser = validate::check_image)]
    pub image: String,
    /// Mount path in the container
    #[arg(long, value_name = "PATH", default_value = "/usr/share/nginx/html", value_parser = validate::check_mount_path)]
    pub mount_path: String,
    /// Name of the volume; the claims are called VOLUME-NAME-0 and so on
    #[arg(long, default_value = "www", value_parser = validate::check_pod_volume_name)]
    pub volume: String,
    /// Port of the container and of the Service
    #[arg(long, value_name = "PORT", default_value_t = 80, value_parser = parse_port)]
    pub service_port: u16,
    /// NodePort of the Service [default: none; the Service is headless]
    #[arg(long, value_name = "PORT", value_parser = parse_port)]
    pub node_port: Option<u16>,
    #[command(flatten)]
    pub delivery: Delivery,
}

/// The provisioner programs that `create provisioner` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Flavor {
    /// nfsprov
    Nfsprov,
    /// nfs-subdir-external-provisioner
    Upstream,
}

#[derive(Debug, Args)]
pub struct Provisioner {
    /// Name of the Deployment and the ServiceAccount [default: nfsprov; with --flavor upstream: nfs-client-provisioner]
    #[arg(value_parser = validate::check_deployment_name)]
    pub name: Option<String>,
    /// Host name or address by which the nodes reach the NFS server
    #[arg(long, env = "NFSPROV_SERVER", value_parser = validate::check_server)]
    pub server: Option<String>,
    /// Exported directory
    #[arg(long, env = "NFSPROV_PATH", value_parser = validate::check_path)]
    pub path: Option<String>,
    /// Name of the provisioner, as in classes [default: nfsprov/nfs; with --flavor upstream:
    /// k8s-sigs.io/nfs-subdir-external-provisioner]
    #[arg(long, env = "NFSPROV_PROVISIONER", value_parser = validate::check_provisioner_name)]
    pub provisioner: Option<String>,
    /// Image [default: nfsprov's image of this version; with --flavor upstream: its v4.0.2]
    #[arg(long, value_parser = validate::check_image)]
    pub image: Option<String>,
    /// Number of pods: one leader, the others on standby [default: 2; with --flavor upstream: 1]
    #[arg(long, value_parser = parse_replicas)]
    pub replicas: Option<u32>,
    /// Kubernetes version of the cluster; before 1.22 the pod runs as root with the single capability
    /// NET_BIND_SERVICE [default: the cluster's with --apply or --dry-run server, else 1.22 or newer]
    #[arg(long, value_name = "VERSION", value_parser = validate::parse_minor_version)]
    pub kubernetes: Option<u32>,
    /// Name of the class to create
    #[arg(long, default_value = "managed-nfs-storage", value_parser = validate::check_name)]
    pub class: String,
    /// Allow claims of the class to be expanded, and the provisioner to change the sizes of bound claims
    #[arg(long)]
    pub allow_expansion: bool,
    /// Host of the NFS server, where the provisioner sets limits by commands; the class gets quota: enforce
    #[arg(long, value_parser = parse_quota_ssh, value_name = "ssh://USER@HOST:PORT", requires = "ssh_secret", requires = "host_fingerprint")]
    pub quota_ssh: Option<Target>,
    /// Secret with the private key for --quota-ssh, without a passphrase, in its key `id`
    #[arg(long, requires = "quota_ssh", value_name = "NAME", value_parser = validate::check_name)]
    pub ssh_secret: Option<String>,
    /// Fingerprint of an accepted host key of --quota-ssh (repeatable)
    #[arg(long, requires = "quota_ssh", value_name = "SHA256:…", value_parser = parse_fingerprint)]
    pub host_fingerprint: Vec<String>,
    /// Create a NetworkPolicy, too: other pods reach the provisioner's metrics and nothing else
    #[arg(long)]
    pub network_policy: bool,
    /// Provisioner program to run
    #[arg(long, value_enum, default_value = "nfsprov")]
    pub flavor: Flavor,
    #[command(flatten)]
    pub delivery: Delivery,
}

/// Parses the number of pods of a StatefulSet: from 0 to 1000.
fn parse_pod_count(text: &str) -> Result<u32, String> {
    parse_in_range(text, 0..=1000, "the number of pods")
}

/// Parses the number of pods of a provisioner, which has at least one.
pub(in crate::cli) fn parse_replicas(text: &str) -> Result<u32, String> {
    parse_in_range(text, 1..=100, "the number of pods")
}

/// Parses a port; 0 is refused.
fn parse_port(text: &str) -> Result<u16, String> {
    let port = parse_in_range(text, 1..=u16::MAX.into(), "a port")?;
    u16::try_from(port).map_err(|error| error.to_string())
}

/// Parses a number in `range`; the error calls it `what`.
fn parse_in_range(text: &str, range: RangeInclusive<u32>, what: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{what} is from {} to {}", range.start(), range.end()))
}
