//! What holds of every cluster, however broken: clusters are put together from the cases of `tests/command/doctor/`,
//! then fields are taken out, statuses changed and texts replaced.

use std::path::Path;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::cluster::dump;
use crate::doctor::checks::{self, View};
use crate::doctor::facts::Facts;
use crate::doctor::report::Report;
use crate::doctor::{Confidence, formats};

/// A little generator, so that one number says what becomes of a whole cluster.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// What a tenant, or a bad day, may write anywhere.
const TEXTS: [&str; 12] = [
    "",
    "x\u{1b}[31mred\u{7}",
    "\u{202e}txet",
    "a'b\"c`d$(reboot)",
    "/export; rm -rf /",
    "Bound",
    "Released",
    "2026-03-02T11:00:00Z",
    "fd00::1",
    "nfs.csi.k8s.io",
    "Unknown",
    "\u{9b}2J\n\n-",
];

fn objects() -> Vec<Vec<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command/doctor");
    let read = |path: &Path| -> Value { serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap() };
    let common = read(&folder.join("common.json"));
    let of = |case: &Value| -> Vec<Value> {
        let shared = case["common"].as_array().unwrap().iter();
        let shared = shared.map(|name| common[name.as_str().unwrap()].clone());
        shared
            .chain(case["objects"].as_array().unwrap().iter().cloned())
            .collect()
    };
    let entries = std::fs::read_dir(folder.join("cases")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| of(&read(path))).collect()
}

/// Changes one value somewhere below `value`.
fn mangle(value: &mut Value, random: &mut Random) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            let key = random.pick(&keys);
            // Without its kind an object is none.
            if key == "kind" && fields.contains_key("apiVersion") {
                return;
            }
            match random.below(6) {
                0 => _ = fields.remove(key),
                _ => mangle(&mut fields[key], random),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let place = random.below(items.len());
            match random.below(6) {
                0 => _ = items.remove(place),
                _ => mangle(&mut items[place], random),
            }
        }
        Value::String(text) => *text = (*random.pick(&TEXTS)).to_owned(),
        Value::Number(_) => *value = json!(random.below(3)),
        Value::Bool(known) => *known = !*known,
        other => *other = Value::Null,
    }
}

fn broken_cluster(all: &[Vec<Value>], random: &mut Random) -> Facts {
    let mut objects: Vec<Value> = Vec::new();
    for _ in 0..=random.below(3) {
        objects.extend(random.pick(all).iter().cloned());
    }
    for _ in 0..random.below(12) {
        let place = random.below(objects.len());
        match random.below(4) {
            0 => _ = objects.remove(place),
            _ => mangle(&mut objects[place], random),
        }
        if objects.is_empty() {
            break;
        }
    }
    let namespace = (random.below(2) == 0).then_some("default");
    let mut facts = Facts::from(dump::assemble(objects, namespace));
    (*random.pick(&["v1.19.7", "v1.22.4", "v1.28.4", "v1.37.2", ""])).clone_into(&mut facts.cluster.version);
    facts
}

/// A claim that is Pending for long, or a pod that waits for its NFS volume, without a finding that names it.
fn forgotten(facts: &Facts, report: &Report, now: Timestamp) -> Option<String> {
    let view = View::new(facts, now);
    let named = |object: &crate::doctor::Object| {
        let mut findings = report.findings.iter();
        findings.any(|finding| finding.object == *object || finding.affected.contains(object))
    };
    let claims = facts
        .cluster
        .claims
        .iter()
        .filter(|claim| claim.is_pending() && !view.is_known_other_storage(claim));
    let long = claims.filter(|claim| view.has_elapsed(view.waiting_since(claim), SignedDuration::from_mins(2)));
    // A pod that waits for its first claim to be bound is named by that claim's finding, or by information about it.
    let pods = facts.cluster.pods.iter().filter(|pod| {
        let is_nfs = |claim: &String| {
            let claim = view.find_claim(&pod.namespace, claim);
            claim.is_some_and(|claim| !claim.is_pending() && !view.is_known_other_storage(claim))
        };
        let is_new = !view.has_its_volumes(pod) && pod.stopped.is_empty() && pod.deleting.is_none();
        let waits = pod.phase == "Pending" && !pod.node.is_empty() && is_new;
        let long = view.has_elapsed(pod.created, SignedDuration::from_mins(2));
        waits && long && (!pod.nfs.is_empty() || (!pod.claims.is_empty() && pod.claims.iter().all(is_nfs)))
    });
    let mut objects = long.map(|claim| claim.object()).chain(pods.map(|pod| pod.object()));
    objects.find(|object| !named(object)).map(|object| object.title())
}

/// A fix that a program may not make.
fn overdone(facts: &Facts, report: &Report) -> Option<String> {
    const NEVER: [&str; 6] = [
        "StorageClass",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "Pod",
    ];
    report.findings.iter().find_map(|finding| {
        let fix = finding.fix.as_ref().filter(|fix| fix.automatic)?;
        let objects = || fix.changes.iter().map(crate::change::Change::object);
        let outside = objects().any(|object| match (&facts.cluster.namespace, &object.namespace) {
            (Some(asked), Some(namespace)) => asked != namespace,
            _ => false,
        });
        let forbidden = objects().any(|object| NEVER.contains(&object.kind.as_str()) && finding.code != "NFS122");
        let managed = objects().any(|object| {
            let mut workloads = facts.cluster.workloads.iter();
            workloads.any(|workload| workload.object() == object && workload.managed_by.is_some())
        });
        let wrong =
            finding.confidence != Confidence::Certain || outside || forbidden || managed || fix.changes.is_empty();
        wrong.then(|| format!("{finding:?}"))
    })
}

#[test]
fn random_clusters_give_no_panic_no_omission_and_no_forbidden_fix() {
    let all = objects();
    let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
    proptest!(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() }, |(seed in 1_u64..)| {
        let mut random = Random(seed);
        let facts = broken_cluster(&all, &mut random);
        let report = Report::new(&facts, checks::find_all_problems(&facts, now), (&[], &[]), &[]);
        prop_assert_eq!(forgotten(&facts, &report, now), None, "seed {}: {:?}", seed, facts.cluster);
        prop_assert_eq!(overdone(&facts, &report), None);
        let hidden = |c: char| c != '\n' && (c.is_control() || crate::escape::is_hidden(c));
        for text in [formats::text(&report, 100, false), formats::markdown(&report)] {
            prop_assert!(!text.contains(hidden), "{:?}", text);
        }
        let outputs = [formats::json(&report).unwrap(), formats::sarif(&report).unwrap(), formats::junit(&report, |_| true)];
        for output in outputs {
            prop_assert!(!output.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')), "{:?}", output);
        }
        for finding in &report.findings {
            prop_assert!(crate::doctor::explain::find_entry(finding.code).is_some(), "{}", finding.code);
        }
    });
    // What the generator changes is what a shell or a terminal would act on.
    assert!(TEXTS.iter().any(|text| crate::shell::shell_word(text) != *text));
}
