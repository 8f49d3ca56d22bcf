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
    let [manifest, unit, config, rke2] = PLACES.each_ref().map(|place| &*place.path);
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
    let [manifest, unit, config, _] = PLACES.each_ref().map(|place| &*place.path);
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

#[test]
fn a_gate_in_a_file_that_adds_to_another_is_found_and_edited_there() {
    const GATE: &str = "feature-gates=RemoveSelfLink=false";
    let [_, unit, config, _] = PLACES.each_ref().map(|place| &*place.path);
    let (one, two) = (
        "/etc/rancher/k3s/config.yaml.d/10-one.yaml",
        "/etc/rancher/k3s/config.yaml.d/20 two.YML",
    );
    let (conf, other) = (
        "/etc/systemd/system/k3s.service.d/args.conf",
        "/etc/systemd/system/k3s.service.d/proxy.conf",
    );
    let service = "[Service]\nExecStart=/usr/local/bin/k3s server\n";
    let reset = "[Service]\nExecStart=\nExecStart=/usr/local/bin/k3s server --kube-apiserver-arg v=2\n";
    let proxy = "[Service]\nEnvironment=HTTP_PROXY=http://p\n";
    let plain = "kube-apiserver-arg:\n- v=2 # loud\n";
    let gates = "kube-apiserver-arg+:\n- feature-gates=A=true\n";
    for (what, files, wanted, after) in [
        (
            "another file's key takes the place of the first one's",
            vec![(config, "kube-apiserver-arg: v=3\n"), (one, plain)],
            one,
            format!("{plain}- {GATE}\n"),
        ),
        (
            "gates are added to gates",
            vec![(two, "kube-apiserver-arg+: v=4\n"), (config, plain), (one, gates)],
            one,
            "kube-apiserver-arg+:\n- feature-gates=A=true,RemoveSelfLink=false\n".to_owned(),
        ),
        (
            "gates that are replaced don't count",
            vec![(one, gates), (two, plain)],
            two,
            format!("{plain}- {GATE}\n"),
        ),
        (
            "none of them has arguments",
            vec![(config, "token: x\n"), (one, "debug: true\n")],
            config,
            format!("token: x\nkube-apiserver-arg:\n- {GATE}\n"),
        ),
        (
            "the command line is the last one's",
            vec![(unit, service), (other, proxy), (conf, reset), (one, plain)],
            conf,
            format!("{} '--kube-apiserver-arg={GATE}'\n", reset.trim_end()),
        ),
        (
            "a file of another end is read by nobody",
            vec![(config, plain), ("/etc/rancher/k3s/config.yaml.d/x.yaml.off", gates)],
            config,
            format!("{plain}- {GATE}\n"),
        ),
    ] {
        let server = found(&answer(&files, &["k3s"])).unwrap();
        let edits = plan(&server, Order::Set).unwrap();
        let seen: Vec<_> = edits
            .iter()
            .map(|edit| (&*edit.place.path, edit.after.as_deref()))
            .collect();
        assert_eq!(seen, [(wanted, Some(&*after))], "{what}");
        assert!(edits[0].keep, "{what}");
        // Set once, it is not set again elsewhere, and goes again.
        let kept = edits[0].place.kept.clone();
        let before = edits[0].before.clone().unwrap();
        let mut files: Vec<(&str, &str)> = files.into_iter().filter(|(path, _)| *path != wanted).collect();
        files.push((wanted, &after));
        for copy in [false, true] {
            if copy {
                files.push((&kept, &before));
            }
            let server = found(&answer(&files, &["k3s"])).unwrap();
            assert!(plan(&server, Order::Set).unwrap().is_empty(), "{what}");
            for order in [Order::Undo, Order::Unset] {
                let back = plan(&server, order).unwrap();
                let seen: Vec<_> = back.iter().map(|edit| (&*edit.place.path, &edit.after)).collect();
                assert_eq!(seen, [(wanted, &Some(before.clone()))], "{what} {order:?}");
            }
        }
    }
    let both = found(&answer(&[(one, &format!("{plain}{gates}"))], &["k3s"])).unwrap();
    let why = plan(&both, Order::Set).unwrap_err();
    assert!(why.starts_with(one) && why.contains("more than once"), "{why}");
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
    let place = PLACES[0].clone();
    // Whatever is in it.
    let before = "it's $HOME `x` \\\\ 默认\r\n\n\nno end";
    let after = "new 'text'\n\n";
    std::fs::create_dir_all(at(&place.path).parent().unwrap()).unwrap();
    std::fs::write(at(&place.path), before).unwrap();
    std::fs::set_permissions(at(&place.path), PermissionsExt::from_mode(0o640)).unwrap();
    let edit = FileEdit {
        place: place.clone(),
        before: Some(before.to_owned()),
        after: Some(after.to_owned()),
        keep: true,
    };
    assert_eq!(run(&write(&edit), root.path()).0, 0);
    let read = |path: &str| std::fs::read_to_string(at(path)).unwrap();
    let mode = |path: &str| std::fs::metadata(at(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(
        (read(&place.path), read(&place.kept)),
        (after.to_owned(), before.to_owned())
    );
    assert_eq!((mode(&place.path), mode(&place.kept)), (0o640, 0o640));
    let there = std::fs::read_dir(at(&place.path).parent().unwrap()).unwrap().count();
    assert_eq!(there, 1, "only the manifest is where kubelet looks");
    // It is another by now.
    assert_eq!(run(&write(&edit), root.path()).0, 9);
    assert_eq!(read(&place.path), after);
    assert_eq!(run(&write(&edit.back()), root.path()).0, 0);
    assert_eq!(read(&place.path), before);

    let new = FileEdit {
        place: PLACES[2].clone(),
        before: None,
        after: Some("x: y\n".to_owned()),
        keep: false,
    };
    assert_eq!(run(&write(&new), root.path()).0, 0);
    assert_eq!(
        (read(&PLACES[2].path), mode(&PLACES[2].path)),
        ("x: y\n".to_owned(), 0o600)
    );
    assert_eq!(run(&write(&new), root.path()).0, 9);
    // Whatever its name.
    let added = drop_in("/etc/rancher/k3s/config.yaml.d/it's mine.yaml").unwrap();
    std::fs::create_dir_all(at("/etc/rancher/k3s/config.yaml.d")).unwrap();
    std::fs::write(at(&added.path), "a: b\n").unwrap();
    let edit = FileEdit {
        place: added.clone(),
        before: Some("a: b\n".to_owned()),
        after: Some("c: d\n".to_owned()),
        keep: true,
    };
    assert_eq!(run(&write(&edit), root.path()).0, 0);
    assert_eq!(
        (read(&added.path), read(&added.kept)),
        ("c: d\n".to_owned(), "a: b\n".to_owned())
    );
    let (_, looked) = run(&look(), root.path());
    let looked = looked.replace(&root.path().display().to_string(), "");
    assert!(
        looked.starts_with(&format!("{} {}\n{before}\n", place.path, before.len())),
        "{looked}"
    );
    let server = found(looked.as_bytes()).unwrap();
    assert_eq!(server.files[0].text.as_deref(), Some(before));
    let text = |path: &str| looked.contains(&format!("{path} 5\n"));
    assert!(text(&added.path) && text(&added.kept), "{looked}");
    assert_eq!(run(&write(&new.back()), root.path()).0, 0);
    assert!(!at(&PLACES[2].path).exists());
}
