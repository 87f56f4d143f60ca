//! Variables of a configuration: their given values or their defaults, converted to their types and
//! validated.

use std::path::Path;

use hcl::{Block, Body, Map, Value, eval::Context};

use crate::{
    Error, Given, blocks,
    configuration::{address, attribute, literal},
    context::context,
    types::Type,
};

/// Values of all variables: given, or their defaults; converted and validated.
pub(crate) fn variables(
    body: &Body,
    given: &Given,
    directory: &Path,
) -> Result<Map<String, Value>, Error> {
    let declared: Vec<&Block> = body
        .blocks()
        .filter(|block| block.identifier() == "variable")
        .collect();
    let mut values = Map::new();
    for block in &declared {
        let name = address(block)?;
        let address = format!("var.{name}");
        let given = given.variables.get(&name).cloned();
        let value = match (given, attribute(block, "default")) {
            (Some(value), _) => value,
            (None, Some(default)) => blocks::value(default, &Context::new(), &address)?,
            (None, None) => {
                let description = attribute(block, "description");
                return Err(Error::NoValue {
                    description: description.map(literal).unwrap_or_default(),
                    name,
                });
            }
        };
        let of = match attribute(block, "type") {
            Some(expression) => Type::read(expression, &address)?,
            None => Type::Any,
        };
        let value = of.convert(value).map_err(|reason| Error::WrongType {
            name: name.clone(),
            reason,
        })?;
        values.insert(name, value);
    }
    if let Some(name) = given
        .variables
        .keys()
        .find(|name| !values.contains_key(*name))
    {
        let known: Vec<&str> = values.keys().map(String::as_str).collect();
        return Err(Error::NoVariable {
            name: name.clone(),
            known: known.join(", "),
        });
    }
    let context = context(directory, &[("var", Value::Object(values.clone()))]);
    for block in declared {
        validate(block, &context)?;
    }
    Ok(values)
}

fn validate(variable: &Block, context: &Context<'_>) -> Result<(), Error> {
    let name = address(variable)?;
    for inner in variable.body().blocks() {
        let address = format!("var.{name}.{}", inner.identifier());
        if let Some(message) = blocks::broken(inner, context, &address)? {
            return Err(Error::Invalid { name, message });
        }
    }
    Ok(())
}
