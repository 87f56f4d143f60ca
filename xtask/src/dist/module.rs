//! The Terraform module as a tarball, for templates that cannot fetch it from its address.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::listing::files_in;
use super::tarball::Tarball;
use crate::package::name_of;
use crate::workspace::{self, VERSION};
use crate::{command, progress};

/// Directory of the module, in the repository.
const DIRECTORY: &str = "templates/module";

/// Name of the tarball without its ending, and of the directory in it.
pub(super) fn name() -> String {
    format!("exectrail-{VERSION}-terraform-module")
}

/// The files of the module, and the licenses.
pub(super) fn tarball() -> Result<Tarball> {
    let root = workspace::root();
    let mut tarball = Tarball::default();
    for file in files_in(&root.join(DIRECTORY))? {
        tarball.add_copy(name_of(&file), &file)?;
    }
    for name in ["LICENSE-MIT", "LICENSE-APACHE"] {
        tarball.add_copy(name, &root.join(name))?;
    }
    Ok(tarball)
}

/// Checks that the unpacked files are equal to the files in the repository. If Terraform or
/// OpenTofu is installed, plans a configuration that uses the unpacked module.
pub(super) fn check(tarball: &Path) -> Result<()> {
    let template = tempfile::tempdir()?;
    let mut unpack = command::new("tar");
    unpack
        .arg("-xzf")
        .arg(tarball)
        .arg("-C")
        .arg(template.path());
    command::output(&mut unpack)?;
    let unpacked = template.path().join(name());
    for file in files_in(&workspace::root().join(DIRECTORY))? {
        let copy = unpacked.join(name_of(&file));
        ensure!(
            fs::read(&copy).with_context(|| format!("cannot read {}", copy.display()))?
                == fs::read(&file)?,
            "the tarball's copy of {} differs",
            file.display()
        );
    }
    let Some(terraform) = ["terraform", "tofu"]
        .into_iter()
        .find(|program| command::find(program).is_some())
    else {
        progress::warning(
            "no plan was made with the module's tarball: neither terraform nor tofu is installed",
        );
        return Ok(());
    };
    let main = format!(
        "module \"exectrail\" {{\n  source = \"./{}\"\n  image  = \"r.example.com/x:1\"\n  \
         script = \"true\"\n}}\noutput \"args\" {{\n  value = module.exectrail.sidecar.args\n}}\n",
        name()
    );
    fs::write(template.path().join("main.tf"), main)?;
    for arguments in [&["init", "-backend=false"][..], &["plan", "-input=false"]] {
        let mut run = command::new(terraform);
        run.arg(format!("-chdir={}", template.path().display()))
            .args(arguments)
            .arg("-no-color")
            .env("CHECKPOINT_DISABLE", "1")
            .env_remove("TF_CLI_CONFIG_FILE");
        let printed = command::output(&mut run)?;
        ensure!(
            arguments[0] == "init" || printed.contains("--init-address=127.0.0.1:56123"),
            "the plan has no sidecar:\n{printed}"
        );
    }
    progress::note(format_args!(
        "{}: {terraform} makes a plan with the unpacked module",
        name_of(tarball)
    ));
    Ok(())
}
