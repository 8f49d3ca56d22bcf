use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;

const MANIFEST: &str = "spec:\n  containers:\n  - command:\n    - kube-apiserver\n    - --v=2\n";

fn answer(files: &[(&str, &str)], units: &[&str]) -> Vec<u8> {
    let mut answer = String::new();
    for (path, text) in files {
        answer += &format!("{path} {}\n{text}\n", text.len());
    }
    for unit in units {
        answer += &format!("unit {unit}\n");
    }
    answer.into_bytes()
}

#[test]
fn a_host_says_how_its_server_was_installed() {
    let [manifest, unit, config, rke2] = PLACES.map(|place| place.path);
    let service = "[Service]\nExecStart=/usr/local/bin/k3s server\n";
    for (files, units, wanted) in [
        (vec![(manifest, MANIFEST)], vec![], Some(Installed::Kubeadm)),
        (
            vec![(unit, service), (config, "token: x\n")],
            vec!["k3s"],
            Some(Installed::K3s),
        ),
        (vec![], vec!["k3s"], Some(Installed::K3s)),
        (vec![(rke2, "token: x")], vec!["rke2-server"], Some(Installed::Rke2)),
        (vec![], vec![], None),
        // An agent's configuration makes no server.
        (vec![(config, "token: x\n")], vec![], None),
    ] {
        let found = found(&answer(&files, &units));
        assert_eq!(
            found.as_ref().ok().map(|server| server.installed),
            wanted,
            "{files:?} {units:?}: {found:?}"
        );
    }
    assert!(found(b"/etc/rancher/k3s/config.yaml 50\nshort\n").is_err());
}

#[test]
fn the_file_that_counts_is_edited() {
    let [manifest, unit, config, _] = PLACES.map(|place| place.path);
    let with_arguments = "[Service]\nExecStart=/usr/local/bin/k3s server --kube-apiserver-arg v=2\n";
    let without = "[Service]\nExecStart=/usr/local/bin/k3s server\n";
    for (files, wanted) in [
        (vec![(manifest, MANIFEST)], manifest),
        // The command line's arguments hide the file's.
        (
            vec![(unit, with_arguments), (config, "kube-apiserver-arg: v=3\n")],
            unit,
        ),
        (vec![(unit, without), (config, "token: x\n")], config),
        (vec![(unit, without)], config),
    ] {
        let server = found(&answer(&files, &["k3s"])).unwrap();
        let edits = plan(&server, Order::Set).unwrap();
        assert_eq!(edits.len(), 1, "{files:?}");
        assert_eq!(edits[0].place.path, wanted, "{files:?}");
        assert_eq!(edits[0].keep, edits[0].before.is_some());
        assert!(plan(&server, Order::Unset).unwrap().is_empty(), "{files:?}");
        // Then it is so, and what was there comes back.
        let mut after = server.clone();
        for file in after.files.iter_mut().filter(|file| file.place.path == wanted) {
            file.copy = file.text.take();
            file.text.clone_from(&edits[0].after);
        }
        assert!(plan(&after, Order::Set).unwrap().is_empty(), "{files:?}");
        for order in [Order::Undo, Order::Unset] {
            let back = plan(&after, order).unwrap();
            assert_eq!(back.len(), 1, "{files:?}");
            assert_eq!(back[0].after, edits[0].before, "{files:?} {order:?}");
        }
    }
    let broken = found(&answer(&[(manifest, "spec: {}\n")], &[])).unwrap();
    let why = plan(&broken, Order::Set).unwrap_err();
    assert!(why.starts_with(manifest) && why.contains("no container in it"), "{why}");
}

/// Runs a script in which the paths are in `root`.
fn run(script: &str, root: &Path) -> (i32, String) {
    let script = script.replace("/etc/", &format!("{}/etc/", root.display()));
    let mut shell = Command::new("sh");
    shell.arg("-s").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn files_are_exchanged_whole_and_with_their_modes() {
    use std::os::unix::fs::PermissionsExt;
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path.trim_start_matches('/'));
    let place = PLACES[0];
    // Whatever is in it.
    let before = "it's $HOME `x` \\\\ 默认\r\n\n\nno end";
    let after = "new 'text'\n\n";
    std::fs::create_dir_all(at(place.path).parent().unwrap()).unwrap();
    std::fs::write(at(place.path), before).unwrap();
    std::fs::set_permissions(at(place.path), PermissionsExt::from_mode(0o640)).unwrap();
    let edit = FileEdit {
        place,
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
        keep: true,
    };
    assert_eq!(run(&write(&edit), root.path()).0, 0);
    let read = |path: &str| std::fs::read_to_string(at(path)).unwrap();
    let mode = |path: &str| std::fs::metadata(at(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        (read(place.path), read(place.kept)),
        (after.to_owned(), before.to_owned())
    );
    assert_eq!((mode(place.path), mode(place.kept)), (0o640, 0o640));
    let there = std::fs::read_dir(at(place.path).parent().unwrap()).unwrap().count();
    assert_eq!(there, 1, "only the manifest is where kubelet looks");
    // It is another by now.
    assert_eq!(run(&write(&edit), root.path()).0, 9);
    assert_eq!(read(place.path), after);
    assert_eq!(run(&write(&edit.back()), root.path()).0, 0);
    assert_eq!(read(place.path), before);

    let new = FileEdit {
        place: PLACES[2],
        before: None,
        after: Some("x: y\n".to_owned()),
        keep: false,
    };
    assert_eq!(run(&write(&new), root.path()).0, 0);
    assert_eq!(
        (read(PLACES[2].path), mode(PLACES[2].path)),
        ("x: y\n".to_owned(), 0o600)
    );
    assert_eq!(run(&write(&new), root.path()).0, 9);
    let (_, looked) = run(&look(), root.path());
    let looked = looked.replace(&root.path().display().to_string(), "");
    assert!(
        looked.starts_with(&format!("{} {}\n{before}\n", place.path, before.len())),
        "{looked}"
    );
    let server = found(looked.as_bytes()).unwrap();
    assert_eq!(server.files[0].text.as_deref(), Some(before));
    assert_eq!(run(&write(&new.back()), root.path()).0, 0);
    assert!(!at(PLACES[2].path).exists());
}
