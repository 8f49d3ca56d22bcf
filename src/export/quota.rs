//! Limits of directories by the project quotas of XFS and ext4 (PURE).
//!
//! [`SizeLimit`] is what a claim wants. [`facts`] reads what a server's script found out about a directory,
//! [`plan_limit`] decides whether and how the limit can be enforced there, and [`LimitPlan::check_proof`] whether it
//! is; [`existing`] is about directories that hold files already, [`report`] about all limits of a file system.
//! `ssh/quota.rs` has the scripts. Each refusal is a sentence for the claim's event.

mod existing;
pub(super) mod facts;
mod report;

pub use existing::ExistingFiles;
pub(super) use existing::{parse_assigned, parse_existing};
pub use report::{QuotaReport, VolumeUsage};

use crate::host::exports_file::{ActiveExport, listed_options_squash_root};
use facts::{Facts, Inode, Project, Proof};

/// The first project id: below those of systemd and porto, far above those of kubelets, Docker and people.
const FIRST_ID: u32 = 1 << 30;

/// How many bits of a claim's uid make a project id.
const ID_BITS: u32 = 30;

/// XFS and ext4 count in blocks of 4 KiB.
const BLOCK_KIB: u64 = 4;

/// The size that a directory is limited to, and the project ids that it may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SizeLimit {
    kib: u64,
    /// The first that is free is used.
    project_ids: Vec<u32>,
}

impl SizeLimit {
    /// The limit for the claim with this uid, rounded up to whole blocks of 4 KiB.
    ///
    /// # Errors
    /// When `bytes` is 0, which servers take for no limit, or the uid is no UUID, whose bits give the project ids.
    pub fn new(bytes: u64, claim_uid: &str) -> Result<Self, String> {
        if bytes == 0 {
            return Err("a size of 0 can't be enforced".to_owned());
        }
        let project_ids = project_ids(claim_uid)?;
        Ok(Self {
            kib: bytes.div_ceil(1024).next_multiple_of(BLOCK_KIB),
            project_ids,
        })
    }

    /// The project ids that a directory with this limit may have, the preferred one first.
    pub(super) fn project_ids(&self) -> &[u32] {
        &self.project_ids
    }
}

/// The four project ids that the bits of a claim's uid give, always in the same order.
///
/// # Errors
/// When the uid is no UUID.
fn project_ids(claim_uid: &str) -> Result<Vec<u32>, String> {
    let digits: String = claim_uid.chars().filter(|digit| *digit != '-').collect();
    // Parsing takes a plus sign, too.
    let is_uuid = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let bits = is_uuid.then(|| u128::from_str_radix(&digits, 16).ok()).flatten();
    let bits = bits.ok_or_else(|| format!("the claim's uid {claim_uid:?} is no UUID, so it gives no project id"))?;
    let mask = (1_u128 << ID_BITS) - 1;
    let parts = (1..=u128::BITS / ID_BITS).map(|part| (bits >> (u128::BITS - part * ID_BITS)) & mask);
    // 30 bits fit.
    Ok(parts.map(|part| FIRST_ID | part as u32).collect())
}

/// Whether a directory gets a limit or another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitChange {
    /// The directory is empty, or an earlier attempt has given it the limit.
    New,
    /// The directory has a limit, and its project id proves that it is the claim's.
    Resize,
    /// The directory may hold files; they get its project id before the limit is set.
    Existing,
}

/// File systems with project quotas that hold for a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileSystem {
    Xfs,
    Ext4,
}

impl FileSystem {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Xfs => "xfs",
            Self::Ext4 => "ext4",
        }
    }

    /// The file system of a type as mounts name it; the error says why it can't limit directories.
    fn parse(name: &str) -> Result<Self, String> {
        let why = match name {
            "xfs" => return Ok(Self::Xfs),
            "ext4" => return Ok(Self::Ext4),
            "btrfs" => "it limits subvolumes, not directories",
            "zfs" => "it limits datasets, not directories",
            "nfs" | "nfs4" => "it is a mount of another NFS server; only that server can set limits",
            "" => return Err("the file system of the export is unknown".to_owned()),
            _ => "only XFS and ext4 have project quotas",
        };
        Err(format!("the export is on {name}: {why}"))
    }
}

