use super::Format::{ClusterConfiguration, Config, Manifest, Unit};
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
fn variants() -> Vec<(&'static str, Format, String, String)> {
    let p = |what, before: &str, after: &str| (what, Manifest, pod(before), pod(after));
    let c = |what, before: &str, after: &str| (what, ClusterConfiguration, clusters(before), clusters(after));
    let y = |what, before: &str, after: &str| (what, Config, before.to_owned(), after.to_owned());
    let u = |what, before: &str, after: &str| (what, Unit, service(before), service(after));
    let flow = |arguments: &str| {
        format!(
            "spec:\n  containers:\n  - name: kube-apiserver\n    command: [kube-apiserver]\n    args: [{arguments}]\n    image: x\n"
        )
    };
    let crlf = |arguments: &str| pod(arguments).replace('\n', "\r\n");
    let unended =
        |arguments: &str| format!("spec:\n  containers:\n  - image: x\n    command:\n    - kube-apiserver{arguments}");
    let sidecar = |after_program: &str| {
        format!(
            "spec:\n  containers:\n    - name: other\n      command:\n        - other\n        - --feature-gates=A=true\n    \
             - name: kube-apiserver\n      args:\n        - --v=2\n      command:\n        # The program.\n        \
             - /usr/local/bin/kube-apiserver\n{after_program}    - name: last\n      args:\n        - --last\n"
        )
    };
    let over_lines = |arguments: &str| {
        format!(
            "spec:\n  containers:\n  - command: [\n      \"kube-apiserver\", # itself\n      \"--v=2\"{arguments}\n    ]\n"
        )
    };
    let gate = "    - --feature-gates=RemoveSelfLink=false\n";
    Vec::from(rows! {
        p("kubeadm's own", "", gate),
        p("another gate", "    - --feature-gates=EphemeralContainers=true\n    - --v=2\n",
            "    - --feature-gates=EphemeralContainers=true,RemoveSelfLink=false\n    - --v=2\n"),
        p("in double quotes", "    - \"--feature-gates=A=true,B=false\"\n",
            "    - \"--feature-gates=A=true,B=false,RemoveSelfLink=false\"\n"),
        p("in single quotes, with a comment", "    - '--feature-gates=A=true' # for the batch jobs\n",
            "    - '--feature-gates=A=true,RemoveSelfLink=false' # for the batch jobs\n"),
        p("flag and value apart", "    - --feature-gates\n    - A=true\n    - --v=2\n",
            "    - --feature-gates\n    - A=true,RemoveSelfLink=false\n    - --v=2\n"),
        p("commented out", "    # - --feature-gates=RemoveSelfLink=false\n    - --v=2\n",
            "    # - --feature-gates=RemoveSelfLink=false\n    - --v=2\n    - --feature-gates=RemoveSelfLink=false\n"),
        p("two flags", "    - --feature-gates=A=true\n    - --feature-gates=B=true\n",
            "    - --feature-gates=A=true\n    - --feature-gates=B=true,RemoveSelfLink=false\n"),
        ("CRLF", Manifest, crlf("    - --v=2\n"), crlf(&format!("    - --v=2\n{gate}"))),
        ("no end of the last line", Manifest, unended("\n    - --v=2"),
            unended("\n    - --v=2\n    - --feature-gates=RemoveSelfLink=false")),
        ("args beside the command", Manifest, flow("\"--v=2\", \"--feature-gates=A=true\""),
            flow("\"--v=2\", \"--feature-gates=A=true,RemoveSelfLink=false\"")),
        ("between brackets", Manifest, flow("--v=2"), flow("--v=2, \"--feature-gates=RemoveSelfLink=false\"")),
        ("between brackets, without quotes", Manifest, flow("--feature-gates=A=true, --v=2"),
            flow("--feature-gates=A=true, --v=2, \"--feature-gates=RemoveSelfLink=false\"")),
        ("between brackets over lines", Manifest, over_lines(""),
            over_lines(", \"--feature-gates=RemoveSelfLink=false\"")),
        ("containers beside it", Manifest, sidecar(""), sidecar("        - --feature-gates=RemoveSelfLink=false\n")),
        c("no extra arguments", "apiServer:\n  timeoutForControlPlane: 4m0s\n",
            "apiServer:\n  extraArgs:\n    feature-gates: RemoveSelfLink=false\n  timeoutForControlPlane: 4m0s\n"),
        c("an empty API server", "apiServer: {}\n",
            "apiServer:\n  extraArgs:\n    feature-gates: RemoveSelfLink=false\n"),
        c("other arguments",
            "apiServer:\n  extraArgs:\n    authorization-mode: Node,RBAC\n  timeoutForControlPlane: 4m0s\n",
            "apiServer:\n  extraArgs:\n    feature-gates: RemoveSelfLink=false\n    authorization-mode: Node,RBAC\n  timeoutForControlPlane: 4m0s\n"),
        c("other gates", "apiServer:\n  certSANs:\n  - a\n  extraArgs:\n    feature-gates: \"A=true\" # note\n",
            "apiServer:\n  certSANs:\n  - a\n  extraArgs:\n    feature-gates: \"A=true,RemoveSelfLink=false\" # note\n"),
        c("v1beta4, other gates",
            "apiServer:\n  extraArgs:\n  - name: v\n    value: \"2\"\n  - name: feature-gates\n    value: A=true\n",
            "apiServer:\n  extraArgs:\n  - name: v\n    value: \"2\"\n  - name: feature-gates\n    value: A=true,RemoveSelfLink=false\n"),
        c("v1beta4, none", "apiServer:\n  extraArgs:\n    - name: v\n      value: \"2\"\n",
            "apiServer:\n  extraArgs:\n    - name: feature-gates\n      value: RemoveSelfLink=false\n    - name: v\n      value: \"2\"\n"),
        y("no file", "", "kube-apiserver-arg:\n- feature-gates=RemoveSelfLink=false\n"),
        y("other settings", "write-kubeconfig-mode: \"0644\"\ntls-san:\n  - k3s.example.com\n",
            "write-kubeconfig-mode: \"0644\"\ntls-san:\n  - k3s.example.com\nkube-apiserver-arg:\n- feature-gates=RemoveSelfLink=false\n"),
        y("other settings without an end", "token: x",
            "token: x\nkube-apiserver-arg:\n- feature-gates=RemoveSelfLink=false"),
        y("a list",
            "kube-apiserver-arg:\n  - \"audit-log-path=/var/log/audit.log\"\n  - \"feature-gates=A=true\"\ndisable: traefik\n",
            "kube-apiserver-arg:\n  - \"audit-log-path=/var/log/audit.log\"\n  - \"feature-gates=A=true,RemoveSelfLink=false\"\ndisable: traefik\n"),
        y("a list without gates", "kube-apiserver-arg:\n  - \"v=2\"\n  # the end\ndisable: traefik\n",
            "kube-apiserver-arg:\n  - \"v=2\"\n  - \"feature-gates=RemoveSelfLink=false\"\n  # the end\ndisable: traefik\n"),
        y("a single value", "kube-apiserver-arg: v=2\ndisable: traefik\n",
            "kube-apiserver-arg: [\"v=2\", \"feature-gates=RemoveSelfLink=false\"]\ndisable: traefik\n"),
        y("a single value with commas", "kube-apiserver-arg: enable-admission-plugins=A,B\n",
            "kube-apiserver-arg: [\"enable-admission-plugins=A,B\", \"feature-gates=RemoveSelfLink=false\"]\n"),
        y("single gates", "kube-apiserver-arg: 'feature-gates=A=true'\n",
            "kube-apiserver-arg: 'feature-gates=A=true,RemoveSelfLink=false'\n"),
        y("brackets", "kube-apiserver-arg: [\"v=2\"]\n",
            "kube-apiserver-arg: [\"v=2\", \"feature-gates=RemoveSelfLink=false\"]\n"),
        u("K3s' installer's own", "/usr/local/bin/k3s \\\n    server \\\n\t'--kube-apiserver-arg' \\\n\t'v=2' \\\n",
            "/usr/local/bin/k3s \\\n    server \\\n\t'--kube-apiserver-arg' \\\n\t'v=2' '--kube-apiserver-arg=feature-gates=RemoveSelfLink=false' \\\n"),
        u("a comment as the last line in a unit", "/usr/local/bin/k3s \\\n    server \\\n    # '--debug' \\\n",
            "/usr/local/bin/k3s \\\n    server '--kube-apiserver-arg=feature-gates=RemoveSelfLink=false' \\\n    # '--debug' \\\n"),
        u("other gates in a unit",
            "/usr/local/bin/k3s server --kube-apiserver-arg=feature-gates=A=true --disable traefik",
            "/usr/local/bin/k3s server --kube-apiserver-arg=feature-gates=A=true,RemoveSelfLink=false --disable traefik"),
        u("flag and value apart in a unit", "/usr/local/bin/k3s server --kube-apiserver-arg \"feature-gates=A=true\"",
            "/usr/local/bin/k3s server --kube-apiserver-arg \"feature-gates=A=true,RemoveSelfLink=false\""),
        u("no arguments in a unit", "/usr/local/bin/k3s server",
            "/usr/local/bin/k3s server '--kube-apiserver-arg=feature-gates=RemoveSelfLink=false'"),
        ("blanks around the equals sign in a unit", Unit, "[Service]\n ExecStart = /usr/local/bin/k3s server\n".to_owned(),
            "[Service]\n ExecStart = /usr/local/bin/k3s server '--kube-apiserver-arg=feature-gates=RemoveSelfLink=false'\n".to_owned()),
    })
}

