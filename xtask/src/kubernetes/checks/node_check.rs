//! The job of `templates/node-check/job.yaml`.

use anyhow::{Context, Result, ensure};

use super::workspace::NAMESPACE;
use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::wait::wait_for;
use crate::workspace;

const JOB: &str = "job/exectrail-preflight";

/// The end of a report that found no problem.
const VERDICT: &str = "exectrail can trace here";

/// A check's name, and the check.
type Named = (&'static str, fn(&Cluster) -> Result<String>);

/// The check.
pub(super) const CHECKS: [Named; 1] = [("node-check:the-job-reports", the_job_reports)];

fn the_job_reports(cluster: &Cluster) -> Result<String> {
    let kubectl = &cluster.kubectl;
    let file = workspace::root().join("templates/node-check/job.yaml");
    kubectl.with_file(&["apply"], &file)?;
    let succeeded = wait_for("the end of the job", || {
        let job = kubectl
            .object(&[JOB, NAMESPACE])?
            .context("the job does not exist")?;
        let status = &job["status"];
        let count = |key: &str| status[key].as_u64().unwrap_or_default();
        Ok(match (count("succeeded"), count("failed")) {
            (0, 0) => Err(status.to_string()),
            (succeeded, _) => Ok(succeeded > 0),
        })
    })?;
    let report = kubectl.run(&["logs", JOB, NAMESPACE])?;
    kubectl.run(&["delete", JOB, NAMESPACE])?;
    ensure!(succeeded, "the job failed, and reported\n{report}");
    ensure!(
        report.trim_end().ends_with(VERDICT),
        "the report does not end with {VERDICT:?}:\n{report}"
    );
    Ok(VERDICT.to_owned())
}
