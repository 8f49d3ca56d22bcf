use super::*;

const MANIFEST: &str = "spec:\n  containers:\n  - command:\n    - kube-apiserver\n    - --secure-port=7443\n";

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
fn a_host_tells_how_its_api_server_was_installed() {
    let [manifest, unit, config, rke2] = [0, 1, 3, 6].map(|number| FILES[number].2);
    let service = "[Service]\nExecStart=/usr/local/bin/k3s server\n";
    for (files, units, wanted) in rows! {
        (vec![(manifest, MANIFEST)], vec![], Some(Installed::Kubeadm)),
        (vec![(unit, service), (config, "token: x\n")], vec!["k3s"], Some(Installed::K3s)),
        (vec![], vec!["k3s"], Some(Installed::K3s)),
        (vec![(rke2, "token: x")], vec!["rke2-server"], Some(Installed::Rke2)),
        (vec![], vec![], None),
        // An agent's configuration makes no server.
        (vec![(config, "token: x\n")], vec![], None),
    } {
        let installed = parse_answer(&answer(&files, &units))
            .ok()
            .map(|server| server.installed);
        assert_eq!(installed, wanted, "{files:?} {units:?}");
    }
    assert!(parse_answer(b"/etc/rancher/k3s/config.yaml 50\nshort\n").is_err());
}

#[test]
fn the_nodes_own_api_server_is_where_its_files_say() {
    let [manifest, unit, config] = [0, 1, 3].map(|number| FILES[number].2);
    let (one, conf) = (
        "/etc/rancher/k3s/config.yaml.d/1.yaml",
        "/etc/systemd/system/k3s.service.d/1.conf",
    );
    let start = |arguments: &str| format!("[Service]\nExecStart=/usr/local/bin/k3s server {arguments}\n");
    let (port, address) = (start("'--https-listen-port' '8443'"), start("--bind-address=10.0.0.5"));
    let other_programs =
        start("--kube-proxy-arg=metrics-bind-address=10.0.0.9 '--kube-proxy-arg' 'bind-address=10.0.0.9'");
    let manifest_text = "# - --bind-address=10.0.0.9\nspec:\n  containers:\n  - command:\n    - proxy\n    - \
                         --secure-port=9443\n  - command:\n    - kube-apiserver\n    - --bind-address=10.0.0.5\n    - \
                         --advertise-address=10.0.0.9\n    - --secure-port=7443\n";
    for (files, address, port) in rows! {
        (vec![(manifest, MANIFEST)], "127.0.0.1", "7443"),
        (vec![(manifest, manifest_text)], "10.0.0.5", "7443"),
        (vec![(config, "https-listen-port: 8443\nbind-address: fd00::1\n")], "[fd00::1]", "8443"),
        (vec![(unit, &port), (config, "bind-address: 0.0.0.0\n")], "127.0.0.1", "8443"),
        // Comments, and other programs' settings.
        (vec![(config, "# bind-address: 10.0.0.9\nkube-proxy-arg:\n- metrics-bind-address=10.0.0.9\n- \
            bind-address=10.0.0.9\n")], "127.0.0.1", "6443"),
        (vec![(config, "kube-proxy-arg: metrics-bind-address=10.0.0.9\nbind-address: \"10.0.0.5\"\n")], "10.0.0.5",
            "6443"),
        (vec![(unit, &other_programs)], "127.0.0.1", "6443"),
        // The command line wins, then the last file.
        (vec![(unit, &address), (config, "bind-address: 10.0.0.9\nhttps-listen-port: '8443'\n")], "10.0.0.5", "8443"),
        (vec![(unit, &address), (conf, &port)], "127.0.0.1", "8443"),
        (vec![(config, "bind-address: 10.0.0.9\n"), (one, "bind-address: 10.0.0.5\n")], "10.0.0.5", "6443"),
        (vec![(config, "bind-address: a.example; reboot\nhttps-listen-port: 70000\n")], "127.0.0.1", "6443"),
    } {
        let server = parse_answer(&answer(&files, &["k3s"])).unwrap();
        assert_eq!(
            server.api_endpoint(),
            (address.to_owned(), port.to_owned()),
            "{files:?}"
        );
    }
}

