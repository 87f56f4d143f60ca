//! Types of variables, and the conversion of values to them.
//!
//! The rules are those of
//! <https://developer.hashicorp.com/terraform/language/expressions/type-constraints>: primitive
//! values are converted if possible, and maps are in the order of their keys.

use hcl::{Expression, Map, Value, expr::FuncCall};

use crate::Error;

/// A type constraint.
#[derive(Clone, Debug)]
pub(crate) enum Type {
    Any,
    String,
    Number,
    Bool,
    List(Box<Type>),
    Map(Box<Type>),
    Object(Vec<(String, Type)>),
}

impl Type {
    /// Reads the expression after `type =`.
    pub(crate) fn read(expression: &Expression, address: &str) -> Result<Self, Error> {
        match expression {
            Expression::Variable(name) => match name.as_str() {
                "any" => Ok(Self::Any),
                "string" => Ok(Self::String),
                "number" => Ok(Self::Number),
                "bool" => Ok(Self::Bool),
                other => Err(Error::unknown(address, format!("the type {other}"))),
            },
            Expression::FuncCall(call) => Self::constructed(call, address),
            other => Err(Error::unknown(address, format!("the type {other}"))),
        }
    }

    fn constructed(call: &FuncCall, address: &str) -> Result<Self, Error> {
        let of = |argument| Self::read(argument, address).map(Box::new);
        match (call.name.name.as_str(), call.args.as_slice()) {
            ("list", [element]) => Ok(Self::List(of(element)?)),
            ("map", [element]) => Ok(Self::Map(of(element)?)),
            ("object", [Expression::Object(attributes)]) => attributes
                .iter()
                .map(|(key, value)| Ok((key.to_string(), Self::read(value, address)?)))
                .collect::<Result<_, _>>()
                .map(Self::Object),
            _ => Err(Error::unknown(
                address,
                format!("the type {}", call.name.name),
            )),
        }
    }

    /// Converts the value to this type. An error says what is required.
    pub(crate) fn convert(&self, value: Value) -> Result<Value, String> {
        match (self, value) {
            // null has every type.
            (_, Value::Null) => Ok(Value::Null),
            (Self::Any, value) => Ok(sorted(value)),
            (Self::String, value @ Value::String(_)) => Ok(value),
            (Self::String, Value::Number(number)) => Ok(number.to_string().into()),
            (Self::String, Value::Bool(bool)) => Ok(bool.to_string().into()),
            (Self::Number, value @ Value::Number(_)) => Ok(value),
            (Self::Number, Value::String(text)) => {
                number(&text).ok_or_else(|| format!("a number is required, not {text:?}"))
            }
            (Self::Bool, value @ Value::Bool(_)) => Ok(value),
            (Self::Bool, Value::String(text)) => text
                .parse()
                .map(Value::Bool)
                .map_err(|_| format!("true or false is required, not {text:?}")),
            (Self::List(of), Value::Array(elements)) => elements
                .into_iter()
                .map(|element| of.convert(element))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            (Self::Map(of), Value::Object(entries)) => entries
                .into_iter()
                .map(|(key, value)| Ok((key, of.convert(value)?)))
                .collect::<Result<Map<_, _>, String>>()
                .map(|entries| sorted(Value::Object(entries))),
            (Self::Object(attributes), Value::Object(mut entries)) => attributes
                .iter()
                .map(|(name, of)| {
                    let value = entries
                        .shift_remove(name)
                        .ok_or_else(|| format!("the attribute {name:?} is missing"))?;
                    Ok((name.clone(), of.convert(value)?))
                })
                .collect::<Result<Map<_, _>, String>>()
                .map(|entries| sorted(Value::Object(entries))),
            (wanted, value) => Err(format!("{wanted:?} is required, not {value}")),
        }
    }
}

/// Sorts maps and objects by key: Terraform does not keep the order in which they are written.
pub(crate) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let mut entries: Map<_, _> = entries
                .into_iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect();
            entries.sort_keys();
            Value::Object(entries)
        }
        Value::Array(elements) => Value::Array(elements.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// A number written as text.
pub(crate) fn number(text: &str) -> Option<Value> {
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => hcl::Number::from_f64(text.parse().ok()?).map(Value::Number),
    }
}
