//! The examples that the help of each command begins with.

pub(super) const NFSPROV: &str = "\
Examples:
  # Why is this claim Pending?
  nfsprov doctor mypvc
  # Make a host an NFS server for two nodes
  nfsprov setup-server root@nfs --node root@node1 --node root@node2
  # Make volumes for the claims of a class
  nfsprov create storageclass managed-nfs-storage --apply
  nfsprov provision --watch --server nfs --path /nfsdata";

pub(super) const SETUP_SERVER: &str = "\
Examples:
  # See what would be done
  nfsprov setup-server root@nfs --allow 10.0.0.0/24 --dry-run
  # Export /nfsdata to all nodes of the cluster, and make them clients
  nfsprov setup-server ops@nfs --sudo --nodes-from-cluster
  # Nodes without sshd, and a network of its own for NFS
  nfsprov setup-server root@nfs --allow-nodes-from-cluster --address 10.20.0.5";

pub(super) const SETUP_CLIENT: &str = "\
Examples:
  # Make a node able to mount, and try it
  nfsprov setup-client root@node3 --server nfs";

pub(super) const TEARDOWN_SERVER: &str = "\
Examples:
  # Export /nfsdata no longer; its data stays
  nfsprov teardown-server root@nfs --export /nfsdata";

pub(super) const CREATE: &str = "\
Examples:
  # Print a claim
  nfsprov create pvc mypvc --class managed-nfs-storage --size 1Gi
  # Make it, and wait until it is Bound
  nfsprov create pvc mypvc --class managed-nfs-storage --size 1Gi --apply --wait";

pub(super) const DOCTOR: &str = "\
Examples:
  # Why do claims of this namespace wait?
  nfsprov doctor
  # This claim alone, and its server and node too
  nfsprov doctor pvc/mypvc --ssh root@nfs --ssh root@node1
  # Automatic fixes, each shown and confirmed
  nfsprov doctor --fix
  # What a finding means
  nfsprov doctor explain NFS301";

pub(super) const PV: &str = "\
Examples:
  # Print a volume; --apply makes it
  nfsprov create pv mypv --server 10.0.0.1 --path /nfsdata --size 1Gi
  # Make one that only the claim team/db gets
  nfsprov create pv p --server nfs --path /d --size 1Gi --claim team/db --apply";

pub(super) const PVC: &str = "\
Examples:
  # Make a claim of a class, and wait until it is Bound
  nfsprov create pvc mypvc --class managed-nfs-storage --size 1Gi --apply --wait
  # Print one that takes a certain volume
  nfsprov create pvc mypvc --class nfs --size 1Gi --volume mypv";

pub(super) const STORAGECLASS: &str = "\
Examples:
  # Make a class whose deleted volumes are archived
  nfsprov create storageclass managed-nfs-storage --apply
  # Print one whose directories are named by namespace and claim
  nfsprov create storageclass c --path-pattern '${.PVC.namespace}/${.PVC.name}'";

pub(super) const POD: &str = "\
Examples:
  # Start a pod that has the claim at /mydata
  nfsprov create pod mypod --claim mypvc --apply
  # With a command of its own
  nfsprov create pod writer --claim mypvc --apply -- sh -c 'date > /mydata/now'";

pub(super) const STATEFULSET: &str = "\
Examples:
  # Three pods with a claim each, and their Service
  nfsprov create statefulset web --class managed-nfs-storage --apply";

pub(super) const PROVISIONER: &str = "\
Examples:
  # Run nfsprov in the cluster, with its rights and a class
  nfsprov create provisioner --server nfs --path /nfsdata --apply
  # Print what Kubernetes 1.20 can run
  nfsprov create provisioner --server nfs --path /d --kubernetes 1.20";

pub(super) const PROVISION: &str = "\
Examples:
  # Serve the claims of all classes that name nfsprov/nfs, until Ctrl-C
  nfsprov provision --watch --server nfs --path /nfsdata
  # Take over the classes of another provisioner
  nfsprov provision --watch --server nfs --path /nfsdata --name fuseim.pri/ifs
  # Say what would be made
  nfsprov provision --server nfs --path /nfsdata --dry-run";

pub(super) const STATUS: &str = "\
Examples:
  # Claims of this namespace, and what serves them
  nfsprov status
  # All namespaces, with what the directories hold
  nfsprov status -A --sizes
  # For scripts
  nfsprov status -A -o json";

pub(super) const RELEASE: &str = "\
Examples:
  # Let another claim have a Released volume with its data
  nfsprov release mypv --keep-data
  # Empty it before
  nfsprov release mypv --scrub";

pub(super) const VOLUMES: &str = "\
Examples:
  # What lies on an export, and whose it is
  nfsprov volumes list --server nfs --path /nfsdata
  # Bring an archived directory back for a claim
  nfsprov volumes restore archived-a-b-pvc-5a --claim a/b --server nfs --path /d
  # See what a new cluster lacks of an old one, then create it
  nfsprov volumes rebuild --server nfs --path /nfsdata
  nfsprov volumes rebuild --apply --server nfs --path /nfsdata
  # Give a claim a directory that is there already
  nfsprov volumes adopt old/d --claim a/b --server nfs --path /nfsdata
  # See what archives would go
  nfsprov volumes expire --older-than 30d --server nfs --path /nfsdata --dry-run";

pub(super) const TEMPLATES: &str = "\
Examples:
  # Change the manifests that create writes
  nfsprov templates export ./mine
  nfsprov create pv mypv --server nfs --path /d --size 1Gi --template-dir ./mine";

pub(super) const COMPLETIONS: &str = "\
Examples:
  # Complete in this shell, and in those to come
  nfsprov completions bash > ~/.local/share/bash-completion/completions/nfsprov";

pub(super) const MIGRATE: &str = "\
Examples:
  # See what would be done
  nfsprov -n nfs migrate nfs-subdir-external-provisioner --dry-run
  # Let nfsprov serve the claims of its classes
  nfsprov -n nfs migrate nfs-subdir-external-provisioner
  # Let nfs-subdir-external-provisioner serve them again
  nfsprov -n nfs migrate nfs-subdir-external-provisioner --back";

pub(super) const VERSION: &str = "\
Examples:
  # The version for a script
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
