//! `exectrail-templates`: prints the manifests that a template makes for a workspace.

#![forbid(unsafe_code)]

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::Parser;
use exectrail_templates::{Template, Value, Variables, Workspace, kubelet, manifests, pod};

/// Prints the manifests that a template makes for a workspace, without Terraform.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "Example:\n  exectrail-templates kubernetes \\\n    \
                  --var exectrail_image=registry.example.com/exectrail:1 \\\n    \
                  --var native_sidecar=true --workspace-name apache"
)]
struct Cli {
    /// Name of the template
    template: Template,

    /// A variable of the template; repeatable. A value is text, which is converted as in Terraform,
    /// or JSON if it begins with { or [
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, Value)>,

    /// A parameter of the workspace, such as cpu=4; repeatable
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,

    /// Name of the workspace
    #[arg(long, value_name = "NAME")]
    workspace_name: Option<String>,

    /// Id of the workspace
    #[arg(long, value_name = "UUID")]
    workspace_id: Option<String>,

    /// Name of the workspace's owner
    #[arg(long, value_name = "NAME")]
    username: Option<String>,

    /// Id of the workspace's owner
    #[arg(long, value_name = "UUID")]
    user_id: Option<String>,

    /// Email address of the workspace's owner
    #[arg(long, value_name = "EMAIL")]
    user_email: Option<String>,

    /// The agent's script, which Coder's server makes
    #[arg(long, value_name = "SCRIPT")]
    agent_script: Option<String>,

    /// Print only the pod, without the Deployment around it and the volume claims
    #[arg(long)]
    pod: bool,

    /// Also replace $(NAME) and $$ in commands, arguments and environment variables, as the kubelet
    /// does
    #[arg(long, requires = "pod")]
    expanded: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("not NAME=VALUE".to_owned()),
    }
}

fn variable(text: &str) -> Result<(String, Value), String> {
    let (name, value) = pair(text)?;
    let value = if value.starts_with(['{', '[']) {
        serde_json::from_str(&value).map_err(|error| format!("not JSON: {error}"))?
    } else {
        Value::from(value)
    };
    Ok((name, value))
}

impl Cli {
    fn workspace(&self) -> Workspace {
        let mut workspace = Workspace::example();
        for (field, value) in [
            (&mut workspace.name, &self.workspace_name),
            (&mut workspace.id, &self.workspace_id),
            (&mut workspace.owner_name, &self.username),
            (&mut workspace.owner_id, &self.user_id),
            (&mut workspace.owner_email, &self.user_email),
            (&mut workspace.agent_script, &self.agent_script),
        ] {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        workspace.parameters = self.parameters.iter().cloned().collect();
        workspace
    }

    /// The given variables, and examples for the two that have no default in any template.
    fn variables(&self) -> Variables {
        let examples = [
            ("namespace", "workspaces"),
            ("exectrail_image", "exectrail"),
        ];
        let examples = examples.map(|(name, value)| (name.to_owned(), value.into()));
        examples
            .into_iter()
            .chain(self.variables.iter().cloned())
            .collect()
    }

    fn documents(&self) -> Result<Vec<serde_json::Value>, String> {
        let manifests = manifests(self.template, &self.workspace(), &self.variables())
            .map_err(|error| error.to_string())?;
        if !self.pod {
            return Ok(manifests);
        }
        let mut pod = pod::pod(&manifests).ok_or("the template makes no pod")?;
        if self.expanded {
            for container in pod::containers_mut(&mut pod) {
                kubelet::expand_container(container);
            }
        }
        Ok(vec![pod])
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let text = cli.documents().and_then(|documents| {
        documents
            .iter()
            .map(|document| serde_norway::to_string(document).map_err(|error| error.to_string()))
            .collect::<Result<Vec<_>, _>>()
    });
    match text {
        Ok(texts) => match io::stdout().write_all(texts.join("---\n").as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error.to_string()),
        },
        Err(error) => failed(&error),
    }
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("exectrail-templates: {reason}");
    ExitCode::FAILURE
}
