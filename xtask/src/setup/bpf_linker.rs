//! bpf-linker, which turns the probes' LLVM bitcode into a BPF object.
//!
//! bpf-linker uses the LLVM of rustc, and must have been built for the version of this LLVM.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use super::requirement::Found;
use crate::toolchain::Toolchain;
use crate::{command, progress, workspace};

/// The bpf-linker for a version of LLVM.
struct Fit {
    llvm_major: u32,
    version: &'static str,
    /// The cargo feature that selects this LLVM.
    feature: &'static str,
}

/// Oldest LLVM first. From 0.11 on, bpf-linker needs a system LLVM instead of rustc's. Tested: 22.
/// The features for 20 and 21 exist in the same release and are built in the same way.
const FITS: [Fit; 3] = [
    Fit {
        llvm_major: 20,
        version: "0.10.3",
        feature: "rust-llvm-20",
    },
    Fit {
        llvm_major: 21,
        version: "0.10.3",
        feature: "rust-llvm-21",
    },
    Fit {
        llvm_major: 22,
        version: "0.10.3",
        feature: "rust-llvm-22",
    },
];

/// The feature of a 0.10.3 that was built without a named feature.
const DEFAULT_FEATURE: &str = "rust-llvm-22";

pub(super) fn look(toolchain: &Toolchain) -> Result<Found> {
    let llvm = toolchain.llvm_major;
    let fit = fit(llvm)?;
    let installed = installed_version();
    let version = installed.as_deref().unwrap_or("none");
    let path = command::find("bpf-linker").unwrap_or_default();
    let present = || Found::Present(format!("bpf-linker {version} ({})", path.display()));

    if llvm > fit.llvm_major {
        progress::warning(format_args!(
            "rustc {} has LLVM {llvm}; the newest that was tested is {}. If the probes cannot be \
             linked, install a bpf-linker for LLVM {llvm} or use an older rustc.",
            toolchain.release, fit.llvm_major,
        ));
        // If rustc is newer than this table, use the bpf-linker that is installed.
        if installed.is_some() {
            return Ok(present());
        }
    }
    if version == fit.version && built_for(fit.version).is_none_or(|llvm| llvm == fit.feature) {
        return Ok(present());
    }
    let what = match installed {
        None => format!(
            "bpf-linker {} for LLVM {llvm} (about a minute)",
            fit.version
        ),
        Some(other) => format!(
            "bpf-linker {} for LLVM {llvm} in place of {other} at {} (about a minute)",
            fit.version,
            path.display(),
        ),
    };
    let host = toolchain.host.clone();
    Ok(Found::missing(what, move || install(fit, &host)))
}

fn fit(llvm_major: u32) -> Result<&'static Fit> {
    let [oldest, .., newest] = &FITS;
    if llvm_major < oldest.llvm_major {
        anyhow::bail!(
            "rustc has LLVM {llvm_major}, and bpf-linker needs LLVM {} or later. Update rustc: \
             `rustup update stable`",
            oldest.llvm_major,
        );
    }
    Ok(FITS
        .iter()
        .find(|fit| fit.llvm_major == llvm_major)
        .unwrap_or(newest))
}

fn installed_version() -> Option<String> {
    let printed = command::output(command::new("bpf-linker").arg("--version")).ok()?;
    Some(printed.trim().strip_prefix("bpf-linker ")?.to_owned())
}

/// The LLVM feature that cargo installed this version with; `None` if cargo has no record of it.
fn built_for(version: &str) -> Option<String> {
    let notes = fs::read(workspace::cargo_home()?.join(".crates2.json")).ok()?;
    feature_noted(&serde_json::from_slice(&notes).ok()?, version)
}

fn feature_noted(notes: &Value, version: &str) -> Option<String> {
    let installs = notes.get("installs")?.as_object()?;
    let ours = format!("bpf-linker {version} ");
    let (_, note) = installs
        .iter()
        .find(|(package, _)| package.starts_with(&ours))?;
    let mut chosen = note
        .get("features")?
        .as_array()?
        .iter()
        .filter_map(Value::as_str);
    let llvm = chosen.find(|feature| feature.starts_with("rust-llvm-"));
    Some(llvm.unwrap_or(DEFAULT_FEATURE).to_owned())
}

fn install(fit: &Fit, host: &str) -> Result<String> {
    let mut install = command::cargo();
    install
        .args([
            "install",
            "--quiet",
            "--locked",
            "--force",
            "--no-default-features",
        ])
        .args(["--features", fit.feature])
        .arg(format!("bpf-linker@{}", fit.version));
    command::run(&mut install).with_context(|| {
        format!(
            "This needs the package registry and, on {host}, the shared libLLVM that rustup and \
             Debian ship with rustc. To install it by hand: `cargo install bpf-linker@{} \
             --locked --no-default-features --features {}`, or a release binary of the bpf-linker \
             project in a directory on PATH",
            fit.version, fit.feature,
        )
    })?;
    let first = installed_version().unwrap_or_default();
    anyhow::ensure!(
        first == fit.version,
        "cargo installed bpf-linker {}, but `bpf-linker` is {first} ({}), which is earlier on \
         PATH. Remove it, or put cargo's bin directory before it",
        fit.version,
        command::find("bpf-linker").unwrap_or_default().display(),
    );
    Ok(format!("bpf-linker {} by `cargo install`", fit.version))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_newer_llvm_gets_the_newest_known_linker() {
        assert_eq!(fit(22).unwrap().feature, "rust-llvm-22");
        assert_eq!(fit(21).unwrap().feature, "rust-llvm-21");
        assert_eq!(fit(40).unwrap().feature, "rust-llvm-22");
        assert!(fit(19).err().unwrap().to_string().contains("rustup update"));
    }

    #[test]
    fn a_linker_built_for_another_llvm_is_recognized_by_cargos_notes() {
        let notes = json!({"installs": {
            "bpf-linker 0.10.3 (registry+x)": {"features": ["rust-llvm-21"]},
            "ripgrep 14.0.0 (registry+x)": {"features": []},
        }});
        assert_eq!(
            feature_noted(&notes, "0.10.3").as_deref(),
            Some("rust-llvm-21")
        );
        assert_eq!(feature_noted(&notes, "0.9.15"), None);
        let notes = json!({"installs": {"bpf-linker 0.10.3 (registry+x)": {"features": []}}});
        assert_eq!(
            feature_noted(&notes, "0.10.3").as_deref(),
            Some("rust-llvm-22")
        );
    }
}
