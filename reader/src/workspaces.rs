//! Which workspace a line is of.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

use crate::labels::Labels;

/// Maximum number of labels whose workspace is remembered by their address.
const REMEMBERED: usize = 200_000;

/// A workspace, as lines name it.
#[derive(Debug)]
pub(crate) struct Name {
    labels: Arc<Labels>,
    run: Option<String>,
}

impl Name {
    /// The name of the user.
    pub(crate) fn user(&self) -> Option<&str> {
        self.labels.user()
    }

    /// The name of the workspace.
    pub(crate) fn workspace(&self) -> Option<&str> {
        self.labels.workspace()
    }

    /// The run, if the lines have no labels that name a user or a workspace.
    pub(crate) fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }
}

/// What differs between workspaces.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    user: Option<String>,
    workspace: Option<String>,
    run: Option<String>,
}

/// The workspaces of a log, by number.
#[derive(Debug, Default)]
pub(crate) struct Workspaces {
    names: Vec<Name>,
    by_key: HashMap<Key, usize>,
    /// By the address of labels that have a name: the same labels need no look at their names.
    by_labels: HashMap<usize, (Arc<Labels>, usize), RandomState>,
}

impl Workspaces {
    /// The number of the workspace of a line; a new one has the next number. If no label names a
    /// user or a workspace, each run is a workspace. `run` is the id of the line's run.
    pub(crate) fn number(&mut self, run: Option<&str>, labels: &Arc<Labels>) -> usize {
        if let Some((_, at)) = self.by_labels.get(&Arc::as_ptr(labels).addr()) {
            return *at;
        }
        let is_named = labels.user().is_some() || labels.workspace().is_some();
        let run = run.filter(|_| !is_named);
        // Other labels of a workspace may change.
        let key = Key {
            user: labels.user().map(str::to_owned),
            workspace: labels.workspace().map(str::to_owned),
            run: run.map(str::to_owned),
        };
        let next = self.names.len();
        let at = *self.by_key.entry(key).or_insert(next);
        if at == next {
            self.names.push(Name {
                labels: Arc::clone(labels),
                run: run.map(str::to_owned),
            });
        }
        if is_named {
            if self.by_labels.len() >= REMEMBERED {
                self.by_labels.clear();
            }
            // Kept, so that no other labels get the same address.
            let kept = (Arc::clone(labels), at);
            self.by_labels.insert(Arc::as_ptr(labels).addr(), kept);
        }
        at
    }

    /// The workspaces, in the order of their numbers.
    pub(crate) fn names(&self) -> &[Name] {
        &self.names
    }
}
