//! Checks the content of a release, and that its build is reproducible.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::completions;
use super::layout::{DOCUMENTS, SUMS};
use crate::architecture::Architecture;
use crate::package::name_of;
use crate::workspace::{self, VERSION};
use crate::{command, digest, progress, source};

/// Unpacks the tarballs with tar, and checks their content. Then checks the sums with sha256sum.
pub(super) fn content(tarballs: &[PathBuf]) -> Result<()> {
    for tarball in tarballs {
        let directory = tempfile::tempdir()?;
        let unpacked = directory.path();
        command::output(
            command::new("tar")
                .arg("-xzf")
                .arg(tarball)
                .arg("-C")
                .arg(unpacked),
        )?;
        let top = unpacked.join(name_of(tarball).trim_end_matches(".tar.gz"));
        let of_host = name_of(tarball).contains(Architecture::host()?.name());
        if of_host {
            programs(&top)?;
        }
        completions::check(&top)?;
        manual(&top)?;
        bills_of_materials(&top)?;
        documents(&top.join(DOCUMENTS))?;
        let licenses = read(&top.join(DOCUMENTS).join("LICENSES-OF-DEPENDENCIES"))?;
        for expected in ["==== aya ", "==== tokio ", "Permission is hereby granted"] {
            ensure!(
                licenses.contains(expected),
                "the licenses lack `{expected}`"
            );
        }
        progress::note(format_args!(
            "{}: content and metadata are as documented",
            name_of(tarball)
        ));
    }
    let Some(out) = tarballs.first().and_then(|tarball| tarball.parent()) else {
        return Ok(());
    };
    let mut sums = command::new("sha256sum");
    command::output(sums.args(["--check", "--strict", SUMS]).current_dir(out))?;
    Ok(())
}

fn programs(top: &Path) -> Result<()> {
    for name in ["exectrail", "exectrail-log", "exectrail-preflight"] {
        let printed = command::output(command::new(top.join("bin").join(name)).arg("--version"))?;
        ensure!(
            printed.trim() == format!("{name} {VERSION}"),
            "{name} --version prints {printed:?}; the release is {VERSION}"
        );
    }
    Ok(())
}

/// Checks that each document in `docs/` that the README links to is in the tarball.
fn documents(directory: &Path) -> Result<()> {
    let readme = read(&directory.join("README.md"))?;
    let links = readme
        .split("](docs/")
        .skip(1)
        .filter_map(|link| link.split([')', '#']).next());
    for link in links {
        let path = directory.join("docs").join(link);
        ensure!(
            path.exists(),
            "the README links to docs/{link}, which is not in the tarball"
        );
    }
    Ok(())
}

fn manual(top: &Path) -> Result<()> {
    let page = |name: &str| read(&top.join("share/man/man1").join(name));
    let exectrail = page("exectrail.1")?;
    for expected in ["init\\-address", VERSION, "EXECTRAIL_RING_BYTES"] {
        ensure!(
            exectrail.contains(expected),
            "exectrail.1 does not mention {expected}"
        );
    }
    for command in ["announce", "preflight", "run", "verify"] {
        page(&format!("exectrail-{command}.1"))?;
    }
    for command in ["show", "verify"] {
        page(&format!("exectrail-log-{command}.1"))?;
    }
    for command in ["", "-announce", "-preflight", "-run", "-verify"] {
        let text = page(&format!("exectrail{command}.1"))?;
        for section in [".SH EXAMPLES", ".SH \"EXIT STATUS\""] {
            ensure!(
                text.contains(section),
                "exectrail{command}.1 has no {section}"
            );
        }
    }
    ensure!(
        page("exectrail-pid-ns-init.1").is_err(),
        "there is a page for a command that is not for users"
    );
    Ok(())
}

fn bills_of_materials(top: &Path) -> Result<()> {
    for (program, part) in [
        ("exectrail", "aya"),
        ("exectrail-log", "regex"),
        ("exectrail-preflight", "clap"),
        ("exectrail-probes", "aya-ebpf"),
    ] {
        let path = top.join(DOCUMENTS).join(format!("sbom/{program}.cdx.json"));
        let text = read(&path)?;
        let bill: Value = serde_json::from_str(&text)?;
        ensure!(
            bill["bomFormat"] == "CycloneDX",
            "{} is not a CycloneDX document",
            path.display()
        );
        ensure!(bill["metadata"]["component"]["version"] == VERSION);
        let parts = bill["components"].as_array();
        let has = parts.is_some_and(|parts| {
            parts.iter().any(|component| {
                component["name"] == part && component["hashes"][0]["alg"] == "SHA-256"
            })
        });
        ensure!(has, "{} does not list {part} with its hash", path.display());
        let urls = text.matches("file:///").count();
        ensure!(
            urls > 0 && urls == text.matches("file:///exectrail/").count(),
            "{} contains a path of this machine",
            path.display()
        );
    }
    Ok(())
}

/// The kernel's link to the running program. At the program's path, cargo may have built another
/// one since.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Builds the release again from a copy of the source in another directory, and compares all bytes.
pub(super) fn reproducible(architectures: &[Architecture], time: u64, out: &Path) -> Result<()> {
    let directory = tempfile::Builder::new()
        .prefix("exectrail-dist-")
        .tempdir()
        .context("cannot create a directory for the second build")?;
    // The path of the copy differs from the first build's in length and depth.
    let copy = directory.path().join("another/place/for the source");
    copy_source(&copy)?;
    let second = directory.path().join("out");
    let mut again = Command::new(OWN_PROGRAM);
    again
        .arg("dist")
        .arg("--out")
        .arg(&second)
        .env(workspace::ROOT, &copy)
        .env("SOURCE_DATE_EPOCH", time.to_string())
        .env_remove("CARGO_TARGET_DIR");
    for architecture in architectures {
        again.args(["--arch", architecture.name()]);
    }
    command::run(&mut again).context("the second build")?;
    for line in read(&out.join(SUMS))?.lines() {
        let (_, name) = line.split_once("  ").context("a line without a name")?;
        let (one, other) = (out.join(name), second.join(name));
        if digest::of_file(&one)? != digest::of_file(&other)? {
            let kept = directory.keep();
            bail!(
                "{name} is not reproducible: {} and {} differ. `diffoscope` shows where",
                one.display(),
                kept.join("out").join(name).display()
            );
        }
        progress::note(format_args!(
            "{name}: a second build in {} gives the same bytes",
            copy.display()
        ));
    }
    Ok(())
}

/// Copies all files that git tracks or would add.
fn copy_source(to: &Path) -> Result<()> {
    for name in source::files()? {
        let (from, to) = (workspace::root().join(&name), to.join(&name));
        // git still lists a file that was removed only from the work tree.
        if !from.is_file() {
            continue;
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
