//! The deployment templates, evaluated without Terraform and without a cluster: what manifests
//! do they make of a workspace?
//!
//! [`manifests`] reads one of the [`Template`]s and the module that it uses, evaluates both as
//! Terraform would, and puts the resources into the form in which Kubernetes takes them:
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
//! Only as much of Terraform is here as the templates use; anything else is an error, never
//! passed over. What is here is compared with the real one in `tests/real_terraform.rs`.
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

/// A template that is shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// A workspace in a Deployment
    Kubernetes,
    /// A workspace with Docker in it, by envbox, in a Pod
    KubernetesEnvbox,
}

impl Template {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Kubernetes, Self::KubernetesEnvbox];

    /// The directory that it is in.
    pub fn directory(self) -> PathBuf {
        directory().join(match self {
            Self::Kubernetes => "kubernetes",
            Self::KubernetesEnvbox => "kubernetes-envbox",
        })
    }
}

/// The directory of all templates, in the repository that this was built from.
pub fn directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The module that both templates use.
pub fn module_directory() -> PathBuf {
    directory().join("module")
}

/// The manifests that a template makes for a workspace, as Kubernetes takes them.
///
/// # Errors
/// Whatever Terraform would refuse: a variable that is missing, of the wrong type or refused by
/// its validation, an expression that has no value. And what this crate does not know.
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
