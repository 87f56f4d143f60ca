//! A directory of Terraform files: its items, and the result of its evaluation.

use std::{
    fs,
    path::{Path, PathBuf},
};

use hcl::{
    Block, Body, Expression, Map, Value,
    eval::{Context, Evaluate as _},
};

use crate::Error;

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
    /// The directory.
    pub(crate) directory: PathBuf,
    /// The content of all files.
    pub(crate) body: Body,
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
}

/// An item of a configuration that gets a value.
pub(crate) enum Item<'a> {
    Local(&'a str, &'a Expression),
    Data(&'a Block),
    Module(&'a Block),
    Resource(&'a Block),
    Provider(&'a Block),
    Output(&'a Block),
}

/// All items that get a value, in the order of the files; [`Configuration::evaluate`] finds the
/// order of their evaluation.
pub(crate) fn items(body: &Body) -> Result<Vec<Item<'_>>, Error> {
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

/// An attribute of a block.
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
