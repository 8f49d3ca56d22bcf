//! The alert rules, checked by Prometheus. tests/cluster/released.rs runs the dashboard's queries.

use nfsprov_lab::kubernetes::prometheus;
use serde_json::Value;

use crate::{ROOT, done, text};

#[test]
#[ignore = "make test-dist downloads promtool"]
fn each_alert_fires_when_it_should_and_only_then() {
    let promtool = prometheus().unwrap().join("promtool");
    let (rules, tests) = (
        format!("{ROOT}/docs/prometheus-alerts.yaml"),
        format!("{ROOT}/tests/dist/alerts_test.yaml"),
    );
    done(text(&promtool), &["check", "rules", "--lint-fatal", &rules]);
    done(text(&promtool), &["test", "rules", &tests]);
    // Each alert has two tests.
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
