use super::Kind::{ClusterConfiguration, Config, Manifest, Unit};
use super::*;

/// A static pod as kubeadm writes it, with these lines among its arguments.
fn pod(arguments: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  annotations:\n    kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: 10.0.0.1:6443\n  \
         name: kube-apiserver\n  namespace: kube-system\nspec:\n  containers:\n  - command:\n    - kube-apiserver\n    \
         - --advertise-address=10.0.0.1\n{arguments}    image: k8s.gcr.io/kube-apiserver:v1.20.2\n    livenessProbe:\n      \
         failureThreshold: 8\n      httpGet:\n        host: 10.0.0.1\n    volumeMounts:\n    - mountPath: /etc/ssl/certs\n      \
         name: ca-certs\n  hostNetwork: true\n"
    )
}

fn clusters(api_server: &str) -> String {
    format!(
        "{api_server}apiVersion: kubeadm.k8s.io/v1beta2\ncertificatesDir: /etc/kubernetes/pki\nclusterName: kubernetes\n\
         controllerManager: {{}}\nkind: ClusterConfiguration\n"
    )
}

fn service(command: &str) -> String {
    format!(
        "[Unit]\nDescription=Lightweight Kubernetes\n\n[Service]\nType=notify\nExecStartPre=-/sbin/modprobe overlay\n\
         ExecStart={command}\n\n[Install]\nWantedBy=multi-user.target\n"
    )
}

