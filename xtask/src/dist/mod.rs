//! `cargo xtask dist`: the release, one tarball per architecture, and one of the Terraform module.
//!
//! Two builds of the same source, with the same toolchain and C library, give the same bytes in any
//! directory. `--check` makes the second build.

mod check;
mod completions;
mod layout;
mod listing;
mod module;
mod parts;
mod tarball;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::layout::{DOCUMENTS, SUMS};
use self::listing::files_below;
use self::tarball::Tarball;
use crate::architecture::Architecture;
use crate::build::{self, Built};
use crate::progress::Progress;
use crate::setup::{self, For};
use crate::workspace::{self, VERSION};
use crate::{digest, package, source};

/// Arguments of `cargo xtask dist`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this architecture; repeatable
    #[arg(long = "arch", value_name = "ARCHITECTURE")]
    architectures: Vec<Architecture>,

    /// Directory for the tarballs; created if it does not exist
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    out: PathBuf,

    /// Check the release: a second build in another directory gives the same bytes, and the content
    /// of the tarballs is correct
    #[arg(long)]
    check: bool,

    /// Leave the second build to the nightly check.
    #[arg(skip)]
    build_once: bool,
}

impl Args {
    /// Arguments for the check of each change: a release of this machine's architecture, with its
    /// content checked.
    pub(crate) fn of_each_change() -> Result<Self> {
        Ok(Self {
            architectures: vec![Architecture::host()?],
            out: "target/dist".into(),
            check: true,
            build_once: true,
        })
    }
}

/// `cargo xtask dist`.
pub(crate) fn command(args: &Args) -> Result<()> {
    setup::ensure(For {
        dist: true,
        ..For::default()
    })?;
    let architectures = match &args.architectures[..] {
        [] => Architecture::ALL.to_vec(),
        some => some.to_vec(),
    };
    let out = workspace::root().join(&args.out);
    let time = source::time()?;
    let tarballs = make(&architectures, time, &out)?;
    let module = make_module(time, &out)?;
    if args.check {
        check::content(&tarballs)?;
        module::check(&module)?;
        if !args.build_once {
            check::reproducible(&architectures, time, &out)?;
        }
    }
    for file in tarballs.iter().chain([&module, &out.join(SUMS)]) {
        println!(
            "{:>10} bytes  {}",
            fs::metadata(file)?.len(),
            file.display()
        );
    }
    Ok(())
}

/// Makes the tarballs and their checksums.
fn make(architectures: &[Architecture], time: u64, out: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let mut progress = Progress::new(architectures.len() + 1);
    // The programs themselves write their man pages and completions. This needs programs that this
    // machine can run, whatever architectures are released.
    let host = progress.step("building for this machine", build::release)?;
    let mut tarballs = Vec::new();
    let mut sums = String::new();
    for &architecture in architectures {
        let name = format!("exectrail-{VERSION}-linux-{architecture}");
        let file = out.join(format!("{name}.tar.gz"));
        progress.step(&format!("making {name}.tar.gz"), || {
            let built = build::release_for(architecture)?;
            tarball(architecture, &host, &built, time)?.write(&name, time, &file)
        })?;
        sums.push_str(&format!("{}  {name}.tar.gz\n", digest::of_file(&file)?));
        tarballs.push(file);
    }
    fs::write(out.join(SUMS), sums)?;
    Ok(tarballs)
}

/// Makes the tarball of the module, and adds its checksum to the list of checksums.
fn make_module(time: u64, out: &Path) -> Result<PathBuf> {
    let name = module::name();
    let file = out.join(format!("{name}.tar.gz"));
    module::tarball()?.write(&name, time, &file)?;
    let sums = out.join(SUMS);
    let others =
        fs::read_to_string(&sums).with_context(|| format!("cannot read {}", sums.display()))?;
    fs::write(
        &sums,
        format!("{others}{}  {name}.tar.gz\n", digest::of_file(&file)?),
    )?;
    Ok(file)
}

/// A tarball to unpack over a prefix, such as /usr/local.
fn tarball(architecture: Architecture, host: &Built, built: &Built, time: u64) -> Result<Tarball> {
    let root = workspace::root();
    let mut tarball = Tarball::default();
    for item in package::items(host, built)? {
        tarball.add_item(item);
    }
    for name in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        tarball.add_copy(format!("{DOCUMENTS}/{name}"), &root.join(name))?;
    }
    for document in files_below(&root.join("docs"))? {
        let name = document.strip_prefix(root)?.display();
        tarball.add_copy(format!("{DOCUMENTS}/{name}"), &document)?;
    }
    let bills = parts::bills_of_materials(architecture, time)?;
    tarball.add(
        format!("{DOCUMENTS}/LICENSES-OF-DEPENDENCIES"),
        parts::licenses(&bills)?,
    );
    for (program, bill) in bills {
        tarball.add(format!("{DOCUMENTS}/sbom/{program}.cdx.json"), bill);
    }
    Ok(tarball)
}
