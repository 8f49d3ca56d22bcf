//! Which runtime is chosen for what a node has, and the scripts, run by shells.

use super::*;
use crate::host::script::Frame;
use crate::host::shells::{StandIns, run_in_each_shell};

const IMAGE: &str = "ghcr.io/owner/image:1";

#[test]
fn the_kubelets_runtime_is_chosen_by_its_socket() {
    let k3s = "/run/k3s/containerd/containerd.sock";
    for (what, seen, chosen) in rows![
        (
            "containerd",
            "0\nx86_64\n/run/containerd/containerd.sock\nctr\n",
            Ok("containerd")
        ),
        ("K3s", &format!("0\nx86_64\n{k3s}\nk3s\n"), Ok("K3s")),
        (
            "K3s beside containerd",
            &format!("0\nx86_64\n/run/containerd/containerd.sock\n{k3s}\nctr\nk3s\n"),
            Ok("K3s")
        ),
        (
            "RKE2",
            &format!("0\nx86_64\n{k3s}\n/var/lib/rancher/rke2/bin/ctr\n"),
            Ok("RKE2")
        ),
        (
            "neither K3s nor RKE2",
            &format!("0\nx86_64\n{k3s}\nctr\n"),
            Err("k3s or /var/lib/rancher/rke2/bin/ctr")
        ),
        ("CRI-O", "0\nx86_64\n/run/crio/crio.sock\npodman\n", Ok("CRI-O")),
        (
            "CRI-O without podman, beside a containerd that no kubelet uses",
            "0\nx86_64\n/run/containerd/containerd.sock\n/run/crio/crio.sock\nctr\n",
            Err("/run/crio/crio.sock needs podman to load images, which is missing"),
        ),
        (
            "Docker, which has a containerd",
            "0\nx86_64\n/run/containerd/containerd.sock\n/run/cri-dockerd.sock\nctr\ndocker\n",
            Ok("Docker"),
        ),
        (
            "an old kubelet's Docker",
            "0\nx86_64\n/var/run/dockershim.sock\nctr\ndocker\n",
            Ok("Docker")
        ),
        (
            "programs without a socket",
            "0\nx86_64\nctr\ndocker\nk3s\npodman\n",
            Err("none of the sockets /run/")
        ),
        ("nothing", "", Err("only root can do this")),
        (
            "another user",
            "1000\nx86_64\n/run/containerd/containerd.sock\nctr\n",
            Err("or pass --sudo")
        ),
        (
            "another architecture",
            "0\naarch64\n/run/containerd/containerd.sock\nctr\n",
            Err("the image is for amd64, but the node is arm64; pass the archive for arm64"),
        ),
    ] {
        let runtime = choose_runtime(seen, Some("amd64"));
        match (&runtime, chosen) {
            (Ok(runtime), Ok(name)) => assert_eq!(runtime.name, name, "{what}"),
            (Err(why), Err(words)) => assert!(why.contains(words), "{what}: {why}"),
            _ => panic!("{what}: {runtime:?}"),
        }
    }
    let unknown = choose_runtime("0\nriscv64\n/run/crio/crio.sock\npodman\n", None);
    assert!(unknown.is_ok(), "{unknown:?}");
}

#[test]
fn a_complete_image_is_known_by_its_name_and_digest() {
    let ctr = "REF TYPE DIGEST STATUS SIZE UNPACKED \n\
               ghcr.io/owner/image:1 application/vnd.oci.image.manifest.v1+json sha256:12 complete (3/3) 7.1 MiB/7.1 MiB true \n";
    let half = &ctr.replace("complete (3/3)", "incomplete (2/3)");
    for (list, digest, is_listed) in rows![
        (ctr, Some("sha256:12"), true),
        (ctr, None, true),
        (ctr, Some("sha256:1"), false),
        (ctr, Some(""), false),
        (half, Some("sha256:12"), false),
        ("ghcr.io/owner/image:1 sha256:12 complete\n", Some("sha256:12"), true),
        // Docker's own store has the configuration's digest.
        (
            "ghcr.io/owner/image:1 sha256:56 complete\n",
            Some("sha256:56 sha256:12"),
            true
        ),
        ("ghcr.io/owner/image:1 sha256:56 complete\n", Some("sha256:12"), false),
        ("ghcr.io/owner/image:10 sha256:12 complete\n", None, false),
        ("unpacking ghcr.io/owner/image:1 (sha256:12)...done\n", None, false),
        ("", None, false),
    ] {
        let digests: Option<Vec<String>> =
            digest.map(|digests: &str| digests.split_whitespace().map(str::to_owned).collect());
        assert_eq!(
            lists_image(list, IMAGE, digests.as_deref()),
            is_listed,
            "{digest:?} in {list}"
        );
    }
}

