//! All keys of the execs of a block. The values of each key are together, because this order
//! compresses well.

use std::{collections::HashMap, fmt};

use foldhash::fast::RandomState;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{argv::Argv, record::Text};

/// Maximum number of different keys in a block. All others are in the value of the key `…`.
const KEYS: usize = 96;
/// The key for keys above the maximum.
const FURTHER: &str = "…";

/// The keys and values of an object, in their order.
struct Pairs<'a>(Vec<(Text<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(Text<'de>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs)
            }
        }
        deserializer.deserialize_map(Object).map(Pairs)
    }
}

/// The values of one key. Each exec has one line of JSON, which is empty if the exec lacks the key.
#[derive(Debug, Default)]
struct Values {
    lines: String,
    count: usize,
}

impl Values {
    fn fill(&mut self, count: usize) {
        let missing = count.saturating_sub(self.count);
        self.lines.extend(std::iter::repeat_n('\n', missing));
        self.count += missing;
    }
}

/// The keys of the execs of a block.
#[derive(Debug, Default)]
pub(super) struct Details {
    numbers: HashMap<Box<str>, usize, RandomState>,
    keys: Vec<Box<str>>,
    values: Vec<Values>,
    rows: usize,
    bytes: usize,
    path: String,
    further: String,
}

impl Details {
    /// Adds an exec. `line` is its first line, and `argv` has the arguments of all its lines.
    pub(super) fn add(&mut self, line: &str, argv: &Argv<'_>) {
        self.further.clear();
        if let Ok(Pairs(pairs)) = serde_json::from_str(line) {
            for (key, value) in pairs {
                if *key == *"fields" {
                    self.fields(value, argv);
                } else {
                    self.value("", &key, value.get());
                }
            }
        }
        if !self.further.is_empty() {
            self.further.push('}');
            let further = std::mem::take(&mut self.further);
            self.put(FURTHER, &further);
            self.further = further;
        }
        self.rows += 1;
    }

    fn fields(&mut self, fields: &RawValue, argv: &Argv<'_>) {
        let Ok(Pairs(fields)) = serde_json::from_str(fields.get()) else {
            return;
        };
        for (key, value) in fields {
            match &*key {
                "event" => {
                    if let Ok(Pairs(event)) = serde_json::from_str(value.get()) {
                        for (key, value) in event {
                            let is_argv = *key == *"argv";
                            let joined = argv.json().filter(|_| is_argv);
                            self.value("event.", &key, joined.unwrap_or(value.get()));
                        }
                    }
                }
                // The block has this command line as the text of the exec.
                "cmdline" if argv.is_cmdline_the_text() => {}
                key => self.value("fields.", key, value.get()),
            }
        }
    }

    fn value(&mut self, prefix: &str, key: &str, json: &str) {
        let mut path = std::mem::take(&mut self.path);
        path.clear();
        path.push_str(prefix);
        path.push_str(key);
        if self.numbers.contains_key(&*path) || self.keys.len() < KEYS {
            self.put(&path, json);
        } else {
            self.further
                .push(if self.further.is_empty() { '{' } else { ',' });
            self.further
                .push_str(&serde_json::Value::from(&*path).to_string());
            self.further.push(':');
            self.further.push_str(json);
        }
        self.path = path;
    }

    fn put(&mut self, path: &str, json: &str) {
        let number = if let Some(number) = self.numbers.get(path) {
            *number
        } else {
            let number = self.keys.len();
            self.numbers.insert(path.into(), number);
            self.keys.push(path.into());
            self.values.push(Values::default());
            number
        };
        let Some(values) = self.values.get_mut(number) else {
            return;
        };
        // If a key occurs twice, its first value counts.
        if values.count > self.rows {
            return;
        }
        values.fill(self.rows);
        // The line breaks of JSON can be removed, because JSON has them only between tokens.
        let mut parts = json.split(['\n', '\r']);
        values.lines.push_str(parts.next().unwrap_or_default());
        parts.for_each(|part| values.lines.push_str(part));
        values.lines.push('\n');
        values.count += 1;
        self.bytes += json.len() + 1;
    }

    /// Number of bytes of the values so far, without empty lines.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The keys as a JSON array, a line break, and the values of each key.
    pub(super) fn finish(self) -> Vec<u8> {
        let mut text = serde_json::Value::from_iter(self.keys.iter().map(|key| &**key)).to_string();
        text.push('\n');
        for mut values in self.values {
            values.fill(self.rows);
            text.push_str(&values.lines);
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_a_line_for_each_exec() {
        let mut details = Details::default();
        let argv = Argv::default();
        details.add(r#"{"ts":"1","fields":{"event":{"pid":1,"pid":2}}}"#, &argv);
        details.add("{\"ts\":\"2\",\"fields\":{\"a\":{\n\"b\":1}}}", &argv);
        let text = String::from_utf8(details.finish()).unwrap();
        let expected = "[\"ts\",\"event.pid\",\"fields.a\"]\n\"1\"\n\"2\"\n1\n\n\n{\"b\":1}\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn any_number_of_keys_takes_a_limited_number_of_columns() {
        let mut details = Details::default();
        let keys: Vec<String> = (0..500).map(|n| format!("\"k{n}\":{n}")).collect();
        let line = format!("{{\"fields\":{{\"event\":{{{}}}}}}}", keys.join(","));
        details.add(&line, &Argv::default());
        let text = String::from_utf8(details.finish()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 1 + KEYS + 1);
        assert!(lines[1 + KEYS].ends_with(r#","event.k499":499}"#));
    }
}
