//! Sets and reads limits of directories by scripts that run on the server, whatever the way to the export.
//!
//! `quota` decides what is to be set and whether it is proved; `ssh/quota.rs` has the scripts.

use std::slice;

use super::limit_queue::{AnnouncedLimit, LimitQueue, LimitRequest};
use super::quota::facts::{self, Inode};
use super::quota::{
    ExistingFiles, LimitChange, LimitPlan, QuotaReport, SizeLimit, check_same_directory, parse_assigned,
    parse_existing, plan_limit,
};
use super::ssh::missing_error;
use super::ssh::quota::{
    apply_script, assign_project_script, clear_unused_script, inspect_script, measure_script, report_script,
    require_output, require_success,
};
use super::{Export, ExportError, Kind, Mounted, Ssh, VolumePath, name_or_root};
use crate::host::Output;

/// A shell on the server, which runs as root if anything is to be limited.
#[derive(Clone, Copy)]
enum Shell<'a> {
    /// Over SSH.
    Ssh(&'a Ssh),
    /// This machine's own.
    Local(&'a Mounted),
}

impl Export {
    /// Whether [`Export::limit_size`] can succeed, as far as it is known without asking the server.
    ///
    /// # Errors
    /// What the provisioner needs, in one sentence.
    pub fn check_can_limit(&self) -> Result<(), String> {
        self.find_shell().map(drop)
    }

    /// Logs in to the server if limits are set over SSH and directories are not, so that a wrong login is known at the
    /// start. `Ok` without a check otherwise, also if no limit can be set at all.
    ///
    /// # Errors
    /// As [`Export::probe_root`].
    pub async fn probe_quota_shell(&self) -> Result<(), ExportError> {
        match self {
            Self::Wire(wire) if let Some(shell) = wire.quota_shell() => shell.probe_root().await,
            _ => Ok(()),
        }
    }

    /// The shell on the server whose scripts limit directories; the error names the option that gives an export one.
    fn find_shell(&self) -> Result<Shell<'_>, String> {
        match self {
            Self::Wire(wire) => wire.quota_shell().map(Shell::Ssh).ok_or_else(|| {
                "quota: enforce: over NFS no limit can be set; pass --via ssh://[USER@]HOST, or to the provisioner \
                 --quota-ssh ssh://[USER@]HOST"
                    .to_owned()
            }),
            Self::Ssh(ssh) => Ok(Shell::Ssh(ssh)),
            Self::Mounted(mounted) => Ok(Shell::Local(mounted)),
        }
    }

    /// The shell whose scripts limit directories; without one, `NotEnforced` for `path`.
    fn shell_for(&self, path: Option<&VolumePath>) -> Result<Shell<'_>, ExportError> {
        self.find_shell().map_err(|why| ExportError::NotEnforced {
            path: name_or_root(path),
            why,
        })
    }

    /// Says that [`Export::limit_size`] will be called soon, for a directory that is being created, until the result is
    /// dropped: directories that wait for their limits wait for this one, too. `None` if no limit can be set.
    pub fn announce_limit(&self) -> Option<AnnouncedLimit<'_>> {
        self.find_shell().ok().map(|shell| shell.queue().announce())
    }

    /// Limits the size of an existing directory, and returns once the limit is proved. Directories that wait for this
    /// at the same time are limited together. May be repeated. For [`LimitChange::Existing`], call
    /// [`Export::limit_existing`] instead, which also gives the files the project id.
    ///
    /// # Errors
    /// [`ExportError::NotEnforced`] when the server can't or doesn't enforce it, with `New` when the directory has
    /// files, with `Resize` when it has no project id; otherwise as [`Export::create_directory`].
    pub async fn limit_size(
        &self,
        path: &VolumePath,
        limit: &SizeLimit,
        change: LimitChange,
    ) -> Result<(), ExportError> {
        let shell = self.shell_for(Some(path))?;
        let request = self.build_request(path, limit, change).await?;
        shell.queue().limit(request, |requests| shell.limit_all(requests)).await
    }

    /// Limits the size of a directory that may hold files already, and returns what it held before, once the limit is
    /// proved. Best done while no client uses the directory. May be repeated.
    ///
    /// # Errors
    /// As [`Export::limit_size`]; when the directory holds more than the limit. A failed call may leave the files with
    /// the project id, but without the limit.
    pub async fn limit_existing(&self, path: &VolumePath, limit: &SizeLimit) -> Result<ExistingFiles, ExportError> {
        let shell = self.shell_for(Some(path))?;
        let plan = self.plan_existing(shell, path, limit).await?;
        let files = shell.measure(path, &plan).await?;
        shell.assign_project(path, &plan).await?;
        shell.apply_all(vec![(path.clone(), Ok(plan))]).await.remove(0)?;
        Ok(files)
    }

    /// What a directory holds that [`Export::limit_existing`] would limit. Changes nothing.
    ///
    /// # Errors
    /// As [`Export::limit_existing`], for what can be known before.
    pub async fn measure_existing(&self, path: &VolumePath, limit: &SizeLimit) -> Result<ExistingFiles, ExportError> {
        let shell = self.shell_for(Some(path))?;
        let plan = self.plan_existing(shell, path, limit).await?;
        shell.measure(path, &plan).await
    }

    /// What is to be limited, with the inode that NFS clients see, if the export is reached over NFS. There, a
    /// directory that doesn't exist is an error.
    async fn build_request(
        &self,
        path: &VolumePath,
        limit: &SizeLimit,
        change: LimitChange,
    ) -> Result<LimitRequest, ExportError> {
        let nfs_inode = match self {
            Self::Wire(wire) => Some(wire.inode_of(path).await?),
            Self::Ssh(_) | Self::Mounted(_) => None,
        };
        Ok(LimitRequest {
            path: path.clone(),
            limit: limit.clone(),
            change,
            nfs_inode,
        })
    }

    /// Plans the limit of a directory that may hold files. Changes nothing.
    async fn plan_existing(
        &self,
        shell: Shell<'_>,
        path: &VolumePath,
        limit: &SizeLimit,
    ) -> Result<LimitPlan, ExportError> {
        let request = self.build_request(path, limit, LimitChange::Existing).await?;
        shell.plan_all(slice::from_ref(&request)).await.remove(0)
    }

    /// Reports the project quotas of the export's file system, and those of the directory `sample`. A file system
    /// without project quotas is no error: the report is empty and says why. Nor is a `sample` that is missing or no
    /// directory: the report has nothing about it.
    ///
    /// # Errors
    /// [`ExportError::NotEnforced`] when [`Export::check_can_limit`] fails; otherwise as [`Export::create_directory`].
    pub async fn report_quotas(&self, sample: Option<&VolumePath>) -> Result<QuotaReport, ExportError> {
        let shell = self.shell_for(sample)?;
        let output = shell.run(|root| report_script(root, sample)).await?;
        let said = require_success("report quotas of", shell.root(), &output)?;
        Ok(QuotaReport::parse(&said))
    }

    /// Removes the limits of those of these projects that no file and no directory has now. Returns the ids of those
    /// whose limits it removed. Waits until no call of [`Export::limit_size`] is setting limits.
    ///
    /// # Errors
    /// As [`Export::report_quotas`]; some limits may be removed then.
    pub async fn clear_unused_limits(&self, project_ids: &[u32]) -> Result<Vec<u32>, ExportError> {
        let shell = self.shell_for(None)?;
        // A limit that is being set has no file yet.
        let _pause = shell.queue().pause().await;
        let output = shell.run(|root| clear_unused_script(root, project_ids)).await?;
        let said = require_success("clear limits of", shell.root(), &output)?;
        Ok(facts::parse_cleared(&said))
    }
}

