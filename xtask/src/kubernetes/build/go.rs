//! Compiles Go programs without modules (GOPATH mode). The dependencies of this version of
//! Kubernetes are in its tree, in a form that a Go newer than this Kubernetes refuses in module
//! mode.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::pinned::KUBERNETES;
use crate::{command, progress};

/// Describes the compiler's flags below. The text is part of the name under which programs are
/// kept: change it with the flags.
pub(super) const RECIPE: &str = "static, stripped, with its version";

/// The package with the version, by its name in the tree.
const VERSION_PACKAGE: &str = "k8s.io/kubernetes/vendor/k8s.io/component-base/version";

/// Minimum interval between notes on progress.
const INTERVAL: Duration = Duration::from_secs(15);

/// Number of the compiler's last lines that an error has.
const LAST_LINES: usize = 20;

/// A compiler with its directories.
pub(super) struct Go {
    root: PathBuf,
    path: PathBuf,
    cache: PathBuf,
}

impl Go {
    /// The compiler of Debian's packages, which were unpacked into `compiler`. `build` has its
    /// cache, and the source in `gopath`.
    pub(super) fn new(compiler: &Path, build: &Path) -> Self {
        Self {
            root: compiler.join("usr/lib/go-1.19"),
            path: build.join("gopath"),
            cache: build.join("cache"),
        }
    }

    /// A program in an environment for Go, in the source tree.
    pub(super) fn command(&self, program: &Path, tree: &Path) -> Command {
        let mut command = command::new(program);
        command
            .current_dir(tree)
            // Go takes the path of the working directory from PWD. This path must be below GOPATH.
            .env("PWD", tree)
            .env("GOROOT", &self.root)
            .env("GOPATH", &self.path)
            .env("GOCACHE", &self.cache)
            .env("GO111MODULE", "off")
            .env("CGO_ENABLED", "0")
            // With `off`, Go refuses to download.
            .env("GOPROXY", "off")
            .env_remove("GOFLAGS");
        command
    }

    /// Compiles a package of the tree into the directory `to`.
    pub(super) fn build(&self, tree: &Path, package: &str, to: &Path) -> Result<()> {
        let (major, minor) = KUBERNETES.split_once('.').unwrap_or_default();
        let minor = minor.split('.').next().unwrap_or_default();
        let variable = |name: &str, value: &str| format!("-X {VERSION_PACKAGE}.{name}={value}");
        let flags = [
            "-s -w".to_owned(),
            variable("gitVersion", &format!("v{KUBERNETES}")),
            variable("gitMajor", major),
            variable("gitMinor", minor),
            variable("gitTreeState", "clean"),
        ];
        let mut build = self.command(&self.root.join("bin/go"), tree);
        build
            .args([
                "build",
                "-v",
                "-trimpath",
                "-ldflags",
                &flags.join(" "),
                "-o",
            ])
            // The separator at the end tells Go that this is a directory.
            .arg(to.join(""))
            .arg(package);
        run(&mut build)
    }
}

/// Runs a build, which prints the name of each package that it compiles; shows the progress.
fn run(build: &mut Command) -> Result<()> {
    let shown = command::shown(build);
    let mut child = build
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let mut last: Vec<String> = Vec::new();
    let (mut packages, mut shown_at) = (0_u32, Instant::now());
    let output = child.stderr.take().context("no output of the compiler")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        packages += 1;
        if shown_at.elapsed() >= INTERVAL {
            progress::note(format_args!("{packages} packages compiled, now {line}"));
            shown_at = Instant::now();
        }
        if last.len() == LAST_LINES {
            last.remove(0);
        }
        last.push(line);
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{shown}` failed: {status}\n{}", last.join("\n"));
    }
    Ok(())
}
