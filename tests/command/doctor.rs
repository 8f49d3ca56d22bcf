//! The doctor on whole clusters: each file of `doctor/cases/` has the objects of one cluster, the expected findings,
//! and patterns for the report. The clusters follow public reports of NFS faults.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nfsprov::cluster::dump;
use nfsprov::doctor::explain::CATALOGUE;
use nfsprov::doctor::report::Report;
use nfsprov::doctor::{Severity, checks, formats};
use regex::RegexBuilder;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::Nfsprov;

/// The files that `kubectl get -o json` writes, and the kinds in them.
const FILES: [(&str, &str); 15] = [
    ("csidriver", "CSIDriver"),
    ("csinode", "CSINode"),
    ("deploy", "Deployment"),
    ("ds", "DaemonSet"),
    ("ev", "Event"),
    ("lease", "Lease"),
    ("limits", "LimitRange"),
    ("no", "Node"),
    ("ns", "Namespace"),
    ("po", "Pod"),
    ("pv", "PersistentVolume"),
    ("pvc", "PersistentVolumeClaim"),
    ("sc", "StorageClass"),
    ("sts", "StatefulSet"),
    ("subjectaccessreviews", "SubjectAccessReview"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    #[serde(default)]
    args: Vec<String>,
    version: String,
    /// The time of the dump; `None` for kubectl's output, which has no time.
    at: Option<String>,
    want: Want,
    /// Pending objects, each of which a finding must name.
    #[serde(default)]
    waiting: Vec<String>,
    /// Missing files, as for a user without permission to read these kinds.
    #[serde(default)]
    not_read: Vec<String>,
    #[serde(default)]
    logs: BTreeMap<String, String>,
    /// Names of objects in `common.json`.
    common: Vec<String>,
    objects: Vec<Value>,
}

/// Expectations of the report. Patterns ignore case; objects are written `Kind/namespace/name` or `Kind/name`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Want {
    /// All findings except that of the version, in the report's order: `error NFS204 Deployment/nfs/provisioner`, with
    /// `automatic` appended if `--fix` makes the fix.
    found: Vec<String>,
    /// Patterns for the texts of some findings.
    #[serde(default)]
    some: Vec<Wanted>,
    /// Patterns that no finding's text may match.
    #[serde(default)]
    never: Vec<String>,
    /// Checks that no output format contains a control character.
    #[serde(default)]
    no_escapes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    code: Option<String>,
    /// The finding's object, or one that it explains.
    about: Option<String>,
    /// Patterns that the cause, the fix or its note must match.
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    not_says: Vec<String>,
    /// Patterns that the cause, the fix, its note or the evidence must match.
    #[serde(default)]
    shows: Vec<String>,
}

struct Finding {
    code: String,
    /// As in [`Want::found`].
    title: String,
    /// The finding's object, and the objects that it explains.
    about: Vec<String>,
    text: String,
    evidence: String,
}

fn matches(pattern: &str, text: &str) -> bool {
    let regex = RegexBuilder::new(pattern)
        .case_insensitive(true)
        .dot_matches_new_line(true)
        .build();
    regex.unwrap().is_match(text)
}

fn is_named_by(pattern: &str, object: &str) -> bool {
    matches(&format!("^(?:{pattern})$"), object)
}

fn title(object: &Value) -> String {
    let part = |key: &str| object[key].as_str().map(str::to_owned);
    let parts = [part("kind"), part("namespace"), part("name")];
    parts.into_iter().flatten().collect::<Vec<_>>().join("/")
}

impl Finding {
    fn read(finding: &Value) -> Self {
        let text = |path: &str| finding.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let evidence = finding["evidence"].as_array().into_iter().flatten();
        let explained = finding["explains"].as_array().into_iter().flatten();
        let about: Vec<String> = [&finding["object"]].into_iter().chain(explained).map(title).collect();
        let mut title = format!("{} {} {}", text("/severity"), text("/code"), about[0]);
        if finding.pointer("/fix/automatic") == Some(&json!(true)) {
            title += " automatic";
        }
        Self {
            code: text("/code").to_owned(),
            title,
            about,
            text: [text("/cause"), text("/fix/command"), text("/fix/note")].join("\n"),
            evidence: evidence.map(Value::to_string).collect(),
        }
    }

