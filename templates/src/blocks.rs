//! The content of a block as one value: its attributes and the blocks inside it, by name. Blocks
//! are in lists, as in providers' descriptions. In place of a `dynamic` block, the content has the
//! blocks that the `dynamic` block generates.

use hcl::{Block, Body, Expression, Map, Structure, Value, eval::Context, eval::Evaluate as _};

use crate::{Error, configuration::attribute, types::sorted};

/// The value of an expression, with its maps sorted.
///
/// Two things differ from Terraform:
/// - A `for` over a map that is written in the expression itself takes the entries in their written
///   order. Terraform takes them in the order of their keys.
/// - Text stays unchanged. Terraform normalizes it (NFC).
pub(crate) fn value(
    expression: &Expression,
    context: &Context<'_>,
    address: &str,
) -> Result<Value, Error> {
    expression
        .evaluate(context)
        .map(sorted)
        .map_err(|error| Error::expression(address, error))
}

/// The content of a block, without the attributes and blocks named in `without`.
pub(crate) fn content(
    body: &Body,
    without: &[&str],
    context: &Context<'_>,
    address: &str,
) -> Result<Map<String, Value>, Error> {
    let mut content = Map::new();
    for structure in body {
        match structure {
            Structure::Attribute(attribute) => {
                let name = attribute.key();
                if !without.contains(&name) {
                    let address = format!("{address}.{name}");
                    let value = value(attribute.expr(), context, &address)?;
                    content.insert(name.to_owned(), value);
                }
            }
            Structure::Block(block) if without.contains(&block.identifier()) => {}
            Structure::Block(block) if block.identifier() == "dynamic" => {
                let (name, blocks) = generated(block, context, address)?;
                add(&mut content, &name, blocks);
            }
            Structure::Block(block) => {
                let name = block.identifier();
                if !block.labels().is_empty() {
                    return Err(Error::unknown(
                        address,
                        format!("a block {name} with a label"),
                    ));
                }
                let address = format!("{address}.{name}");
                let inner = self::content(block.body(), &[], context, &address)?;
                add(&mut content, name, vec![Value::Object(inner)]);
            }
        }
    }
    Ok(content)
}

fn add(content: &mut Map<String, Value>, name: &str, blocks: Vec<Value>) {
    let entry = content
        .entry(name.to_owned())
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Value::Array(list) = entry {
        list.extend(blocks);
    }
}

/// The blocks that a `dynamic` block generates: their name, and their contents.
/// <https://developer.hashicorp.com/terraform/language/expressions/dynamic-blocks>
fn generated(
    block: &Block,
    context: &Context<'_>,
    address: &str,
) -> Result<(String, Vec<Value>), Error> {
    let Some(name) = block
        .labels()
        .first()
        .map(|label| label.as_str().to_owned())
    else {
        return Err(Error::unknown(address, "a dynamic block without a label"));
    };
    let address = format!("{address}.{name}");
    let mut for_each = None;
    let mut template = None;
    for structure in block.body() {
        match structure {
            Structure::Attribute(attribute) if attribute.key() == "for_each" => {
                for_each = Some(value(attribute.expr(), context, &address)?);
            }
            Structure::Block(block) if block.identifier() == "content" => {
                template = Some(block.body());
            }
            Structure::Attribute(attribute) => {
                return Err(Error::unknown(&address, attribute.key()));
            }
            Structure::Block(block) => return Err(Error::unknown(&address, block.identifier())),
        }
    }
    let Some(template) = template else {
        return Err(Error::expression(
            &address,
            "a dynamic block without content",
        ));
    };
    let elements: Vec<(Value, Value)> = match for_each {
        Some(Value::Array(elements)) => elements
            .into_iter()
            .enumerate()
            .map(|(index, element)| (index.into(), element))
            .collect(),
        Some(Value::Object(entries)) => entries
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect(),
        None => return Err(Error::expression(&address, "it has no for_each".to_owned())),
        Some(other) => {
            let reason = format!("for_each is neither a list nor a map: {other:?}");
            return Err(Error::expression(&address, reason));
        }
    };
    let blocks = elements
        .into_iter()
        .map(|(key, value)| {
            let mut context = context.clone();
            let each = Map::from_iter([("key".to_owned(), key), ("value".to_owned(), value)]);
            context.declare_var(name.as_str(), Value::Object(each));
            content(template, &[], &context, &address).map(Value::Object)
        })
        .collect::<Result<_, _>>()?;
    Ok((name, blocks))
}

/// The error message of a block with a condition and a message; `None` if the condition is met.
pub(crate) fn broken(
    block: &Block,
    context: &Context<'_>,
    address: &str,
) -> Result<Option<String>, Error> {
    let (Some(condition), Some(message)) = (
        attribute(block, "condition"),
        attribute(block, "error_message"),
    ) else {
        let what = "a block without condition and error_message";
        return Err(Error::unknown(address, what));
    };
    if value(condition, context, address)? == Value::Bool(true) {
        return Ok(None);
    }
    let message = value(message, context, address)?;
    Ok(Some(message.as_str().unwrap_or_default().to_owned()))
}
