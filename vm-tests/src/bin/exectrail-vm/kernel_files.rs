//! Finds the pinned or the newest kernel of each series, and fetches its files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use exectrail_testbed::{cache, debian::Suite};
use serde::{Deserialize, Serialize};

use crate::kernel_series::{MachineKind, Parts, SERIES, Series, Source};

/// This package is pinned with the arm64 kernels that are booted.
const BUSYBOX: &str = "busybox-static";

/// `kernels.lock`: the tested versions.
#[derive(Default, Serialize, Deserialize)]
struct Lock {
    kernel: Vec<Locked>,
}

/// One kernel's packages.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Locked {
    series: String,
    suite: String,
    package: Vec<Package>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Package {
    name: String,
    version: String,
    sha256: String,
}

/// A kernel whose files are on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    /// Its series.
    pub(crate) series: &'static Series,
    /// Its release, as uname(2) returns it.
    pub(crate) release: String,
    /// The image, or the program of user-mode Linux.
    pub(crate) image: PathBuf,
    /// The directory that holds the directory of its modules, which is named after the release.
    pub(crate) modules: PathBuf,
    /// busybox for its architecture, if it is pinned with the kernel.
    pub(crate) busybox: Option<PathBuf>,
}

const LOCK_HEAD: &str = "\
# The kernels that `cargo xtask vm` boots. Written by `cargo xtask vm --update-lock`.
# A version that the archive no longer has is replaced by the newest at run time, with a message.
";

/// Directory of the kept kernels and roots.
pub(crate) fn cache() -> Result<PathBuf> {
    Ok(cache::directory()?.join("vm"))
}

fn lock_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels.lock")
}

fn read_lock() -> Result<Lock> {
    let path = lock_path();
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))
}

/// Pins the newest version of every series.
pub(crate) fn update_lock() -> Result<()> {
    let cache = cache()?;
    let mut lock = Lock::default();
    for series in &SERIES {
        eprintln!(
            "kernel {}: looking for the newest in {}",
            series.name, series.suite
        );
        let locked = newest(series, &cache)?;
        let kernel = locate(series, &tree(&cache, &locked))?;
        eprintln!("kernel {}: {}", series.name, kernel.release);
        lock.kernel.push(locked);
    }
    let text = toml::to_string_pretty(&lock)?;
    fs::write(lock_path(), format!("{LOCK_HEAD}\n{text}"))?;
    Ok(())
}

/// The pinned kernel of a series; fetched if it is not there yet. If it cannot be fetched, the
/// newest kernel of the series.
pub(crate) fn kernel(series: &'static Series) -> Result<Kernel> {
    let cache = cache()?;
    let locked = read_lock()?
        .kernel
        .into_iter()
        .find(|locked| locked.series == series.name);
    let Some(locked) = locked else {
        eprintln!(
            "kernel {}: nothing is pinned; taking the newest",
            series.name
        );
        return locate(series, &tree(&cache, &newest(series, &cache)?));
    };
    if !tree(&cache, &locked).exists()
        && let Err(error) = fetch_locked(series, &locked, &cache)
    {
        if error.is::<Altered>() {
            return Err(error);
        }
        eprintln!(
            "kernel {}: the pinned version cannot be fetched any more ({error:#})",
            series.name
        );
        let newer = newest(series, &cache)?;
        let kernel = locate(series, &tree(&cache, &newer))?;
        eprintln!(
            "kernel {}: going on with {}; pin it with `cargo xtask vm --update-lock`",
            series.name, kernel.release
        );
        return Ok(kernel);
    }
    locate(series, &tree(&cache, &locked))
}

/// The newest kernel of a series that `kernels.lock` does not have.
pub(crate) fn newest_kernel(series: &'static Series) -> Result<Kernel> {
    let cache = cache()?;
    locate(series, &tree(&cache, &newest(series, &cache)?))
}

/// The pinned kernels that are already fetched.
pub(crate) fn on_disk() -> Result<Vec<Kernel>> {
    let cache = cache()?;
    let mut kernels = Vec::new();
    for locked in read_lock()?.kernel {
        let series = SERIES.iter().find(|series| series.name == locked.series);
        let tree = tree(&cache, &locked);
        if let Some(series) = series
            && tree.exists()
        {
            kernels.push(locate(series, &tree)?);
        }
    }
    Ok(kernels)
}

/// A package has the pinned version but other content.
#[derive(Debug, thiserror::Error)]
#[error(
    "{package} is not the package that was pinned: SHA-256 {fetched}, pinned {pinned}. If you \
     trust the archive, `cargo xtask vm --update-lock` pins this one"
)]
struct Altered {
    package: String,
    pinned: String,
    fetched: String,
}

fn fetch_locked(series: &Series, locked: &Locked, cache: &Path) -> Result<()> {
    let architecture = series.machine.foreign_architecture();
    let suite = Suite::open_for(architecture, &locked.suite, cache)?;
    fetch(locked, &suite, cache)
}

/// Downloads, checks and unpacks the packages; the tree appears whole or not at all.
fn fetch(locked: &Locked, suite: &Suite, cache: &Path) -> Result<()> {
    let tree = tree(cache, locked);
    fs::create_dir_all(cache)?;
    let unpacked = tempfile::TempDir::with_prefix_in("kernel-", cache)?;
    for package in &locked.package {
        eprintln!(
            "kernel {}: fetching {} {}",
            locked.series, package.name, package.version
        );
        let deb = suite.download(&package.name, &package.version)?;
        if deb.sha256 != package.sha256 {
            bail!(Altered {
                package: format!("{}={}", package.name, package.version),
                pinned: package.sha256.clone(),
                fetched: deb.sha256,
            });
        }
        deb.unpack(unpacked.path())?;
    }
    rename_whole(unpacked, &tree)
}

