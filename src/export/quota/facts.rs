//! Reads what the scripts of `ssh/quota.rs` print about a server and a directory (PURE).
//!
//! A line is a word and its value, or as a tool prints it: `#` begins one of a quota report, and a number one of
//! lsattr. Lines about a directory end with `./NAME`; names have no line breaks. Servers may print anything: what can't
//! be read counts as unknown, and `plan_limit` refuses what is unknown.

use crate::export::Kind;
use crate::host::exports_file::{ActiveExport, parse_listing};

/// A directory's project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::export) struct Project {
    pub id: u32,
    /// Whether new entries of the directory get the id, too.
    pub inherits: bool,
}

impl Project {
    /// Parses a line of `lsattr -pd`: `1001 -------------------P-- .`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        Self::parse_with_name(line).map(|(project, _)| project)
    }

    /// Parses a line of `lsattr -pd`: the project, and the name that lsattr was called with.
    fn parse_with_name(line: &str) -> Option<(Self, &str)> {
        let (id, rest) = line.trim_start().split_once(' ')?;
        let (flags, name) = rest.split_once(' ')?;
        let inherits = flags.contains('P');
        Some((
            Self {
                id: id.parse().ok()?,
                inherits,
            },
            name,
        ))
    }
}

/// What a project's files take, and its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::export) struct ProjectUsage {
    pub project_id: u32,
    pub used_kib: u64,
    /// 0 for no limit.
    pub limit_kib: u64,
    pub inodes: u64,
}

impl ProjectUsage {
    /// Parses a line of `xfs_quota report -p -n -N -b -i` or of `repquota -P -n -v -O csv`; `None` for any other. Of
    /// the limits, the hard one of blocks counts.
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim().strip_prefix('#')?;
        // The grace times, in brackets, may hold blanks.
        let mut plain = String::new();
        let mut rest = line;
        while let Some((before, bracketed)) = rest.split_once('[') {
            plain += before;
            rest = bracketed.split_once(']')?.1;
        }
        plain += rest;
        let (fields, columns): (Vec<&str>, _) = match plain.contains(',') {
            // id, block status, file status, blocks: used, soft, hard, grace, files: used, …
            true => (plain.split(',').collect(), [0, 3, 5, 7]),
            // id, blocks: used, soft, hard, warnings, files: used, …
            false => (plain.split_whitespace().collect(), [0, 1, 3, 5]),
        };
        let numbers = columns.map(|column: usize| fields.get(column)?.parse::<u64>().ok());
        let [Some(id), Some(used_kib), Some(limit_kib), Some(inodes)] = numbers else {
            return None;
        };
        Some(Self {
            project_id: u32::try_from(id).ok()?,
            used_kib,
            limit_kib,
            inodes,
        })
    }
}

/// What stat says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::export) struct Inode {
    pub number: u64,
    pub kind: Kind,
    /// The number of its file system's device.
    pub device: u64,
}

impl Inode {
    /// Parses `INODE MODE DEVICE ./NAME`, the mode in hexadecimal digits.
    fn parse_with_name(value: &str) -> Option<(Self, &str)> {
        let mut fields = value.splitn(4, ' ');
        let number = fields.next()?.parse().ok()?;
        let kind = Kind::from_mode(u32::from_str_radix(fields.next()?, 16).ok()?);
        let device = fields.next()?.parse().ok()?;
        Some((Self { number, kind, device }, fields.next()?))
    }
}

/// What a directory and its server are like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::export) struct Facts {
    /// Who the scripts run as.
    pub uid: Option<u32>,
    /// `None` if no entry has the directory's name.
    pub inode: Option<Inode>,
    /// The device of the first directory that was inspected: the facts about the file system are of that one.
    pub inspected_device: Option<u64>,
    /// Tools that the file system's quotas need.
    pub missing: Vec<String>,
    /// The type of the directory's file system.
    pub file_system: String,
    pub device: String,
    /// Of the mount, separated by commas.
    pub options: String,
    /// The size of the file system.
    pub total_bytes: u64,
    /// The real path of the export's root.
    pub root: String,
    pub root_project: Option<Project>,
    pub parent_project: Option<Project>,
    /// The directory's own. `None` if it can't be read.
    pub project: Option<Project>,
    /// Whether anything is in the directory.
    pub has_entries: bool,
    /// The projects that the limit may use and that have a limit or files.
    pub usage: Vec<ProjectUsage>,
    /// Why there is no report of usage.
    pub report_error: Option<String>,
    /// Those of them that /etc/projid or /etc/projects names.
    pub named_projects: Vec<u32>,
    /// What the server exports.
    pub exports: Vec<ActiveExport>,
}

