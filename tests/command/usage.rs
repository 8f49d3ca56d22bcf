//! Command lines that nfsprov rejects with status 2 and one sentence.

use crate::support::nfsprov;

#[test]
fn what_cannot_work_is_one_sentence_and_exit_2() {
    let pv = "create pv v --server s --path /p --size 1Gi";
    for (args, words) in [
        ("create pv v --server s --path /p --size 1G1", "1Gi, 500Mi or 1.5T"),
        ("create pv V --server s --path /p --size 1Gi", "lower-case"),
        ("create pv v --server s --path p --size 1Gi", "absolute"),
        ("create pv v --server s:/p --path /p --size 1Gi", "without path or port"),
        ("create pv v --path /p --size 1Gi", "--server"),
        (&format!("{pv} --access-mode RWZ"), "RWX"),
        (&format!("{pv} --reclaim-policy Delete"), "no deleter for NFS"),
        (&format!("{pv} --reclaim-policy delete"), "Retain, Recycle, Delete"),
        (&format!("{pv} --claim c"), "NAMESPACE/NAME"),
        (&format!("{pv} --mount-option ro,soft"), "one word"),
        (&format!("{pv} --wait"), "--apply"),
        (&format!("{pv} --acess-mode RWX"), "--access-mode"),
        ("create pvc", "--size"),
        ("create pvc c --size 0", "more than zero"),
        ("create storageclass c --reclaim-policy Recycle", "Delete or Retain"),
        ("create storageclass c --dir-mode rwx", "octal"),
        ("create storageclass c --provisioner a/b/c", "nfsprov/nfs"),
        ("create storageclass c --server s", "--path"),
        ("provision --server s --path p", "absolute"),
        ("provision --path /p", "--server"),
        ("provision --server s --path /p --via smb", "nfs, ssh://"),
        ("provision --server s --path /p --concurrency 0", "1..=1024"),
        ("provision --server s --path /p --request-timeout soon", "30s or 2m"),
        ("provision --server s --path /p --leader-elect", "--watch"),
        (
            "provision --server s --path /p --watch --lease-namespace n",
            "--leader-elect",
        ),
        (
            "provision --server s --path /p --watch --leader-elect --dry-run",
            "--dry-run",
        ),
        (
            "provision --server s --path /p --watch --leader-elect --name a/B",
            "upper-case",
        ),
        ("provision --server s --path /p --metrics-addr 127.0.0.1:0", "--watch"),
        (
            "provision --server s --path /p --watch --metrics-addr 9100",
            "0.0.0.0:9100",
        ),
        ("status -o yml", "table, wide, json"),
        ("status --sizes --watch", "cannot be used with"),
        ("status --server s", "--path"),
        ("status --watch --server s --path /p", "leave out --server"),
        ("status --watch --via dir:/mnt", "leave out --via"),
        ("status --watch --sudo", "leave out --sudo"),
        ("status --sizes --via dir:/mnt", "--server and --path"),
        ("status --via dir:/mnt", "--server and --path"),
        ("release", "PV"),
        ("release v", "--keep-data"),
        ("release v --keep-data --scrub", "cannot be used with"),
        ("volumes list", "--server"),
        ("volumes orphans --server s --path /p --yes", "--remove-empty"),
        ("volumes rebuild --server s --path /p --yes", "--apply"),
        (
            "volumes rebuild --server s --path /p --apply -o json",
            "cannot be used with",
        ),
        ("volumes rebuild --server s --path /p --claim c", "NAMESPACE/NAME"),
        ("volumes adopt a --server s --path /p", "--claim"),
        (
            "volumes adopt ../a --server s --path /p --claim n/c",
            "no directory name",
        ),
        ("volumes adopt / --server s --path /p --claim n/c", "export's root"),
        ("volumes expire --server s --path /p", "--older-than"),
        ("volumes expire --server s --path /p --older-than 30", "30d or 12h"),
        ("volumes expire --server s --path /p --keep-total much", "100Gi"),
        (
            "volumes expire --server s --path /p --keep-total 1Gi --yes --dry-run",
            "cannot be used with",
        ),
        ("stauts", "status"),
    ] {
        let (stdout, stderr, code) = nfsprov(args);
        assert_eq!((stdout.as_str(), code), ("", 2), "{args}: {stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(words),
            "{args}: {stderr}"
        );
        assert_eq!(stderr.trim_end().lines().count(), 1, "{args}: {stderr}");
    }
}

#[test]
fn what_cannot_be_set_up_is_one_sentence_and_exit_2() {
    for (args, words) in [
        ("setup-server nfs", "--nodes-from-cluster, or --allow CLIENT"),
        ("setup-server", "HOST"),
        (
            "setup-server root:secret@nfs --allow 10.0.0.1",
            "no place on the command line",
        ),
        ("setup-server nfs --allow 10.0.0.*", "10.0.0.*"),
        ("setup-server nfs --allow 10.0.0.5/24", "10.0.0.0/24"),
        ("setup-server nfs --allow 10.0.0.0/33", "33"),
        ("setup-server nfs --allow [fd00::1]", "fd00::1"),
        ("setup-server nfs --allow a;b", "';'"),
        ("setup-server nfs --allow 10.0.0.1 --export nfsdata", "nfsdata"),
        ("setup-server nfs --allow 10.0.0.1 --export /", "/"),
        ("setup-server nfs --allow 10.0.0.1 --export /a/../b", "/a/../b"),
        (
            "setup-server nfs --allow 10.0.0.1 --options rw,no_such_option",
            "no_such_option",
        ),
        ("setup-server nfs --allow 10.0.0.1 --options (rw)", "'('"),
        ("setup-server nfs --allow 10.0.0.1 --mode 888", "a mode is octal"),
        ("setup-server nfs --allow 10.0.0.1 --owner -R", "-R"),
        ("setup-server nfs --allow 10.0.0.1 --owner=-R", "USER:GROUP"),
        (
            "setup-server nfs --allow 10.0.0.1 --nfs-version 2",
            "possible values: 3, 4, all",
        ),
        (
            "setup-server nfs --allow 10.0.0.1 --exports-file /etc/exports.d/a.conf",
            "no file that exportfs reads",
        ),
        ("setup-server nfs --allow 10.0.0.1 --sudo-password-file f", "--sudo"),
        ("setup-client", "required"),
        ("setup-client node --server nfs:/x", "without path or port"),
        ("image load", "--node <[USER@]HOST[:PORT]>"),
        ("image load --node root:secret@node", "no place on the command line"),
        ("teardown-server nfs", "--export <PATH>"),
    ] {
        let (stdout, stderr, code) = nfsprov(args);
        assert_eq!((stdout.as_str(), code), ("", 2), "{args}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args}: {stderr}");
        assert!(
            stderr.starts_with("error: ") && stderr.contains(words),
            "{args}: {stderr}"
        );
    }
}
