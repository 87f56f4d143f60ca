//! Expands the commands, arguments and variables of a manifest as the kubelet does.
//!
//! "Variable references $(VAR_NAME) are expanded using the container's environment. If a variable
//! cannot be resolved, the reference in the input string will be unchanged. Double $$ are reduced
//! to a single $, which allows for escaping the $(VAR_NAME) syntax" (Container v1 core, `command`,
//! `args`; EnvVar v1 core, `value`). The code is third_party/forked/golang/expansion/expand.go of
//! Kubernetes 1.33.

use std::collections::BTreeMap;

use serde_json::Value;

/// `text` as a process gets it, with the container's `variables`.
pub fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (expanded, used) = match after.chars().next() {
            Some('$') => ("$".to_owned(), 1),
            Some('(') => match after.find(')') {
                Some(end) => {
                    let unresolved = || format!("${}", &after[..=end]);
                    let value = variables.get(&after[1..end]).cloned();
                    (value.unwrap_or_else(unresolved), end + 1)
                }
                // The reference is not closed, so it stays.
                None => ("$(".to_owned(), 1),
            },
            // Any other character stays, and so does the $ before it.
            Some(other) => (format!("${other}"), other.len_utf8()),
            None => ("$".to_owned(), 0),
        };
        out.push_str(&expanded);
        rest = &after[used..];
    }
    out.push_str(rest);
    out
}

/// Replaces a container's commands, arguments and variables with those that its processes get. A
/// variable can refer to those before it. Values from fields or secrets are unknown here, so
/// references to them stay.
pub fn expand_container(container: &mut Value) {
    let mut variables = BTreeMap::new();
    if let Some(entries) = container["env"].as_array_mut() {
        for entry in entries {
            let Some(value) = entry["value"].as_str() else {
                continue;
            };
            let value = expand(value, &variables);
            let name = entry["name"].as_str().unwrap_or_default().to_owned();
            entry["value"] = value.clone().into();
            variables.insert(name, value);
        }
    }
    for field in ["command", "args"] {
        let Some(words) = container.get_mut(field).and_then(Value::as_array_mut) else {
            continue;
        };
        for word in words {
            if let Some(text) = word.as_str() {
                *word = expand(text, &variables).into();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Cases like those of expand_test.go, which tests the kubelet's code.
    #[test]
    fn expands_as_the_kubelet_does() {
        let variables = BTreeMap::from(
            [
                ("VAR_A", "A"),
                ("VAR_B", "B"),
                ("VAR_REF", "$(VAR_A)"),
                ("VAR_EMPTY", ""),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        for (text, expected) in [
            ("$(VAR_A)", "A"),
            ("___$(VAR_B)___", "___B___"),
            ("$(VAR_A)_$(VAR_B)", "A_B"),
            ("$$(VAR_B)_$(VAR_A)", "$(VAR_B)_A"),
            ("$$$(VAR_A)", "$A"),
            ("$$$$(VAR_A)", "$$(VAR_A)"),
            ("$(VAR_REF)", "$(VAR_A)"),
            ("foo$(VAR_EMPTY)bar", "foobar"),
            ("$(VAR_DNE)", "$(VAR_DNE)"),
            ("foo$(VAR_Awhoops!", "foo$(VAR_Awhoops!"),
            ("foo$VAR_A)", "foo$VAR_A)"),
            ("$?_boo_$!", "$?_boo_$!"),
            ("$", "$"),
            ("foo$", "foo$"),
            ("$$$", "$$"),
            ("$é$$", "$é$"),
            ("", ""),
        ] {
            assert_eq!(expand(text, &variables), expected, "{text:?}");
        }
    }

    #[test]
    fn doubled_dollars_arrive_as_they_were() {
        let script = "x=\"$(date)\"; echo $$ ${x#$} $((1+1)) '$(HOME)' $";
        let doubled = script.replace('$', "$$");
        let variables = BTreeMap::from([("HOME".to_owned(), "wrong".to_owned())]);
        assert_eq!(expand(&doubled, &variables), script);
    }

    #[test]
    fn variables_see_those_before_them() {
        let mut container = json!({
            "env": [
                {"name": "A", "value": "1"},
                {"name": "B", "value": "$(A)$$"},
                {"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
            ],
            "command": ["sh", "-c", "echo $(B) $(CPUS)"],
        });
        expand_container(&mut container);
        assert_eq!(container["env"][1]["value"], "1$");
        assert_eq!(container["command"][2], "echo 1$ $(CPUS)");
        assert_eq!(container.get("args"), None);
    }
}
