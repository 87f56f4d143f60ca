//! The functions of Terraform that the templates use.
//!
//! <https://developer.hashicorp.com/terraform/language/functions> describes each.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hcl::{
    Map, Value,
    eval::{Context, FuncArgs, FuncDef, ParamType},
};
use regex::Regex;

use crate::types::sorted;

type Outcome = Result<Value, String>;

/// Declares the functions in `context`.
pub(crate) fn declare(context: &mut Context<'_>) {
    use ParamType::{Any, Bool, Number, String};
    let list = || ParamType::array_of(Any);
    let object = || ParamType::nullable(ParamType::object_of(Any));
    let fixed = [
        (
            "alltrue",
            FuncDef::new(alltrue, [ParamType::array_of(Bool)]),
        ),
        ("base64encode", FuncDef::new(base64encode, [String])),
        ("contains", FuncDef::new(contains, [list(), Any])),
        ("file", FuncDef::new(file, [String])),
        ("floor", FuncDef::new(floor, [Number])),
        (
            "join",
            FuncDef::new(join, [String, ParamType::array_of(String)]),
        ),
        ("keys", FuncDef::new(keys, [ParamType::object_of(Any)])),
        ("length", FuncDef::new(length, [Any])),
        ("lower", FuncDef::new(lower, [String])),
        ("regexall", FuncDef::new(regexall, [String, String])),
        ("replace", FuncDef::new(replace, [String, String, String])),
        ("startswith", FuncDef::new(startswith, [String, String])),
        ("substr", FuncDef::new(substr, [String, Number, Number])),
        ("tostring", FuncDef::new(tostring, [Any])),
        ("trim", FuncDef::new(trim, [String, String])),
        ("trimspace", FuncDef::new(trimspace, [String])),
    ];
    for (name, function) in fixed {
        context.declare_func(name, function);
    }
    let concat = FuncDef::builder().variadic_param(list()).build(concat);
    context.declare_func("concat", concat);
    let merge = FuncDef::builder().variadic_param(object()).build(merge);
    context.declare_func("merge", merge);
}

/// An argument that the function's definition declares as text.
fn text(args: &FuncArgs, index: usize) -> &str {
    args.get(index).and_then(Value::as_str).unwrap_or_default()
}

fn array(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn alltrue(args: FuncArgs) -> Outcome {
    let all = array(args.first())
        .iter()
        .all(|value| *value == Value::Bool(true));
    Ok(all.into())
}

fn base64encode(args: FuncArgs) -> Outcome {
    Ok(STANDARD.encode(text(&args, 0)).into())
}

fn concat(args: FuncArgs) -> Outcome {
    Ok(args
        .iter()
        .flat_map(|list| array(Some(list)).to_vec())
        .collect())
}

fn contains(args: FuncArgs) -> Outcome {
    Ok(array(args.first()).contains(&args[1]).into())
}

fn file(args: FuncArgs) -> Outcome {
    let path = text(&args, 0);
    fs::read_to_string(path)
        .map(Value::String)
        .map_err(|error| format!("cannot read {path}: {error}"))
}

fn floor(args: FuncArgs) -> Outcome {
    match &args[0] {
        Value::Number(number) if number.as_i64().is_some() => Ok(args[0].clone()),
        // The templates do not round numbers beyond 2^53.
        #[allow(clippy::cast_possible_truncation)]
        Value::Number(number) => Ok((number.as_f64().unwrap_or_default().floor() as i64).into()),
        other => Err(format!("a number is required, not {other}")),
    }
}

fn join(args: FuncArgs) -> Outcome {
    let texts: Vec<&str> = array(args.get(1))
        .iter()
        .filter_map(Value::as_str)
        .collect();
    Ok(texts.join(text(&args, 0)).into())
}

fn keys(args: FuncArgs) -> Outcome {
    let Value::Object(entries) = sorted(args[0].clone()) else {
        return Err("a map is required".into());
    };
    Ok(entries.into_keys().map(Value::String).collect())
}

fn length(args: FuncArgs) -> Outcome {
    match &args[0] {
        Value::String(text) => Ok(text.chars().count().into()),
        Value::Array(elements) => Ok(elements.len().into()),
        Value::Object(entries) => Ok(entries.len().into()),
        other => Err(format!("{other} has no length")),
    }
}

fn lower(args: FuncArgs) -> Outcome {
    Ok(text(&args, 0).to_lowercase().into())
}

fn merge(args: FuncArgs) -> Outcome {
    let mut merged = Map::new();
    for argument in args.iter() {
        merged.extend(argument.as_object().cloned().unwrap_or_default());
    }
    Ok(sorted(Value::Object(merged)))
}

/// Compiles a regular expression. The expressions in the templates mean the same to Go (RE2) and to
/// the crate regex.
fn regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| error.to_string())
}

fn regexall(args: FuncArgs) -> Outcome {
    let regex = regex(text(&args, 0))?;
    if regex.captures_len() > 2 {
        // A list for each match, as in Terraform if the groups have no names.
        return Ok(regex
            .captures_iter(text(&args, 1))
            .map(|found| {
                let groups = found.iter().skip(1);
                groups
                    .map(|group| group.map_or(Value::Null, |group| group.as_str().into()))
                    .collect::<Value>()
            })
            .collect());
    }
    Ok(regex
        .captures_iter(text(&args, 1))
        .map(|found| match (regex.captures_len(), found.get(1)) {
            (2, Some(group)) => Value::from(vec![Value::from(group.as_str())]),
            (2, None) => Value::from(vec![Value::Null]),
            _ => Value::from(&found[0]),
        })
        .collect())
}

fn replace(args: FuncArgs) -> Outcome {
    let (text, pattern, with) = (text(&args, 0), text(&args, 1), text(&args, 2));
    let between_slashes = pattern
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix('/'));
    Ok(match between_slashes {
        Some(pattern) => regex(pattern)?.replace_all(text, with).into_owned().into(),
        None => text.replace(pattern, with).into(),
    })
}

fn startswith(args: FuncArgs) -> Outcome {
    Ok(text(&args, 0).starts_with(text(&args, 1)).into())
}

fn substr(args: FuncArgs) -> Outcome {
    let number = |index: usize| args[index].as_number().and_then(hcl::Number::as_i64);
    let (Some(offset), Some(length)) = (number(1), number(2)) else {
        return Err("offset and length are whole numbers".into());
    };
    let offset = usize::try_from(offset).map_err(|_| "an offset from the end is not supported")?;
    let rest = text(&args, 0).chars().skip(offset);
    Ok(match usize::try_from(length) {
        Ok(length) => rest.take(length).collect::<String>(),
        Err(_) => rest.collect(),
    }
    .into())
}

fn tostring(args: FuncArgs) -> Outcome {
    match &args[0] {
        Value::Array(_) | Value::Object(_) => Err(format!("{} is not text", args[0])),
        Value::Null => Ok(Value::Null),
        Value::String(text) => Ok(text.as_str().into()),
        other => Ok(other.to_string().into()),
    }
}

fn trim(args: FuncArgs) -> Outcome {
    let set: Vec<char> = text(&args, 1).chars().collect();
    Ok(text(&args, 0).trim_matches(set.as_slice()).into())
}

fn trimspace(args: FuncArgs) -> Outcome {
    Ok(text(&args, 0).trim().into())
}
