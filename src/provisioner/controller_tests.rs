//! What the watches record.

use serde_json::{Value, json};

use super::*;
use crate::export::VolumePath;
use crate::provisioner::mock::{class, mock, upstream_volume, waiting_claim, work};

/// A volume protects its directory, or no longer does, from the moment that the watch tells of the change.
#[tokio::test]
async fn a_volume_becomes_a_neighbour_again_when_it_is_to_be_kept_after_all() {
    let (client, _server) = mock();
    let export = tempfile::tempdir().unwrap();
    let (classes, mut writer) = reflector::store();
    let context = Context {
        work: Arc::new(work(client, export.path())),
        classes,
    };
    let policy = |word: &str| ("/spec/persistentVolumeReclaimPolicy", json!(word));
    let phase = |word: &str| ("/status/phase", json!(word));
    let terminating = || ("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
    let recorded = |change: &[(&str, Value)], is_listed: bool| {
        let volume = upstream_volume("b", "team/b", change);
        if is_listed {
            note(&Event::Init, &context);
            note(&Event::InitApply(volume), &context);
            note(&Event::InitDone, &context);
        } else {
            note(&Event::Apply(volume), &context);
        }
        let location = context.work.exports.locations()[0].clone();
        let team = VolumePath::parse("team").unwrap();
        let neighbours = context.work.neighbours();
        neighbours.of(&location, &team, "pvc-a", None).is_some()
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
    let work = Arc::new(work(client, export.path()));
    let (claim, volume) = (waiting_claim(), upstream_volume("b", "team/b", &[]));
    let mut listed = HashSet::new();
    for (is_listed, is_known) in [(true, true), (false, false)] {
        work.claim_retries().failed("u", "v1");
        work.volume_retries().failed("volume-b", "v1");
        note_claim(&Event::Init, &work, &mut listed);
        note_released(&Event::Init, &work, &mut listed);
        if is_listed {
            note_claim(&Event::InitApply(claim.clone()), &work, &mut listed);
        }
        note_claim(&Event::InitDone, &work, &mut listed);
        if is_listed {
            note_released(&Event::InitApply(volume.clone()), &work, &mut listed);
        }
        note_released(&Event::InitDone, &work, &mut listed);
        assert_eq!(work.claim_retries().is_failing("u"), is_known);
        assert_eq!(work.volume_retries().is_failing("volume-b"), is_known);
    }
    work.volume_retries().failed("volume-b", "v1");
    note_released(&Event::Delete(volume), &work, &mut listed);
    assert!(!work.volume_retries().is_failing("volume-b"));
}
