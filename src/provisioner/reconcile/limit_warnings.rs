//! What the events of a round of checks say about limits: volumes that are full, limits that are not enforced or more
//! than the file system has.
//!
//! Each round publishes them anew, since events live for an hour; `nfsprov doctor` reads those of the last rounds.

use k8s_openapi::api::core::v1::ObjectReference;

use crate::export::QuotaReport;
use crate::provisioner::events::Events;
use crate::provisioner::volume::LimitedVolume;

/// How many full volumes of an export get an event a round.
const MAX_FULL: usize = 100;

/// A warning event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LimitWarning {
    /// A claim or a PV.
    object: ObjectReference,
    reason: &'static str,
    note: String,
}

impl LimitWarning {
    /// Queues the warning as an event on its object.
    pub(super) fn publish(self, events: &Events) {
        events.publish_warning_about(self.object, self.reason, self.note);
    }
}

/// The warnings of a round on one export: up to [`MAX_FULL`] volumes that are full, and two at `sample`, the volume
/// whose enforcement was checked: `not_enforced`, why its limit does not hold, and limits that exceed the file system.
/// Without `sample`, those two are left out. `volumes` are PV names and their limits.
pub(super) fn limit_warnings(
    volumes: &[(String, LimitedVolume)],
    sample: Option<&(String, LimitedVolume)>,
    report: &QuotaReport,
    not_enforced: Option<&str>,
) -> Vec<LimitWarning> {
    let mut found: Vec<LimitWarning> = volumes
        .iter()
        .filter_map(|(name, limited)| warning_if_full(name, limited, report))
        .take(MAX_FULL)
        .collect();
    let Some((name, limited)) = sample else {
        return found;
    };
    let about_sample = |reason, note| LimitWarning {
        object: reference("PersistentVolume", None, name, limited.uid.as_ref()),
        reason,
        note,
    };
    if let Some(why) = not_enforced {
        let note = format!("{} does not enforce the sizes of volumes: {why}", limited.location);
        found.push(about_sample("QuotaNotEnforced", note));
    }
    if let Some((limits, total)) = report.overcommitment() {
        let note = format!(
            "the limits of all volumes on the file system of {} add up to {} MiB, and it has {} MiB",
            limited.location,
            mebibytes(limits),
            mebibytes(total)
        );
        found.push(about_sample("QuotaOvercommitted", note));
    }
    found
}

/// A warning for the claim of a volume in which writes fail, or soon will; `None` if that is not so, the volume has no
/// claim, or the report does not have it.
fn warning_if_full(name: &str, limited: &LimitedVolume, report: &QuotaReport) -> Option<LimitWarning> {
    let usage = report.usage_of(limited.limit_uid.as_deref()?)?;
    if !usage.is_full() || limited.claim.is_empty() {
        return None;
    }
    Some(LimitWarning {
        object: reference(
            "PersistentVolumeClaim",
            Some(&limited.namespace),
            &limited.claim,
            limited.claim_uid.as_ref(),
        ),
        reason: "VolumeFull",
        note: format!(
            "Volume {name} uses {} MiB of its limit of {} MiB; the file system of the export has {} MiB left",
            mebibytes(usage.used_bytes),
            mebibytes(usage.limit_bytes),
            mebibytes(report.free_bytes)
        ),
    })
}

fn reference(kind: &str, namespace: Option<&str>, name: &str, uid: Option<&String>) -> ObjectReference {
    ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some(kind.to_owned()),
        namespace: namespace.map(str::to_owned),
        name: Some(name.to_owned()),
        uid: uid.cloned(),
        ..ObjectReference::default()
    }
}

fn mebibytes(bytes: u64) -> u64 {
    bytes >> 20
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{Location, VolumePath};

    /// The first project id that the uid gives is 2^30 and its first 30 bits.
    const UID: &str = "00000004-0000-4000-8000-000000000000";
    const ID: u32 = (1 << 30) + 1;

    fn volume() -> (String, LimitedVolume) {
        let limited = LimitedVolume {
            location: Location {
                server: "nfs".into(),
                path: "/export".into(),
            },
            directory: VolumePath::parse("a").unwrap(),
            uid: Some("v".to_owned()),
            namespace: "team".to_owned(),
            claim: "data".to_owned(),
            claim_uid: Some("u".to_owned()),
            limit_uid: Some(UID.to_owned()),
        };
        (format!("pvc-{UID}"), limited)
    }

    #[test]
    fn each_round_warns_of_what_is_wrong_with_limits() {
        let usage = |used: u64| format!("#{ID} {used} 0 10240 00 [--------] 3 0 0 00 [--------]\n");
        let space = |total: u64| format!("total {total} 1024\nfree 5120 1024\n");
        let volumes = [volume()];
        for (text, not_enforced, expected) in [
            (usage(4) + &space(20_480), None, &[][..]),
            (usage(10_240) + &space(20_480), None, &["VolumeFull"]),
            (usage(4) + &space(20_480), Some("statfs"), &["QuotaNotEnforced"]),
            (usage(4) + &space(10_000), None, &["QuotaOvercommitted"]),
            (String::new(), None, &[]),
        ] {
            let report = QuotaReport::parse(&text);
            let found = limit_warnings(&volumes, volumes.first(), &report, not_enforced);
            let reasons: Vec<_> = found.iter().map(|warning| warning.reason).collect();
            assert_eq!(reasons, expected, "{text}");
        }
        let report = QuotaReport::parse(&(usage(10_240) + &space(20_480)));
        let found = limit_warnings(&volumes, volumes.first(), &report, None);
        assert_eq!(
            found[0].note,
            format!(
                "Volume pvc-{UID} uses 10 MiB of its limit of 10 MiB; the file system of the export has 5 MiB left"
            )
        );
        let uid = "u".to_owned();
        let claim = reference("PersistentVolumeClaim", Some("team"), "data", Some(&uid));
        assert_eq!(found[0].object, claim);
        assert_eq!(limit_warnings(&volumes, None, &report, Some("why")).len(), 1);
    }
}
