//! The part of JSON Schema that the schemas of this repository use.

use regex::Regex;
use serde_json::Value;

/// Checks `value` against `schema`. Where a schema has `properties`, an object may have no other
/// keys, whatever `additionalProperties` says.
///
/// # Errors
/// Where the value differs from the schema, and how; or a keyword that is not known here.
pub fn check(value: &Value, schema: &Value) -> Result<(), String> {
    conforms(value, schema, schema, "$")
}

fn conforms(value: &Value, schema: &Value, root: &Value, at: &str) -> Result<(), String> {
    let object = schema.as_object().ok_or("a schema is no object")?;
    for (keyword, rule) in object {
        keyword_holds(value, keyword, rule, root, at)?;
    }
    Ok(())
}

fn ensure(holds: bool, at: &str, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{at}: {}", what()))
    }
}

/// The elements of a rule that is a list; other rules have none.
fn each(rule: &Value) -> &[Value] {
    rule.as_array().map_or(&[], Vec::as_slice)
}

fn keyword_holds(
    value: &Value,
    keyword: &str,
    rule: &Value,
    root: &Value,
    at: &str,
) -> Result<(), String> {
    match keyword {
        "$schema" | "$id" | "$defs" | "title" | "description" => Ok(()),
        "$ref" => {
            let pointer = rule.as_str().and_then(|rule| rule.strip_prefix('#'));
            let schema = pointer.and_then(|pointer| root.pointer(pointer));
            conforms(value, schema.ok_or("a $ref leads nowhere")?, root, at)
        }
        "oneOf" => one_of(value, each(rule), root, at),
        "const" => ensure(value == rule, at, || format!("{value} is not {rule}")),
        "enum" => ensure(each(rule).contains(value), at, || {
            format!("{value} is none of {rule}")
        }),
        "type" => {
            let single = std::slice::from_ref(rule);
            let types = if rule.is_array() { each(rule) } else { single };
            let fits = types.iter().any(|name| is(value, name.as_str()));
            ensure(fits, at, || format!("{value} is no {rule}"))
        }
        "minimum" => {
            let fits = value.as_i64().unwrap_or(i64::MAX) >= rule.as_i64().unwrap_or(i64::MAX);
            ensure(fits, at, || format!("{value} is below {rule}"))
        }
        "minLength" => {
            let length = value.as_str().map_or(0, |text| text.chars().count()) as u64;
            ensure(Some(length) >= rule.as_u64(), at, || "too short".to_owned())
        }
        // Texts only (JSON Schema Validation 2020-12, 6.3.3).
        "pattern" => {
            let pattern = rule.as_str().ok_or("a pattern is no text")?;
            let pattern = Regex::new(pattern).map_err(|error| format!("{at}: {error}"))?;
            let fits = value.as_str().is_none_or(|text| pattern.is_match(text));
            ensure(fits, at, || format!("{value} does not match {rule}"))
        }
        "minItems" => {
            let fits = Some(each(value).len() as u64) >= rule.as_u64();
            ensure(fits, at, || "too few".to_owned())
        }
        "required" => each(rule).iter().try_for_each(|name| {
            let has = name.as_str().is_some_and(|name| value.get(name).is_some());
            ensure(has, at, || format!("lacks {name}"))
        }),
        "dependentRequired" => {
            let mut rules = rule.as_object().into_iter().flatten();
            rules.try_for_each(|(name, others)| {
                let has = |other: &Value| value.get(other.as_str().unwrap_or("")).is_some();
                let complete = value.get(name).is_none() || each(others).iter().all(has);
                ensure(complete, at, || format!("{name} without {others}"))
            })
        }
        "properties" => {
            let mut keys = value.as_object().into_iter().flatten();
            keys.try_for_each(|(name, value)| {
                let at = format!("{at}.{name}");
                let rule = rule
                    .get(name)
                    .ok_or_else(|| format!("{at} is not in the schema"))?;
                conforms(value, rule, root, &at)
            })
        }
        // An object with arbitrary keys: each value conforms to this schema.
        "additionalProperties" if rule.is_object() => {
            let mut keys = value.as_object().into_iter().flatten();
            keys.try_for_each(|(name, value)| conforms(value, rule, root, &format!("{at}.{name}")))
        }
        // `properties` refuses other keys, so `false` needs no check.
        "additionalProperties" => ensure(rule == false, at, || {
            "`additionalProperties` is neither a schema nor `false`".to_owned()
        }),
        "items" => each(value)
            .iter()
            .enumerate()
            .try_for_each(|(index, value)| conforms(value, rule, root, &format!("{at}[{index}]"))),
        other => Err(format!("{at}: the keyword {other} is not known here")),
    }
}

fn one_of(value: &Value, schemas: &[Value], root: &Value, at: &str) -> Result<(), String> {
    let results: Vec<_> = schemas
        .iter()
        .map(|schema| conforms(value, schema, root, at))
        .collect();
    match results.iter().filter(|result| result.is_ok()).count() {
        1 => Ok(()),
        fits => {
            let reasons: Vec<_> = results.into_iter().filter_map(Result::err).collect();
            Err(format!("{at}: {fits} of oneOf fit: {}", reasons.join("; ")))
        }
    }
}

fn is(value: &Value, name: Option<&str>) -> bool {
    match name {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_an_error() {
        let schema = json!({
            "oneOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}],
            "$defs": {
                "a": {
                    "type": "object",
                    "required": ["kind"],
                    "properties": {"kind": {"const": "a"}, "n": {"type": "integer", "minimum": 1}},
                },
                "b": {"type": "object", "properties": {"kind": {"const": "b"}}},
            },
        });
        assert_eq!(check(&json!({"kind": "a", "n": 1}), &schema), Ok(()));
        assert_eq!(check(&json!({"kind": "b"}), &schema), Ok(()));
        for wrong in [
            json!({"kind": "a", "n": 0}),
            json!({"kind": "a", "n": "1"}),
            json!({"kind": "a", "x": 1}),
            json!({"kind": "c"}),
            json!([]),
        ] {
            assert!(check(&wrong, &schema).is_err(), "{wrong}");
        }
        let hexadecimal = json!({"pattern": "^[0-9a-f]{2}$"});
        assert_eq!(check(&json!("0a"), &hexadecimal), Ok(()));
        assert!(check(&json!("0g"), &hexadecimal).is_err());
        let unknown = check(&json!(1), &json!({"multipleOf": 2})).unwrap_err();
        assert!(unknown.contains("multipleOf"), "{unknown}");
    }
}
