//! Whether the kernel has BTF, with the fields that the probes read.

use std::fmt::Display;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use super::node::Node;
use crate::attach_points::{AttachPoint, END_CHECK};
use crate::btf::BtfError;
use crate::files::{self, ReadError};
use crate::offsets::{self, Resolved};
use crate::report::{Check, Id, Verdict};

/// Maximum number of bytes of BTF to read. Distributions' kernels have 4 to 8 MiB.
const MAX_BTF: u64 = 64 << 20;
/// Maximum size of a kernel configuration, unpacked. Distributions' have 300 KB.
const MAX_CONFIG: u64 = 8 << 20;

pub(super) fn check(node: &Node<'_>) -> (Check, Option<Resolved>) {
    let path = node.sys("kernel/btf/vmlinux");
    let bytes = match files::kernel_btf(&path, MAX_BTF) {
        Ok(bytes) => bytes,
        Err(error) => return (not_readable(node, &path, &error), None),
    };
    let resolved = match offsets::resolve(&bytes) {
        Ok(resolved) => resolved,
        Err(error) => return (not_understood(&path, bytes.len(), &error), None),
    };
    if cfg!(target_endian = "big") {
        return (big_endian(&path, "of this machine's byte order"), None);
    }
    let read = format!("{} bytes, {} types", bytes.len(), resolved.types);
    if resolved.missing.is_empty() {
        let summary = format!(
            "BTF has all {} fields and the tracepoints that the probes need",
            offsets::FIELD_COUNT
        );
        let end_check = match resolved
            .attach_points
            .id(AttachPoint::Tracepoint(END_CHECK))
        {
            Some(_) => END_CHECK,
            None => "none: the end of a workspace cannot be confirmed",
        };
        let check = Check::new(Id::Btf, Verdict::Ok, summary)
            .saw_in(&path, "", read)
            .saw_in(&path, "tracepoint that confirms ends", end_check);
        return (check, Some(resolved));
    }
    let summary = format!(
        "the kernel lacks {} of the fields and tracepoints that the probes need",
        resolved.missing.len()
    );
    let mut check = Check::new(Id::Btf, Verdict::Unmet, summary).saw_in(&path, "", read);
    for missing in &resolved.missing {
        check = check.saw_in(&path, "", missing);
    }
    let check = check.remedy(node.platform.other_kernel().unwrap_or_else(|| {
        "run on nodes with a kernel from 5.8 on that is listed in docs/compatibility.md, or report \
         this output as a bug"
            .to_owned()
    }));
    (check, Some(resolved))
}

/// The check for a file whose bytes cannot be parsed as BTF.
fn not_understood(path: &Path, len: usize, error: &BtfError) -> Check {
    let (summary, remedy) = match error {
        BtfError::ByteOrder => return big_endian(path, error),
        BtfError::UnknownKind { kind, .. } => (
            format!("the kernel's BTF has types of kind {kind}, which exectrail cannot skip"),
            "use a newer exectrail: this one is older than the kernel's BTF format",
        ),
        _ => (
            "the kernel's BTF cannot be parsed".to_owned(),
            "if the kernel is newer than exectrail, use a newer exectrail; else report this output \
             as a bug",
        ),
    };
    Check::new(Id::Btf, Verdict::Unmet, summary)
        .saw_in(path, "", format_args!("{len} bytes"))
        .saw_in(path, "", error)
        .remedy(remedy)
}

/// No version of exectrail reads the types of a big-endian kernel.
fn big_endian(path: &Path, what: impl Display) -> Check {
    let summary = "the kernel is big-endian (s390x, for example), which exectrail does not support";
    Check::new(Id::Btf, Verdict::Unmet, summary)
        .saw_in(path, "", what)
        .remedy("run traced workspaces on amd64 or arm64 nodes")
}