/// A limit to set on a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LimitPlan {
    pub(super) file_system: FileSystem,
    pub(super) device: String,
    pub(super) project_id: u32,
    pub(super) kib: u64,
    /// Whether nothing but the directory itself may have the project id.
    is_new: bool,
}

/// Fails if `inode`, which the shell on the server found, is of another directory than NFS clients see, with the inode
/// `nfs_inode`: the shell may be on another host than the NFS server. Without `nfs_inode`, compares nothing.
pub(super) fn check_same_directory(inode: Inode, nfs_inode: Option<u64>) -> Result<(), String> {
    match nfs_inode {
        Some(expected) if inode.number != expected => Err(format!(
            "over SSH its inode is {}, and over NFS {expected}, so the host of --quota-ssh is not the NFS server",
            inode.number
        )),
        _ => Ok(()),
    }
}

/// Decides how a directory is limited. The caller must have checked that `facts.inode` is a directory.
///
/// # Errors
/// Why its size can't be enforced, in one sentence; also if a fact that is needed is unknown.
pub(super) fn plan_limit(facts: &Facts, limit: &SizeLimit, change: LimitChange) -> Result<LimitPlan, String> {
    if facts.uid != Some(0) {
        let uid = facts.uid.map_or_else(|| "unknown".to_owned(), |uid| uid.to_string());
        return Err(format!(
            "only root sets limits, and the scripts run as uid {uid}; log in as root or pass --sudo"
        ));
    }
    if facts.missing.iter().any(|tool| tool == "findmnt") {
        return Err(missing_tools(&facts.missing));
    }
    if facts.inode.map(|inode| inode.device) != facts.inspected_device {
        return Err(
            "it is on another file system than the claims that were limited with it; the next attempt limits it alone"
                .to_owned(),
        );
    }
    let file_system = FileSystem::parse(&facts.file_system)?;
    if !facts.missing.is_empty() {
        return Err(missing_tools(&facts.missing));
    }
    match file_system {
        FileSystem::Xfs => check_xfs_options(facts)?,
        FileSystem::Ext4 => check_squash(facts)?,
    }
    if let Some(error) = &facts.report_error {
        return Err(format!("project quotas of {} can't be read: {error}", facts.device));
    }
    // The root's children have no other parent.
    let parent_project = facts.parent_project.or(facts.root_project);
    for (what, project) in [("root", facts.root_project), ("parent directory", parent_project)] {
        match project {
            None => return Err(format!("the project id of the export's {what} can't be read")),
            Some(Project { id, inherits: true }) if id != 0 => {
                return Err(format!(
                    "the export's {what} belongs to project {id} and passes it on, so directories of other projects can't \
                     be archived or deleted in it; undo that with `chattr -P -p 0`"
                ));
            }
            Some(_) => {}
        }
    }
    let kib = limit.kib
        + match file_system {
            FileSystem::Xfs => 0,
            // The directory itself counts.
            FileSystem::Ext4 => BLOCK_KIB,
        };
    if kib.saturating_mul(1024) >= facts.total_bytes {
        return Err(format!(
            "{} KiB are more than the whole file system has, {} KiB, so the limit can't be verified",
            limit.kib,
            facts.total_bytes / 1024
        ));
    }
    let (project_id, is_new) = choose_project_id(facts, limit, kib, change)?;
    Ok(LimitPlan {
        file_system,
        device: facts.device.clone(),
        project_id,
        kib,
        is_new,
    })
}

/// The error about missing tools, each with the package that it is in.
fn missing_tools(tools: &[String]) -> String {
    let package = |tool: &str| match tool {
        "findmnt" => "util-linux",
        "lsattr" | "chattr" => "e2fsprogs",
        "xfs_quota" | "xfs_io" => "xfsprogs",
        "exportfs" => "nfs-utils or nfs-kernel-server",
        _ => "quota",
    };
    let named: Vec<String> = tools
        .iter()
        .map(|tool| format!("{tool} (package {})", package(tool)))
        .collect();
    format!("the server lacks {}", named.join(", "))
}

