//! The names and functions that expressions in the Terraform files can use.

use std::path::Path;

use hcl::{Map, Value, eval::Context};

use crate::functions;

/// The context of every expression: the functions, `path`, and `names`.
pub(crate) fn context(directory: &Path, names: &[(&str, Value)]) -> Context<'static> {
    let mut context = Context::new();
    functions::declare(&mut context);
    let module = directory.to_string_lossy().into_owned();
    let path = Map::from_iter([("module".to_owned(), Value::from(module))]);
    context.declare_var("path", Value::Object(path));
    for (name, value) in names {
        context.declare_var(*name, value.clone());
    }
    context
}
