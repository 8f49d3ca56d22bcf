//! Where each command block of the pages is executed.

/// Where the commands of a block are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Without a cluster.
    Alone,
    /// With a cluster and an NFS export.
    Cluster,
    /// Not as it stands: tests of this file run such commands.
    By(&'static str),
    /// Nowhere, for this reason.
    Never(&'static str),
}

use Place::{Alone, By, Cluster, Never};

/// A page, the beginning of a line, where that block or line is executed, and the commands to run before it.
///
/// A block has the row of its first line. A later line may have its own row.
pub type Row = (&'static str, &'static str, Place, &'static str);

/// The rows, in the order of the pages.
pub static ROWS: &[Row] = &[
    ("README.md", "nfsprov create storageclass", Cluster, ""),
    (
        "README.md",
        "make try",
        Never("it starts a lab, as this test has done"),
        "",
    ),
    ("README.md", "$ nfsprov setup-server", By("tests/hosts/setup.rs"), ""),
    ("README.md", "$ nfsprov create storageclass", Cluster, ""),
    ("README.md", "$ nfsprov create pvc", Cluster, ""),
    ("README.md", "$ nfsprov create pv mypv", Cluster, ""),
    (
        "README.md",
        "$ nfsprov status",
        Cluster,
        "nfsprov create pvc mypvc --size 1Gi --class nfs --apply --wait",
    ),
    ("README.md", "$ nfsprov doctor", Cluster, ""),
    (
        "CONTRIBUTING.md",
        "make check",
        Never("they run the tests, this one too, and write files of the repository"),
        "",
    ),
    (
        "docs/capacity.md",
        "nfsprov provision --watch --server nfs --path /srv/xfs --via",
        By("tests/cluster/quota.rs"),
        "",
    ),
    (
        "docs/capacity.md",
        "nfsprov create storageclass",
        By("tests/cluster/quota.rs"),
        "",
    ),
    (
        "docs/capacity.md",
        "nfsprov setup-server",
        By("tests/hosts/quota.rs"),
        "",
    ),
    (
        "docs/capacity.md",
        "systemctl stop nfs-server  # XFS",
        By("tests/cluster/quota.rs"),
        "",
    ),
    (
        "docs/capacity.md",
        "systemctl stop nfs-server  # ext4",
        By("tests/cluster/quota.rs"),
        "",
    ),
    (
        "docs/capacity.md",
        "nfsprov provision --watch --server nfs --path /srv/xfs --quota-ssh",
        By("tests/cluster/quota.rs"),
        "",
    ),
    (
        "docs/capacity.md",
        "kubectl patch pvc",
        By("tests/cluster/quota.rs"),
        "",
    ),
    (
        "docs/capacity.md",
        "nfsprov volumes limit",
        By("tests/cluster/quota.rs"),
        "",
    ),
    ("docs/cli.md", "nfsprov COMMAND", Cluster, ""),
    (
        "docs/cli.md",
        "nfsprov setup-server root@nfs --node",
        By("tests/hosts/setup.rs"),
        "",
    ),
    ("docs/cli.md", "nfsprov image load", By("tests/nodes/loading.rs"), ""),
    (
        "docs/cli.md",
        "nfsprov setup-server --config",
        By("tests/command/setup_config.rs"),
        "",
    ),
    ("docs/cli.md", "mkdir -p ~/.local", Alone, ""),
    (
        "docs/disaster-recovery.md",
        "nfsprov volumes",
        By("tests/cluster/records.rs"),
        "",
    ),
    (
        "docs/disaster-recovery.md",
        "kubectl apply",
        By("tests/cluster/records.rs"),
        "",
    ),
    (
        "docs/doctor.md",
        "nfsprov doctor   ",
        Cluster,
        "in_background nfsprov provision --watch --server nfs --path /nfsdata",
    ),
    (
        "docs/doctor.md",
        "nfsprov doctor --ssh",
        By("tests/cluster/doctor_hosts.rs"),
        "",
    ),
    (
        "docs/doctor.md",
        "nfsprov doctor --fix --gate",
        By("tests/cluster/doctor_gate.rs"),
        "",
    ),
    ("docs/doctor.md", "$ nfsprov doctor -o json", Cluster, ""),
    ("docs/doctor.md", "nfsprov doctor --dump", Cluster, ""),
    ("docs/doctor.md", "for kind in", Cluster, "rm DIR/*.json"),
    ("docs/install.md", "make dist", By("tests/dist/main.rs"), ""),
    (
        "docs/install.md",
        "kubectl create namespace",
        Cluster,
        "nfsprov doctor --from-dump DIR | grep 'checks run, no problems found'",
    ),
    (
        "docs/install.md",
        "nfsprov image load",
        By("tests/nodes/released.rs"),
        "",
    ),
    ("docs/install.md", "helm install", By("tests/cluster/released.rs"), ""),
    ("docs/install.md", "mkdir nfsprov", By("tests/dist/program.rs"), ""),
    ("docs/install.md", "apt install", By("tests/cluster/released.rs"), ""),
    (
        "docs/install.md",
        "nfsprov -n storage migrate",
        By("tests/cluster/migrate.rs"),
        "",
    ),
    (
        "docs/manifests.md",
        "nfsprov create pv|pvc",
        Never("the form of several commands"),
        "",
    ),
    ("docs/manifests.md", "nfsprov templates export DIR", Alone, ""),
    ("docs/manifests.md", "nfsprov create pv mypv", Alone, ""),
    ("docs/manifests.md", "nfsprov create storageclass", Alone, ""),
    (
        "docs/manifests.md",
        "nfsprov create provisioner --server 10.128.1.117 --path /nfsdata",
        Cluster,
        "",
    ),
    ("docs/manifests.md", "ssh-keygen", By("tests/cluster/quota.rs"), ""),
    ("docs/manifests.md", "nfsprov templates export my-templates", Alone, ""),
    ("docs/output.md", "nfsprov status", Cluster, ""),
    ("docs/provisioner.md", "nfsprov provision --watch", Cluster, ""),
    ("docs/provisioner.md", "nfsprov provision [--watch]", Cluster, ""),
    (
        "docs/provisioner.md",
        "persistentvolumeclaims:",
        Never("rights, no commands"),
        "",
    ),
    (
        "docs/server.md",
        "nfsprov setup-server root@nfs.example",
        By("tests/hosts/setup.rs"),
        "",
    ),
    (
        "docs/server.md",
        "nfsprov setup-server root@nfs-mgmt",
        By("tests/cluster/setup.rs"),
        "",
    ),
    (
        "docs/server.md",
        "nfsprov setup-server root@nfs --root-squash",
        By("tests/cluster/setup.rs"),
        "",
    ),
    (
        "docs/server.md",
        "nfsprov setup-server root@nfs --export /srv/xfs",
        By("tests/hosts/quota.rs"),
        "",
    ),
    ("docs/volumes.md", "nfsprov status", Cluster, ""),
    (
        "docs/volumes.md",
        "nfsprov release mypv --keep-data",
        Cluster,
        "kubectl delete pvc mypvc
         until_prints Released phase_of pv mypv",
    ),
    (
        "docs/volumes.md",
        "nfsprov release mypv --scrub",
        By("tests/cluster/release.rs"),
        "",
    ),
    ("docs/volumes.md", "nfsprov volumes list", Cluster, ""),
    (
        "docs/volumes.md",
        "nfsprov volumes restore",
        By("tests/cluster/records.rs"),
        "",
    ),
    (
        "docs/volumes.md",
        "nfsprov volumes expire",
        By("tests/cluster/volumes.rs"),
        "",
    ),
    (
        "docs/volumes.md",
        "persistentvolumes:",
        Never("rights, no commands"),
        "",
    ),
    ("docs/walkthrough.md", "", By("tests/walkthrough"), ""),
];
