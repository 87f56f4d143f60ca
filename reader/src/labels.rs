//! The labels of lines. Each set of labels is parsed once, because the labels of a run rarely
//! change (`labels_changed`).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use foldhash::fast::RandomState;
use serde_json::{Value, value::RawValue};

/// Keys of labels that name a user. The templates set them.
const USER: [&str; 3] = ["username", "user_email", "user_id"];
/// Keys of labels that name a workspace.
const WORKSPACE: [&str; 2] = ["workspace_name", "workspace_id"];
/// Maximum number of different sets of labels that are remembered.
const REMEMBERED: usize = 100_000;
/// Maximum number of bytes of the remembered JSON. By default, a set of labels takes at most 4,000
/// bytes, a quarter of `--max-line-bytes`.
const BYTES: usize = 16 * 1024 * 1024;

/// The labels of a run.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Labels(BTreeMap<String, String>);

impl Labels {
    /// Parses labels; none if the JSON is not an object. A value that is not a string becomes its
    /// JSON.
    pub(crate) fn parse(json: &str) -> Self {
        let values: BTreeMap<String, Value> = serde_json::from_str(json).unwrap_or_default();
        let texts = values.into_iter().map(|(key, value)| match value {
            Value::String(text) => (key, text),
            other => (key, other.to_string()),
        });
        Self(texts.collect())
    }

    fn first(&self, keys: &[&str]) -> Option<&str> {
        keys.iter()
            .find_map(|key| self.0.get(*key))
            .map(String::as_str)
    }

    /// All labels.
    pub(crate) fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// The name of the user.
    pub(crate) fn user(&self) -> Option<&str> {
        self.first(&USER)
    }

    /// The name of the workspace.
    pub(crate) fn workspace(&self) -> Option<&str> {
        self.first(&WORKSPACE)
    }

    /// Whether one of the labels that name the user has this value.
    pub(crate) fn is_user(&self, value: &str) -> bool {
        USER.iter()
            .any(|key| self.0.get(*key).is_some_and(|is| is == value))
    }

    /// Whether one of the labels that name the workspace has this value.
    pub(crate) fn is_workspace(&self, value: &str) -> bool {
        WORKSPACE
            .iter()
            .any(|key| self.0.get(*key).is_some_and(|is| is == value))
    }
}

/// Parsed labels, by their JSON.
#[derive(Debug, Default)]
pub(crate) struct LabelCache {
    known: HashMap<Arc<str>, Arc<Labels>, RandomState>,
    bytes: usize,
    last: Option<(Arc<str>, Arc<Labels>)>,
    none: Arc<Labels>,
}

impl LabelCache {
    /// The labels with this JSON; none if it is not an object.
    pub(crate) fn get(&mut self, json: Option<&RawValue>) -> Arc<Labels> {
        let Some(json) = json.map(RawValue::get) else {
            return Arc::clone(&self.none);
        };
        if let Some((last, labels)) = &self.last
            && **last == *json
        {
            return Arc::clone(labels);
        }
        let (json, labels) = match self.known.get_key_value(json) {
            Some((json, labels)) => (Arc::clone(json), Arc::clone(labels)),
            None => {
                let labels = Arc::new(Labels::parse(json));
                let json: Arc<str> = json.into();
                if self.known.len() == REMEMBERED || self.bytes > BYTES {
                    self.known.clear();
                    self.bytes = 0;
                }
                self.bytes += json.len();
                self.known.insert(Arc::clone(&json), Arc::clone(&labels));
                (json, labels)
            }
        };
        self.last = Some((json, Arc::clone(&labels)));
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_json_has_the_same_labels_and_others_are_not_mixed_up() {
        let json = |user| format!(r#"{{"username":"{user}","a":"b"}}"#);
        let raw = |user| RawValue::from_string(json(user)).unwrap();
        let mut cache = LabelCache::default();
        for number in 0..3 * REMEMBERED {
            let labels = cache.get(Some(&raw(number % 2 * number)));
            assert_eq!(labels.user(), Some(&*(number % 2 * number).to_string()));
            assert!(labels.is_user(&(number % 2 * number).to_string()));
        }
        assert!(cache.known.len() <= REMEMBERED);
        let number = RawValue::from_string(r#"{"username":1,"a":"b"}"#.to_owned()).unwrap();
        assert_eq!(cache.get(Some(&number)).user(), Some("1"));
        let wrong = RawValue::from_string("[1]".to_owned()).unwrap();
        assert_eq!(cache.get(Some(&wrong)).user(), None);
        assert_eq!(cache.get(None).workspace(), None);
    }
}
