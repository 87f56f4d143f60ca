//! Evaluates a configuration, item by item, and keeps the values so far.

use std::{collections::BTreeMap, path::Path};

use hcl::{Block, Map, Value, eval::Context};

use crate::{
    Configuration, Error, Evaluated, Given, Resource, blocks,
    configuration::{Item, address, attribute, items, literal},
    context::context,
    module_directory,
    types::Type,
    variables::variables,
};

/// The part of a source address that names the module, if the template is in another repository.
const MODULE_SOURCE: &str = "//templates/module?";

impl Configuration {
    /// Evaluates the configuration.
    ///
    /// # Errors
    /// Those of [`crate::manifests`].
    pub fn evaluate(&self, given: &Given) -> Result<Evaluated, Error> {
        let mut scope = Scope::new(&self.directory, given);
        scope.variables = variables(&self.body, given, &self.directory)?;
        let mut pending = items(&self.body)?;
        // Items refer to each other. This loop finds an order of evaluation by trying. An item that
        // refers to another one without a value is tried again later.
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

    /// The resources in the order of the files, instead of the order of their evaluation. Those of
    /// called modules come first.
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

/// The values so far.
pub(crate) struct Scope<'a> {
    directory: &'a Path,
    given: &'a Given,
    pub(crate) variables: Map<String, Value>,
    locals: Map<String, Value>,
    modules: Map<String, Value>,
    /// Data sources, by type and then by name.
    data: Map<String, Value>,
    /// Resources, by type and then by name.
    resources: Map<String, Value>,
    pub(crate) evaluated: Evaluated,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(directory: &'a Path, given: &'a Given) -> Self {
        Self {
            directory,
            given,
            variables: Map::new(),
            locals: Map::new(),
            modules: Map::new(),
            data: Map::new(),
            resources: Map::new(),
            evaluated: Evaluated::default(),
        }
    }

    fn context(&self) -> Context<'static> {
        let object = |map: &Map<String, Value>| Value::Object(map.clone());
        let mut names = vec![
            ("var", object(&self.variables)),
            ("local", object(&self.locals)),
            ("module", object(&self.modules)),
            ("data", object(&self.data)),
        ];
        for (kind, instances) in &self.resources {
            names.push((kind, instances.clone()));
        }
        context(self.directory, &names)
    }

    /// Evaluates an item and stores its value, or returns why it has none yet.
    pub(crate) fn add(&mut self, item: &Item<'_>) -> Result<(), Error> {
        let context = self.context();
        match item {
            Item::Local(name, expression) => {
                let value = blocks::value(expression, &context, &format!("local.{name}"))?;
                self.locals.insert((*name).to_owned(), value);
            }
            Item::Data(block) => self.add_data(block, &context)?,
            Item::Module(block) => self.add_module(block, &context)?,
            Item::Resource(block) => self.add_resource(block, &context)?,
            Item::Provider(block) => {
                let address = format!("provider.{}", address(block)?);
                blocks::content(block.body(), &[], &context, &address)?;
            }
            Item::Output(block) => {
                let name = address(block)?;
                let address = format!("output.{name}");
                let Some(expression) = attribute(block, "value") else {
                    return Err(Error::unknown(&address, "an output without value"));
                };
                for inner in block.body().blocks() {
                    let address = format!("{address}.{}", inner.identifier());
                    if let Some(message) = blocks::broken(inner, &context, &address)? {
                        return Err(Error::Precondition { name, message });
                    }
                }
                let value = blocks::value(expression, &context, &address)?;
                self.evaluated.outputs.insert(name, value);
            }
        }
        Ok(())
    }

    fn add_data(&mut self, block: &Block, context: &Context<'_>) -> Result<(), Error> {
        let address = format!("data.{}", address(block)?);
        let mut content = blocks::content(block.body(), &[], context, &address)?;
        if let Some(default) = content.get("default").cloned() {
            // A parameter's value is text, for every type.
            let value = Type::String.convert(default);
            let value = value.map_err(|reason| Error::expression(&address, reason))?;
            content.insert("value".into(), value);
        }
        content.extend(
            self.given
                .objects
                .get(&address)
                .cloned()
                .unwrap_or_default(),
        );
        insert(&mut self.data, block, Value::Object(content));
        Ok(())
    }

    fn add_resource(&mut self, block: &Block, context: &Context<'_>) -> Result<(), Error> {
        let address = address(block)?;
        let kind = block.labels()[0].as_str().to_owned();
        let count = attribute(block, "count")
            .map(|count| blocks::value(count, context, &format!("{address}.count")))
            .transpose()?;
        let meta = ["count", "depends_on", "lifecycle"];
        let mut content = blocks::content(block.body(), &meta, context, &address)?;
        content.extend(
            self.given
                .objects
                .get(&address)
                .cloned()
                .unwrap_or_default(),
        );
        let resource = Resource {
            address: address.clone(),
            kind,
            content: content.clone(),
        };
        let value = match count.as_ref().map(Value::as_number) {
            None => Value::Object(content),
            Some(Some(count)) if count.as_u64() == Some(1) => vec![Value::Object(content)].into(),
            Some(Some(count)) if count.as_u64() == Some(0) => {
                insert(&mut self.resources, block, Value::Array(Vec::new()));
                return Ok(());
            }
            Some(other) => return Err(Error::unknown(&address, format!("a count of {other:?}"))),
        };
        insert(&mut self.resources, block, value);
        self.evaluated.resources.push(resource);
        Ok(())
    }

    fn add_module(&mut self, block: &Block, context: &Context<'_>) -> Result<(), Error> {
        let name = address(block)?;
        let address = format!("module.{name}");
        let source = attribute(block, "source").map(literal).unwrap_or_default();
        let directory = if source.contains(MODULE_SOURCE) {
            module_directory()
        } else if source.starts_with("./") || source.starts_with("../") {
            self.directory.join(source)
        } else {
            return Err(Error::unknown(&address, format!("the source {source:?}")));
        };
        let meta = ["source", "version", "depends_on", "providers"];
        let variables = blocks::content(block.body(), &meta, context, &address)?;
        let evaluated = Configuration::read(&directory)?.evaluate(&Given {
            variables: variables.into_iter().collect(),
            objects: BTreeMap::new(),
        })?;
        self.modules.insert(name, Value::Object(evaluated.outputs));
        self.evaluated.resources.extend(evaluated.resources);
        Ok(())
    }
}

/// Stores a value under the names that a block's labels give.
fn insert(into: &mut Map<String, Value>, block: &Block, value: Value) {
    let [kind, name] = block.labels() else {
        return;
    };
    let instances = into
        .entry(kind.as_str().to_owned())
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(instances) = instances {
        instances.insert(name.as_str().to_owned(), value);
    }
}
