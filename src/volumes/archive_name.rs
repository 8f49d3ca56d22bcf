//! Parses the names of archives (PURE). The main type is [`Archive`].

use crate::export::names_a_volume;

/// The prefix of archives, in nfsprov and in nfs-subdir-external-provisioner.
pub(super) const ARCHIVE_PREFIX: &str = "archived-";

/// The parsed name of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The name of the directory before it was archived, with dashes for slashes.
    pub old: String,
    /// The PV that it was, if the name ends in a dash and the name of a provisioned PV; `None` for such a name alone.
    pub volume: Option<String>,
}

impl Archive {
    /// Parses the name of a directory in the export's root, `archived-` and the name that it had; `None` if it is not
    /// the name of an archive. A time after the name of a PV is dropped. The name is no proof: whoever can write to the
    /// export can give it.
    pub fn parse(name: &str) -> Option<Self> {
        let old = name.strip_prefix(ARCHIVE_PREFIX).filter(|old| !old.is_empty())?;
        // Where the name was taken, a time was put at its end.
        let old = match old.rsplit_once('-') {
            Some((rest, time)) if is_time(time) && names_a_volume(rest) => rest,
            _ => old,
        };
        let volume = match names_a_volume(old) {
            true => old.rsplit_once("-pvc-").map(|(_, uid)| format!("pvc-{uid}")),
            false => None,
        };
        Some(Self {
            old: old.to_owned(),
            volume,
        })
    }
}

/// Whether a text has the form of `20260131T235959Z`; the numbers are not checked.
fn is_time(text: &str) -> bool {
    text.len() == 16
        && text.char_indices().all(|(at, c)| match at {
            8 => c == 'T',
            15 => c == 'Z',
            _ => c.is_ascii_digit(),
        })
}
