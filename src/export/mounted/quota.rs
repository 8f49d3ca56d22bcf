//! Limits of directories by this machine's own tools, with the scripts that run over SSH elsewhere.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Mounted;
use crate::export::quota::{LimitChange, QuotaReport, SizeLimit, facts, plan_limit};
use crate::export::ssh::quota::{apply, clear_unused, inspect, report, require_output, require_success};
use crate::export::{ExportError, VolumePath};
use crate::host::Output;

impl Mounted {
    pub(in crate::export) async fn limit_size(
        &self,
        path: &VolumePath,
        limit: &SizeLimit,
        change: LimitChange,
    ) -> Result<(), ExportError> {
        let (path, limit) = (path.clone(), limit.clone());
        let not_enforced = |path: &VolumePath, why| ExportError::NotEnforced {
            path: path.to_string(),
            why,
        };
        let (inspected, wanted) = (path.clone(), limit.clone());
        let plan = self
            .run_blocking(move |root| {
                let output = run_script(root, |root| inspect(root, &inspected, wanted.project_ids()))?;
                let found = facts::parse_facts(&require_output(&inspected, &output)?);
                plan_limit(&found, &wanted, change).map_err(|why| not_enforced(&inspected, why))
            })
            .await?;
        self.run_blocking(move |root| {
            let output = run_script(root, |root| apply(root, &path, &plan))?;
            let proof = facts::parse_proof(&require_output(&path, &output)?);
            plan.check_proof(&proof).map_err(|why| not_enforced(&path, why))
        })
        .await
    }

    pub(in crate::export) async fn report_quotas(
        &self,
        sample: Option<&VolumePath>,
    ) -> Result<QuotaReport, ExportError> {
        let sample = sample.cloned();
        self.run_blocking(move |root| {
            let output = run_script(root, |root| report(root, sample.as_ref()))?;
            let said = require_success("report quotas of", &root.display().to_string(), &output)?;
            Ok(QuotaReport::parse(&said))
        })
        .await
    }

    pub(in crate::export) async fn clear_unused_limits(&self, project_ids: &[u32]) -> Result<Vec<u32>, ExportError> {
        let project_ids = project_ids.to_vec();
        self.run_blocking(move |root| {
            let output = run_script(root, |root| clear_unused(root, &project_ids))?;
            let said = require_success("clear limits of", &root.display().to_string(), &output)?;
            Ok(facts::parse_cleared(&said))
        })
        .await
    }
}

fn run_script(root: &Path, script: impl FnOnce(&str) -> String) -> Result<Output, ExportError> {
    let failed = |cause: String| ExportError::Failed {
        action: "run a script in",
        path: root.display().to_string(),
        cause,
    };
    let root = std::path::absolute(root).map_err(|error| failed(error.to_string()))?;
    let root = root
        .to_str()
        .ok_or_else(|| failed("the mount's path is no UTF-8".to_owned()))?;
    let run = || {
        let mut shell = Command::new("sh")
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // In braces, so that the shell has read all of it before it runs anything.
        let text = format!(
            "{{\nLC_ALL=C PATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin\"\nexport LC_ALL PATH\n(\n{}\n) </dev/null\nexit\n}}\n",
            script(root)
        );
        if let Some(mut stdin) = shell.stdin.take() {
            stdin.write_all(text.as_bytes())?;
        }
        shell.wait_with_output()
    };
    let output = run().map_err(|error: std::io::Error| failed(format!("sh: {error}")))?;
    Ok(Output {
        status: output
            .status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
        stdout: output.stdout,
        stderr: output.stderr,
    })
}