/// Fails unless the file system is mounted with project quotas that are enforced.
fn check_xfs_options(facts: &Facts) -> Result<(), String> {
    let has = |wanted: &str| facts.options.split(',').any(|option| option == wanted);
    if has("pqnoenforce") {
        return Err(format!(
            "{} is mounted with pqnoenforce, which counts the use but enforces no limit; mount it with prjquota",
            facts.device
        ));
    }
    match has("prjquota") || has("pquota") {
        true => Ok(()),
        false => Err(format!(
            "{} is mounted without prjquota; add it to /etc/fstab, then unmount and mount it (remounting has no effect)",
            facts.device
        )),
    }
}

/// Fails unless the server exports the root of `facts`, a directory above it or one below, and each such export
/// squashes root, which ext4 doesn't limit.
fn check_squash(facts: &Facts) -> Result<(), String> {
    let reaches =
        |export: &&ActiveExport| is_at_or_below(&facts.root, &export.path) || is_at_or_below(&export.path, &facts.root);
    let mut exports = facts.exports.iter().filter(reaches).peekable();
    if exports.peek().is_none() {
        return Err(format!(
            "root is not limited on ext4 unless the export squashes it, and exportfs lists no export of {}",
            facts.root
        ));
    }
    match exports.find(|export| !listed_options_squash_root(&export.options)) {
        None => Ok(()),
        Some(export) => Err(format!(
            "root in pods is not limited on ext4, since {} is exported to {} without root_squash, or with anonuid=0; use \
             XFS, or root_squash with --via ssh://",
            export.path, export.client
        )),
    }
}

/// Whether one absolute path is the other or in it, by their names.
fn is_at_or_below(path: &str, above: &str) -> bool {
    let rest = path.strip_prefix(above.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The project id for the directory: its own if that is the claim's, else the first free one of the claim's: without
/// files, a name in /etc/projid or /etc/projects, or a limit other than `kib`. True beside it if the directory is new
/// and gets the id with the limit.
///
/// # Errors
/// When the directory belongs to another project, holds files though it should be new, has no id though it should be
/// resized, or no id is free.
fn choose_project_id(facts: &Facts, limit: &SizeLimit, kib: u64, change: LimitChange) -> Result<(u32, bool), String> {
    let Some(Project { id, .. }) = facts.project else {
        return Err("its project id can't be read".to_owned());
    };
    if limit.project_ids.contains(&id) {
        return Ok((id, false));
    }
    if id != 0 {
        return Err(format!("it belongs to project {id}, which is not this claim's"));
    }
    if change == LimitChange::Resize {
        return Err("it has no project id, so it has no limit".to_owned());
    }
    if facts.has_entries && change == LimitChange::New {
        return Err("it has files already, which its limit would not count".to_owned());
    }
    // A limit of this size without files is what an earlier attempt left.
    let is_taken = |id: &u32| {
        let used = facts.usage.iter().find(|usage| usage.project_id == *id);
        facts.named_projects.contains(id)
            || used.is_some_and(|usage| {
                usage.inodes > 0 || usage.used_kib > 0 || (usage.limit_kib > 0 && usage.limit_kib != kib)
            })
    };
    match limit.project_ids.iter().find(|id| !is_taken(id)) {
        Some(id) => Ok((*id, change == LimitChange::New)),
        None => Err("other directories have all project ids that are derived from the claim's uid".to_owned()),
    }
}

impl LimitPlan {
    /// Fails unless the server, asked after the change, has the project id on the directory, and exactly its limit as
    /// the size that statfs reports. A new directory must be the only file of its project.
    ///
    /// # Errors
    /// What is wrong, in one sentence.
    pub(super) fn check_proof(&self, proof: &Proof) -> Result<(), String> {
        let expected = Project {
            id: self.project_id,
            inherits: true,
        };
        if proof.project != Some(expected) {
            return Err(format!("its project id is not {} after it was set", self.project_id));
        }
        let kib = proof.size_bytes / 1024;
        if proof.size_bytes != self.kib * 1024 {
            return Err(format!(
                "{} accepts the limit, but does not enforce it: statfs reports {kib} KiB instead of {} KiB",
                self.device, self.kib
            ));
        }
        let inodes = proof.usage.iter().find(|usage| usage.project_id == self.project_id);
        match inodes.map(|usage| usage.inodes) {
            Some(1) => Ok(()),
            Some(_) if !self.is_new => Ok(()),
            found => Err(format!(
                "project {} has {} files, not one: another directory may have it, too",
                self.project_id,
                found.unwrap_or(0)
            )),
        }
    }
}

#[cfg(test)]
mod tests;
