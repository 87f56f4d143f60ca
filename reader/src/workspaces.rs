//! The workspaces of a log, which the labels of lines name.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

use crate::labels::Labels;

/// Maximum number of sets of labels whose workspace is remembered.
const REMEMBERED: usize = 200_000;

/// The name of a workspace, as lines state it.
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

    /// The run id, if no label names a user or a workspace.
    pub(crate) fn run(&self) -> Option<&str> {
        self.run.as_deref()
    }
}

/// The values that distinguish workspaces.
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
    /// The number of a workspace, by the address of its labels. No [`Key`] is made for labels that
    /// this map has.
    by_labels: HashMap<usize, (Arc<Labels>, usize), RandomState>,
}

impl Workspaces {
    /// The number of the workspace that a line belongs to. A new workspace gets the next number. If
    /// no label names a user or a workspace, each run is a workspace. `run` is the id of the line's
    /// run.
    pub(crate) fn number(&mut self, run: Option<&str>, labels: &Arc<Labels>) -> usize {
        if let Some((_, at)) = self.by_labels.get(&Arc::as_ptr(labels).addr()) {
            return *at;
        }
        let is_named = labels.user().is_some() || labels.workspace().is_some();
        let run = run.filter(|_| !is_named);
        // The key has no other labels. Other labels may change within a workspace.
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
            // Keeping the labels prevents other labels from getting the same address.
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