#[test]
fn the_gate_is_set_in_one_place_and_removed_again() {
    for (what, format, before, after) in variants() {
        assert_eq!(edit_gate(format, &before, Gate::Set).as_deref(), Ok(&*after), "{what}");
        assert_eq!(
            edit_gate(format, &after, Gate::Set).as_deref(),
            Ok(&*after),
            "{what}: set twice"
        );
        assert_eq!(
            undo_gate(format, &after, Some(&before)).as_deref(),
            Ok(&*before),
            "{what}: undone"
        );
        assert_eq!(
            edit_gate(format, &before, Gate::Unset).as_deref(),
            Ok(&*before),
            "{what}: nothing to remove"
        );
        let without = edit_gate(format, &after, Gate::Unset).unwrap_or_else(|error| panic!("{what}: {error}"));
        let (without, before) = (
            parse_file(format, &without).unwrap(),
            parse_file(format, &before).unwrap(),
        );
        assert_eq!((without.rest, without.gate), (before.rest, None), "{what}: removed");
        // What was added since stays.
        if after.ends_with('\n') {
            let undone = undo_gate(format, &format!("{after}# later\n"), None).unwrap();
            assert!(undone.ends_with("# later\n"), "{what}: {undone}");
        }
    }
}

#[test]
fn a_text_that_differs_in_anything_else_is_refused() {
    let gate = "    - --feature-gates=RemoveSelfLink=false\n";
    let unit = |command: &str| service(&format!("/usr/local/bin/k3s {command}"));
    let flag = "--kube-apiserver-arg=feature-gates=RemoveSelfLink=false";
    for (what, format, before, after) in rows! {
        ("nothing else", Manifest, pod("    - --v=2\n"), pod(&format!("    - --v=2\n{gate}"))),
        ("an argument is lost", Manifest, pod("    - --v=2\n"), pod(gate)),
        ("an argument is added", Manifest, pod(""), pod(&format!("{gate}    - --v=2\n"))),
        ("another field", Manifest, pod(""), pod(gate).replace("hostNetwork: true", "hostNetwork: false")),
        ("no YAML", Manifest, pod(""), pod(gate) + "}"),
        ("another gate", Config, "kube-apiserver-arg: feature-gates=A=true\n".to_owned(),
            "kube-apiserver-arg: feature-gates=RemoveSelfLink=false\n".to_owned()),
        ("another key", Config, "token: a\n".to_owned(),
            "kube-apiserver-arg:\n- feature-gates=RemoveSelfLink=false\n".to_owned()),
        ("another word", Unit, unit("server"), unit(&format!("agent {flag}"))),
        ("a swallowed line", Unit, unit("server"), unit(&format!("server {flag} \\")).replace("\n\n[Install]",
            "\n[Install]")),
    } {
        let accepted = only_gate_differs(format, &parse_file(format, &before).unwrap(), &after, Gate::Set);
        assert_eq!(accepted, what == "nothing else", "{what}");
    }
}

