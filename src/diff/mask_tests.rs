use super::*;

#[test]
fn secrets_are_hidden_in_every_form_that_they_have() {
    for (text, shown) in [
        // YAML
        ("token: s3cret\nnode-name: a\n", "token: (hidden)\nnode-name: a\n"),
        ("agent-token: \"s3 cret\"\n", "agent-token: \"(hidden)\"\n"),
        ("\"agent-token\": \"s3cret\"\n", "\"agent-token\": \"(hidden)\"\n"),
        ("  - password: 's3cret'  # x\n", "  - password: '(hidden)'  # x\n"),
        ("secret : s3cret, too\n", "secret : (hidden)\n"),
        (
            "datastore-endpoint: mysql://u:s3cret@tcp(db:3306)/k3s\n",
            "datastore-endpoint: (hidden)\n",
        ),
        (
            "vpn-auth: \"name=tailscale,joinKey=s3cret\"\n- etcd-s3-secretKey: s3cret\n",
            "vpn-auth: \"(hidden)\"\n- etcd-s3-secretKey: (hidden)\n",
        ),
        (
            "# name=tailscale,joinKey=s3cret\n",
            "# name=tailscale,joinKey=(hidden)\n",
        ),
        (
            "token: |\n  s3cret\n\n  s3cret2\na: b\n",
            "token: |\n  (hidden)\n\n  (hidden)\na: b\n",
        ),
        (r#"{"token": "s3cret", "a": 1}"#, r#"{"token": "(hidden)", "a": 1}"#),
        (
            "token: s3cret\n  s3cret2\n\n  s3cret3\na: b\n",
            "token: (hidden)\n  (hidden)\n\n  (hidden)\na: b\n",
        ),
        (
            "token:\n  s3cret\n  s3cret2\na: b\n",
            "token:\n  (hidden)\n  (hidden)\na: b\n",
        ),
        ("token:\n  's3cret: a'\na: b\n", "token:\n  (hidden)\na: b\n"),
        ("token:\n  - s3cret\n- a: b\n", "token:\n  (hidden)\n- a: b\n"),
        (
            "token:\n- s3cret\n- s3cret2\na: b\n",
            "token:\n- (hidden)\n- (hidden)\na: b\n",
        ),
        (
            "token: \"s3 \\\"cret\n  s3cret2\n\n  s3cret3\" # x\na: b\n",
            "token: \"(hidden)\n  (hidden)\n\n  (hidden)\" # x\na: b\n",
        ),
        ("token: \"\n  s3cret\"\na: b\n", "token: \"\n  (hidden)\"\na: b\n"),
        (
            "token: 's3''cret\n  s3cret2'\na: b\n",
            "token: '(hidden)\n  (hidden)'\na: b\n",
        ),
        (
            "token: >-\n  s3cret\n  s3cret2\na: b\n",
            "token: >-\n  (hidden)\n  (hidden)\na: b\n",
        ),
        (
            "- token: s3cret\n    s3cret2\n  a: b\n- c\n",
            "- token: (hidden)\n    (hidden)\n  a: b\n- c\n",
        ),
        ("- token: |\n    s3cret\n  a: b\n", "- token: |\n    (hidden)\n  a: b\n"),
        (
            "- name: A_TOKEN\n  value: 's3cret\n    s3cret2'\n- name: A\n  value: b\n",
            "- name: A_TOKEN\n  value: '(hidden)\n    (hidden)'\n- name: A\n  value: b\n",
        ),
        (
            "{\"token\": \"s3cret\n  s3cret2\", \"a\": 1}\n",
            "{\"token\": \"(hidden)\n  (hidden)\", \"a\": 1}\n",
        ),
        (
            "- value: s3cret\n  name: A_TOKEN\n- name: A\n  value: b\n",
            "- value: (hidden)\n  name: A_TOKEN\n- name: A\n  value: b\n",
        ),
        (
            "- value: 's3cret\n    s3cret2'\n\n  # x\n  name: \"A_TOKEN\"\n",
            "- value: '(hidden)\n    (hidden)'\n\n  # x\n  name: \"A_TOKEN\"\n",
        ),
        (
            "{\"value\": \"s3cret\", \"name\": \"A_TOKEN\"}\n",
            "{\"value\": \"(hidden)\", \"name\": \"A_TOKEN\"}\n",
        ),
        (
            "{\n  \"value\": \"s3cret\",\n  \"name\": \"A_TOKEN\"\n}\n",
            "{\n  \"value\": \"(hidden)\",\n  \"name\": \"A_TOKEN\"\n}\n",
        ),
        (
            "[{name: A, value: b}, {value: s3cret,\nname: A_TOKEN}]\n",
            "[{name: A, value: b}, {value: (hidden)\nname: A_TOKEN}]\n",
        ),
        // Plain texts between brackets
        (
            "{token: s3cret\ns3cret2, a: 1}\na: b\n",
            "{token: (hidden)\n(hidden)\na: b\n",
        ),
        (
            "{\ntoken: s3 cret\ns3cret2\n}\na: b\n",
            "{\ntoken: (hidden)\n(hidden)\n}\na: b\n",
        ),
        ("{token:\ns3cret,\na: b}\nc: d\n", "{token:\n(hidden)\na: b}\nc: d\n"),
        (
            "{token:\n\"s3\ncret: s3\", a: b}\nc: d\n",
            "{token:\n(hidden)\n(hidden)\", a: b}\nc: d\n",
        ),
        (
            "[--token, s3 cret\ns3cret2, a]\nc: d\n",
            "[--token, (hidden)\n(hidden)\nc: d\n",
        ),
        // Lists of arguments
        (
            "- --token=s3 cret\n  s3cret2\n- a\n",
            "- --token=(hidden)\n  (hidden)\n- a\n",
        ),
        (
            "- --token\n- s3 cret\n  s3cret2\n- a\n",
            "- --token\n- (hidden)\n  (hidden)\n- a\n",
        ),
        ("- |token==s3 cret\n", "- |token=(hidden)\n"),
        ("- --token\n- |\n  s3cret\n- a\n", "- --token\n- |\n  (hidden)\n- a\n"),
        (
            "- --token\n- \"s3\n  cret\"\n- a\n",
            "- --token\n- \"(hidden)\n  (hidden)\"\n- a\n",
        ),
        (
            "- '--token=s3\n  cret'\n- \"token: s3\n  cret\"\n- a\n",
            "- '--token=(hidden)\n  (hidden)'\n- \"token: (hidden)\n  (hidden)\"\n- a\n",
        ),
        ("- --token=s3cret,x\n", "- --token=(hidden)\n"),
        ("- \"token=s3 cret\"\n", "- \"token=(hidden)\"\n"),
        ("- --token\n- s3cret\n- x\n", "- --token\n- (hidden)\n- x\n"),
        (
            r#"args: ["server", "--token", "s3cret", "--x"]"#,
            r#"args: ["server", "--token", "(hidden)", "--x"]"#,
        ),
        ("# token: s3cret\n  a b\n", "# token: (hidden)\n  a b\n"),
        // Units
        (
            "ExecStart=/usr/local/bin/k3s server --token s3cret --disable x\n",
            "ExecStart=/usr/local/bin/k3s server --token (hidden) --disable x\n",
        ),
        (
            "ExecStart=/usr/local/bin/k3s server -t s3cret --disable x\n",
            "ExecStart=/usr/local/bin/k3s server -t (hidden) --disable x\n",
        ),
        (
            "    server \\\n\t'--token' \\\n\t's3cret' \\\n\t'--x' \\\n",
            "    server \\\n\t'--token' \\\n\t'(hidden)' \\\n\t'--x' \\\n",
        ),
        (
            "Environment=K3S_TOKEN=s3cret A=b\n",
            "Environment=K3S_TOKEN=(hidden) A=b\n",
        ),
        (
            "Environment=\"K3S_TOKEN=s3 cret\"\n",
            "Environment=\"K3S_TOKEN=(hidden)\"\n",
        ),
        (
            "Environment=K3S_TOKEN=\"s3 \\\n  cret\" A=b\n",
            "Environment=K3S_TOKEN=\"(hidden)\n  (hidden)\" A=b\n",
        ),
        (
            "Environment=\"X=a\\\\\" \"K3S_TOKEN=s3 cret\"\n",
            "Environment=\"X=a\\\\\" \"K3S_TOKEN=(hidden)\"\n",
        ),
        ("K3S_TOKEN=\"\"\nA=b\n", "K3S_TOKEN=\"\"\nA=b\n"),
        ("K3S_AGENT_TOKEN='s3 cret'\n", "K3S_AGENT_TOKEN='(hidden)'\n"),
        (
            "--datastore-endpoint 'postgres://u:s3cret@db/k3s'\n",
            "--datastore-endpoint '(hidden)'\n",
        ),
        (
            "ExecStart=/k3s server --token=s3'c ret'\"c \\\" d\"\\ e --x\n",
            "ExecStart=/k3s server --token=(hidden) --x\n",
        ),
        ("--token='s3'cret' s3' --x\n", "--token='(hidden)'(hidden) --x\n"),
        ("--token s3' \n cret' --x\n", "--token (hidden)\n (hidden)' --x\n"),
        ("'--token=s3'cret --x\n", "'--token=(hidden)'(hidden) --x\n"),
        (
            "A_TOKEN=\"s3\n cret\"s3 --x\n",
            "A_TOKEN=\"(hidden)\n (hidden)\"(hidden) --x\n",
        ),
        // In a unit, a backslash escapes in both kinds of quotation marks; elsewhere only in double ones.
        (
            "[Service]\nEnvironment='K3S_TOKEN=it\\'s s3cret' A=b\n",
            "[Service]\nEnvironment='K3S_TOKEN=(hidden)' A=b\n",
        ),
        (
            "[Service]\nExecStart=/k3s 'a\\' ' '--token=s3 cret' --token='s3\\' cret' --x\n",
            "[Service]\nExecStart=/k3s 'a\\' ' '--token=(hidden)' --token='(hidden)' --x\n",
        ),
        (
            "# x\n\n[Unit]\n[Service]\nExecStart=/k3s --token s3'c\\' ret' --x\n",
            "# x\n\n[Unit]\n[Service]\nExecStart=/k3s --token (hidden) --x\n",
        ),
        (
            "[Service]\nEnvironment='K3S_TOKEN=s3\\' \\\n  s3cret' A=b\n",
            "[Service]\nEnvironment='K3S_TOKEN=(hidden)\n  (hidden)' A=b\n",
        ),
        ("token: 's3cret\\'\na: 'b c'\n", "token: '(hidden)'\na: 'b c'\n"),
        ("A_TOKEN=s3'cret\\' B=c\nD=e\n", "A_TOKEN=(hidden) B=c\nD=e\n"),
        // Manifests
        (
            "- name: \"DB_PASSWORD\"\n  value: \"s3cret\"\n- name: A\n  value: b\n",
            "- name: \"DB_PASSWORD\"\n  value: \"(hidden)\"\n- name: A\n  value: b\n",
        ),
        (
            "HTTP_PROXY=http://ann:s3@cret@proxy:3128\n",
            "HTTP_PROXY=http://ann:(hidden)@proxy:3128\n",
        ),
    ] {
        let (masked, _) = mask_secrets(text, "");
        assert_eq!(masked, shown);
    }
}

#[test]
fn what_is_no_secret_is_shown() {
    for text in [
        "token-file: /etc/token\nsecretName: a\nimagePullSecrets: []\n",
        "automountServiceAccountToken: false\npassword:\n  a: b\n",
        "- --enable-bootstrap-token-auth=true\n- --feature-gates=RemoveSelfLink=false\n",
        "server: https://10.0.0.1:6443\nimage: registry.example/a@sha256:00\n",
        "# don't take the token for granted\n",
        "# 'a --token=\n  a b\n",
        "- don't --token=\n- a b\n",
        "secret:\n- secretName: a\n  b: c\n",
        "secret:\n  'a': b\n  c: d\n",
        "kube-apiserver-arg: [\"feature-gates=RemoveSelfLink=false\"]\r\n",
    ] {
        assert_eq!(mask_secrets(text, text), (text.to_owned(), text.to_owned()));
    }
}

#[test]
fn that_a_secret_changes_is_told() {
    let (before, after) = mask_secrets("token: one\n", "token: two\nagent-token: one\n");
    assert_eq!(before, "token: (hidden)\n");
    assert_eq!(after, "token: (hidden, changed)\nagent-token: (hidden)\n");
}
