//! Tests of the deployment templates: the manifests that they make, and that Kubernetes accepts
//! them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![forbid(unsafe_code)]

mod api_server;
mod devcontainers;
mod documentation;
mod documents;
mod downward_api;
mod every_manifest_is_accepted;
mod formatting;
mod module_refuses_bad_input;
mod monitoring;
mod node_check;
mod openshift_and_selinux;
mod plain_yaml;
mod pod_fields;
mod policies;
mod prebuilt_workspaces;
mod real_terraform;
mod registry;
mod several_agents;
mod strange_names_are_harmless;
mod templates_keep_their_promises;
mod wrong_manifests_are_rejected;