    fn fits(&self, wanted: &Wanted) -> Result<(), String> {
        let wrong = |what: &str, pattern: &str| Err(format!("{what} {pattern:?}: {}", self.title));
        if let Some(code) = wanted.code.as_ref().filter(|code| **code != self.code) {
            return wrong("code is not", code);
        }
        let is_about = |pattern: &&String| self.about.iter().any(|object| is_named_by(pattern, object));
        if let Some(pattern) = wanted.about.as_ref().filter(|pattern| !is_about(pattern)) {
            return wrong("is not about", pattern);
        }
        if let Some(pattern) = wanted.says.iter().find(|pattern| !matches(pattern, &self.text)) {
            return wrong("does not say", pattern);
        }
        if let Some(pattern) = wanted.not_says.iter().find(|pattern| matches(pattern, &self.text)) {
            return wrong("says", pattern);
        }
        let all = format!("{}\n{}", self.text, self.evidence);
        match wanted.shows.iter().find(|pattern| !matches(pattern, &all)) {
            Some(pattern) => wrong("does not show", pattern),
            None => Ok(()),
        }
    }
}

/// Writes the case as a dump.
fn write_dump(case: &Case, common: &BTreeMap<String, Value>, folder: &Path) {
    let mut about = json!({"serverVersion": {"gitVersion": case.version}});
    if let Some(at) = &case.at {
        about["at"] = json!(at);
    }
    fs::write(folder.join("dump.json"), about.to_string()).unwrap();
    let shared = case.common.iter().map(|name| &common[name]);
    let objects: Vec<&Value> = shared.chain(&case.objects).collect();
    for object in &objects {
        assert!(FILES.iter().any(|(_, kind)| object["kind"] == *kind), "{object}");
    }
    for (file, kind) in FILES
        .iter()
        .filter(|(file, _)| !case.not_read.iter().any(|other| other == file))
    {
        let items: Vec<_> = objects.iter().filter(|object| object["kind"] == *kind).collect();
        // Such a dump has no file for kinds that only some clusters have.
        if !items.is_empty() || *file != "subjectaccessreviews" {
            let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
            fs::write(folder.join(format!("{file}.json")), list.to_string()).unwrap();
        }
    }
    fs::create_dir(folder.join("logs")).unwrap();
    for (name, text) in &case.logs {
        fs::write(folder.join(format!("logs/{name}.log")), text).unwrap();
    }
}

/// The report on a dump.
fn diagnose(folder: &Path, args: &[String]) -> Report {
    let namespace = match args {
        [] => None,
        [option, namespace] if option == "-n" => Some(namespace.as_str()),
        others => panic!("{others:?}"),
    };
    let (cluster, at) = dump::read(folder, namespace, checks::questions).unwrap();
    let facts = cluster.into();
    Report::new(&facts, checks::find_all_problems(&facts, at), (&[], &[]), &[])
}

fn written(report: &Report, format: &str) -> String {
    match format {
        "table" => formats::text(report, 100, false),
        "markdown" => formats::markdown(report),
        "json" => formats::json(report).unwrap(),
        "junit" => formats::junit(report, |finding| finding.severity == Severity::Error),
        _ => formats::sarif(report).unwrap(),
    }
}

