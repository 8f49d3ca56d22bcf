//! The alert rules and the dashboard, as Prometheus reads them.

use nfsprov_lab::kubernetes::promtool;
use serde_json::Value;

use crate::{ROOT, done, text};

#[test]
#[ignore = "make test-dist downloads promtool"]
fn each_alert_fires_when_it_should_and_only_then() {
    let promtool = promtool().unwrap();
    let (rules, tests) = (
        format!("{ROOT}/docs/prometheus-alerts.yaml"),
        format!("{ROOT}/tests/dist/alerts_test.yaml"),
    );
    done(text(&promtool), &["check", "rules", "--lint-fatal", &rules]);
    done(text(&promtool), &["test", "rules", &tests]);
    // Each alert has its two tests.
    let rules: Value = serde_yaml::from_str(&std::fs::read_to_string(&rules).unwrap()).unwrap();
    let tests = std::fs::read_to_string(&tests).unwrap();
    let alerts = rules["groups"][0]["rules"].as_array().unwrap();
    assert!(!alerts.is_empty());
    for alert in alerts {
        let name = alert["alert"].as_str().unwrap();
        for end in ["fires", "does not fire"] {
            assert!(tests.contains(&format!("- name: {name} {end}\n")), "{name} {end}");
        }
    }
}

#[test]
#[ignore = "make test-dist downloads promtool"]
fn the_queries_of_the_dashboard_are_promql() {
    fn queries(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| queries(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| queries(value, found)),
            _ => {}
        }
    }
    let dashboard = std::fs::read_to_string(format!("{ROOT}/docs/grafana-dashboard.json")).unwrap();
    let mut found = Vec::new();
    queries(&serde_json::from_str(&dashboard).unwrap(), &mut found);
    assert!(found.len() > 10, "{found:?}");
    let rules: Vec<_> = found
        .iter()
        .enumerate()
        .map(|(number, query)| {
            let query = query
                .replace("$__rate_interval", "5m")
                .replace("$job", ".*")
                .replace("$class", ".*");
            serde_json::json!({"record": format!("query:{number}"), "expr": query})
        })
        .collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    let groups = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    std::fs::write(file.path(), groups.to_string()).unwrap();
    done(text(&promtool().unwrap()), &["check", "rules", text(file.path())]);
}
