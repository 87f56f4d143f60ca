//! Debian packages: looks for them, and installs them.

use std::path::Path;

use anyhow::{Result, bail};

use super::requirement::Found;
use crate::command;

/// One package, the file that shows its presence, and its purpose.
#[derive(Clone, Copy)]
pub(super) struct Package {
    pub(super) name: &'static str,
    /// A program on PATH, or a file by its full path.
    pub(super) provides: &'static str,
    pub(super) reason: &'static str,
}

impl Package {
    fn is_there(&self) -> bool {
        match self.provides.strip_prefix('/') {
            Some(_) => Path::new(self.provides).exists(),
            None => command::find(self.provides).is_some(),
        }
    }
}

/// Looks for `packages`, which are for `purpose`.
pub(super) fn look(purpose: &str, packages: &[Package]) -> Found {
    let missing: Vec<Package> = packages
        .iter()
        .filter(|package| !package.is_there())
        .copied()
        .collect();
    if missing.is_empty() {
        return Found::Present(format!(
            "the {} Debian packages for {purpose}",
            packages.len()
        ));
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let what = format!("Debian packages for {purpose}: {}", names.join(", "));
    Found::missing(what, move || install(&missing))
}

fn install(missing: &[Package]) -> Result<String> {
    let names = missing.iter().map(|package| package.name);
    if !rustix::process::geteuid().is_root() || command::find("apt-get").is_none() {
        let reasons: String = missing
            .iter()
            .map(|package| {
                format!(
                    "\n- {}: `{}`, {}",
                    package.name, package.provides, package.reason
                )
            })
            .collect();
        let names = names.collect::<Vec<_>>().join(" ");
        bail!(
            "Only root on a Debian system can install them. To install them by hand: \
             `apt-get install --no-install-recommends {names}`, or the packages of your system \
             with these programs and files:{reasons}"
        );
    }
    command::output(command::new("apt-get").args(["-q", "update"]))?;
    let mut install = command::new("apt-get");
    install
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-q", "-y", "--no-install-recommends", "install"])
        .args(names);
    command::output(&mut install)?;
    Ok("by apt-get".into())
}
