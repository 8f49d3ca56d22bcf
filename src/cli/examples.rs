//! The examples that the help of each command begins with.

pub(super) const NFSPROV: &str = "\
Examples:
  # Why is this claim Pending?
  nfsprov doctor mypvc
  # Set up an NFS server for two nodes
  nfsprov setup-server root@nfs --node root@node1 --node root@node2
  # Provision volumes for the claims of a class
  nfsprov create storageclass managed-nfs-storage --apply
  nfsprov provision --watch --server nfs --path /nfsdata";

pub(super) const SETUP_SERVER: &str = "\
Examples:
  # Print the plan without making changes
  nfsprov setup-server root@nfs --allow 10.0.0.0/24 --dry-run
  # Export /nfsdata to all nodes of the cluster, and set them up as clients
  nfsprov setup-server ops@nfs --sudo --nodes-from-cluster
  # Have the file system limit volumes to their size
  nfsprov setup-server root@nfs --export /srv/xfs --allow 10.0.0.0/24 --quota
  # Allow nodes without sshd; clients reach the server by another address
  nfsprov setup-server root@nfs --allow-nodes-from-cluster --address 10.20.0.5
  # Set up the servers, exports and nodes of a file
  nfsprov setup-server --config nfsprov.yaml";

pub(super) const SETUP_CLIENT: &str = "\
Examples:
  # Set up a node as a client, and test a mount
  nfsprov setup-client root@node3 --server nfs";

pub(super) const TEARDOWN_SERVER: &str = "\
Examples:
  # Stop exporting /nfsdata; its data is kept
  nfsprov teardown-server root@nfs --export /nfsdata";

pub(super) const CREATE: &str = "\
Examples:
  # Print a claim
  nfsprov create pvc mypvc --class managed-nfs-storage --size 1Gi
  # Create the claim, and wait until it is Bound
  nfsprov create pvc mypvc --class managed-nfs-storage --size 1Gi --apply --wait";

pub(super) const DOCTOR: &str = "\
Examples:
  # Diagnose the claims of this namespace
  nfsprov doctor
  # Diagnose one claim, its NFS server and its node
  nfsprov doctor pvc/mypvc --ssh root@nfs --ssh root@node1
  # Apply automatic fixes; shows each change and asks
  nfsprov doctor --fix
  # Explain a finding
  nfsprov doctor explain NFS301";

pub(super) const PV: &str = "\
Examples:
  # Print a volume; --apply creates it
  nfsprov create pv mypv --server 10.0.0.1 --path /nfsdata --size 1Gi
  # Create a volume for the claim team/db only
  nfsprov create pv p --server nfs --path /d --size 1Gi --claim team/db --apply";

pub(super) const PVC: &str = "\
Examples:
  # Create a claim of a class, and wait until it is Bound
  nfsprov create pvc mypvc --class managed-nfs-storage --size 1Gi --apply --wait
  # Print a claim for a certain volume
  nfsprov create pvc mypvc --class nfs --size 1Gi --volume mypv";

pub(super) const STORAGECLASS: &str = "\
Examples:
  # Create a class whose deleted volumes are archived
  nfsprov create storageclass managed-nfs-storage --apply
  # Print a class whose directories are named NAMESPACE/CLAIM
  nfsprov create storageclass c --path-pattern '${.PVC.namespace}/${.PVC.name}'
  # Create a class whose claims are limited to their size, and can be expanded
  nfsprov create storageclass limited --quota enforce --allow-expansion --apply";

pub(super) const POD: &str = "\
Examples:
  # Start a pod that mounts the claim at /mydata
  nfsprov create pod mypod --claim mypvc --apply
  # Start a pod with another command
  nfsprov create pod writer --claim mypvc --apply -- sh -c 'date > /mydata/now'";

pub(super) const STATEFULSET: &str = "\
Examples:
  # Create three pods with a claim each, and their Service
  nfsprov create statefulset web --class managed-nfs-storage --apply";

pub(super) const PROVISIONER: &str = "\
Examples:
  # Run nfsprov in the cluster; creates RBAC and a class too
  nfsprov create provisioner --server nfs --path /nfsdata --apply
  # Print the objects for Kubernetes 1.20
  nfsprov create provisioner --server nfs --path /d --kubernetes 1.20";

pub(super) const PROVISION: &str = "\
Examples:
  # Provision the claims of all classes of nfsprov/nfs, until Ctrl-C
  nfsprov provision --watch --server nfs --path /nfsdata
  # Take over the classes of another provisioner
  nfsprov provision --watch --server nfs --path /nfsdata --name fuseim.pri/ifs
  # Limit claims of classes with quota: enforce by commands on the server
  nfsprov provision --watch --server nfs --path /d --quota-ssh ssh://root@nfs
  # Print what would be provisioned
  nfsprov provision --server nfs --path /nfsdata --dry-run";

pub(super) const STATUS: &str = "\
Examples:
  # Show the claims of this namespace, their volumes and provisioners
  nfsprov status
  # Show all namespaces, and the amount of data in each volume
  nfsprov status -A --sizes
  # Show what limited volumes use of their limits
  nfsprov status --server nfs --path /d --via ssh://root@nfs
  # Print JSON for a script
  nfsprov status -A -o json";

pub(super) const RELEASE: &str = "\
Examples:
  # Make a Released volume Available, with its data
  nfsprov release mypv --keep-data
  # Empty the volume first
  nfsprov release mypv --scrub";

