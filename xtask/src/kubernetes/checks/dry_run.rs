//! Sends every shipped manifest, and the manifests of the Terraform templates, to the API server.
//! The server accepts each manifest, or refuses it for the expected reason. Nothing is created.

use anyhow::{Result, bail, ensure};

use super::check::Check;
use super::manifests::{MANIFESTS, Manifest};
use crate::kubernetes::cluster::Cluster;

/// What kubectl prints for each object that the server would have created.
const ACCEPTED: &str = "(server dry run)";

/// One check for each manifest.
pub(super) fn checks() -> Vec<Check> {
    let checks = MANIFESTS.iter().map(|manifest| Check {
        name: match manifest.refusal {
            None => format!("accepts:{}", manifest.name),
            Some(_) => format!("refuses:{}", manifest.name),
        },
        run: Box::new(move |cluster| check(cluster, manifest)),
    });
    checks.collect()
}

fn check(cluster: &Cluster, manifest: &Manifest) -> Result<String> {
    let file = manifest.file(&cluster.run);
    let answer = cluster
        .kubectl
        .with_file(&["apply", "--dry-run=server"], &file);
    let Some(refusal) = &manifest.refusal else {
        let printed = answer?;
        ensure!(
            !printed.is_empty() && printed.lines().all(|line| line.ends_with(ACCEPTED)),
            "kubectl printed\n{printed}"
        );
        return Ok(String::new());
    };
    match answer {
        Ok(printed) => bail!("it was accepted, although {}:\n{printed}", refusal.reason),
        Err(error) => {
            let error = format!("{error:#}");
            ensure!(
                error.contains(refusal.error),
                "it was refused for another reason than that {}: {error}",
                refusal.reason
            );
            Ok(refusal.reason.to_owned())
        }
    }
}
