//! Limits of directories, set and read by scripts of [`quota`] on the server.

use super::{Ssh, quota};
use crate::export::quota::{LimitChange, QuotaReport, SizeLimit, facts, plan_limit};
use crate::export::{ExportError, VolumePath};

impl Ssh {
    pub(in crate::export) async fn limit_size(
        &self,
        path: &VolumePath,
        limit: &SizeLimit,
        change: LimitChange,
    ) -> Result<(), ExportError> {
        let not_enforced = |why| ExportError::NotEnforced {
            path: path.to_string(),
            why,
        };
        let script = quota::inspect(self.root_path(), path, limit.project_ids());
        let found = quota::require_output(path, &self.run_script(&script).await?)?;
        let plan = plan_limit(&facts::parse_facts(&found), limit, change).map_err(not_enforced)?;
        let script = quota::apply(self.root_path(), path, &plan);
        let said = quota::require_output(path, &self.run_script(&script).await?)?;
        plan.check_proof(&facts::parse_proof(&said)).map_err(not_enforced)
    }

    pub(in crate::export) async fn report_quotas(
        &self,
        sample: Option<&VolumePath>,
    ) -> Result<QuotaReport, ExportError> {
        let output = self.run_script(&quota::report(self.root_path(), sample)).await?;
        let said = quota::require_success("report quotas of", self.root_path(), &output)?;
        Ok(QuotaReport::parse(&said))
    }

    pub(in crate::export) async fn clear_unused_limits(&self, project_ids: &[u32]) -> Result<Vec<u32>, ExportError> {
        let script = quota::clear_unused(self.root_path(), project_ids);
        let output = self.run_script(&script).await?;
        let said = quota::require_success("clear limits of", self.root_path(), &output)?;
        Ok(facts::parse_cleared(&said))
    }
}