pub(super) const VOLUMES: &str = "\
Examples:
  # List the directories on an export and their owners
  nfsprov volumes list --server nfs --path /nfsdata
  # Restore an archived directory for a claim
  nfsprov volumes restore archived-a-b-pvc-5a --claim a/b --server nfs --path /d
  # Print the volumes that a new cluster lacks, then create them
  nfsprov volumes rebuild --server nfs --path /nfsdata
  nfsprov volumes rebuild --apply --server nfs --path /nfsdata
  # Make an existing directory the volume of a claim
  nfsprov volumes adopt old/d --claim a/b --server nfs --path /nfsdata
  # Print the archives that would be deleted
  nfsprov volumes expire --older-than 30d --server nfs --path /nfsdata --dry-run";

pub(super) const VOLUMES_LIST: &str = "\
Examples:
  # List the directories on an export and their owners
  nfsprov volumes list --server nfs --path /nfsdata
  # Show the amount of data in each
  nfsprov volumes list --sizes --server nfs --path /nfsdata";

pub(super) const VOLUMES_ORPHANS: &str = "\
Examples:
  # List the directories without a volume in this cluster
  nfsprov volumes orphans --server nfs --path /nfsdata";

pub(super) const VOLUMES_ARCHIVED: &str = "\
Examples:
  # List the archives that can be restored
  nfsprov volumes archived --server nfs --path /nfsdata";

pub(super) const VOLUMES_RESTORE: &str = "\
Examples:
  # Restore an archived directory for a claim
  nfsprov volumes restore archived-a-b-pvc-5a --claim a/b --server nfs --path /d";

pub(super) const VOLUMES_EXPIRE: &str = "\
Examples:
  # Print the archives that would be deleted
  nfsprov volumes expire --older-than 30d --server nfs --path /nfsdata --dry-run";

pub(super) const VOLUMES_LIMIT: &str = "\
Examples:
  # Measure a volume, and print what it would be limited to
  nfsprov volumes limit pvc-5a --server nfs --path /d --via ssh://nfs --dry-run
  # Limit two volumes to the size of their PVs
  nfsprov volumes limit pvc-5a pvc-5b --server nfs --path /d --via ssh://nfs";

pub(super) const VOLUMES_RECORD: &str = "\
Examples:
  # Write the records of all volumes on an export
  nfsprov volumes record --server nfs --path /nfsdata";

pub(super) const VOLUMES_REBUILD: &str = "\
Examples:
  # Print the volumes that a new cluster lacks, then create them
  nfsprov volumes rebuild --server nfs --path /nfsdata
  nfsprov volumes rebuild --apply --server nfs --path /nfsdata";

pub(super) const VOLUMES_ADOPT: &str = "\
Examples:
  # Make an existing directory the volume of a claim
  nfsprov volumes adopt old/d --claim a/b --server nfs --path /nfsdata";

pub(super) const EXPLAIN: &str = "\
Examples:
  # List all findings
  nfsprov doctor explain
  # Explain one finding
  nfsprov doctor explain NFS301";

pub(super) const TEMPLATES: &str = "\
Examples:
  # Edit the templates of nfsprov create, and use them
  nfsprov templates export ./mine
  nfsprov create pv mypv --server nfs --path /d --size 1Gi --template-dir ./mine";

pub(super) const COMPLETIONS: &str = "\
Examples:
  # Install completion for bash
  nfsprov completions bash > ~/.local/share/bash-completion/completions/nfsprov";

pub(super) const MIGRATE: &str = "\
Examples:
  # Print the plan without making changes
  nfsprov -n nfs migrate nfs-subdir-external-provisioner --dry-run
  # Migrate its classes to nfsprov
  nfsprov -n nfs migrate nfs-subdir-external-provisioner
  # Migrate back to nfs-subdir-external-provisioner
  nfsprov -n nfs migrate nfs-subdir-external-provisioner --back";

pub(super) const IMAGE_LOAD: &str = "\
Examples:
  # Load the image of make dist into two nodes
  nfsprov image load --node root@node1 root@node2
  # Load a file's image into every node of the cluster
  nfsprov image load ./image.tar --nodes-from-cluster";

pub(super) const VERSION: &str = "\
Examples:
  # Print the version as JSON
  nfsprov version -o json";

pub(super) const MAN: &str = "\
Examples:
  # Install the manual pages
  nfsprov man --output-dir /usr/local/share/man/man1";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, Parser};

    use crate::cli::Cli;

    /// The words of a line of shell, as far as the examples use its rules.
    fn words(line: &str) -> Vec<String> {
        let line = line.split(" > ~").next().unwrap_or(line);
        let parts = line.split('\'').enumerate();
        parts
            .flat_map(|(number, part)| match number % 2 {
                1 => vec![part.to_owned()],
                _ => part.split_whitespace().map(str::to_owned).collect(),
            })
            .collect()
    }

    fn all(command: &Command, found: &mut Vec<(String, String)>) {
        let examples = command.get_before_help().map(|text| text.to_string());
        found.push((command.get_name().to_owned(), examples.unwrap_or_default()));
        command.get_subcommands().for_each(|below| all(below, found));
    }

    #[test]
    fn every_example_is_a_command_line() {
        let mut found = Vec::new();
        all(&Cli::command(), &mut found);
        let mut lines = 0;
        for line in found.iter().flat_map(|(_, text)| text.lines()) {
            let Some(line) = line.strip_prefix("  nfsprov") else {
                assert!(line == "Examples:" || line.starts_with("  # "), "{line}");
                continue;
            };
            assert!(line.len() <= 71, "wider than 80 columns: {line}");
            let parsed = Cli::try_parse_from(words(&format!("nfsprov{line}")));
            assert!(parsed.is_ok(), "{line}: {}", parsed.err().unwrap());
            lines += 1;
        }
        assert!(lines > 25, "{lines} examples");
    }
}
