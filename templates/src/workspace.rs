//! A workspace, as Coder's provider describes it to a template.

use std::collections::BTreeMap;

use hcl::{Map, Value};

/// The values of the provider's data sources and resources
/// (<https://registry.terraform.io/providers/coder/coder/latest/docs>).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// `data.coder_workspace.me.id`, a UUID.
    pub id: String,
    /// `data.coder_workspace.me.name`.
    pub name: String,
    /// `data.coder_workspace.me.access_url`: the address of Coder's server.
    pub access_url: String,
    /// Whether the workspace is started. If it is, `data.coder_workspace.me.start_count` is 1,
    /// else 0.
    pub started: bool,
    /// `data.coder_workspace_owner.me.id`, a UUID.
    pub owner_id: String,
    /// `data.coder_workspace_owner.me.name`.
    pub owner_name: String,
    /// `data.coder_workspace_owner.me.email`.
    pub owner_email: String,
    /// `data.coder_workspace_owner.me.ssh_private_key`, with which Coder fetches repositories.
    pub owner_ssh_key: String,
    /// `coder_agent.main.token`.
    pub agent_token: String,
    /// `coder_agent.main.init_script`: fetches the agent and executes it.
    pub agent_script: String,
    /// By name, the values of parameters that differ from their defaults.
    pub parameters: BTreeMap<String, String>,
}

impl Workspace {
    /// An example; its agent prints that it has started, and waits.
    pub fn example() -> Self {
        Self {
            id: "0668f6ea-2f5b-4fbb-9d5b-2c0dcbd57a3a".into(),
            name: "apache".into(),
            access_url: "https://coder.example.com".into(),
            started: true,
            owner_id: "5e876e9a-121b-4b4c-8a5d-2c3b0e0a1b5f".into(),
            owner_name: "jessie".into(),
            owner_email: "jessie@example.com".into(),
            owner_ssh_key: "a private key, as OpenSSH writes it\n".into(),
            agent_token: "a8a9c2f7-9a2f-4b0a-8f5a-1c62e3f0b7de".into(),
            agent_script: "#!/usr/bin/env sh\necho the agent has started\nexec sleep infinity\n"
                .into(),
            parameters: BTreeMap::new(),
        }
    }

    /// The objects that a configuration refers to, by address. Only the parameters in `parameters`
    /// have an object, and the object has only the attribute `value`.
    pub(crate) fn objects(&self) -> BTreeMap<String, Map<String, Value>> {
        let object = |entries: &[(&str, &str)]| -> Map<String, Value> {
            entries
                .iter()
                .map(|(key, value)| ((*key).to_owned(), Value::from(*value)))
                .collect()
        };
        let mut workspace = object(&[
            ("id", &self.id),
            ("name", &self.name),
            ("access_url", &self.access_url),
        ]);
        workspace.insert("start_count".into(), u8::from(self.started).into());
        let owner = object(&[
            ("id", &self.owner_id),
            ("name", &self.owner_name),
            ("email", &self.owner_email),
            ("ssh_private_key", &self.owner_ssh_key),
        ]);
        let agent = object(&[
            ("id", "main"),
            ("token", &self.agent_token),
            ("init_script", &self.agent_script),
        ]);
        let parameters = self.parameters.iter().map(|(name, value)| {
            (
                format!("data.coder_parameter.{name}"),
                object(&[("value", value)]),
            )
        });
        [
            ("data.coder_workspace.me".to_owned(), workspace),
            ("data.coder_workspace_owner.me".to_owned(), owner),
            ("coder_agent.main".to_owned(), agent),
        ]
        .into_iter()
        .chain(parameters)
        .collect()
    }
}