/// What it is; the kind of file; without the gate; with it; whether taking it away needs no copy to give the same bytes.
fn variants() -> Vec<(&'static str, Kind, String, String, bool)> {
    let p = |what, before: &str, after: &str| (what, Manifest, pod(before), pod(after), true);
    let c =
        |what, before: &str, after: &str, exact| (what, ClusterConfiguration, clusters(before), clusters(after), exact);
    let y = |what, before: &str, after: &str, exact| (what, Config, before.to_owned(), after.to_owned(), exact);
    let u = |what, before: &str, after: &str| (what, Unit, service(before), service(after), true);
    let flow = |arguments: &str| {
        format!(
            "spec:\n  containers:\n  - name: kube-apiserver\n    command: [kube-apiserver]\n    args: [{arguments}]\n    image: x\n"
        )
    };
    let crlf = |arguments: &str| pod(arguments).replace('\n', "\r\n");
    let unended =
        |arguments: &str| format!("spec:\n  containers:\n  - image: x\n    command:\n    - kube-apiserver{arguments}");
    let sidecar = |arguments: &str| {
        format!(
            "spec:\n  containers:\n    - name: other\n      command:\n        - other\n        - --feature-gates=A=true\n    \
             - name: kube-apiserver\n      args:\n        - --v=2\n{arguments}      command:\n        # The program.\n        \
             - /usr/local/bin/kube-apiserver\n    - name: last\n      args:\n        - --last\n"
        )
    };
    let over_lines = |arguments: &str| {
        format!(
            "spec:\n  containers:\n  - command: [\n      \"kube-apiserver\", # itself\n      \"--v=2\"{arguments}\n    ]\n"
        )
    };
    let gate = "    - --feature-gates=RemoveSelfLink=false\n";
    vec![
        p("kubeadm's own", "", gate),
        p(
            "another gate",
            "    - --feature-gates=EphemeralContainers=true\n    - --v=2\n",
            "    - --feature-gates=EphemeralContainers=true,RemoveSelfLink=false\n    - --v=2\n",
        ),
        p(
            "in double quotes",
            "    - \"--feature-gates=A=true,B=false\"\n",
            "    - \"--feature-gates=A=true,B=false,RemoveSelfLink=false\"\n",
        ),
        p(
            "in single quotes, with a comment",
            "    - '--feature-gates=A=true' # for the batch jobs\n",
            "    - '--feature-gates=A=true,RemoveSelfLink=false' # for the batch jobs\n",
        ),
        p(
            "flag and value apart",
            "    - --feature-gates\n    - A=true\n    - --v=2\n",
            "    - --feature-gates\n    - A=true,RemoveSelfLink=false\n    - --v=2\n",
        ),
        p(
            "commented out",
            "    # - --feature-gates=RemoveSelfLink=false\n    - --v=2\n",
            "    # - --feature-gates=RemoveSelfLink=false\n    - --v=2\n    - --feature-gates=RemoveSelfLink=false\n",
        ),
        p(
            "two flags",
            "    - --feature-gates=A=true\n    - --feature-gates=B=true\n",
            "    - --feature-gates=A=true\n    - --feature-gates=B=true,RemoveSelfLink=false\n",
        ),
        (
            "CRLF",
            Manifest,
            crlf("    - --v=2\n"),
            crlf(&format!("    - --v=2\n{gate}")),
            true,
        ),
        (
            "no end of the last line",
            Manifest,
            unended("\n    - --v=2"),
            unended("\n    - --v=2\n    - --feature-gates=RemoveSelfLink=false"),
            true,
        ),
        (
            "args beside the command",
            Manifest,
            flow("\"--v=2\", \"--feature-gates=A=true\""),
            flow("\"--v=2\", \"--feature-gates=A=true,RemoveSelfLink=false\""),
            true,
        ),
        (
            "between brackets",
            Manifest,
            flow("--v=2"),
            flow("--v=2, --feature-gates=RemoveSelfLink=false"),
            true,
        ),
        (
            "between brackets, without quotes",
            Manifest,
            flow("--feature-gates=A=true, --v=2"),
            flow("\"--feature-gates=A=true,RemoveSelfLink=false\", --v=2"),
            false,
        ),
        (
            "between brackets over lines",
            Manifest,
            over_lines(""),
            over_lines(", \"--feature-gates=RemoveSelfLink=false\""),
            true,
        ),
        (
            "containers beside it",
            Manifest,
            sidecar(""),
            sidecar("        - --feature-gates=RemoveSelfLink=false\n"),
            true,
        ),
        c(
            "no extra arguments",
            "apiServer:\n  timeoutForControlPlane: 4m0s\n",
            "apiServer:\n  extraArgs:\n    feature-gates: RemoveSelfLink=false\n  timeoutForControlPlane: 4m0s\n",
            true,
        ),
        c(
            "an empty API server",
            "apiServer: {}\n",
            "apiServer:\n  extraArgs:\n    feature-gates: RemoveSelfLink=false\n",
            true,
        ),
        c(
            "other arguments",
            "apiServer:\n  extraArgs:\n    authorization-mode: Node,RBAC\n  timeoutForControlPlane: 4m0s\n",
            "apiServer:\n  extraArgs:\n    feature-gates: RemoveSelfLink=false\n    authorization-mode: Node,RBAC\n  timeoutForControlPlane: 4m0s\n",
            true,
        ),
        c(
            "other gates",
            "apiServer:\n  certSANs:\n  - a\n  extraArgs:\n    feature-gates: \"A=true\" # note\n",
            "apiServer:\n  certSANs:\n  - a\n  extraArgs:\n    feature-gates: \"A=true,RemoveSelfLink=false\" # note\n",
            true,
        ),
        c(
            "v1beta4, other gates",
            "apiServer:\n  extraArgs:\n  - name: v\n    value: \"2\"\n  - name: feature-gates\n    value: A=true\n",
            "apiServer:\n  extraArgs:\n  - name: v\n    value: \"2\"\n  - name: feature-gates\n    value: A=true,RemoveSelfLink=false\n",
            true,
        ),
        c(
            "v1beta4, none",
            "apiServer:\n  extraArgs:\n    - name: v\n      value: \"2\"\n",
            "apiServer:\n  extraArgs:\n    - name: feature-gates\n      value: RemoveSelfLink=false\n    - name: v\n      value: \"2\"\n",
            true,
        ),
        y(
            "no file",
            "",
            "kube-apiserver-arg:\n- feature-gates=RemoveSelfLink=false\n",
            true,
        ),
        y(
            "other settings",
            "write-kubeconfig-mode: \"0644\"\ntls-san:\n  - k3s.example.com\n",
            "write-kubeconfig-mode: \"0644\"\ntls-san:\n  - k3s.example.com\nkube-apiserver-arg:\n- feature-gates=RemoveSelfLink=false\n",
            true,
        ),
        y(
            "other settings without an end",
            "token: x",
            "token: x\nkube-apiserver-arg:\n- feature-gates=RemoveSelfLink=false",
            true,
        ),
        y(
            "a list",
            "kube-apiserver-arg:\n  - \"audit-log-path=/var/log/audit.log\"\n  - \"feature-gates=A=true\"\ndisable: traefik\n",
            "kube-apiserver-arg:\n  - \"audit-log-path=/var/log/audit.log\"\n  - \"feature-gates=A=true,RemoveSelfLink=false\"\ndisable: traefik\n",
            true,
        ),
        y(
            "a list without gates",
            "kube-apiserver-arg:\n  - \"v=2\"\n  # the end\ndisable: traefik\n",
            "kube-apiserver-arg:\n  - \"v=2\"\n  - \"feature-gates=RemoveSelfLink=false\"\n  # the end\ndisable: traefik\n",
            true,
        ),
        y(
            "a single value",
            "kube-apiserver-arg: v=2\ndisable: traefik\n",
            "kube-apiserver-arg: [v=2, feature-gates=RemoveSelfLink=false]\ndisable: traefik\n",
            false,
        ),
        y(
            "a single value with commas",
            "kube-apiserver-arg: enable-admission-plugins=A,B\n",
            "kube-apiserver-arg: [\"enable-admission-plugins=A,B\", feature-gates=RemoveSelfLink=false]\n",
            false,
        ),
        y(
            "single gates",
            "kube-apiserver-arg: 'feature-gates=A=true'\n",
            "kube-apiserver-arg: 'feature-gates=A=true,RemoveSelfLink=false'\n",
            true,
        ),
        y(
            "brackets",
            "kube-apiserver-arg: [\"v=2\"]\n",
            "kube-apiserver-arg: [\"v=2\", \"feature-gates=RemoveSelfLink=false\"]\n",
            true,
        ),
        u(
            "K3s' installer's own",
            "/usr/local/bin/k3s \\\n    server \\\n\t'--kube-apiserver-arg' \\\n\t'v=2' \\\n",
            "/usr/local/bin/k3s \\\n    server \\\n\t'--kube-apiserver-arg' \\\n\t'v=2' '--kube-apiserver-arg=feature-gates=RemoveSelfLink=false' \\\n",
        ),
        u(
            "other gates in a unit",
            "/usr/local/bin/k3s server --kube-apiserver-arg=feature-gates=A=true --disable traefik",
            "/usr/local/bin/k3s server --kube-apiserver-arg=feature-gates=A=true,RemoveSelfLink=false --disable traefik",
        ),
        u(
            "flag and value apart in a unit",
            "/usr/local/bin/k3s server --kube-apiserver-arg \"feature-gates=A=true\"",
            "/usr/local/bin/k3s server --kube-apiserver-arg \"feature-gates=A=true,RemoveSelfLink=false\"",
        ),
        u(
            "no arguments in a unit",
            "/usr/local/bin/k3s server",
            "/usr/local/bin/k3s server '--kube-apiserver-arg=feature-gates=RemoveSelfLink=false'",
        ),
    ]
}