/// The differences between the expectations and the report of a case.
fn faults(case: &Case, common: &BTreeMap<String, Value>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    write_dump(case, common, folder.path());
    let whole = diagnose(folder.path(), &case.args);
    let report: Value = serde_json::from_str(&written(&whole, "json")).unwrap();
    let mut findings: Vec<Finding> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(Finding::read)
        .collect();
    let want = &case.want;
    let mut faults = Vec::new();
    let mut fault = |text: String| faults.push(text);
    findings.retain(|finding| finding.code != "NFS003");
    let found: Vec<&String> = findings.iter().map(|finding| &finding.title).collect();
    if found.iter().copied().ne(&want.found) {
        fault(format!("found {found:?}, not {:?}", want.found));
    }
    for wanted in &want.some {
        let each: Vec<_> = findings
            .iter()
            .filter_map(|finding| finding.fits(wanted).err())
            .collect();
        if each.len() == findings.len() {
            fault(format!("no finding as wanted: {}", each.join("; ")));
        }
    }
    for finding in &findings {
        if let Some(pattern) = want.never.iter().find(|pattern| matches(pattern, &finding.text)) {
            fault(format!("{} has a text that matches {pattern:?}", finding.title));
        }
    }
    for object in &case.waiting {
        if !findings.iter().any(|finding| finding.about.contains(object)) {
            fault(format!("no finding names the Pending {object}"));
        }
    }
    let table = written(&whole, "table");
    if !case.waiting.is_empty() && matches("no problems found", &table) {
        fault("the report says that nothing is wrong".to_owned());
    }
    for format in ["table", "markdown", "json", "junit", "sarif"]
        .iter()
        .filter(|_| want.no_escapes)
    {
        let text = written(&whole, format);
        let hidden = |c: char| match *format {
            "table" | "markdown" => {
                matches!(c, '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            }
            _ => false,
        };
        let escapes = |c: char| (c.is_ascii_control() && !matches!(c, '\n' | '\t')) || hidden(c);
        if let Some(c) = text.chars().find(|c| escapes(*c)) {
            fault(format!("the format {format} holds {c:?}"));
        }
    }
    faults
}

#[test]
fn the_doctor_finds_the_causes_of_reported_faults() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command/doctor");
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let common: BTreeMap<String, Value> = serde_json::from_str(&read(&folder.join("common.json"))).unwrap();
    let mut wrong = Vec::new();
    for entry in fs::read_dir(folder.join("cases")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let case: Case = serde_json::from_str(&read(&path)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let faults = faults(&case, &common);
        if !faults.is_empty() {
            wrong.push(format!("{name} ({}):\n  {}", case.about, faults.join("\n  ")));
        }
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn options_choose_what_is_reported_and_what_counts() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, items: Value| {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        fs::write(folder.path().join(name), list.to_string()).unwrap();
    };
    write(
        "pvc.json",
        json!([{"kind": "PersistentVolumeClaim", "metadata": {"name": "a", "namespace": "web"},
                "spec": {"storageClassName": "gold"}, "status": {"phase": "Pending"}}]),
    );
    write("pv.json", json!([]));
    write(
        "sc.json",
        json!([{"kind": "StorageClass", "metadata": {"name": "silver"}, "provisioner": "x/nfs"}]),
    );
    let doctor = |args: &str| {
        let ran = Nfsprov::new(["doctor"]).args(args.split_whitespace()).run();
        (ran.status, ran.stdout, ran.stderr)
    };
    let dump = format!("--from-dump {}", folder.path().display());
    // Skipped checks matter only if the user selected some of them.
    for (args, status) in [
        ("", 1),
        ("--select NFS103", 1),
        ("--ignore NFS103 --ignore NFS123", 0),
        ("--select NFS211", 0),
        ("--select NFS211 --strict", 3),
        ("--select NFS211 --ignore NFS211 --strict", 0),
    ] {
        assert_eq!(doctor(&format!("{dump} {args}")).0, status, "{args}");
    }
    let (_, markdown, _) = doctor(&format!("{dump} --select NFS103 -o markdown"));
    assert!(
        markdown.starts_with("## nfsprov doctor: ") && markdown.contains("### ERROR NFS103: ` pvc/a -n web `"),
        "{markdown}"
    );
    for (args, words) in [
        ("--fix mypvc", "name objects before --fix"),
        ("--dry-run", "--fix"),
        (&format!("{dump} --fix"), "cannot be used with"),
    ] {
        let (status, _, stderr) = doctor(args);
        assert!(status == 2 && stderr.contains(words), "{args}: {status}: {stderr}");
    }
}

/// The catalogue of findings as the table of docs/doctor.md.
fn table_of_findings() -> String {
    let rows = CATALOGUE.iter().map(|entry| {
        let severity = format!("{:?}", entry.severity).to_lowercase();
        let automatic = if entry.automatic { "automatic" } else { "" };
        format!(
            "| {} | {severity} | {} | {automatic} |\n",
            entry.code,
            entry.title.replace('|', "\\|")
        )
    });
    format!(
        "\n| code | severity | finding | fix |\n|---|---|---|---|\n{}\n",
        rows.collect::<String>()
    )
}

#[test]
fn the_documentation_lists_every_finding() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("<!-- The table is generated").unwrap();
    let (mark, rest) = rest.split_once("-->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of the table -->").unwrap();
    let wanted = format!(
        "{before}<!-- The table is generated{mark}-->\n{}<!-- end of the table -->{after}",
        table_of_findings()
    );
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(text == wanted, "run UPDATE=1 cargo test --test command -- doctor");
}
