//! The manifests that the deployment templates make for a workspace, evaluated without Terraform
//! and without a cluster.
//!
//! [`manifests`] reads one of the [`Template`]s and the module that it uses, evaluates both as
//! Terraform does, and converts the resources into the form that Kubernetes accepts:
//!
//! ```
//! use exectrail_templates::{Template, Variables, Workspace, manifests};
//!
//! let variables = Variables::from([
//!     ("namespace".to_owned(), "workspaces".into()),
//!     ("exectrail_image".to_owned(), "exectrail:1".into()),
//! ]);
//! let manifests = manifests(Template::Kubernetes, &Workspace::example(), &variables)?;
//! let kinds: Vec<_> = manifests.iter().map(|manifest| &manifest["kind"]).collect();
//! assert_eq!(kinds, ["PersistentVolumeClaim", "Deployment"]);
//! # Ok::<(), exectrail_templates::Error>(())
//! ```
//!
//! This crate has only the part of Terraform that the templates use; anything else is an error and
//! never ignored. `tests/real_terraform.rs` compares this part with Terraform itself.
#![deny(missing_docs)]

mod blocks;
mod configuration;
mod error;
mod functions;
pub mod kubelet;
mod manifest;
pub mod pod;
mod scope;
mod types;
mod variables;
mod workspace;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub use configuration::{Configuration, Evaluated, Given, Resource};
pub use error::Error;
pub use hcl::{Number, Value};
pub use manifest::manifest;
pub use workspace::Workspace;

/// Values of variables, by name.
pub type Variables = BTreeMap<String, Value>;

/// A shipped template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// A workspace in a Deployment
    Kubernetes,
    /// A workspace with Docker in it, by envbox, in a Pod
    KubernetesEnvbox,
}

impl Template {
    /// All templates.
    pub const ALL: [Self; 2] = [Self::Kubernetes, Self::KubernetesEnvbox];

    /// The directory of the template.
    pub fn directory(self) -> PathBuf {
        directory().join(match self {
            Self::Kubernetes => "kubernetes",
            Self::KubernetesEnvbox => "kubernetes-envbox",
        })
    }
}

/// The directory of all templates, in the repository that this crate was built from.
pub fn directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The module that both templates use.
pub fn module_directory() -> PathBuf {
    directory().join("module")
}

/// The manifests that a template makes for a workspace, in the form that Kubernetes accepts.
///
/// # Errors
/// Everything that Terraform would refuse: a variable that is missing, has the wrong type or fails
/// its validation, or an expression without a value. And everything that this crate does not know.
pub fn manifests(
    template: Template,
    workspace: &Workspace,
    variables: &Variables,
) -> Result<Vec<serde_json::Value>, Error> {
    let evaluated = Configuration::read(&template.directory())?.evaluate(&Given {
        variables: variables.clone(),
        ..Given::of(workspace)
    })?;
    evaluated
        .resources
        .iter()
        .filter(|resource| resource.kind.starts_with("kubernetes_"))
        .map(manifest)
        .collect()
}