#[test]
fn the_file_that_counts_is_edited() {
    let [manifest, unit, config] = [0, 1, 3].map(|number| FILES[number].2);
    let with_arguments = "[Service]\nExecStart=/usr/local/bin/k3s server --kube-apiserver-arg v=2\n";
    let without = "[Service]\nExecStart=/usr/local/bin/k3s server\n";
    for (files, wanted) in [
        (vec![(manifest, MANIFEST)], manifest),
        // Arguments of the command line replace those of the file.
        (
            vec![(unit, with_arguments), (config, "kube-apiserver-arg: v=3\n")],
            unit,
        ),
        (vec![(unit, without), (config, "token: x\n")], config),
        (vec![(unit, without)], config),
    ] {
        let server = parse_answer(&answer(&files, &["k3s"])).unwrap();
        let edits = server.plan_edits(Gate::Set).unwrap();
        assert_eq!(edits.len(), 1, "{files:?}");
        assert_eq!(edits[0].path, wanted, "{files:?}");
        assert_eq!(edits[0].keeps_copy, edits[0].before.is_some());
        assert!(server.plan_edits(Gate::Unset).unwrap().is_empty(), "{files:?}");
        // Set once, it is not set again, and an undo brings back what was there.
        let mut after = server.clone();
        for file in after.files.iter_mut().filter(|file| file.path == wanted) {
            file.copy = file.text.take();
            file.text.clone_from(&edits[0].after);
        }
        assert!(after.plan_edits(Gate::Set).unwrap().is_empty(), "{files:?}");
        let back = after.plan_edits(Gate::Unset).unwrap();
        assert_eq!(back.len(), 1, "{files:?}");
        assert_eq!(back[0].after, edits[0].before, "{files:?}");
    }
    let broken = parse_answer(&answer(&[(manifest, "spec: {}\n")], &[])).unwrap();
    let why = broken.plan_edits(Gate::Set).unwrap_err();
    assert!(why.contains(manifest) && why.contains("no container in it"), "{why}");
}

#[test]
fn a_gate_in_a_file_that_adds_to_another_is_found_and_edited_there() {
    const GATE: &str = "feature-gates=RemoveSelfLink=false";
    let (unit, config) = (FILES[1].2, FILES[3].2);
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
    for (what, files, wanted, after) in rows! {
        ("another file's key takes the place of the first one's", vec![(config, "kube-apiserver-arg: v=3\n"), (one,
            plain)], one, format!("{plain}- {GATE}\n")),
        ("gates are added to gates", vec![(two, "kube-apiserver-arg+: v=4\n"), (config, plain), (one, gates)], one,
            "kube-apiserver-arg+:\n- feature-gates=A=true,RemoveSelfLink=false\n".to_owned()),
        ("gates that are replaced don't count", vec![(one, gates), (two, plain)], two, format!("{plain}- {GATE}\n")),
        ("none of them has arguments", vec![(config, "token: x\n"), (one, "debug: true\n")], config,
            format!("token: x\nkube-apiserver-arg:\n- {GATE}\n")),
        ("the command line is the last one's", vec![(unit, service), (other, proxy), (conf, reset), (one, plain)],
            conf, format!("{} '--kube-apiserver-arg={GATE}'\n", reset.trim_end())),
        ("systemd reads no drop-in whose extension is in upper case", vec![(unit, service), (conf, reset),
            ("/etc/systemd/system/k3s.service.d/z.CONF", service)], conf,
            format!("{} '--kube-apiserver-arg={GATE}'\n", reset.trim_end())),
        ("a file with another suffix is not read", vec![(config, plain),
            ("/etc/rancher/k3s/config.yaml.d/x.yaml.off", gates)], config, format!("{plain}- {GATE}\n")),
    } {
        let server = parse_answer(&answer(&files, &["k3s"])).unwrap();
        let edits = server.plan_edits(Gate::Set).unwrap();
        let seen: Vec<_> = edits.iter().map(|edit| (&*edit.path, edit.after.as_deref())).collect();
        assert_eq!(seen, [(wanted, Some(&*after))], "{what}");
        assert!(edits[0].keeps_copy, "{what}");
        // Set once, it is not set again elsewhere, and goes again.
        let kept = copy_of(wanted);
        let before = edits[0].before.clone().unwrap();
        let mut files: Vec<(&str, &str)> = files.into_iter().filter(|(path, _)| *path != wanted).collect();
        files.push((wanted, &after));
        for copy in [false, true] {
            if copy {
                files.push((&kept, &before));
            }
            let server = parse_answer(&answer(&files, &["k3s"])).unwrap();
            assert!(server.plan_edits(Gate::Set).unwrap().is_empty(), "{what}");
            let back = server.plan_edits(Gate::Unset).unwrap();
            let seen: Vec<_> = back.iter().map(|edit| (&*edit.path, &edit.after)).collect();
            assert_eq!(seen, [(wanted, &Some(before.clone()))], "{what}");
        }
    }
    let twice = format!("{plain}{plain}");
    let both = parse_answer(&answer(&[(one, &twice)], &["k3s"])).unwrap();
    let why = both.plan_edits(Gate::Set).unwrap_err();
    assert!(why.contains(one), "{why}");
}
