//! What a server says of all project quotas of an export's file system (PURE).
//!
//! [`QuotaReport`] is of one moment, and may have quotas of other clusters and of other programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts::{Project, ProjectUsage, Proof, lines, parse_size, usages};
use super::{FIRST_ID, project_ids};

/// The quotas of a file system, and of one directory on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaReport {
    pub(in crate::export) usage: Vec<ProjectUsage>,
    /// Why `usage` is empty.
    pub(in crate::export) error: Option<String>,
    /// The directory; `None` if it is missing or no directory.
    pub(in crate::export) sample: Option<Proof>,
    /// The size of the file system; 0 if it is unknown.
    pub(in crate::export) total_bytes: u64,
    /// The bytes of it that are free for users; 0 if that is unknown.
    pub free_bytes: u64,
}

/// What the files of a volume take, and its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeUsage {
    /// Bytes that the files take on the server.
    pub used_bytes: u64,
    /// The limit in bytes; 0 for none.
    pub limit_bytes: u64,
    /// Files and directories, the volume's own directory among them.
    pub files: u64,
}

impl VolumeUsage {
    /// Whether so little is left of the limit that writes fail: less than 1 MiB (an eighth of a limit below 8 MiB) or
    /// less than a thousandth. False without a limit.
    pub fn is_full(&self) -> bool {
        const MIB: u64 = 1 << 20;
        let left = self.limit_bytes.saturating_sub(self.used_bytes);
        self.limit_bytes > 0 && left < MIB.min(self.limit_bytes / 8).max(self.limit_bytes / 1_000)
    }
}

impl QuotaReport {
    /// The sum of all limits of volumes, of any cluster, and the size of the file system, both in bytes, if the sum is
    /// more than the size. `None` otherwise, also if the size is unknown.
    pub fn overcommitment(&self) -> Option<(u64, u64)> {
        let limits = self.usage.iter().filter(|usage| is_of_volume(usage.project_id));
        let kib = limits.fold(0_u64, |sum, usage| sum.saturating_add(usage.limit_kib));
        let limited_bytes = kib.saturating_mul(1024);
        (self.total_bytes > 0 && limited_bytes > self.total_bytes).then_some((limited_bytes, self.total_bytes))
    }

    /// Parses what `report_script` of `ssh/quota.rs` printed; what can't be read is unknown, never an error. Sizes that
    /// can't be read are 0; the sample is `None` without its size.
    pub(crate) fn parse(text: &str) -> Self {
        let mut report = Self::default();
        let mut sample = Proof::default();
        report.usage.extend(usages(text));
        for (word, value) in lines(text) {
            match word {
                "report-error" => report.error = Some(value.to_owned()),
                "total" => report.total_bytes = parse_size(value),
                "free" => report.free_bytes = parse_size(value),
                "project" => sample.project = Project::parse(value),
                "size" => {
                    sample.size_bytes = parse_size(value);
                    report.sample = Some(sample.clone());
                }
                _ => {}
            }
        }
        report
    }

    /// Whether the limit of the directory is enforced: clients are told the limit as the directory's size. `None` if it
    /// is missing or no directory.
    ///
    /// # Errors
    /// What is wrong, in one sentence; also if its project or the quotas can't be read.
    pub fn check_enforcement(&self) -> Option<Result<(), String>> {
        let sample = self.sample.as_ref()?;
        Some(self.check_sample(sample))
    }

    /// Fails unless the sample's project has a limit in the report, and statfs reports exactly this limit as the size.
    fn check_sample(&self, sample: &Proof) -> Result<(), String> {
        let id = sample.project.map_or(0, |project| project.id);
        if id == 0 {
            return Err("it has no project id".to_owned());
        }
        if let Some(error) = &self.error {
            return Err(format!("project quotas can't be read: {error}"));
        }
        let usage = self.usage.iter().find(|usage| usage.project_id == id);
        let limit_kib = usage.map_or(0, |usage| usage.limit_kib);
        if limit_kib == 0 {
            return Err(format!("project {id} has no limit"));
        }
        match sample.size_bytes == limit_kib.saturating_mul(1024) {
            true => Ok(()),
            false => Err(format!(
                "statfs reports {} KiB instead of the limit, {limit_kib} KiB",
                sample.size_bytes / 1024
            )),
        }
    }

    /// The usage of the volume that was provisioned for the claim with this uid: of the first of the claim's project
    /// ids that the report lists. `None` if it lists none, or the uid is no UUID.
    pub fn usage_of(&self, claim_uid: &str) -> Option<VolumeUsage> {
        let ids = project_ids(claim_uid).ok()?;
        let usage = ids
            .iter()
            .find_map(|id| self.usage.iter().find(|usage| usage.project_id == *id))?;
        Some(VolumeUsage {
            used_bytes: usage.used_kib.saturating_mul(1024),
            limit_bytes: usage.limit_kib.saturating_mul(1024),
            files: usage.inodes,
        })
    }

    /// The limits, in KiB by project id, of projects of volumes that no file and no directory has. The volumes may be
    /// of any cluster.
    pub fn unused_limits(&self) -> BTreeMap<u32, u64> {
        let is_unused = |usage: &&ProjectUsage| {
            is_of_volume(usage.project_id) && usage.limit_kib > 0 && usage.inodes == 0 && usage.used_kib == 0
        };
        let unused = self.usage.iter().filter(is_unused);
        unused.map(|usage| (usage.project_id, usage.limit_kib)).collect()
    }
}

