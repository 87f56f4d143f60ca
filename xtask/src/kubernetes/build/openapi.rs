//! The description of the API, which the API server serves and kubectl checks manifests with. It is
//! generated code, which Debian's source package does not have. This module makes the code as
//! Kubernetes' own makefile does (`build/root/Makefile.generated_files`).

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::go::Go;
use crate::command;

/// The package that the code belongs to.
const PACKAGE: &str = "k8s.io/kubernetes/pkg/generated/openapi";

/// A comment that asks for a description of the types of a package.
const TAG: &str = "// +k8s:openapi-gen=true";

/// Examples, whose types the API server does not have.
const LEFT_OUT: [&str; 2] = ["code-generator/", "sample-apiserver/"];

/// Makes the generator, and the code.
pub(super) fn generate(go: &Go, source: &Path) -> Result<()> {
    let tools = source.join("_output/bin");
    go.build(
        source,
        "./vendor/k8s.io/kube-openapi/cmd/openapi-gen",
        &tools,
    )?;
    let mut packages = BTreeSet::new();
    for below in ["pkg", "staging/src"] {
        find(source, &source.join(below), &mut packages)?;
    }
    ensure!(
        packages.contains("k8s.io/kubernetes/vendor/k8s.io/api/core/v1"),
        "the source of Kubernetes has no package k8s.io/api/core/v1 with `{TAG}`"
    );
    let packages: Vec<String> = packages.into_iter().collect();
    let mut generate = go.command(&tools.join("openapi-gen"), source);
    generate
        .args(["--input-dirs", &packages.join(",")])
        .args(["--output-package", PACKAGE])
        .args(["--output-file-base", "zz_generated.openapi"])
        .args(["--go-header-file"])
        .arg("vendor/k8s.io/code-generator/hack/boilerplate.go.txt")
        .arg("--report-filename")
        .arg(tools.join("violations"));
    command::output(&mut generate).map(drop)
}

/// Adds the packages below `directory` that have the tag, by their import paths.
fn find(source: &Path, directory: &Path, packages: &mut BTreeSet<String>) -> Result<()> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            find(source, &path, packages)?;
        } else if path.extension().is_some_and(|extension| extension == "go")
            && let Some(package) = package_of(source, directory)
            && has_tag(&String::from_utf8_lossy(&fs::read(&path)?))
        {
            packages.insert(package);
        }
    }
    Ok(())
}

fn has_tag(text: &str) -> bool {
    text.lines().any(|line| line.starts_with(TAG))
}

/// The import path of a directory. Packages of `staging` are imported through links in `vendor`.
fn package_of(source: &Path, directory: &Path) -> Option<String> {
    let path = directory.strip_prefix(source).ok()?.to_str()?;
    let path = match path.strip_prefix("staging/src/") {
        Some(staged) => format!("vendor/{staged}"),
        None => path.to_owned(),
    };
    let left_out = LEFT_OUT.iter().any(|part| path.contains(part));
    (!left_out).then(|| format!("k8s.io/kubernetes/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_as_they_are_imported() {
        let package = |path: &str| package_of(Path::new("/s"), &Path::new("/s").join(path));
        assert_eq!(
            package("pkg/apis/abac/v0").as_deref(),
            Some("k8s.io/kubernetes/pkg/apis/abac/v0")
        );
        assert_eq!(
            package("staging/src/k8s.io/api/core/v1").as_deref(),
            Some("k8s.io/kubernetes/vendor/k8s.io/api/core/v1")
        );
        let example = "staging/src/k8s.io/code-generator/_examples/apiserver/apis/example/v1";
        assert_eq!(package(example), None);
    }

    #[test]
    fn the_tag_stands_at_the_start_of_a_line() {
        assert!(has_tag(
            "package v1\n// +k8s:openapi-gen=true\ntype A struct{}\n"
        ));
        assert!(!has_tag("\t// +k8s:openapi-gen=true\n"));
        assert!(!has_tag("// +k8s:openapi-gen=false\n"));
    }
}
