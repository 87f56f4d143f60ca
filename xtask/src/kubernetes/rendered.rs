//! The manifests that the Terraform templates make, as files: evaluated without Terraform.

use std::fs;

use anyhow::{Context, Result};

use super::layout::{Run, exectrail_image};
use crate::command;

/// Name of the file, the template, and its variables besides `exectrail_image`.
const TEMPLATES: [(&str, &str, &[&str]); 4] = [
    ("kubernetes.yaml", "kubernetes", &[]),
    (
        "kubernetes-native-sidecar.yaml",
        "kubernetes",
        &["native_sidecar=true"],
    ),
    ("kubernetes-envbox.yaml", "kubernetes-envbox", &[]),
    (
        "kubernetes-devcontainer.yaml",
        "kubernetes-devcontainer",
        &[],
    ),
];

/// Evaluates the templates.
pub(super) fn write(run: &Run) -> Result<()> {
    let directory = run.rendered();
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    for (name, template, variables) in TEMPLATES {
        let mut evaluate = command::cargo_build_like("run");
        evaluate.args([
            "--quiet",
            "--package",
            "exectrail-templates",
            "--",
            template,
        ]);
        evaluate.arg(format!("--var=exectrail_image={}", exectrail_image()));
        for variable in variables {
            evaluate.arg(format!("--var={variable}"));
        }
        let file = directory.join(name);
        fs::write(&file, command::output(&mut evaluate)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
