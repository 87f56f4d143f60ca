//! The files of a crate that each of its files uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::slice;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;

use crate::circle::Uses;
use crate::module_tree::{Module, ModulePath, modules_of};

/// Maximum number of re-exports that are followed for one name.
const RE_EXPORTS: usize = 16;

/// The files that each file of a crate uses.
pub(crate) fn uses_between_files(crate_root: &Path) -> Uses {
    let tree = Tree(modules_of(crate_root));
    let mut uses = Uses::new();
    for (at, module) in &tree.0 {
        let mut paths: Vec<Vec<String>> = module
            .imports
            .iter()
            .map(|import| import.path.clone())
            .collect();
        for item in &module.items {
            paths_in(item.to_token_stream(), &mut paths);
        }
        let used = uses.entry(module.file.clone()).or_default();
        for path in paths {
            if let Some(path) = tree.absolute(at, &path) {
                used.extend(tree.files_of(&path, RE_EXPORTS));
            }
        }
        used.remove(&module.file);
    }
    uses
}

/// Paths in code, as written: every `a::b::c`, also in macros.
fn paths_in(code: TokenStream, paths: &mut Vec<Vec<String>>) {
    let tokens: Vec<TokenTree> = code.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            // `pub(in crate::a)` names a place, and uses nothing.
            TokenTree::Group(group) if is_visibility(group.stream()) => at += 1,
            TokenTree::Group(group) => {
                paths_in(group.stream(), paths);
                at += 1;
            }
            TokenTree::Ident(first) => {
                let mut path = vec![first.to_string()];
                at += 1;
                while is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1)) {
                    match tokens.get(at + 2) {
                        Some(TokenTree::Ident(next)) => path.push(next.to_string()),
                        // `use super::{a, b}` in a function.
                        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                            for token in group.stream() {
                                if let TokenTree::Ident(name) = token {
                                    paths.push([&path[..], &[name.to_string()]].concat());
                                }
                            }
                        }
                        _ => {}
                    }
                    at += 3;
                }
                if path.len() > 1 {
                    paths.push(path);
                }
            }
            // A `::` without a name before it begins a path into another crate, or follows a
            // generic type.
            TokenTree::Punct(_) if is_colon(tokens.get(at)) && is_colon(tokens.get(at + 1)) => {
                at += 3;
            }
            _ => at += 1,
        }
    }
}

fn is_colon(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':')
}

fn is_visibility(code: TokenStream) -> bool {
    matches!(code.into_iter().next(), Some(TokenTree::Ident(first)) if first == "in")
}

/// The modules of a crate.
struct Tree(BTreeMap<ModulePath, Module>);

impl Tree {
    /// A path as seen from the crate's root. `None` if the path begins in another crate, or with a
    /// name that is not a child of the module `at`.
    fn absolute(&self, at: &[String], path: &[String]) -> Option<ModulePath> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => self.below(at, rest),
            "super" => self.below(&at[..at.len().checked_sub(1)?], rest),
            name if self.0[at].children.contains(name) => Some([at, path].concat()),
            _ => None,
        }
    }

    fn below(&self, at: &[String], rest: &[String]) -> Option<ModulePath> {
        match rest.first().map(String::as_str) {
            Some("super") => self.absolute(at, rest),
            _ => Some([at, rest].concat()),
        }
    }

    /// The files that define what a path from the root names.
    fn files_of(&self, path: &[String], re_exports: usize) -> BTreeSet<PathBuf> {
        let (module_path, module) = (0..=path.len())
            .rev()
            .find_map(|length| self.0.get_key_value(&path[..length]))
            .unwrap();
        let own = BTreeSet::from([module.file.clone()]);
        let Some((name, rest)) = path[module_path.len()..].split_first() else {
            return own;
        };
        if module.defined.contains(name) || re_exports == 0 {
            return own;
        }
        for import in &module.imports {
            let Some(from) = self.absolute(module_path, &import.path) else {
                continue;
            };
            if import.name.as_ref() == Some(name) {
                return self.files_of(&[&from[..], rest].concat(), re_exports - 1);
            }
            if import.name.is_none() && self.defines(&from, name) {
                return self.files_of(&[&from[..], slice::from_ref(name)].concat(), re_exports - 1);
            }
        }
        own
    }

    /// Whether a module defines or imports a name.
    fn defines(&self, module: &[String], name: &String) -> bool {
        self.0.get(module).is_some_and(|module| {
            module.defined.contains(name)
                || module.children.contains(name)
                || module
                    .imports
                    .iter()
                    .any(|import| import.name.as_ref() == Some(name))
        })
    }
}
