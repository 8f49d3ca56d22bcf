//! Retry delays (PURE): 1 s doubling to 5 minutes, with jitter.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// The first delay.
pub const FIRST: Duration = Duration::from_secs(1);

/// The longest delay; retries never end.
pub const LONGEST: Duration = Duration::from_secs(300);

/// How often the event of a refusal is repeated while it holds, since events expire after an hour.
pub const REPEAT: Duration = Duration::from_secs(30 * 60);

/// The delay after failure number `failures` (1 is the first) of the object `uid`.
///
/// The jitter takes up to a fifth off. It is a hash of uid and count, so that claims that failed together are retried
/// at different times, and tests get the same delay each time.
pub fn delay_after(failures: u32, uid: &str) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    let wait = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let mut hasher = DefaultHasher::new();
    (uid, failures).hash(&mut hasher);
    let fraction = (hasher.finish() % 1000) as f64 / 1000.0;
    wait.mul_f64(1.0 - fraction / 5.0)
}

/// The failures of each object, by uid, counted while the versions that its outcome depends on stay the same.
#[derive(Debug, Default)]
pub struct Retries {
    failures: HashMap<String, Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    versions: String,
    count: u32,
    /// When the last event of a refusal was published, on the caller's clock.
    event_at: Option<Duration>,
}

impl Retries {
    /// Counts a failure of `uid` and returns the delay until the next attempt. When `versions`, the resource versions
    /// that the outcome depends on, changes, the count restarts.
    pub fn record_failure(&mut self, uid: &str, versions: &str) -> Duration {
        delay_after(self.count_failure(uid, versions).count, uid)
    }

    fn count_failure(&mut self, uid: &str, versions: &str) -> &mut Failures {
        let failures = self.failures.entry(uid.to_owned()).or_default();
        if failures.versions != versions {
            *failures = Failures {
                versions: versions.to_owned(),
                ..Failures::default()
            };
        }
        failures.count = failures.count.saturating_add(1);
        failures
    }

    /// Counts a refusal of `uid` at the time `now`. True if an event is due: at the first refusal with these versions,
    /// and every [`REPEAT`].
    pub fn record_refusal(&mut self, uid: &str, versions: &str, now: Duration) -> bool {
        let failures = self.count_failure(uid, versions);
        let is_due = failures.event_at.is_none_or(|last| now.saturating_sub(last) >= REPEAT);
        if is_due {
            failures.event_at = Some(now);
        }
        is_due
    }

    /// Whether `uid` has failed or was refused before with the same versions.
    pub fn has_failed(&self, uid: &str, versions: &str) -> bool {
        self.failures
            .get(uid)
            .is_some_and(|failures| failures.versions == versions)
    }

    /// Whether the last attempt on `uid` failed or was refused.
    pub fn is_failing(&self, uid: &str) -> bool {
        self.failures.contains_key(uid)
    }

    /// Forgets all objects but `uids`: an interrupted watch misses deletions.
    pub fn keep_only(&mut self, uids: &HashSet<String>) {
        self.failures.retain(|uid, _| uids.contains(uid));
    }

    /// Forgets an object that succeeded or was deleted.
    pub fn forget_object(&mut self, uid: &str) {
        self.failures.remove(uid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_one_second_to_five_minutes() {
        for (failures, full) in [
            (1, 1),
            (2, 2),
            (3, 4),
            (5, 16),
            (9, 256),
            (10, 300),
            (500, 300),
            (u32::MAX, 300),
        ] {
            let wait = delay_after(failures, "uid");
            let full = Duration::from_secs(full);
            assert!(wait <= full && wait >= full.mul_f64(0.8), "{failures}: {wait:?}");
        }
    }

    #[test]
    fn two_claims_that_failed_together_do_not_return_together() {
        assert_ne!(delay_after(5, "one"), delay_after(5, "another"));
        assert_eq!(delay_after(5, "one"), delay_after(5, "one"));
    }

    #[test]
    fn a_refusal_is_told_again_every_half_an_hour() {
        let mut retries = Retries::default();
        for (minutes, facts, is_told) in [
            (0, "v1", true),
            (5, "v1", false),
            (29, "v1", false),
            (30, "v1", true),
            (35, "v1", false),
            (40, "v2", true),
            (69, "v2", false),
            (71, "v2", true),
        ] {
            let now = Duration::from_secs(minutes * 60);
            assert_eq!(
                retries.record_refusal("a", facts, now),
                is_told,
                "{facts} after {minutes} min"
            );
        }
        retries.forget_object("a");
        assert!(retries.record_refusal("a", "v2", Duration::from_secs(72 * 60)));
    }

    #[test]
    fn the_count_starts_anew_when_the_facts_change() {
        let mut retries = Retries::default();
        assert!(retries.record_failure("a", "v1") <= FIRST);
        assert!(retries.record_failure("a", "v1") > FIRST);
        assert!(retries.has_failed("a", "v1") && !retries.has_failed("a", "v2"));
        assert!(retries.record_failure("a", "v2") <= FIRST);
        assert!(retries.is_failing("a") && !retries.is_failing("b"));
        retries.forget_object("a");
        assert!(!retries.is_failing("a"));
        assert!(!retries.has_failed("a", "v2"));
    }
}