#[test]
fn every_shell_finds_the_same() {
    let programs = StandIns::new(&[("id", "#!/bin/sh\necho 0\n"), ("ctr", ""), ("podman", "")]);
    let path = programs.search_path();
    run_in_each_shell(&find_runtime_script(), &[("PATH", &path)], |shell, output| {
        let seen = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<_> = seen.lines().collect();
        assert_eq!((output.status.code(), lines[0]), (Some(0), "0"), "{shell}: {seen}");
        assert!(lines.contains(&"ctr") && lines.contains(&"podman"), "{shell}: {seen}");
        assert!(!lines.contains(&"/var/lib/rancher/rke2/bin/ctr"), "{shell}: {seen}");
    });
}

/// Loads an archive with programs in the place of the node's; `check` gets the shell's name, the status, both outputs
/// and what is left in the directory for temporary files.
fn load(archive: &[u8], programs: &[(&str, &str)], check: impl Fn(&str, u8, &str, &str, usize)) {
    let programs = StandIns::new(programs);
    let folder = tempfile::tempdir().unwrap();
    let containerd = RUNTIMES.iter().find(|runtime| runtime.name == "containerd").unwrap();
    let frame = Frame::new("n0nce".into());
    let script = frame.wrap(&containerd.load_script(archive, IMAGE));
    let (path, temporary) = (programs.search_path(), folder.path().to_str().unwrap());
    run_in_each_shell(&script, &[("PATH", &path), ("TMPDIR", temporary)], |shell, output| {
        let framed = frame.find_output(&output.stdout).unwrap();
        let (stdout, stderr) = (
            String::from_utf8_lossy(framed.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        let left = folder.path().read_dir().unwrap().count();
        check(shell, framed.status, &stdout, &stderr, left);
    });
}

#[test]
fn a_runtime_gets_the_archive_as_it_is() {
    let archive: Vec<u8> = (0..=255).cycle().take(2 * BYTES_PER_LINE + 1).collect();
    let sum = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)))
    };
    let ctr = "#!/bin/sh\ncase $4 in import) echo unpacking; od -An -v -tu1 \"$5\" >&2;; check) echo \"$5\";; esac\n";
    load(&archive, &[("ctr", ctr)], |shell, status, stdout, stderr, left| {
        let bytes = stderr.split_whitespace().filter_map(|word| word.parse().ok());
        let bytes: Vec<u8> = bytes.collect();
        assert_eq!(
            (status, stdout, left),
            (0, "name==ghcr.io/owner/image:1\n", 0),
            "{shell}: {stderr}"
        );
        assert_eq!((bytes.len(), sum(&bytes)), (archive.len(), sum(&archive)), "{shell}");
    });
}

#[test]
fn a_failure_on_the_way_is_no_success() {
    let ctr = "#!/bin/sh\necho \"$5\"\n";
    for (what, programs, words) in [
        (
            "the disk is full",
            [
                (
                    "mktemp",
                    "#!/bin/sh\nln -s /dev/full \"$TMPDIR/full\"; echo \"$TMPDIR/full\"\n",
                ),
                ("ctr", ctr),
            ],
            "No space left",
        ),
        (
            "the runtime refuses the archive",
            [
                ("ctr", "#!/bin/sh\necho 'ctr: unrecognized image format' >&2; exit 1\n"),
                ("id", ""),
            ],
            "unrecognized",
        ),
    ] {
        load(b"archive", &programs, |shell, status, stdout, stderr, left| {
            assert_eq!((status, stdout, left), (1, "", 0), "{what}, {shell}: {stderr}");
            assert!(stderr.contains(words), "{what}, {shell}: {stderr}");
        });
    }
}
