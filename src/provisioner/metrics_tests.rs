//! Tables of events and of the metrics that follow, and a check that the dashboard queries existing metrics only.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

const DASHBOARD: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/grafana-dashboard.json"));

fn claim(source: Value) -> PersistentVolumeClaim {
    let claim = json!({
        "metadata": {"name": "c", "namespace": "d", "uid": "u"},
        "spec": {"storageClassName": "nfs", "dataSource": source},
    });
    serde_json::from_value(claim).unwrap()
}

fn volume() -> PersistentVolume {
    serde_json::from_value(json!({"metadata": {"name": "v"}, "spec": {"storageClassName": "nfs"}})).unwrap()
}

fn provisioned(milliseconds: u64) -> Result<ProvisionOutcome, ReconcileError> {
    Ok(ProvisionOutcome::Provisioned {
        volume: "v".into(),
        path: "/p".into(),
        took: Some(Duration::from_millis(milliseconds)),
    })
}

/// Numbers with a sample of everything.
fn everything() -> String {
    let metrics = Metrics::default();
    metrics.count_claim(&claim(Value::Null), &provisioned(20));
    metrics.count_claim(&claim(Value::Null), &provisioned(7000));
    // An earlier attempt created the PV: it was counted then.
    let before = ProvisionOutcome::Provisioned {
        volume: "v".into(),
        path: "/p".into(),
        took: None,
    };
    metrics.count_claim(&claim(Value::Null), &Ok(before));
    metrics.count_claim(&claim(Value::Null), &Ok(ProvisionOutcome::WaitingForConsumer));
    metrics.count_claim(&claim(Value::Null), &Ok(ProvisionOutcome::NothingToDo));
    metrics.count_claim(&claim(Value::Null), &Err(ReconcileError::ClassNotFound("nfs".into())));
    metrics.count_claim(&claim(Value::Null), &Err(ReconcileError::NotLeading));
    let copy = claim(json!({"kind": "VolumeSnapshot", "name": "s"}));
    metrics.count_claim(&copy, &Ok(ProvisionOutcome::Refused("why".into())));
    let deleted = DeletionOutcome::Deleted {
        fate: "fate".into(),
        took: Duration::from_secs(1),
    };
    metrics.count_volume(&volume(), &Ok(deleted));
    metrics.count_volume(&volume(), &Ok(DeletionOutcome::NothingToDo));
    metrics.count_volume(&volume(), &Ok(DeletionOutcome::WouldDelete("fate".into())));
    metrics.count_volume(&volume(), &Ok(DeletionOutcome::Refused("why".into())));
    metrics.count_volume(&volume(), &Err(ReconcileError::ClassNotFound("nfs".into())));
    metrics.count_volume(&volume(), &Err(ReconcileError::NotLeading));
    metrics.record_probe("s:/p", Ok(Some(4096)));
    metrics.limits.record_enforcement("s:/p", true);
    let usage = VolumeGauges {
        namespace: "d".into(),
        claim: "c".into(),
        used_bytes: 1,
        capacity_bytes: 2,
    };
    metrics.limits.record_usage("s:/p", vec![usage]);
    metrics.record_probe("s:/silent", Ok(Some(1)));
    metrics.record_probe("s:/silent", Err("no answer".into()));
    let _flight = metrics.claim_in_flight();
    metrics.render_text(&Counts {
        pending: 5,
        failed: 2,
        released: 4,
        deleting: 3,
        ..metrics.current_counts(&Retries::default(), true)
    })
}