#[test]
fn a_gate_that_says_otherwise_is_turned_round() {
    for (kind, before, after) in rows! {
        (Manifest, pod("    - --feature-gates=A=true,RemoveSelfLink=true,B=true\n"),
            pod("    - --feature-gates=A=true,RemoveSelfLink=false,B=true\n")),
        (Config, "kube-apiserver-arg:\n- feature-gates=RemoveSelfLink=true\n".to_owned(),
            "kube-apiserver-arg:\n- feature-gates=RemoveSelfLink=false\n".to_owned()),
    } {
        assert_eq!(edit_gate(kind, &before, Gate::Set), Ok(after.clone()));
        assert_eq!(undo_gate(kind, &after, Some(&before)), Ok(before));
    }
    // As the document writes it, comment and all.
    let document = pod("    - --feature-gates=RemoveSelfLink=false # 增加\n");
    assert_eq!(edit_gate(Manifest, &document, Gate::Unset), Ok(pod("")));
    let comment = "    # not\u{a0}RemoveSelfLink=false\n";
    let document = pod(&format!("{comment}    - --feature-gates=RemoveSelfLink=false\n"));
    assert_eq!(edit_gate(Manifest, &document, Gate::Unset), Ok(pod(comment)));
    let last = service(
        "/usr/local/bin/k3s \\\n    server \\\n\t'--kube-apiserver-arg' \\\n\t'feature-gates=RemoveSelfLink=false'",
    );
    assert_eq!(
        edit_gate(Unit, &last, Gate::Unset),
        Ok(service("/usr/local/bin/k3s \\\n    server"))
    );
}