fn not_readable(node: &Node<'_>, path: &Path, error: &ReadError) -> Check {
    let check =
        |verdict, summary: &str| Check::new(Id::Btf, verdict, summary).saw_in(path, "", error);
    // If the directory of `--sys` has no sysfs, that says nothing about the kernel. But exectrail
    // itself uses `/sys`: a file that is missing there is missing for exectrail.
    let given = node.options.roots.sys != crate::Roots::default().sys;
    if given && !node.sys("kernel").is_dir() {
        return check(Verdict::Unknown, "there is no sysfs at the given path")
            .remedy("mount the node's sysfs read-only there, or pass its root with --sys");
    }
    match error {
        ReadError::Missing => {}
        ReadError::NotAFile(_) => {
            return check(
                Verdict::Unmet,
                "the kernel's BTF is hidden from this container",
            )
            .remedy("do not mask /sys/kernel/btf: a plain read-only /sys is enough");
        }
        ReadError::TooLong { limit } => {
            let summary = format!(
                "the kernel's BTF is larger than {} MiB, exectrail's limit",
                limit >> 20
            );
            return check(Verdict::Unmet, &summary).remedy(
                "run on nodes with a distribution's kernel, whose BTF has 4 to 8 MiB, or report \
                 this output as a bug",
            );
        }
        ReadError::Io(_) => {
            return check(Verdict::Unknown, "the kernel's BTF could not be read")
                .remedy("make /sys/kernel/btf/vmlinux readable for the container (LSM policy?)");
        }
    }

    let mut evidence = Vec::new();
    let mut found = None;
    for config in configs(node) {
        match config_line(&config) {
            Ok(Some(line)) => {
                evidence.push((config, line.clone()));
                found = Some(line);
                break;
            }
            Ok(None) => {
                evidence.push((config, "no line about CONFIG_DEBUG_INFO_BTF".to_owned()));
                found = Some(String::new());
                break;
            }
            Err(error) => evidence.push((config, error.to_string())),
        }
    }
    let built_with_it = node.platform.other_kernel().unwrap_or_else(|| {
        "run on nodes whose kernel is built with CONFIG_DEBUG_INFO_BTF=y, as those of all current \
         distributions are"
            .to_owned()
    });
    let check = match found.as_deref() {
        Some("CONFIG_DEBUG_INFO_BTF=y") => check(
            Verdict::Unmet,
            "the kernel is built with BTF, but it is not visible in this /sys",
        )
        .remedy(
            "let the container see the node's /sys/kernel/btf (a plain read-only /sys is enough)",
        ),
        Some(_) => check(Verdict::Unmet, "the kernel is built without BTF").remedy(built_with_it),
        None => check(
            Verdict::Unmet,
            "there is no BTF, and no kernel configuration that shows why",
        )
        .remedy(built_with_it),
    };
    evidence.into_iter().fold(check, |check, (path, value)| {
        check.saw_in(&path, "CONFIG_DEBUG_INFO_BTF", value)
    })
}

/// Paths where kernels and distributions keep the configuration.
fn configs(node: &Node<'_>) -> Vec<PathBuf> {
    let mut paths = vec![node.proc("config.gz")];
    if let Some(release) = node.release.as_suffix() {
        paths.push(node.options.roots.boot.join(format!("config-{release}")));
    }
    paths
}

/// The line about BTF in a kernel configuration, which may be compressed.
fn config_line(path: &Path) -> Result<Option<String>, ReadError> {
    let file = files::open(path)?;
    let text = if path.extension().is_some_and(|extension| extension == "gz") {
        files::read_all(GzDecoder::new(BufReader::new(file)), MAX_CONFIG, 0)?
    } else {
        files::read_all(file, MAX_CONFIG, 0)?
    };
    const OPTION: &[u8] = b"CONFIG_DEBUG_INFO_BTF";
    let line = text
        .split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|line| {
            let name = line.strip_prefix(b"# ").unwrap_or(line);
            // `CONFIG_DEBUG_INFO_BTF_MODULES` must not match.
            name.strip_prefix(OPTION)
                .is_some_and(|rest| rest.starts_with(b"=") || rest.starts_with(b" "))
        });
    Ok(line.map(|line| String::from_utf8_lossy(line).into_owned()))
}
