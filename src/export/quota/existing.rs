//! Directories that are limited although they hold files already (PURE).

use serde::Serialize;

use super::LimitPlan;
use super::facts::{lines, usages};

/// What is in a directory that gets a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExistingFiles {
    /// Bytes that they take on the server.
    pub used_bytes: u64,
    /// Symbolic links, sockets, pipes and devices: they can't have a project id.
    pub without_project: u64,
}

/// Parses what the script of `measure_script` in `ssh/quota.rs` printed.
///
/// # Errors
/// When it has no number of du. Without a line about them, there are no entries that can't have a project.
pub(in crate::export) fn parse_existing(text: &str) -> Result<ExistingFiles, String> {
    let mut used_kib = None;
    let mut files = ExistingFiles::default();
    for (word, value) in lines(text) {
        match word {
            // du prints the directory behind the number.
            "used" => used_kib = value.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()),
            "without-project" => files.without_project += value.parse::<u64>().unwrap_or(0),
            _ => {}
        }
    }
    let used_kib = used_kib.ok_or("its use can't be measured: du prints no number")?;
    files.used_bytes = used_kib.saturating_mul(1024);
    Ok(files)
}

/// Checks what `assign_project_script` of `ssh/quota.rs` printed: everything has the project id, and the limit is
/// not exceeded.
///
/// # Errors
/// What is wrong, in one sentence.
pub(in crate::export) fn parse_assigned(text: &str, plan: &LimitPlan) -> Result<(), String> {
    let without_id = lines(text).find(|(word, _)| *word == "without-id");
    match without_id.and_then(|(_, count)| count.parse::<u64>().ok()) {
        Some(0) => {}
        Some(count) => {
            return Err(format!(
                "{count} of its files and directories have no project id after several attempts: they change, or their \
                 names have line breaks; try again while no pod uses the volume"
            ));
        }
        None => return Err("the project ids of its files can't be read".to_owned()),
    }
    let usage = usages(text).find(|usage| usage.project_id == plan.project_id);
    let usage = usage.ok_or_else(|| format!("the quota report lacks project {}", plan.project_id))?;
    plan.check_room(usage.used_kib.saturating_mul(1024))
}

impl LimitPlan {
    /// Fails if a directory that takes so many bytes exceeds the limit: nothing could be written to it.
    pub(in crate::export) fn check_room(&self, used_bytes: u64) -> Result<(), String> {
        let used_kib = used_bytes.div_ceil(1024);
        match used_kib <= self.kib {
            true => Ok(()),
            false => Err(format!(
                "it uses {used_kib} KiB, more than its limit of {} KiB",
                self.kib
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::quota::FileSystem;

    const ID: u32 = 1 << 30;

    fn plan() -> LimitPlan {
        LimitPlan {
            file_system: FileSystem::Xfs,
            device: "/dev/vdb".to_owned(),
            project_id: ID,
            kib: 10_240,
            is_new: false,
        }
    }

    #[test]
    fn a_directory_is_measured_before_it_is_limited() {
        let files = |used_bytes: u64, without_project| ExistingFiles {
            used_bytes,
            without_project,
        };
        for (text, expected) in [
            ("\n\nused 12\t.\n", Some(files(12 << 10, 0))),
            // find counts as often as the command line is full.
            (
                "used 12 .\nwithout-project 3\nwithout-project 2\n",
                Some(files(12 << 10, 5)),
            ),
            ("without-project 3\n", None),
            ("used du: cannot read", None),
            ("", None),
        ] {
            assert_eq!(parse_existing(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn what_exceeds_the_limit_or_has_no_project_id_is_refused() {
        let usage = |id: u32, kib: u64| format!("#{id} {kib} 0 0 00 [--------] 3 0 0 00 [--------]");
        for (text, part) in [
            (format!("without-id 0\n{}", usage(ID, 10_240)), None),
            (
                format!("without-id 0\n{}", usage(ID, 10_241)),
                Some("it uses 10241 KiB"),
            ),
            (format!("without-id 2\n{}", usage(ID, 4)), Some("2 of its files")),
            (usage(ID, 4), Some("can't be read")),
            (format!("without-id x\n{}", usage(ID, 4)), Some("can't be read")),
            (format!("without-id 0\n{}", usage(ID + 1, 4)), Some("lacks project")),
        ] {
            let found = parse_assigned(&text, &plan());
            match part {
                None => assert_eq!(found, Ok(()), "{text}"),
                Some(part) => assert!(found.is_err_and(|why| why.contains(part)), "{text}"),
            }
        }
    }
}
