//! Leader election (PURE): evaluates a Lease by when it was seen to change.
//!
//! The rules are client-go's, so its candidates could compete for the same Lease. Times are durations on this process's
//! monotonic clock. The times of day in the Lease are informative only, so a clock that jumps, or differs between
//! hosts, makes no second leader.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::Deserialize;

pub use crate::cluster::provisioners::lease_name;

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

/// The candidate other than `me` that holds a Lease at `now`. `None` if `me` may acquire or renew it: it does not exist,
/// is not held, has expired or names `me`, even if it has expired.
pub fn other_holder<'a>(lease: Option<&'a Seen>, me: &str, now: Duration) -> Option<&'a str> {
    let seen = lease?;
    let holder = holder_of(&seen.record);
    // The duration is the one that the holder wrote.
    let duration = seen.record.lease_duration_seconds.map_or(DURATION, |seconds| {
        Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
    });
    let is_live = now < seen.since.saturating_add(duration);
    (is_live && !holder.is_empty() && holder != me).then_some(holder)
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
    fn a_lease_is_held_by_another_until_it_expires() {
        let other = Some("other");
        for (what, holder, duration, age, is_held) in [
            ("live", other, Some(15), 0, true),
            ("live for a moment more", other, Some(15), 14, true),
            ("expired to the second", other, Some(15), 15, false),
            ("long expired", other, Some(15), 1_000_000, false),
            ("of a holder with more patience", other, Some(60), 30, true),
            ("without a duration", other, None, 14, true),
            ("without a duration, expired", other, None, 15, false),
            ("with a senseless duration", other, Some(-1), 0, false),
            ("released as client-go does", Some(""), Some(1), 0, false),
            ("released, long duration", Some(""), Some(600), 0, false),
            ("never held", None, None, 0, false),
            ("ours", Some(ME), Some(15), 3, false),
            ("of one with a similar name", Some("host_11"), Some(15), 14, true),
        ] {
            let since = seconds(1000);
            let record = spec(holder, duration);
            let seen = Seen { record, since };
            let found = other_holder(Some(&seen), ME, since + seconds(age));
            assert_eq!(found, holder.filter(|_| is_held), "{what}");
        }
        assert_eq!(other_holder(None, ME, seconds(0)), None, "no lease");
    }

    #[test]
    fn a_record_ages_from_when_it_was_first_seen_and_is_young_again_when_it_changes() {
        let mut record = renewed_record(None, "other", &day(0));
        let first = observe_record(None, &record, seconds(100));
        assert_eq!(first.since, seconds(100));
        let again = observe_record(Some(first), &record, seconds(114));
        assert_eq!(again.since, seconds(100));
        record.renew_time = Some(day(2));
        // The same after an hour in which this candidate was stopped: the holder gets its whole time.
        let renewed = observe_record(Some(again), &record, seconds(3610));
        assert_eq!(renewed.since, seconds(3610));
    }

    #[test]
    fn times_of_day_decide_nothing() {
        // The holder's clock is years behind or ahead, or steps back between two renewals.
        for (first, second) in [(0, 2), (4_000_000_000, 4_000_000_002), (4_000_000_000, 0)] {
            let mut seen = None;
            for (time, at) in [(first, 50), (second, 52)] {
                let read = observe_record(seen, &renewed_record(None, "other", &day(time)), seconds(at));
                let holder_after = |wait| other_holder(Some(&read), ME, seconds(at + wait));
                assert_eq!([14, 15].map(holder_after), [Some("other"), None]);
                seen = Some(read);
            }
        }
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
