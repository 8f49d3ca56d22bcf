//! What the watches record.

use serde_json::{Value, json};

use super::*;
use crate::export::VolumePath;
use crate::provisioner::mock::{class, mock, reconciler, upstream_volume, waiting_claim};

/// A volume protects its directory, or no longer does, from the moment that the watch tells of the change.
#[tokio::test]
async fn a_volume_becomes_a_neighbour_again_when_it_is_to_be_kept_after_all() {
    let (client, _server) = mock();
    let export = tempfile::tempdir().unwrap();
    let (classes, mut writer) = reflector::store();
    let context = Context {
        reconciler: Arc::new(reconciler(client, export.path())),
        classes,
        claims: reflector::store().0,
    };
    let policy = |word: &str| ("/spec/persistentVolumeReclaimPolicy", json!(word));
    let phase = |word: &str| ("/status/phase", json!(word));
    let terminating = || ("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    let recorded = |change: &[(&str, Value)], is_listed: bool| {
        let volume = upstream_volume("b", "team/b", change);
        if is_listed {
            record_volume_event(&Event::Init, &context);
            record_volume_event(&Event::InitApply(volume), &context);
            record_volume_event(&Event::InitDone, &context);
        } else {
            record_volume_event(&Event::Apply(volume), &context);
        }
        let location = context.reconciler.exports.locations()[0].clone();
        let team = VolumePath::parse("team").unwrap();
        let neighbours = context.reconciler.lock_neighbours();
        !neighbours.find_conflicts(&location, &team, "pvc-a", None).is_empty()
    };
    for (parameters, taken) in [
        (json!({"archiveOnDelete": "false"}), true),
        (json!({}), true),
        (json!({"onDelete": "retain"}), false),
    ] {
        writer.apply_watcher_event(&Event::Apply(class(parameters.clone())));
        for is_listed in [false, true] {
            for (change, is_neighbour) in [
                (vec![phase("Bound")], true),
                (vec![phase("Released")], !taken),
                (vec![policy("Retain")], true),
                (vec![policy("Delete")], !taken),
                (vec![phase("Bound"), terminating()], true),
                (vec![phase("Available"), policy("Retain")], true),
            ] {
                assert_eq!(recorded(&change, is_listed), is_neighbour, "{change:?} {parameters}");
            }
        }
    }
}

/// What went while the watch was interrupted is not in the next list.
#[tokio::test]
async fn what_is_not_listed_any_more_is_forgotten() {
    let (client, _server) = mock();
    let export = tempfile::tempdir().unwrap();
    let reconciler = Arc::new(reconciler(client, export.path()));
    let (claim, volume) = (waiting_claim(), upstream_volume("b", "team/b", &[]));
    let mut listed = HashSet::new();
    for (is_listed, is_known) in [(true, true), (false, false)] {
        reconciler.lock_claim_retries().record_failure("u", "v1");
        reconciler.lock_volume_retries().record_failure("volume-b", "v1");
        clean_up_after_claim_event(&Event::Init, &reconciler, &mut listed);
        record_released_event(&Event::Init, &reconciler, &mut listed);
        if is_listed {
            clean_up_after_claim_event(&Event::InitApply(claim.clone()), &reconciler, &mut listed);
        }
        clean_up_after_claim_event(&Event::InitDone, &reconciler, &mut listed);
        if is_listed {
            record_released_event(&Event::InitApply(volume.clone()), &reconciler, &mut listed);
        }
        record_released_event(&Event::InitDone, &reconciler, &mut listed);
        assert_eq!(reconciler.lock_claim_retries().is_failing("u"), is_known);
        assert_eq!(reconciler.lock_volume_retries().is_failing("volume-b"), is_known);
    }
    reconciler.lock_volume_retries().record_failure("volume-b", "v1");
    record_released_event(&Event::Delete(volume), &reconciler, &mut listed);
    assert!(!reconciler.lock_volume_retries().is_failing("volume-b"));
}
