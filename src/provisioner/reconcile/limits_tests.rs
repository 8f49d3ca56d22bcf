//! Rounds of checks on a server whose tools are doubles.

use serde_json::json;

use super::*;
use crate::export::{Attributes, LimitChange, LimitedExport, SizeLimit, VolumePath};
use crate::provisioner::backoff::Retries;
use crate::provisioner::mock::{mock, reconciler_on};
use crate::provisioner::volume::{ENFORCE, QUOTA};

const UID: &str = "0b510b51-0b51-4b51-8b51-0b510b510b51";

/// An id of volumes that no directory has.
const UNUSED: u32 = (1 << 30) + 5;

async fn limited_volume(limited: &LimitedExport) -> PersistentVolume {
    let directory = VolumePath::parse(&format!("d-c-pvc-{UID}")).unwrap();
    let (export, mode) = (&limited.export, Attributes::with_mode(0o777));
    export.create_directory(&directory, mode).await.unwrap();
    limited.enforce(true);
    let limit = SizeLimit::new(10 << 20, UID).unwrap();
    export.limit_size(&directory, &limit, LimitChange::New).await.unwrap();
    serde_json::from_value(json!({
        "metadata": {"name": format!("pvc-{UID}"), "annotations": {QUOTA: ENFORCE}},
        "spec": {"nfs": {"server": "server", "path": format!("/export/{directory}")},
                 "claimRef": {"namespace": "d", "name": "c"}},
    }))
    .unwrap()
}

#[tokio::test]
async fn limits_are_checked_and_those_of_nothing_are_cleared_at_the_second_round() {
    let limited = LimitedExport::new(vec!["/bin/sh".to_owned()]);
    let volume = limited_volume(&limited).await;
    let (client, _server) = mock();
    let mut reconciler = reconciler_on(client, limited.export.clone());
    reconciler.settings.reports_usage = true;
    let served = reconciler.exports.iter().next().unwrap();
    let mut rounds = Rounds::default();
    let text = || {
        reconciler
            .metrics
            .render_text(&reconciler.metrics.current_counts(&Retries::default(), true))
    };
    limited.take_log();

    reconciler.check_limits(served, &mut rounds).await;
    assert_eq!(limited.take_log(), "", "a server without limited volumes was asked");

    reconciler.note_limit(&volume);
    limited.add_to_report(&format!("#{UNUSED} 0 0 1024 00 [--------] 0 0 0 00 [--------]"));
    for is_second in [false, true] {
        reconciler.check_limits(served, &mut rounds).await;
        let log = limited.take_log();
        let cleared = format!("limit -p bhard=0k {UNUSED} ");
        assert_eq!(log.contains(&cleared), is_second, "{log}");
        for line in [
            r#"nfsprov_quota_enforced{export="server:/export"} 1"#,
            r#"nfsprov_volume_used_bytes{namespace="d",persistentvolumeclaim="c"} 0"#,
            r#"nfsprov_volume_capacity_bytes{namespace="d",persistentvolumeclaim="c"} 10485760"#,
        ] {
            assert!(text().lines().any(|found| found == line), "no {line} in:\n{}", text());
        }
    }

    limited.enforce(false);
    reconciler.check_limits(served, &mut rounds).await;
    let line = r#"nfsprov_quota_enforced{export="server:/export"} 0"#;
    assert!(text().lines().any(|found| found == line), "{}", text());

    // A volume that is gone is neither checked nor reported.
    reconciler.forget_limit(&volume.name_any());
    reconciler.check_limits(served, &mut rounds).await;
    assert!(
        !text().contains("persistentvolumeclaim=") && !text().contains("nfsprov_quota_enforced{"),
        "{}",
        text()
    );
}

#[tokio::test]
async fn one_that_does_not_lead_any_more_clears_no_limit() {
    let limited = LimitedExport::new(vec!["/bin/sh".to_owned()]);
    let volume = limited_volume(&limited).await;
    let (client, _server) = mock();
    let reconciler = reconciler_on(client, limited.export.clone());
    reconciler.note_limit(&volume);
    limited.add_to_report(&format!("#{UNUSED} 0 0 1024 00 [--------] 0 0 0 00 [--------]"));
    let served = reconciler.exports.iter().next().unwrap();
    let mut rounds = Rounds::default();
    reconciler.check_limits(served, &mut rounds).await;
    reconciler.set_stopping(true);
    reconciler.check_limits(served, &mut rounds).await;
    let log = limited.take_log();
    assert!(!log.contains("bhard=0k"), "{log}");
}

#[test]
fn a_limit_is_kept_while_files_outside_the_removed_directory_have_its_project() {
    // 2^30 and the first 30 bits of the uid.
    let line = |files: u32| format!("#1121206996 4 0 40 00 [--------] {files} 0 0 00 [--------]\n");
    let report = |files: u32| QuotaReport::parse(&line(files));
    let removed = [
        format!("pvc-{UID}"),
        format!("pvc-{UID}-20260101T000000Z"),
        "other".to_owned(),
    ];
    assert_eq!(kept_limits(&removed, &report(0)), Vec::<String>::new());
    let kept = kept_limits(&removed, &report(2));
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept[0].contains("2 files elsewhere"), "{kept:?}");
}