#[test]
fn real_files_are_edited_in_one_place_and_back() {
    let variants = variants();
    assert!(variants.len() >= 20);
    for (what, kind, before, after, exact) in variants {
        assert_eq!(edited(kind, &before, Wish::Set).as_deref(), Ok(&*after), "{what}");
        assert_eq!(
            edited(kind, &after, Wish::Set).as_deref(),
            Ok(&*after),
            "{what}: set twice"
        );
        assert_eq!(
            undone(kind, &after, Some(&before)).as_deref(),
            Ok(&*before),
            "{what}: undone"
        );
        assert_eq!(
            edited(kind, &before, Wish::Unset).as_deref(),
            Ok(&*before),
            "{what}: nothing to take away"
        );
        let without = edited(kind, &after, Wish::Unset).unwrap();
        assert_eq!(without == before, exact, "{what}: taken away: {without}");
        assert!(!without.contains(GATE) || before.contains(GATE), "{what}: {without}");
        // Somebody added something since: that stays.
        let later = format!("{after}# later\n");
        if after.ends_with('\n') {
            let undone = undone(kind, &later, Some(&before)).unwrap();
            assert!(
                undone.ends_with("# later\n") && undone.len() == without.len() + 8,
                "{what}: {undone}"
            );
        }
    }
}