impl<'a> Shell<'a> {
    /// Runs the script that `write` makes for the unquoted path of the export's root on the server. A script that fails
    /// is `Ok`; an error means that no exit status came.
    async fn run(self, write: impl FnOnce(&str) -> String) -> Result<Output, ExportError> {
        match self {
            Self::Ssh(ssh) => ssh.run_script(&write(ssh.root_path())).await,
            Self::Local(mounted) => mounted.run_script(write).await,
        }
    }

    /// The root's path on the server, for messages.
    fn root(self) -> String {
        match self {
            Self::Ssh(ssh) => ssh.root_path().to_owned(),
            Self::Local(mounted) => mounted.root_path(),
        }
    }

    /// The limits that wait for this shell.
    fn queue(self) -> &'a LimitQueue {
        match self {
            Self::Ssh(ssh) => ssh.limit_queue(),
            Self::Local(mounted) => mounted.limit_queue(),
        }
    }

    /// Limits directories that are all in one parent directory. The results have the order of the requests.
    async fn limit_all(self, requests: Vec<LimitRequest>) -> Vec<Result<(), ExportError>> {
        let plans = self.plan_all(&requests).await;
        let paths = requests.into_iter().map(|request| request.path);
        self.apply_all(paths.zip(plans).collect()).await
    }

    /// Inspects directories that are all in one parent directory, checks that they are those that NFS clients see, and
    /// plans their limits. A script that fails fails all of them. The plans have the order of the requests.
    async fn plan_all(self, requests: &[LimitRequest]) -> Vec<Result<LimitPlan, ExportError>> {
        let parents = requests.first().map_or(&[][..], |request| request.path.split().0);
        let names: Vec<&str> = requests.iter().map(|request| request.path.split().1).collect();
        let ids = requests.iter().flat_map(|request| request.limit.project_ids());
        let ids: Vec<u32> = ids.copied().collect();
        let output = self.run(|root| inspect_script(root, parents, &names, &ids)).await;
        let plan = |LimitRequest {
                        path,
                        limit,
                        change,
                        nfs_inode,
                    }: &LimitRequest| {
            let said = require_output(path, output.as_ref().map_err(Clone::clone)?)?;
            let found = facts::parse_facts(&said, path.split().1);
            let inode = require_directory(path, &found)?;
            check_same_directory(inode, *nfs_inode)
                .and_then(|()| plan_limit(&found, limit, *change))
                .map_err(|why| not_enforced(path, why))
        };
        requests.iter().map(plan).collect()
    }

    /// Sets the limits that are planned, of directories that are all in one parent directory. Each fails unless the
    /// server then proves that it enforces it; a script that fails fails all of them. The results have the order of the
    /// plans; a limit that isn't planned has its error.
    async fn apply_all(self, plans: Vec<(VolumePath, Result<LimitPlan, ExportError>)>) -> Vec<Result<(), ExportError>> {
        let parents = plans.first().map_or(&[][..], |(path, _)| path.split().0);
        let limits = plans
            .iter()
            .filter_map(|(path, plan)| Some((path.split().1, plan.as_ref().ok()?)));
        let limits: Vec<(&str, &LimitPlan)> = limits.collect();
        if limits.is_empty() {
            return plans.into_iter().map(|(_, plan)| plan.map(drop)).collect();
        }
        let output = self.run(|root| apply_script(root, parents, &limits)).await;
        let prove = |(path, plan): (VolumePath, Result<LimitPlan, ExportError>)| {
            let plan = plan?;
            let said = require_output(&path, output.as_ref().map_err(Clone::clone)?)?;
            let proof = facts::parse_proof(&said, path.split().1);
            plan.check_proof(&proof).map_err(|why| not_enforced(&path, why))
        };
        plans.into_iter().map(prove).collect()
    }

    /// What a directory holds; an error if that is more than the limit. Changes nothing.
    async fn measure(self, path: &VolumePath, plan: &LimitPlan) -> Result<ExistingFiles, ExportError> {
        let output = self.run(|root| measure_script(root, path)).await?;
        parse_existing(&require_output(path, &output)?)
            .and_then(|files| plan.check_room(files.used_bytes).map(|()| files))
            .map_err(|why| not_enforced(path, why))
    }

    /// Gives the directory and all that it holds the project id, but sets no limit; an error if a file is left without
    /// it, or if they take more than the limit.
    async fn assign_project(self, path: &VolumePath, plan: &LimitPlan) -> Result<(), ExportError> {
        let output = self.run(|root| assign_project_script(root, path, plan)).await?;
        parse_assigned(&require_output(path, &output)?, plan).map_err(|why| not_enforced(path, why))
    }
}

/// What `inspect_script` found at the path; an error if it is missing or no directory.
fn require_directory(path: &VolumePath, found: &facts::Facts) -> Result<Inode, ExportError> {
    let what = match found.inode {
        None => return Err(missing_error("limit", path)),
        Some(inode) => match inode.kind {
            Kind::Directory => return Ok(inode),
            Kind::Link => "a symbolic link",
            Kind::Other => "a file",
        },
    };
    Err(ExportError::NotADirectory {
        path: path.to_string(),
        what,
    })
}

fn not_enforced(path: &VolumePath, why: String) -> ExportError {
    ExportError::NotEnforced {
        path: path.to_string(),
        why,
    }
}
