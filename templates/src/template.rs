//! The shipped templates and the manifests that they make.

use std::path::PathBuf;

use crate::{
    configuration::Configuration,
    directories::directory,
    error::Error,
    given::{Given, Variables},
    manifest::manifest,
    workspace::Workspace,
};

/// A shipped template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Template {
    /// A workspace in a Deployment
    Kubernetes,
    /// A dev container, built by envbuilder, in a Pod
    KubernetesDevcontainer,
    /// A workspace with Docker in it, by envbox, in a Pod
    KubernetesEnvbox,
}

impl Template {
    /// All templates.
    pub const ALL: [Self; 3] = [
        Self::Kubernetes,
        Self::KubernetesDevcontainer,
        Self::KubernetesEnvbox,
    ];

    /// The directory of the template.
    pub fn directory(self) -> PathBuf {
        directory().join(match self {
            Self::Kubernetes => "kubernetes",
            Self::KubernetesDevcontainer => "kubernetes-devcontainer",
            Self::KubernetesEnvbox => "kubernetes-envbox",
        })
    }
}

/// The manifests that a template makes for a workspace, in the form that Kubernetes accepts.
///
/// # Errors
/// - A file cannot be read.
/// - A variable is missing, is unknown, has the wrong type or fails its validation.
/// - An output's precondition fails.
/// - An expression has no value.
/// - The template has something that this crate does not know.
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