/// Whether the id is in the range that nfsprov uses.
fn is_of_volume(project_id: u32) -> bool {
    (FIRST_ID..2 * FIRST_ID).contains(&project_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0b510b51-0b51-4b51-8b51-0b510b510b51";

    fn id(at: usize) -> u32 {
        project_ids(UID).unwrap()[at]
    }

    #[test]
    fn a_limit_is_enforced_if_clients_are_told_it_as_the_size() {
        let id = id(0);
        let usage = |kib: u64| format!("#{id} 12 0 {kib} 00 [--------] 3 0 0 00 [--------]\n");
        let sample = |kib: u64| format!("project {id} ---P-- .\nsize {kib} 1024\n");
        for (text, expected) in [
            (usage(10_240) + &sample(10_240), None),
            (format!("#{id},ok,ok,12,0,10240,,3,0,0,\n") + &sample(10_240), None),
            (
                usage(10_240) + &sample(3_000_000),
                Some("statfs reports 3000000 KiB instead"),
            ),
            (usage(0) + &sample(3_000_000), Some("has no limit")),
            (sample(10_240), Some("has no limit")),
            (
                "report-error no quota\n".to_owned() + &sample(10_240),
                Some("can't be read: no quota"),
            ),
            (
                usage(10_240) + "project 0 ------ .\nsize 10240 1024\n",
                Some("has no project id"),
            ),
            (
                usage(10_240) + "project lsattr: failed\nsize 10240 1024\n",
                Some("has no project id"),
            ),
        ] {
            let found = QuotaReport::parse(&text).check_enforcement().unwrap();
            match (&found, expected) {
                (Ok(()), None) => {}
                (Err(why), Some(part)) => assert!(why.contains(part), "{why}"),
                _ => panic!("{text}: {found:?}"),
            }
        }
        assert_eq!(QuotaReport::parse(&usage(10_240)).check_enforcement(), None);
    }

    #[test]
    fn usage_is_found_by_the_claims_uid() {
        let report = |id: u32| QuotaReport::parse(&format!("#{id} 12 0 40 00 [--------] 3 0 0 00 [--------]\n"));
        let expected = VolumeUsage {
            used_bytes: 12 << 10,
            limit_bytes: 40 << 10,
            files: 3,
        };
        // The second id is used where others have the first.
        for number in 0..2 {
            assert_eq!(report(id(number)).usage_of(UID), Some(expected));
        }
        assert_eq!(report(id(0) ^ 1).usage_of(UID), None);
        assert_eq!(report(id(0)).usage_of("no uid"), None);
    }

    #[test]
    fn a_volume_is_full_if_next_to_nothing_is_left_of_its_limit() {
        const MIB: u64 = 1 << 20;
        for (used_bytes, limit_bytes, is_full) in [
            (10 * MIB, 10 * MIB, true),
            (12 * MIB, 10 * MIB, true),
            (9 * MIB + 1, 10 * MIB, true),
            (9 * MIB, 10 * MIB, false),
            ((1 << 40) - (1 << 29), 1 << 40, true),
            ((1 << 40) - (1 << 31), 1 << 40, false),
            // Small volumes are not full from the start.
            (4 << 10, MIB, false),
            (MIB - 1, MIB, true),
            (MIB, 0, false),
        ] {
            let usage = VolumeUsage {
                used_bytes,
                limit_bytes,
                files: 1,
            };
            assert_eq!(usage.is_full(), is_full, "{used_bytes} of {limit_bytes}");
        }
    }

    #[test]
    fn limits_of_volumes_are_held_against_the_size_of_the_file_system() {
        let limit = |id: u32, kib: u64| format!("#{id} 0 0 {kib} 00 [--------] 1 0 0 00 [--------]\n");
        let two = limit(id(0), 600) + &limit(id(1), 600);
        for (text, expected) in [
            (two.clone() + "total 1000 1024\n", Some((1200 << 10, 1000 << 10))),
            (two.clone() + "total 1200 1024\n", None),
            (two, None),
            // Limits of others than volumes are none of ours.
            (limit(id(0), 600) + &limit(7, 600) + "total 1000 1024\n", None),
        ] {
            assert_eq!(QuotaReport::parse(&text).overcommitment(), expected, "{text}");
        }
    }

    #[test]
    fn a_limit_is_unused_if_nothing_has_its_project_id() {
        for (id, used, limit, inodes, is_unused) in [
            (id(0), 0, 10, 0, true),
            (id(0), 0, 10, 1, false),
            (id(0), 4, 10, 0, false),
            (id(0), 0, 0, 0, false),
            // Not ids of volumes.
            (FIRST_ID - 1, 0, 10, 0, false),
            (2 * FIRST_ID, 0, 10, 0, false),
        ] {
            let report = QuotaReport::parse(&format!(
                "#{id} {used} 0 {limit} 00 [--------] {inodes} 0 0 00 [--------]\n"
            ));
            let expected = if is_unused { vec![(id, limit)] } else { vec![] };
            let found: Vec<_> = report.unused_limits().into_iter().collect();
            assert_eq!(found, expected, "{id} {used} {limit} {inodes}");
        }
    }
}
