//! Leader election (PURE): evaluates a Lease by when it was seen to change.
//!
//! The rules are client-go's, so its candidates could compete for the same Lease. Times are durations on this process's
//! monotonic clock. The times of day in the Lease are informative only, so a clock that jumps, or differs between
//! hosts, makes no second leader.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::Deserialize;

/// How long a Lease that isn't renewed is respected by others.
pub const DURATION: Duration = Duration::from_secs(15);

/// How long a leader that can't renew goes on. Its last request has the difference to [`DURATION`] to arrive before
/// another leader begins.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(10);

/// How often the leader renews, and standbys check.
pub const RETRY: Duration = Duration::from_secs(2);

/// The record of a Lease, and since when it has not changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub record: LeaseSpec,
    /// When it was first read with this content, on the monotonic clock.
    pub since: Duration,
}

/// What a Lease means for a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseVerdict<'a> {
    /// This candidate holds it and renews it.
    Ours,
    /// Not held, or expired: to be acquired.
    Free,
    /// Another candidate holds it.
    Held {
        by: &'a str,
        /// The time until it expires, unless it is renewed.
        remaining: Duration,
    },
}

/// Updates `before` with a record that was read at `now`. An unchanged record keeps its age.
///
/// `now` is taken after the answer arrived: a late time makes a candidate wait longer, an early one would make it
/// usurp.
pub fn observe_record(before: Option<Seen>, record: &LeaseSpec, now: Duration) -> Seen {
    match before {
        Some(seen) if seen.record == *record => seen,
        _ => Seen {
            record: record.clone(),
            since: now,
        },
    }
}

/// Evaluates a Lease at `now` for the candidate `me`; `None` is a Lease that does not exist, and free. A Lease that
/// names `me` is [`LeaseVerdict::Ours`] even if it has expired.
pub fn evaluate_lease<'a>(lease: Option<&'a Seen>, me: &str, now: Duration) -> LeaseVerdict<'a> {
    let Some(seen) = lease else {
        return LeaseVerdict::Free;
    };
    let by = holder_of(&seen.record);
    if by == me {
        return LeaseVerdict::Ours;
    }
    // The duration is the one that the holder wrote.
    let duration = seen.record.lease_duration_seconds.map_or(DURATION, |seconds| {
        Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    });
    match seen.since.saturating_add(duration).saturating_sub(now) {
        _ if by.is_empty() => LeaseVerdict::Free,
        Duration::ZERO => LeaseVerdict::Free,
        remaining => LeaseVerdict::Held { by, remaining },
    }
}

/// The record with which `me` acquires or renews the Lease; `at` is the time of day. An `old` record that isn't `me`'s,
/// a released one too, counts as one more transition; a renewal keeps the time of acquisition.
pub fn renewed_record(old: Option<&LeaseSpec>, me: &str, at: &MicroTime) -> LeaseSpec {
    let ours = old.filter(|old| holder_of(old) == me);
    let transitions = old.and_then(|old| old.lease_transitions);
    LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: Some(DURATION.as_secs() as i32),
        acquire_time: ours
            .and_then(|ours| ours.acquire_time.clone())
            .or_else(|| Some(at.clone())),
        renew_time: Some(at.clone()),
        lease_transitions: Some(match (old, ours) {
            (None, _) => 0,
            (_, Some(_)) => transitions.unwrap_or_default(),
            (Some(_), None) => transitions.unwrap_or_default().saturating_add(1),
        }),
        ..old.cloned().unwrap_or_default()
    }
}

/// The record with which a leader releases the Lease, as client-go does, so that standbys needn't wait for its expiry.
pub fn released_record(old: &LeaseSpec, at: &MicroTime) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(1),
        acquire_time: Some(at.clone()),
        renew_time: Some(at.clone()),
        ..old.clone()
    }
}

/// The holder of a Lease; empty if it is not held.
pub fn holder_of(record: &LeaseSpec) -> &str {
    record.holder_identity.as_deref().unwrap_or_default()
}

