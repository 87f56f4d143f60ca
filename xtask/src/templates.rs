//! `cargo xtask templates`: tests the deployment templates, or prints the manifests that a template
//! makes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::setup::{self, For};
use crate::{command, progress, workspace};

/// Arguments of `cargo xtask templates`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Test nothing; print the manifests that this template makes: kubernetes,
    /// kubernetes-devcontainer or kubernetes-envbox
    #[arg(value_name = "TEMPLATE")]
    template: Option<String>,

    /// With TEMPLATE, after --: its options, such as --var native_sidecar=true, or --help
    #[arg(last = true, requires = "template", value_name = "OPTIONS")]
    options: Vec<String>,
}

/// Directories of Terraform files, below `templates/`.
const DIRECTORIES: [&str; 4] = [
    "module",
    "kubernetes",
    "kubernetes-devcontainer",
    "kubernetes-envbox",
];

/// Limit for fetching the providers, which takes a minute or hangs.
const PROVIDERS_PATIENCE: Duration = Duration::from_secs(180);

/// `cargo xtask templates`.
pub(crate) fn command(args: &Args) -> Result<()> {
    if let Some(template) = &args.template {
        let mut show = command::cargo_build_like("run");
        show.args([
            "--quiet",
            "--package",
            "exectrail-templates",
            "--",
            template,
        ]);
        return command::run(show.args(&args.options));
    }
    setup::ensure(For {
        tests: true,
        ..For::default()
    })?;
    let mut test = command::cargo_build_like("test");
    command::run(test.args(["--package", "exectrail-templates"]))?;
    match ["terraform", "tofu"]
        .into_iter()
        .find(|name| command::find(name).is_some())
    {
        Some(terraform) => with_terraform(terraform),
        None => {
            progress::note("not validated by Terraform: neither terraform nor tofu is installed");
            Ok(())
        }
    }
}

/// Terraform's own validation of the files. A template whose providers cannot be fetched is skipped
/// with a warning. The module needs no providers, so its failure is an error.
fn with_terraform(program: &str) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    for directory in DIRECTORIES {
        let copy = scratch.path().join(directory);
        copy_of(directory, &copy)?;
        let terraform = |sub_command: &str| {
            let mut terraform = command::new(program);
            terraform
                .arg(format!("-chdir={}", copy.display()))
                .args([sub_command, "-no-color"])
                .env("CHECKPOINT_DISABLE", "1");
            terraform
        };
        let mut init = terraform("init");
        init.args(["-backend=false", "-input=false"]);
        if let Err(error) = command::output_within(PROVIDERS_PATIENCE, &mut init) {
            if directory == "module" {
                return Err(error);
            }
            progress::warning(format_args!(
                "templates/{directory} is not validated by {program}: its providers cannot be \
                 fetched\n{error:#}"
            ));
            continue;
        }
        command::run(&mut terraform("validate"))?;
    }
    Ok(())
}

/// A copy of a template that uses the module of this tree, not the released one.
fn copy_of(directory: &str, copy: &Path) -> Result<()> {
    fs::create_dir(copy)?;
    for entry in fs::read_dir(workspace::root().join("templates").join(directory))? {
        let entry = entry?;
        let text = fs::read_to_string(entry.path())
            .with_context(|| format!("cannot read {}", entry.path().display()))?;
        let lines = text.lines().map(|line| {
            if line.contains("//templates/module?") {
                "  source = \"../module\"\n".to_owned()
            } else {
                format!("{line}\n")
            }
        });
        fs::write(copy.join(entry.file_name()), lines.collect::<String>())?;
    }
    Ok(())
}
