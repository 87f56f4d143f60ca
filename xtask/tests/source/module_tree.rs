//! The modules of a crate, read from its files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, ExprLit, Item, ItemMod, Lit, Meta};

use crate::names::{Import, defined_name, imports};

/// A path of names from the crate's root: `["setup", "rust_src"]`.
pub(crate) type ModulePath = Vec<String>;

/// A module.
#[derive(Default)]
pub(crate) struct Module {
    /// The file that it is in.
    pub(crate) file: PathBuf,
    /// Its items, without modules and imports.
    pub(crate) items: Vec<Item>,
    /// Names that its items define.
    pub(crate) defined: BTreeSet<String>,
    /// Names of the modules in it.
    pub(crate) children: BTreeSet<String>,
    /// What its `use` declarations import.
    pub(crate) imports: Vec<Import>,
}

/// All modules of the crate with this root file.
pub(crate) fn modules_of(crate_root: &Path) -> BTreeMap<ModulePath, Module> {
    let mut modules = BTreeMap::new();
    let directory = crate_root.parent().unwrap();
    read_file(crate_root, directory, Vec::new(), &mut modules);
    modules
}

/// Reads the module in `file`, whose children's files are in `directory`.
fn read_file(
    file: &Path,
    directory: &Path,
    path: ModulePath,
    modules: &mut BTreeMap<ModulePath, Module>,
) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    read_items(parsed.items, file, directory, path, modules);
}

fn read_items(
    items: Vec<Item>,
    file: &Path,
    directory: &Path,
    path: ModulePath,
    modules: &mut BTreeMap<ModulePath, Module>,
) {
    let mut module = Module {
        file: file.to_owned(),
        ..Module::default()
    };
    for item in items {
        match item {
            Item::Mod(child) => {
                let name = child.ident.to_string();
                module.children.insert(name.clone());
                let path = [&path[..], &[name]].concat();
                read_child(child, file, directory, path, modules);
            }
            Item::Use(import) => module.imports.extend(imports(&import)),
            item => {
                module.defined.extend(defined_name(&item));
                module.items.push(item);
            }
        }
    }
    modules.insert(path, module);
}

fn read_child(
    child: ItemMod,
    file: &Path,
    directory: &Path,
    path: ModulePath,
    modules: &mut BTreeMap<ModulePath, Module>,
) {
    let name = child.ident.to_string();
    let below = directory.join(&name);
    if let Some((_, items)) = child.content {
        return read_items(items, file, &below, path, modules);
    }
    if let Some(elsewhere) = path_attribute(&child.attrs) {
        let file = file.parent().unwrap().join(elsewhere);
        // The children of a file with a `path` attribute are in the file's own directory.
        let directory = file.parent().unwrap().to_owned();
        return read_file(&file, &directory, path, modules);
    }
    let beside = directory.join(format!("{name}.rs"));
    let file = if beside.exists() {
        beside
    } else {
        below.join("mod.rs")
    };
    read_file(&file, &below, path, modules);
}

/// The value of `#[path = "…"]`.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        match &pair.value {
            Expr::Lit(ExprLit {
                lit: Lit::Str(value),
                ..
            }) if pair.path.is_ident("path") => Some(value.value()),
            _ => None,
        }
    })
}