/// The names of all samples, as a query names them.
fn names(text: &str) -> BTreeSet<String> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| line.split(['{', ' ']).next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn what_happened_is_counted_under_the_librarys_names() {
    let text = everything();
    let of_claims = "controller_persistentvolumeclaim_provision";
    let of_volumes = "controller_persistentvolume_delete";
    for line in [
        format!(r#"{of_claims}_total{{class="nfs",source=""}} 2"#),
        format!(r#"{of_claims}_failed_total{{class="nfs",source=""}} 1"#),
        format!(r#"{of_claims}_failed_total{{class="nfs",source="VolumeSnapshot"}} 1"#),
        format!(r#"{of_claims}_duration_seconds_sum{{class="nfs",source=""}} 7.02"#),
        format!(r#"{of_claims}_duration_seconds_count{{class="nfs",source=""}} 2"#),
        format!(r#"{of_claims}_duration_seconds_bucket{{le="0.01",class="nfs",source=""}} 0"#),
        format!(r#"{of_claims}_duration_seconds_bucket{{le="0.025",class="nfs",source=""}} 1"#),
        format!(r#"{of_claims}_duration_seconds_bucket{{le="10.0",class="nfs",source=""}} 2"#),
        format!(r#"{of_claims}_duration_seconds_bucket{{le="+Inf",class="nfs",source=""}} 2"#),
        format!(r#"{of_volumes}_total{{class="nfs"}} 1"#),
        format!(r#"{of_volumes}_failed_total{{class="nfs"}} 2"#),
        format!(r#"{of_volumes}_duration_seconds_sum{{class="nfs"}} 1.0"#),
        format!("# TYPE {of_claims}_duration_seconds histogram"),
        "nfsprov_claims_waiting 5".to_owned(),
        "nfsprov_claims_in_flight 1".to_owned(),
        "nfsprov_claims_failing 2".to_owned(),
        "nfsprov_volumes_waiting 4".to_owned(),
        "nfsprov_volumes_in_flight 3".to_owned(),
        "nfsprov_leader 1".to_owned(),
        r#"nfsprov_export_free_bytes{export="s:/p"} 4096"#.to_owned(),
        r#"nfsprov_export_reachable{export="s:/p"} 1"#.to_owned(),
        r#"nfsprov_export_reachable{export="s:/silent"} 0"#.to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in:\n{text}");
    }
    // What isn't known has no number, and the text ends as OpenMetrics wants it.
    assert!(!text.contains(r#"free_bytes{export="s:/silent"}"#), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn what_is_in_flight_is_no_longer_when_it_ends() {
    let metrics = Metrics::default();
    let flights = (metrics.claim_in_flight(), metrics.volume_in_flight());
    let during = metrics.current_counts(&Retries::default(), true);
    assert_eq!((during.provisioning, during.deleting), (1, 1));
    drop(flights);
    assert_eq!(metrics.current_counts(&Retries::default(), false), Counts::default());
}

#[test]
fn pending_and_failed_are_what_the_loop_holds() {
    let metrics = Metrics::default();
    let (claims, mut writer) = kube::runtime::reflector::store();
    let (volumes, mut going) = kube::runtime::reflector::store();
    let (classes, mut all) = kube::runtime::reflector::store();
    metrics.set_watched(Some(Watched {
        claims,
        volumes,
        classes,
    }));
    metrics.record_probe("s:/p", Ok(None));
    assert!(metrics.check_readiness(true).unwrap_err().contains("not watched yet"));
    use kube::runtime::watcher::Event;
    for (name, uid) in [("a", "1"), ("b", "2")] {
        let mut claim = claim(Value::Null);
        claim.metadata.name = Some(name.into());
        claim.metadata.uid = Some(uid.into());
        writer.apply_watcher_event(&Event::InitApply(claim));
    }
    let mut expanding = claim(Value::Null);
    expanding.spec.as_mut().unwrap().volume_name = Some("v".into());
    writer.apply_watcher_event(&Event::InitApply(expanding));
    writer.apply_watcher_event(&Event::InitDone);
    going.apply_watcher_event(&Event::InitDone);
    assert!(metrics.check_readiness(true).is_err(), "the classes are still to come");
    all.apply_watcher_event(&Event::InitDone);
    assert_eq!(metrics.check_readiness(true), Ok(()));
    let mut retries = Retries::default();
    // A volume's failures are no claim's.
    for uid in ["2", "volume"] {
        retries.record_failure(uid, "facts");
    }
    let counts = metrics.current_counts(&retries, true);
    assert_eq!((counts.pending, counts.failed, counts.released), (2, 1, 0));
    metrics.set_watched(None);
    assert!(metrics.check_readiness(true).is_err());
}

#[test]
fn readiness_is_a_watch_and_an_export_that_answers() {
    let yes: Probe = Ok(Some(1));
    let no: Probe = Err("NFS server of s:/p does not answer".into());
    for (leading, watching, probes, lacking) in [
        (true, true, vec![&yes], vec![]),
        (true, true, vec![], vec!["no export was probed"]),
        (true, false, vec![&yes], vec!["not watched"]),
        (true, true, vec![&no], vec!["does not answer"]),
        // The others' claims can be served.
        (true, true, vec![&yes, &no], vec![]),
        (true, false, vec![&no], vec!["not watched", "does not answer"]),
        // Who stands by has nothing to watch, and needs the export as soon as it leads.
        (false, false, vec![&yes], vec![]),
        (false, false, vec![&no], vec!["does not answer"]),
    ] {
        let probes = probes.into_iter().cloned().enumerate();
        let probes = probes.map(|(number, probe)| (number.to_string(), probe)).collect();
        let found = judge_readiness(leading, watching, &probes);
        assert_eq!(found.is_ok(), lacking.is_empty(), "{probes:?}");
        let why = found.err().unwrap_or_default();
        assert!(lacking.iter().all(|words| why.contains(words)), "{why}");
    }
}

#[test]
fn the_line_fits_a_narrow_terminal() {
    let counts = Counts {
        pending: 12,
        provisioning: 3,
        failed: 2,
        bound: 120,
        ..Counts::default()
    };
    assert_eq!(
        counts.to_string(),
        "claims: 12 pending, 3 provisioning, 120 bound, 2 failed"
    );
    let many = Counts {
        pending: 20_000,
        provisioning: 1024,
        failed: 20_000,
        bound: 1_000_000,
        ..Counts::default()
    };
    assert!(many.to_string().len() < 80);
}

/// The names in a query that stand for metrics: no function, label, range, word of the language or variable.
fn metrics_in(query: &str) -> BTreeSet<String> {
    let mut plain = String::new();
    let mut depth = 0;
    for letter in query.chars() {
        match letter {
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    let mut grouping = false;
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || "_:$.".contains(letter);
    let mut rest = plain.as_str();
    while let Some(start) = rest.find(is_word) {
        let (between, word) = rest.split_at(start);
        grouping &= !between.contains(')');
        let end = word.find(|letter| !is_word(letter)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        rest = after;
        // An aggregation's grouping may stand before its brackets.
        let is_function = ["(", "by ", "by(", "without"]
            .iter()
            .any(|next| after.trim_start().starts_with(next));
        let is_name = word.starts_with(|letter: char| letter.is_ascii_alphabetic());
        if ["by", "without"].contains(&word) {
            grouping = true;
        } else if is_name && !is_function && !grouping {
            found.insert(word.to_owned());
        }
    }
    found
}

#[test]
fn metrics_are_told_from_the_rest_of_a_query() {
    for (query, metrics) in [
        ("up", vec!["up"]),
        (
            r#"rate(a_total{class=~"$class"}[$__rate_interval]) / b"#,
            vec!["a_total", "b"],
        ),
        (
            "histogram_quantile(0.9, sum by (le, class) (rate(x_bucket[5m])))",
            vec!["x_bucket"],
        ),
        ("sum(y) without (pod) > 1", vec!["y"]),
    ] {
        assert_eq!(
            metrics_in(query),
            metrics.into_iter().map(str::to_owned).collect(),
            "{query}"
        );
    }
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let exported = names(&everything());
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let mut asked = BTreeSet::new();
    let mut left = vec![&dashboard];
    while let Some(value) = left.pop() {
        match value {
            Value::Object(object) => {
                asked.extend(
                    object
                        .get("expr")
                        .and_then(Value::as_str)
                        .into_iter()
                        .flat_map(metrics_in),
                );
                left.extend(object.values());
            }
            Value::Array(items) => left.extend(items),
            // A variable's query, as in label_values(metric, label).
            Value::String(text) if text.starts_with("label_values(") => {
                let metric = text["label_values(".len()..].split(',').next().unwrap_or_default();
                asked.extend(metrics_in(metric));
            }
            _ => {}
        }
    }
    assert!(asked.len() >= 10, "only {asked:?} were found in it");
    let unknown: Vec<_> = asked.difference(&exported).collect();
    assert!(
        unknown.is_empty(),
        "the dashboard asks for {unknown:?}, and there is {exported:?}"
    );
}