#[test]
fn what_is_edited_is_still_yaml() {
    for (what, kind, before, after, _) in variants() {
        if kind == Unit {
            continue;
        }
        let read = |text: &str| -> serde_json::Value {
            let value = serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{what}: {error}\n{text}"));
            serde_json::to_value::<serde_yaml::Value>(value).unwrap()
        };
        let gates = read(&after).to_string().matches(GATE).count();
        assert_eq!(gates, 1, "{what}");
        assert_eq!(
            read(&before),
            read(&undone(kind, &after, Some(&before)).unwrap()),
            "{what}"
        );
    }
}

#[test]
fn a_gate_that_says_otherwise_is_turned_round() {
    for (kind, before, after) in [
        (
            Manifest,
            pod("    - --feature-gates=A=true,RemoveSelfLink=true,B=true\n"),
            pod("    - --feature-gates=A=true,RemoveSelfLink=false,B=true\n"),
        ),
        (
            Config,
            "kube-apiserver-arg:\n- feature-gates=RemoveSelfLink=true\n".to_owned(),
            "kube-apiserver-arg:\n- feature-gates=RemoveSelfLink=false\n".to_owned(),
        ),
    ] {
        assert_eq!(edited(kind, &before, Wish::Set), Ok(after.clone()));
        assert_eq!(undone(kind, &after, Some(&before)), Ok(before));
    }
    // As the document writes it, comment and all.
    let document = pod("    - --feature-gates=RemoveSelfLink=false # 增加\n");
    assert_eq!(edited(Manifest, &document, Wish::Unset), Ok(pod("")));
    let last = service(
        "/usr/local/bin/k3s \\\n    server \\\n\t'--kube-apiserver-arg' \\\n\t'feature-gates=RemoveSelfLink=false'",
    );
    assert_eq!(
        edited(Unit, &last, Wish::Unset),
        Ok(service("/usr/local/bin/k3s \\\n    server"))
    );
}

#[test]
fn what_is_not_understood_is_left_alone() {
    for (kind, text, why) in [
        (Manifest, "spec:\n  containers:\n  - image: x\n", "no container in it"),
        (
            Manifest,
            "spec:\n  containers:\n  - command: *shared\n",
            "no plain string",
        ),
        (
            Manifest,
            "spec:\n  containers:\n  - command: [\"kube-apiserver\", \"--v=2\n",
            "a quote is not closed",
        ),
        (
            Manifest,
            "spec:\n  containers:\n  - command:\n    - kube-apiserver\n    - --a\n      --b\n",
            "goes on over a line's end",
        ),
        (Config, "kube-apiserver-arg: {}\n", "no plain string"),
        (
            ClusterConfiguration,
            "apiServer: {extraArgs: {a: b}}\n",
            "no mapping over lines",
        ),
        (Unit, "[Service]\nType=notify\n", "0 lines with ExecStart="),
        // The document's own, which systemd reads as words.
        (
            Unit,
            "[Service]\nExecStart=/usr/local/bin/k3s \\\n  server \\\n  '--kube-apiserver-arg' \\ # 新增\n  'feature-gates=RemoveSelfLink=false' \\# 新增\n",
            "something after its backslash",
        ),
    ] {
        let error = edited(kind, text, Wish::Set).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}

#[test]
fn the_version_decides() {
    for (version, set, unset) in [
        (
            "v1.19.7",
            Some("sends selfLink by itself"),
            Some("sends selfLink by itself"),
        ),
        ("v1.20.2", None, None),
        ("v1.23.17+k3s1", None, None),
        ("v1.24.0", Some("feature is locked to true"), None),
        ("v1.30.1", Some("unrecognized feature gate"), None),
        ("unknown", Some("nothing is known"), Some("nothing is known")),
    ] {
        let facts = Facts {
            version: version.to_owned(),
            ..Facts::default()
        };
        for (wish, wanted) in [(Wish::Set, set), (Wish::Unset, unset)] {
            let why = allowed(&facts, wish).err().map(|error| error.to_string());
            match (why, wanted) {
                (None, None) => {}
                (Some(why), Some(wanted)) => assert!(why.contains(wanted), "{version}: {why}"),
                other => panic!("{version}, {wish}: {other:?}"),
            }
        }
    }
}
