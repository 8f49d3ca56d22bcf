//! The facts of a host's file system that limits of directories depend on, [`QuotaFacts`] (PURE).

use std::collections::BTreeSet;

/// The file system of a directory. What could not be read is as if it weren't there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaFacts {
    /// The programs that the host has, of those that limits need.
    pub tools: BTreeSet<String>,
    /// Its type, such as `xfs`.
    pub file_system: String,
    /// Its block device.
    pub device: String,
    /// Where it is mounted.
    pub mount_point: String,
    /// The options that it is mounted with, separated by commas.
    pub options: String,
    /// Whether limits of projects are enforced; `None` if no program tells.
    pub is_enforced: Option<bool>,
    /// The features of ext4, separated by blanks.
    pub features: String,
    /// Whether the kernel has what ext4 keeps its quotas with.
    pub has_quota_module: bool,
    /// What /etc/fstab holds.
    pub fstab: Option<Vec<u8>>,
    /// Its checksum, as cksum(1) has it.
    pub fstab_checksum: String,
    /// A project that the directory, or one above it, passes on: its id and the directory.
    pub inherited_project: Option<(u32, String)>,
}

impl QuotaFacts {
    /// Whether it is mounted with this option.
    pub fn has_option(&self, wanted: &str) -> bool {
        self.options.split(',').any(|option| option == wanted)
    }

    /// Whether ext4 has the features that limits need on its disk; false for other file systems, or if they were not
    /// read.
    pub fn has_project_quota_features(&self) -> bool {
        let has = |wanted: &str| self.features.split_whitespace().any(|feature| feature == wanted);
        has("project") && has("quota")
    }

    /// Sets the fact of the record `quota-NAME`, given as `NAME`; unknown names are ignored. A `project` record counts
    /// only if its directory passes a project on; of several, the last one counts.
    pub(super) fn set_fact(&mut self, name: &str, text: &str) {
        match name {
            "tools" => self.tools = text.split_whitespace().map(str::to_owned).collect(),
            "type" => text.clone_into(&mut self.file_system),
            "device" => text.clone_into(&mut self.device),
            "mount" => text.clone_into(&mut self.mount_point),
            "options" => text.clone_into(&mut self.options),
            // "  Enforcement: ON"
            "state" => self.is_enforced = Some(text.lines().any(|line| line.trim() == "Enforcement: ON")),
            "features" => text.clone_into(&mut self.features),
            "module" => self.has_quota_module = text == "yes",
            "fstab-checksum" => text.clone_into(&mut self.fstab_checksum),
            // "1001 -------------------P-- /srv"
            "project" => {
                let mut words = text.trim_start().splitn(3, ' ');
                let (id, flags, path) = (words.next(), words.next(), words.next());
                let id = id.and_then(|id| id.parse::<u32>().ok()).filter(|id| *id != 0);
                if let (Some(id), Some(flags)) = (id, flags)
                    && flags.contains('P')
                {
                    self.inherited_project = Some((id, path.unwrap_or_default().to_owned()));
                }
            }
            // A fact that this version knows nothing of.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enforcement_and_projects_are_read_as_the_tools_print_them() {
        let state = "Project quota state on /srv/xfs (/dev/vdb)\n  Accounting: ON\n  Enforcement: OFF\n  Inode: #131 (1 blocks, 1 extents)";
        for (name, text, expected) in [
            ("state", state.to_owned(), (Some(false), None)),
            ("state", state.replace("OFF", "ON"), (Some(true), None)),
            // XFS without the option.
            ("state", String::new(), (Some(false), None)),
            ("features", "project".to_owned(), (None, None)),
            (
                "project",
                " 1001 -------------------P-- /srv/it is".to_owned(),
                (None, Some((1001, "/srv/it is".to_owned()))),
            ),
            ("project", "0 -------------------P-- /srv".to_owned(), (None, None)),
            ("project", "1001 ---------------------- /srv".to_owned(), (None, None)),
            ("project", "lsattr: Operation not supported".to_owned(), (None, None)),
        ] {
            let mut facts = QuotaFacts::default();
            facts.set_fact(name, &text);
            assert_eq!((facts.is_enforced, facts.inherited_project), expected, "{text}");
        }
        let features = |features: &str| QuotaFacts {
            features: features.to_owned(),
            ..QuotaFacts::default()
        };
        assert!(features("has_journal quota project metadata_csum").has_project_quota_features());
        assert!(
            !features("has_journal quota").has_project_quota_features()
                && !features("projects quota").has_project_quota_features()
        );
    }
}
