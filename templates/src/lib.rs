//! The manifests that the deployment templates make for a workspace, evaluated without Terraform
//! and without a cluster.
//!
//! [`manifests`] reads one of the [`Template`]s and the module that it uses. It evaluates both as
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
//! This crate has only those parts of Terraform that the templates use. An expression, a type or a
//! block that it does not know is an error. `tests/templates/real_terraform.rs` compares its
//! results with Terraform's.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod blocks;
mod configuration;
mod context;
mod directories;
pub mod downward_api;
mod error;
mod functions;
mod given;
pub mod kubelet;
mod manifest;
pub mod pod;
mod scope;
mod template;
mod types;
mod variables;
mod workspace;

pub use configuration::{Configuration, Evaluated, Resource};
pub use directories::{directory, module_directory};
pub use error::Error;
pub use given::{Given, Variables};
pub use hcl::{Number, Value};
pub use manifest::manifest;
pub use template::{Template, manifests};
pub use workspace::Workspace;
