//! Evaluates a directory of Terraform files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use hcl::{
    Block, Body, Expression, Map, Value,
    eval::{Context, Evaluate as _},
};

use crate::{Error, Variables, Workspace, scope::Scope, variables::variables};

/// Input of an evaluation.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Values of its variables.
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

/// A resource that Terraform would create.
#[derive(Clone, Debug)]
pub struct Resource {
    /// `kind.name`.
    pub address: String,
    /// Its type, such as `kubernetes_pod_v1`.
    pub kind: String,
    /// Attributes by name; blocks by name, as lists.
    pub content: Map<String, Value>,
}

/// Result of evaluating a configuration.
#[derive(Clone, Debug, Default)]
pub struct Evaluated {
    /// Values of its outputs.
    pub outputs: Map<String, Value>,
    /// Its resources, in the order of the files, without those with `count = 0`.
    pub resources: Vec<Resource>,
}

/// The files of a directory.
#[derive(Clone, Debug)]
pub struct Configuration {
    directory: PathBuf,
    body: Body,
}

impl Configuration {
    /// Reads all `*.tf` in a directory, without its subdirectories.
    ///
    /// # Errors
    /// If a file cannot be read, or is not HCL.
    pub fn read(directory: &Path) -> Result<Self, Error> {
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::Read { path, source }
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(directory).map_err(unread(directory))? {
            let path = entry.map_err(unread(directory))?.path();
            if path.extension().is_some_and(|extension| extension == "tf") {
                files.push(path);
            }
        }
        files.sort();
        let mut structures = Vec::new();
        for path in files {
            let text = fs::read_to_string(&path).map_err(unread(&path))?;
            let body = hcl::parse(&text).map_err(|source| Error::Parse {
                path,
                source: Box::new(source),
            })?;
            structures.extend(body);
        }
        Ok(Self {
            directory: directory.to_owned(),
            body: structures.into_iter().collect(),
        })
    }

    /// Evaluates the configuration.
    ///
    /// # Errors
    /// Those of [`crate::manifests`].
    pub fn evaluate(&self, given: &Given) -> Result<Evaluated, Error> {
        let mut scope = Scope::new(&self.directory, given);
        scope.variables = variables(&self.body, given, &self.directory)?;
        let mut pending = items(&self.body)?;
        // The items refer to each other in some order, which this loop finds by trying: an item
        // that refers to one without a value has no value yet, and is tried again.
        while !pending.is_empty() {
            let before = pending.len();
            let mut first_error = None;
            let mut left = Vec::new();
            for item in pending {
                match scope.add(&item) {
                    Ok(()) => {}
                    Err(error @ Error::Expression { .. }) => {
                        first_error.get_or_insert(error);
                        left.push(item);
                    }
                    Err(error) => return Err(error),
                }
            }
            if let Some(error) = first_error.filter(|_| left.len() == before) {
                return Err(error);
            }
            pending = left;
        }
        Ok(self.in_order(scope.evaluated))
    }

    /// The resources in the order of the files, not in that of their evaluation.
    fn in_order(&self, mut evaluated: Evaluated) -> Evaluated {
        let order: Vec<String> = self
            .body
            .blocks()
            .filter_map(|block| address(block).ok())
            .collect();
        let position = |resource: &Resource| {
            order
                .iter()
                .position(|address| *address == resource.address)
        };
        evaluated.resources.sort_by_key(position);
        evaluated
    }
}

/// An item of a configuration that has a value.
pub(crate) enum Item<'a> {
    Local(&'a str, &'a Expression),
    Data(&'a Block),
    Module(&'a Block),
    Resource(&'a Block),
    Provider(&'a Block),
    Output(&'a Block),
}

/// All items that have a value, beginning with those that others refer to.
fn items(body: &Body) -> Result<Vec<Item<'_>>, Error> {
    let mut items = Vec::new();
    for block in body.blocks() {
        match block.identifier() {
            "locals" => {
                let locals = block.body().attributes();
                items.extend(locals.map(|local| Item::Local(local.key(), local.expr())));
            }
            "data" => items.push(Item::Data(block)),
            "module" => items.push(Item::Module(block)),
            "resource" => items.push(Item::Resource(block)),
            "provider" => items.push(Item::Provider(block)),
            "output" => items.push(Item::Output(block)),
            "terraform" | "variable" => {}
            other => {
                return Err(Error::unknown(
                    "the configuration",
                    format!("a block {other}"),
                ));
            }
        }
    }
    if let Some(attribute) = body.attributes().next() {
        return Err(Error::unknown("the configuration", attribute.key()));
    }
    Ok(items)
}

/// The labels of a block, joined.
pub(crate) fn address(block: &Block) -> Result<String, Error> {
    let labels: Vec<&str> = block.labels().iter().map(|label| label.as_str()).collect();
    let expected = match block.identifier() {
        "data" | "resource" => 2,
        "locals" | "terraform" => 0,
        _ => 1,
    };
    if labels.len() != expected {
        let what = format!(
            "a block {} with {} labels",
            block.identifier(),
            labels.len()
        );
        return Err(Error::unknown("the configuration", what));
    }
    Ok(labels.join("."))
}

pub(crate) fn attribute<'a>(block: &'a Block, name: &str) -> Option<&'a Expression> {
    let mut attributes = block.body().attributes();
    Some(attributes.find(|attribute| attribute.key() == name)?.expr())
}

/// The text of an expression that consists of text only.
pub(crate) fn literal(expression: &Expression) -> String {
    let value = expression.evaluate(&Context::new()).ok();
    value
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}
