//! Input of an evaluation.

use std::collections::BTreeMap;

use hcl::{Map, Value};

use crate::Workspace;

/// Values of variables, by name.
pub type Variables = BTreeMap<String, Value>;

/// Input of an evaluation.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Values of the configuration's variables.
    pub variables: Variables,
    /// Values from providers: attributes of data sources and resources, by address, such as
    /// `data.coder_workspace.me` or `coder_agent.main`.
    pub objects: BTreeMap<String, Map<String, Value>>,
}

impl Given {
    /// The values of Coder's provider for a workspace; no variables.
    pub fn of(workspace: &Workspace) -> Self {
        Self {
            variables: Variables::new(),
            objects: workspace.objects(),
        }
    }
}
