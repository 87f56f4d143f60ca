//! The names that an item defines or imports.

use syn::{Item, ItemUse, UseTree};

/// One name of a `use` declaration.
#[derive(Clone)]
pub(crate) struct Import {
    /// The path as written: `["super", "requirement", "Found"]`. `self` at the end is left out.
    pub(crate) path: Vec<String>,
    /// The imported name; `None` for a glob, whose path is what stands before `::*`.
    pub(crate) name: Option<String>,
}

/// The name that an item defines in its module.
pub(crate) fn defined_name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

/// What a `use` declaration imports; nothing if it begins with `::`.
pub(crate) fn imports(import: &ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    if import.leading_colon.is_none() {
        flatten(&import.tree, &[], &mut found);
    }
    found
}

fn flatten(tree: &UseTree, before: &[String], found: &mut Vec<Import>) {
    let with = |name: String| [before, &[name]].concat();
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &with(path.ident.to_string()), found),
        UseTree::Group(group) => group
            .items
            .iter()
            .for_each(|tree| flatten(tree, before, found)),
        UseTree::Name(name) if name.ident == "self" => found.push(Import {
            path: before.to_vec(),
            name: before.last().cloned(),
        }),
        UseTree::Name(name) => found.push(Import {
            path: with(name.ident.to_string()),
            name: Some(name.ident.to_string()),
        }),
        UseTree::Rename(rename) => found.push(Import {
            path: if rename.ident == "self" {
                before.to_vec()
            } else {
                with(rename.ident.to_string())
            },
            name: Some(rename.rename.to_string()),
        }),
        UseTree::Glob(_) => found.push(Import {
            path: before.to_vec(),
            name: None,
        }),
    }
}