fn rename_whole(unpacked: tempfile::TempDir, tree: &Path) -> Result<()> {
    if tree.exists() {
        return Ok(());
    }
    if let Some(parent) = tree.parent() {
        fs::create_dir_all(parent)?;
    }
    let path = unpacked.keep();
    fs::rename(&path, tree)
        .with_context(|| format!("cannot move {} to {}", path.display(), tree.display()))
}

/// The newest version of a series, fetched if it is not there yet.
fn newest(series: &Series, cache: &Path) -> Result<Locked> {
    let architecture = series.machine.foreign_architecture();
    let suite = Suite::open_for(architecture, series.suite, cache)?;
    let mut wanted = Vec::new();
    let mut open = match series.source {
        Source::Meta(package) => suite.dependencies(package, &suite.newest(package)?)?,
        Source::Image { prefix, suffix } => {
            let image = suite.newest_named(prefix, suffix)?;
            let version = suite.newest(&image)?;
            vec![(image, version)]
        }
        Source::Program(package) => {
            wanted.push((package.to_owned(), suite.newest(package)?));
            Vec::new()
        }
    };
    if series.machine == MachineKind::Arm64 && series.parts != Parts::Image {
        wanted.push((BUSYBOX.to_owned(), suite.newest(BUSYBOX)?));
    }
    while let Some((name, version)) = open.pop() {
        if is_part_of_kernel(&name, series.parts) && !wanted.iter().any(|(known, _)| *known == name)
        {
            open.extend(suite.dependencies(&name, &version)?);
            wanted.push((name, version));
        }
    }
    wanted.sort();
    let package = wanted
        .into_iter()
        .map(|(name, version)| {
            Ok(Package {
                sha256: suite.sha256(&name, &version)?,
                name,
                version,
            })
        })
        .collect::<Result<_>>()?;
    let locked = Locked {
        series: series.name.to_owned(),
        suite: suite.name().to_owned(),
        package,
    };
    if !tree(cache, &locked).exists() {
        fetch(&locked, &suite, cache)?;
    }
    Ok(locked)
}

/// Whether a package is one of a kernel's, such as `linux-image-6.1.0-56-cloud-amd64`, and not a
/// meta-package.
fn is_part_of_kernel(package: &str, parts: Parts) -> bool {
    let prefixes: &[&str] = match parts {
        Parts::WithModules => &[
            "linux-image-",
            "linux-binary-",
            "linux-base-",
            "linux-modules-",
        ],
        // `linux-base-…` is left out, because its old versions are no longer in the archive.
        Parts::Bootable | Parts::Image => &["linux-image-", "linux-binary-"],
    };
    prefixes
        .iter()
        .filter_map(|prefix| package.strip_prefix(prefix))
        .any(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// Directory of a kernel's files, named after the checksums of its packages.
fn tree(cache: &Path, locked: &Locked) -> PathBuf {
    let checksums: String = locked
        .package
        .iter()
        .map(|package| package.sha256.get(..8).unwrap_or(&package.sha256))
        .collect::<Vec<_>>()
        .join("-");
    cache
        .join("kernels")
        .join(format!("{}-{checksums}", locked.series))
}

/// Finds the files of a kernel in an unpacked tree.
fn locate(series: &'static Series, tree: &Path) -> Result<Kernel> {
    let modules = ["usr/lib/modules", "lib/modules", "usr/lib/uml/modules"]
        .map(|below| tree.join(below))
        .into_iter()
        .find(|path| path.is_dir())
        .with_context(|| format!("{} holds no modules", tree.display()))?;
    let release = fs::read_dir(&modules)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .next()
        .with_context(|| format!("{} is empty", modules.display()))?;
    let candidates = [
        tree.join(format!("boot/vmlinuz-{release}")),
        modules.join(&release).join("vmlinuz"),
        tree.join("usr/bin/linux.uml"),
    ];
    let image = candidates
        .iter()
        .find(|path| path.is_file())
        .with_context(|| format!("{} holds no kernel image", tree.display()))?;
    Ok(Kernel {
        series,
        release,
        image: image.clone(),
        modules,
        busybox: Some(tree.join("usr/bin/busybox")).filter(|path| path.is_file()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meta_package_is_no_part_of_a_kernel() {
        let is_part = |package| is_part_of_kernel(package, Parts::Bootable);
        assert!(is_part("linux-image-6.1.0-56-cloud-amd64"));
        assert!(is_part("linux-binary-7.3.4+deb13-cloud-amd64"));
        assert!(!is_part("linux-image-cloud-amd64"));
        assert!(!is_part("linux-libc-dev"));
        assert!(!is_part("linux-modules-7.3.4+deb13-cloud-amd64"));
    }

    #[test]
    fn every_series_is_pinned() {
        let lock = read_lock().unwrap();
        for series in &SERIES {
            let locked = lock
                .kernel
                .iter()
                .find(|locked| locked.series == series.name);
            assert!(
                locked.is_some_and(|locked| !locked.package.is_empty()),
                "{}",
                series.name
            );
        }
    }
}