/// What a directory is like after its limit was set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::export) struct Proof {
    pub project: Option<Project>,
    /// What statfs says of it, as FSSTAT does to clients.
    pub size_bytes: u64,
    pub usage: Vec<ProjectUsage>,
}

/// Parses what `inspect_script` of `ssh/quota.rs` printed about the directory `name`, a plain name, and the server.
/// What can't be read is `None`, empty or 0.
pub(in crate::export) fn parse_facts(text: &str, name: &str) -> Facts {
    let mut facts = Facts::default();
    let is_name = |found: &str| found.strip_prefix("./") == Some(name);
    for (word, value) in lines(text) {
        match word {
            "uid" => facts.uid = value.parse().ok(),
            "inode" => {
                let Some((inode, found)) = Inode::parse_with_name(value) else {
                    continue;
                };
                if inode.kind == Kind::Directory {
                    facts.inspected_device.get_or_insert(inode.device);
                }
                if is_name(found) {
                    facts.inode = Some(inode);
                }
            }
            "missing" => facts.missing.push(value.to_owned()),
            "type" => value.clone_into(&mut facts.file_system),
            "device" => value.clone_into(&mut facts.device),
            "options" => value.clone_into(&mut facts.options),
            "total" => facts.total_bytes = parse_size(value),
            "root" => value.clone_into(&mut facts.root),
            "root-project" => facts.root_project = Project::parse(value),
            "parent-project" => facts.parent_project = Project::parse(value),
            "entries" if is_name(value) => facts.has_entries = true,
            "report-error" => facts.report_error = Some(value.to_owned()),
            "named" => facts.named_projects.extend(value.parse::<u32>()),
            "export" => facts.exports.extend(parse_listing(value)),
            _ => {}
        }
    }
    facts.project = project_of(text, name);
    facts.usage = usages(text).collect();
    facts
}

/// Parses what `apply_script` of `ssh/quota.rs` printed about the directory `name`, a plain name. A size that can't be
/// read is 0.
pub(in crate::export) fn parse_proof(text: &str, name: &str) -> Proof {
    let mut sizes = lines(text).filter(|(word, _)| *word == "size");
    // Blocks, a block's size and the name, which has no slash.
    let size = sizes.find_map(|(_, value)| value.strip_suffix(name)?.strip_suffix(" ./"));
    Proof {
        project: project_of(text, name),
        size_bytes: size.map_or(0, parse_size),
        usage: usages(text).collect(),
    }
}

/// The project of the directory `name` in the lines of lsattr; `None` if no line is about it.
fn project_of(text: &str, name: &str) -> Option<Project> {
    let mut found = text.lines().filter_map(Project::parse_with_name);
    found
        .find(|(_, found)| found.strip_prefix("./") == Some(name))
        .map(|(project, _)| project)
}

/// The project ids whose limits `clear_unused_script` of `ssh/quota.rs` cleared, as it printed them.
pub(in crate::export) fn parse_cleared(text: &str) -> Vec<u32> {
    let cleared = lines(text).filter(|(word, _)| *word == "cleared");
    cleared.filter_map(|(_, id)| id.parse().ok()).collect()
}

/// The lines of a quota report in what a script printed; other lines are left out.
pub(super) fn usages(text: &str) -> impl Iterator<Item = ProjectUsage> {
    text.lines().filter_map(ProjectUsage::parse)
}

/// The first word of each line, and the rest of the line.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().map(|line| line.split_once(' ').unwrap_or((line, "")))
}

/// Blocks and a block's size, as `stat -f -c '%b %S'` prints them; 0 for anything else.
pub(super) fn parse_size(value: &str) -> u64 {
    let size = || {
        let (blocks, block) = value.split_once(' ')?;
        blocks.parse::<u64>().ok()?.checked_mul(block.parse().ok()?)
    };
    size().unwrap_or(0)
}
