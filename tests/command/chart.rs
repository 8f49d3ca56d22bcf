//! The Helm chart: its manifest is the template of `create provisioner`, translated to Helm's language.
//!
//! `make chart` regenerates it. Additional lines are for values that only the chart has. Each is inserted at a line of
//! the template, which must occur exactly once.

use nfsprov::image::IMAGE;
use nfsprov::manifest::templates::BUILT_IN;
use serde_json::Value;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/chart");

/// The expressions of the template, and Helm's.
const VALUES: [(&str, &str); 12] = [
    ("name", r#"include "nfsprov.name" . | toJson"#),
    ("namespace", ".Release.Namespace | toJson"),
    (
        r#""nfsprov:" ~ namespace ~ ":" ~ name"#,
        r#"include "nfsprov.clusterRole" . | toJson"#,
    ),
    ("lock", r#".Values.provisioner | replace "/" "-" | toJson"#),
    ("replicas", ".Values.replicas"),
    ("image", ".Values.image | toJson"),
    ("provisioner", ".Values.provisioner | toJson"),
    ("server", ".Values.server | toJson"),
    ("path", ".Values.path | toJson"),
    (
        r#""--quota-ssh=ssh://" ~ quota_ssh"#,
        r#"printf "--quota-ssh=ssh://%s" .Values.ssh.quotaTarget | toJson"#,
    ),
    ("ssh_secret", ".Values.ssh.secret | toJson"),
    (
        r#""--host-fingerprint=" ~ fingerprint"#,
        r#"printf "--host-fingerprint=%s" . | toJson"#,
    ),
];

/// The conditions and loops of the template, and Helm's; `None` if the condition always holds in the chart.
const BLOCKS: [(&str, Option<&str>); 11] = [
    ("if allow_expansion", Some("if .Values.allowExpansion")),
    ("if network_policy", Some("if .Values.networkPolicy.enabled")),
    ("if quota_ssh is not none", Some("if .Values.ssh.quotaTarget")),
    ("if ssh_secret is not none", Some("if .Values.ssh.secret")),
    (
        "for fingerprint in host_fingerprints",
        Some("range .Values.ssh.hostFingerprints"),
    ),
    // values.schema.json rejects names that cannot be the name of a Lease.
    ("if lock is not none", None),
    ("if replicas > 1", Some("if gt (int .Values.replicas) 1")),
    ("if replicas == 1", Some("if eq (int .Values.replicas) 1")),
    ("if before_1_22", Some(r#"if include "nfsprov.before122" ."#)),
    ("if not before_1_22", Some(r#"if not (include "nfsprov.before122" .)"#)),
    (
        "if replicas > 1 and not before_1_22",
        Some(
            r#"if and .Values.podDisruptionBudget.enabled (gt (int .Values.replicas) 1) (not (include "nfsprov.before122" .))"#,
        ),
    ),
];

/// Lines of the translated template, and the chart's lines in their place.
const CHANGES: [(&str, &str); 6] = [
    (
        "      enableServiceLinks: false\n",
        r#"      enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
      imagePullSecrets: {{ . | toJson }}
{{- end }}
{{- with .Values.priorityClassName }}
      priorityClassName: {{ . | toJson }}
{{- end }}
{{- with .Values.nodeSelector }}
      nodeSelector: {{ . | toJson }}
{{- end }}
{{- with .Values.tolerations }}
      tolerations: {{ . | toJson }}
{{- end }}
"#,
    ),
    (
        "{{- if gt (int .Values.replicas) 1 }}\n      affinity:\n",
        r#"{{- if .Values.affinity }}
      affinity: {{ .Values.affinity | toJson }}
{{- else if gt (int .Values.replicas) 1 }}
      affinity:
"#,
    ),
    (
        "            - --log-format=json\n",
        r#"            - --log-format=json
{{- range .Values.allowExports }}
            - {{ printf "--allow-export=%s" . | toJson }}
{{- end }}
{{- with .Values.ssh.target }}
            - {{ printf "--via=ssh://%s" . | toJson }}
{{- end }}
"#,
    ),
    (
        "          env:\n",
        r#"{{- range .Values.extraArgs }}
            - {{ . | toJson }}
{{- end }}
          env:
"#,
    ),
    (
        "          resources:\n            requests:\n              cpu: 10m\n              memory: 64Mi\n",
        "          resources: {{ .Values.resources | toJson }}\n",
    ),
    (
        "  maxUnavailable: 1\n",
        "  maxUnavailable: {{ .Values.podDisruptionBudget.maxUnavailable | toJson }}\n",
    ),
];

/// The chart's lines in place of the template's single class.
const CLASSES: &str = r#"{{- range .Values.classes }}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: {{ .name | toJson }}
{{- if .default }}
  annotations:
    storageclass.kubernetes.io/is-default-class: "true"
{{- end }}
provisioner: {{ $.Values.provisioner | toJson }}
reclaimPolicy: {{ .reclaimPolicy | default "Delete" }}
volumeBindingMode: {{ .volumeBindingMode | default "Immediate" }}
{{- if $.Values.allowExpansion }}
allowVolumeExpansion: true
{{- end }}
{{- with .mountOptions }}
mountOptions: {{ . | toJson }}
{{- end }}
{{- with .parameters }}
parameters: {{ . | toJson }}
{{- end }}
{{- end }}
"#;

const HEAD: &str = "{{- /* Written by `make chart` from templates/provisioner-nfsprov.yaml. */}}\n";

/// The table's entry for an expression of the template.
fn lookup<T: Copy>(table: &[(&str, T)], expression: &str) -> T {
    let found = table.iter().find(|(known, _)| *known == expression);
    found
        .unwrap_or_else(|| panic!("the chart has nothing for {expression:?} of the template"))
        .1
}

/// A line of the template with Helm's values.
fn translated_line(line: &str) -> String {
    let mut parts = line.split("{{ ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once(" }}").expect("an expression ends on its line");
        text.push_str(&format!("{{{{ {} }}}}{rest}", lookup(&VALUES, expression)));
    }
    text
}

fn manifest() -> String {
    let (_, template) = BUILT_IN
        .iter()
        .find(|(file, _)| *file == "provisioner-nfsprov.yaml")
        .expect("the template");
    let (template, class) = template.rsplit_once("---\n").expect("several objects");
    assert!(class.contains("kind: StorageClass\n"), "{class}");
    let mut text = HEAD.to_owned();
    // Whether the chart has each open condition.
    let mut open = Vec::new();
    for line in template.lines() {
        let tag = line.trim().strip_prefix("{% ").and_then(|tag| tag.strip_suffix(" %}"));
        let written = match tag {
            None => Some(translated_line(line)),
            Some("else") => open.last().copied().unwrap_or(false).then(|| "{{- else }}".to_owned()),
            Some("endif" | "endfor") => open.pop().unwrap_or(false).then(|| "{{- end }}".to_owned()),
            Some(tag) => {
                let block = lookup(&BLOCKS, tag);
                open.push(block.is_some());
                block.map(|block| format!("{{{{- {block} }}}}"))
            }
        };
        text.extend(written.map(|line| line + "\n"));
    }
    for (line, change) in CHANGES {
        assert_eq!(text.matches(line).count(), 1, "{line:?} in the translated template");
        text = text.replace(line, change);
    }
    text + CLASSES
}

#[test]
fn the_chart_is_the_template_of_create_provisioner() {
    let path = format!("{CHART}/templates/provisioner.yaml");
    let wanted = manifest();
    if std::env::var_os("NFSPROV_WRITE_CHART").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == wanted, "{path} is out of date: make chart");
}

#[test]
fn the_chart_is_of_this_version_and_names_the_published_image() {
    let read = |file: &str| -> Value {
        let text = std::fs::read_to_string(format!("{CHART}/{file}")).unwrap();
        serde_yaml::from_str(&text).unwrap()
    };
    let chart = read("Chart.yaml");
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(read("values.yaml")["image"], IMAGE);
    // Every value is in the schema, so that Helm rejects a misspelled one.
    let (values, schema) = (read("values.yaml"), read("values.schema.json"));
    for key in values.as_object().unwrap().keys() {
        assert!(
            schema["properties"].get(key).is_some(),
            "values.schema.json lacks {key}"
        );
    }
}