#[test]
fn a_configuration_adds_to_other_files_unless_it_replaces_their_arguments() {
    for (text, expected) in [
        ("tls-san: a\n", None),
        ("kube-apiserver-arg: [v=2]\n", Some(false)),
        ("kube-apiserver-arg+: [v=2]\n", Some(true)),
        ("kube-apiserver-arg: [v=2]\nkube-apiserver-arg+: [v=3]\n", Some(false)),
    ] {
        let found = config_arguments(text).unwrap();
        assert_eq!(found.map(|arguments| arguments.are_added), expected, "{text}");
    }
}

#[test]
fn what_is_not_understood_is_left_alone() {
    for (format, text, why) in rows! {
        (Manifest, "spec:\n  containers:\n  - image: x\n", "no container in it"),
        (Manifest, "spec:\n  containers:\n  - command: *shared\n", ""),
        (Manifest, "spec:\n  containers:\n  - command: [\"kube-apiserver\", \"--v=2\n", ""),
        (Config, "kube-apiserver-arg: {}\n", "by hand"),
        (Config, "kube-apiserver-arg: a\nkube-apiserver-arg: b\n", ""),
        (ClusterConfiguration, "apiServer: {extraArgs: {a: b}}\n", "by hand"),
        (Unit, "[Service]\nType=notify\n", "by hand"),
        // As the article that this follows writes it, which systemd reads as words.
        (Unit,
            "[Service]\nExecStart=/usr/local/bin/k3s \\\n  server \\\n  '--kube-apiserver-arg' \\ # 新增\n  'feature-gates=RemoveSelfLink=false' \\# 新增\n",
            "a backslash in ExecStart="),
    } {
        let error = edit_gate(format, text, Gate::Set).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
}
