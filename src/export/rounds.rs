//! When a removal without progress ends (PURE): a server may list entries that can't be removed, or hide some, for
//! ever.

/// The limit of consecutive rounds that remove nothing.
const LIMIT: u8 = 3;

/// The message of the error.
pub(super) const STILL_NOT_EMPTY: &str = "it is still not empty after 3 rounds that removed nothing";

/// Counts the rounds of listing and removing for one directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    removed_before: Option<u64>,
    without_progress: u8,
}

impl Rounds {
    /// Begins a round, given how many entries the whole removal has removed so far. False if the last `LIMIT` rounds
    /// removed nothing anywhere: the caller must end the removal with an error.
    pub(super) fn begin_round(&mut self, removed: u64) -> bool {
        match self.removed_before.replace(removed) {
            Some(before) if before == removed => self.without_progress += 1,
            _ => self.without_progress = 0,
        }
        self.without_progress < LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rounds_without_progress_end_a_removal() {
        for (removed, goes_on) in [
            (&[0][..], true),
            (&[0, 0, 0], true),
            (&[0, 0, 0, 0], false),
            (&[5, 5, 5, 5], false),
            (&[0, 0, 0, 1, 1, 1], true),
            (&[0, 0, 0, 1, 1, 1, 1], false),
            (&[0, 1, 2, 3, 4, 5, 6, 7], true),
        ] {
            let mut rounds = Rounds::default();
            let last = removed.iter().map(|removed| rounds.begin_round(*removed)).last();
            assert_eq!(last, Some(goes_on), "{removed:?}");
        }
    }
}