/// The name of a provisioner's Lease, and of the lock of nfs-subdir-external-provisioner: its own, with dashes for
/// slashes. `None` with an upper-case letter or `_`, which no object's name can have.
pub fn lease_name(provisioner: &str) -> Option<String> {
    let name = provisioner.replace('/', "-");
    // Not replaced by other characters: two provisioners could then share a Lease, and one would never serve.
    (!name.contains(|c: char| c.is_ascii_uppercase() || c == '_')).then_some(name)
}

/// The holder of the lock of nfs-subdir-external-provisioner (an annotation on an Endpoints object), if it is alive:
/// the annotation was read twice, at least [`RETRY`] apart, and was renewed in between.
pub fn upstream_leader(before: Option<&str>, after: Option<&str>) -> Option<String> {
    /// What upstream writes, as far as it matters here.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Record {
        holder_identity: String,
    }
    let (before, after) = (before?, after?);
    let record: Record = serde_json::from_str(after).ok()?;
    (before != after && !record.holder_identity.is_empty()).then_some(record.holder_identity)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    const ME: &str = "host_1";

    fn day(seconds: i64) -> MicroTime {
        MicroTime(Timestamp::from_second(seconds).unwrap())
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn spec(holder: Option<&str>, duration: Option<i32>) -> LeaseSpec {
        LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: duration,
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_lease_is_ours_held_or_free() {
        let held = |remaining| LeaseVerdict::Held {
            by: "other",
            remaining: seconds(remaining),
        };
        let other = Some("other");
        for (what, holder, duration, age, verdict) in [
            ("live", other, Some(15), 0, held(15)),
            ("live for a moment more", other, Some(15), 14, held(1)),
            ("expired to the second", other, Some(15), 15, LeaseVerdict::Free),
            ("long expired", other, Some(15), 1_000_000, LeaseVerdict::Free),
            ("of a holder with more patience", other, Some(60), 30, held(30)),
            ("without a duration", other, None, 14, held(1)),
            ("without a duration, expired", other, None, 15, LeaseVerdict::Free),
            ("with a senseless duration", other, Some(-1), 0, LeaseVerdict::Free),
            ("released as client-go does", Some(""), Some(1), 0, LeaseVerdict::Free),
            ("released, long duration", Some(""), Some(600), 0, LeaseVerdict::Free),
            ("never held", None, None, 0, LeaseVerdict::Free),
            ("ours", Some(ME), Some(15), 3, LeaseVerdict::Ours),
            ("ours and expired", Some(ME), Some(15), 100, LeaseVerdict::Ours),
            (
                "of one with a similar name",
                Some("host_11"),
                Some(15),
                15,
                LeaseVerdict::Free,
            ),
        ] {
            let since = seconds(1000);
            let seen = Seen {
                record: spec(holder, duration),
                since,
            };
            assert_eq!(evaluate_lease(Some(&seen), ME, since + seconds(age)), verdict, "{what}");
        }
        assert_eq!(evaluate_lease(None, ME, seconds(0)), LeaseVerdict::Free, "no lease");
    }

    #[test]
    fn a_record_ages_from_when_it_was_first_seen_and_is_young_again_when_it_changes() {
        let mut record = renewed_record(None, "other", &day(0));
        let first = observe_record(None, &record, seconds(100));
        assert_eq!(first.since, seconds(100));
        let again = observe_record(Some(first), &record, seconds(114));
        assert_eq!(again.since, seconds(100));
        record.renew_time = Some(day(2));
        let renewed = observe_record(Some(again), &record, seconds(114));
        assert_eq!(renewed.since, seconds(114));
        let LeaseVerdict::Held { remaining, .. } = evaluate_lease(Some(&renewed), ME, seconds(120)) else {
            panic!("a renewed lease is held");
        };
        assert_eq!(remaining, seconds(9));
    }

    #[test]
    fn times_of_day_decide_nothing() {
        // The holder's clock is years behind or ahead, or steps back between two renewals.
        for (first, second) in [(0, 2), (4_000_000_000, 4_000_000_002), (4_000_000_000, 0)] {
            let mut seen = None;
            for (time, at) in [(first, 50), (second, 52)] {
                let read = observe_record(seen, &renewed_record(None, "other", &day(time)), seconds(at));
                assert!(matches!(
                    evaluate_lease(Some(&read), ME, seconds(at + 14)),
                    LeaseVerdict::Held { .. }
                ));
                assert_eq!(evaluate_lease(Some(&read), ME, seconds(at + 15)), LeaseVerdict::Free);
                seen = Some(read);
            }
        }
    }

    #[test]
    fn a_candidate_that_slept_starts_counting_when_it_reads_again() {
        // Stopped for an hour, it finds a record it has not seen: the holder gets its whole time.
        let old = observe_record(None, &renewed_record(None, "other", &day(0)), seconds(10));
        let new = observe_record(Some(old), &renewed_record(None, "third", &day(3000)), seconds(3610));
        let verdict = evaluate_lease(Some(&new), ME, seconds(3610));
        assert_eq!(
            verdict,
            LeaseVerdict::Held {
                by: "third",
                remaining: DURATION
            }
        );
    }

    #[test]
    fn transitions_count_changes_of_the_holder() {
        let taken = renewed_record(None, ME, &day(1));
        assert_eq!(taken.lease_transitions, Some(0));
        let renewed = renewed_record(Some(&taken), ME, &day(3));
        assert_eq!(renewed.lease_transitions, Some(0));
        assert_eq!((renewed.acquire_time, renewed.renew_time), (Some(day(1)), Some(day(3))));
        let usurped = renewed_record(Some(&taken), "other", &day(20));
        assert_eq!(usurped.lease_transitions, Some(1));
        assert_eq!(usurped.acquire_time, Some(day(20)));
        let free = released_record(&usurped, &day(30));
        assert_eq!((holder_of(&free), free.lease_duration_seconds), ("", Some(1)));
        assert_eq!(free.lease_transitions, Some(1));
        let back = renewed_record(Some(&free), "other", &day(31));
        assert_eq!(back.lease_transitions, Some(2));
        assert_eq!(back.lease_duration_seconds, Some(15));
        // One that was made without counting.
        assert_eq!(
            renewed_record(Some(&spec(None, None)), ME, &day(0)).lease_transitions,
            Some(1)
        );
    }

    #[test]
    fn what_others_wrote_into_a_lease_stays() {
        let old = LeaseSpec {
            strategy: Some("OldestEmulationVersion".into()),
            ..renewed_record(None, "other", &day(0))
        };
        let strategy = old.strategy.clone();
        assert_eq!(renewed_record(Some(&old), ME, &day(1)).strategy, strategy);
        assert_eq!(released_record(&old, &day(1)).strategy, strategy);
    }

    #[test]
    fn a_leader_gives_up_before_others_take_over() {
        assert!(RENEW_DEADLINE + RETRY < DURATION);
        assert!(RETRY * 3 < RENEW_DEADLINE, "one lost renewal must not end a term");
    }

    #[test]
    fn the_lease_is_called_as_the_provisioner() {
        for (provisioner, name) in [
            ("nfsprov/nfs", Some("nfsprov-nfs")),
            ("example.com/nfs", Some("example.com-nfs")),
            ("word", Some("word")),
            ("Example/nfs", None),
            ("example/my_nfs", None),
        ] {
            assert_eq!(lease_name(provisioner).as_deref(), name, "{provisioner}");
        }
    }

    #[test]
    fn upstreams_lock_is_live_if_it_is_renewed() {
        let lock = |holder: &str, renewed: &str| {
            format!(r#"{{"holderIdentity":"{holder}","leaseDurationSeconds":15,"renewTime":"{renewed}"}}"#)
        };
        let (early, late) = (lock("pod", "2026-01-01T00:00:00Z"), lock("pod", "2026-01-01T00:00:02Z"));
        let released = lock("", "2026-01-01T00:00:02Z");
        for (before, after, leader) in [
            (Some(&early), Some(&late), Some("pod")),
            (Some(&late), Some(&early), Some("pod")),
            (Some(&early), Some(&early), None),
            (None, Some(&early), None),
            (Some(&early), None, None),
            (None, None, None),
            (Some(&early), Some(&released), None),
            (Some(&released), Some(&late), Some("pod")),
            (Some(&early), Some(&"not JSON".to_owned()), None),
        ] {
            let found = upstream_leader(before.map(String::as_str), after.map(String::as_str));
            assert_eq!(found.as_deref(), leader, "{before:?} {after:?}");
        }
    }
}
