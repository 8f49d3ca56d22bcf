//! When to try again (PURE): 1 s doubling to 5 minutes, each wait spread by a jitter of its own.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// The first wait.
pub const FIRST: Duration = Duration::from_secs(1);

/// The longest wait; it is never given up.
pub const LONGEST: Duration = Duration::from_secs(300);

/// How long until a refusal that still holds is told once more: events expire after an hour.
pub const REPEAT: Duration = Duration::from_secs(30 * 60);

/// The wait after failure number `failures` (1 is the first) of the object `uid`.
///
/// The jitter takes up to a fifth off, decided by uid and count: claims that
/// failed together, for a server that was down, don't all come back together,
/// and the same failure always gives the same wait.
pub fn after(failures: u32, uid: &str) -> Duration {
    let doublings = failures.saturating_sub(1).min(20);
    let wait = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let mut hasher = DefaultHasher::new();
    (uid, failures).hash(&mut hasher);
    let fraction = (hasher.finish() % 1000) as f64 / 1000.0;
    wait.mul_f64(1.0 - fraction / 5.0)
}

/// How often each object has failed, counted while what it depends on stays the same.
#[derive(Debug, Default)]
pub struct Retries {
    failures: HashMap<String, Failures>,
}

#[derive(Debug)]
struct Failures {
    facts: String,
    count: u32,
    /// When a refusal was told last, on the caller's clock.
    told: Option<Duration>,
}

impl Retries {
    /// Counts a failure of `uid` and gives the wait until the next try. `facts` stands for what the
    /// outcome depends on, as the versions of claim and class: when it changes, the count starts anew.
    pub fn failed(&mut self, uid: &str, facts: &str) -> Duration {
        let failures = self.failures.entry(uid.to_owned()).or_insert_with(|| Failures {
            facts: facts.to_owned(),
            count: 0,
            told: None,
        });
        if failures.facts != facts {
            *failures = Failures {
                facts: facts.to_owned(),
                count: 0,
                told: None,
            };
        }
        failures.count = failures.count.saturating_add(1);
        after(failures.count, uid)
    }

    /// Counts a refusal of `uid` at the time `now`, and says whether to tell it: the first time under these facts, and
    /// again every [`REPEAT`].
    pub fn refused(&mut self, uid: &str, facts: &str, now: Duration) -> bool {
        self.failed(uid, facts);
        let Some(failures) = self.failures.get_mut(uid) else {
            return true;
        };
        let is_due = failures.told.is_none_or(|told| now.saturating_sub(told) >= REPEAT);
        if is_due {
            failures.told = Some(now);
        }
        is_due
    }

    /// Whether `uid` has failed before under the same facts.
    pub fn has_failed(&self, uid: &str, facts: &str) -> bool {
        self.failures.get(uid).is_some_and(|failures| failures.facts == facts)
    }

    /// Whether the last try of `uid` failed.
    pub fn is_failing(&self, uid: &str) -> bool {
        self.failures.contains_key(uid)
    }

    /// Forgets all objects but these: a watch that was interrupted does not tell of each that went.
    pub fn keep_only(&mut self, uids: &HashSet<String>) {
        self.failures.retain(|uid, _| uids.contains(uid));
    }

    /// Forgets an object that succeeded or went.
    pub fn forget(&mut self, uid: &str) {
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
            let wait = after(failures, "uid");
            let full = Duration::from_secs(full);
            assert!(wait <= full && wait >= full.mul_f64(0.8), "{failures}: {wait:?}");
        }
    }

    #[test]
    fn two_claims_that_failed_together_do_not_return_together() {
        assert_ne!(after(5, "one"), after(5, "another"));
        assert_eq!(after(5, "one"), after(5, "one"));
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
            assert_eq!(retries.refused("a", facts, now), is_told, "{facts} after {minutes} min");
        }
        retries.forget("a");
        assert!(retries.refused("a", "v2", Duration::from_secs(72 * 60)));
    }

    #[test]
    fn the_count_starts_anew_when_the_facts_change() {
        let mut retries = Retries::default();
        assert!(retries.failed("a", "v1") <= FIRST);
        assert!(retries.failed("a", "v1") > FIRST);
        assert!(retries.has_failed("a", "v1") && !retries.has_failed("a", "v2"));
        assert!(retries.failed("a", "v2") <= FIRST);
        assert!(retries.is_failing("a") && !retries.is_failing("b"));
        retries.forget("a");
        assert!(!retries.is_failing("a"));
        assert!(!retries.has_failed("a", "v2"));
    }
}
