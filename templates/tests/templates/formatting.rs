//! Files have the format of `terraform fmt`, as far as this test can check it, and a readable
//! length. If Terraform is installed, the tests in `real_terraform` run `terraform fmt` itself.

use crate::documents::{files, text};

const DIRECTORIES: [&str; 4] = [
    "kubernetes",
    "kubernetes-devcontainer",
    "kubernetes-envbox",
    "module",
];

/// Maximum length of a file, in lines.
const LONGEST: usize = 400;

/// Maximum length of a line, in characters.
const WIDEST: usize = 100;

#[test]
fn hcl_is_formatted() {
    for file in DIRECTORIES
        .iter()
        .flat_map(|directory| files(directory, "tf"))
    {
        let text = text(&file);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() <= LONGEST, "{file} has {} lines", lines.len());
        assert!(
            text.ends_with('\n') && !text.ends_with("\n\n"),
            "{file} must end with exactly one line break"
        );
        for (index, line) in lines.iter().enumerate() {
            let at = format!("{file}:{}", index + 1);
            assert!(
                !line.contains('\t') && line.trim_end() == *line,
                "{at}: white space"
            );
            assert!(line.chars().count() <= WIDEST, "{at}: too long");
            let indent = line.len() - line.trim_start().len();
            assert!(indent % 2 == 0, "{at}: indented by {indent}");
            // Adjacent one-line attributes at the same depth have their `=` in the same column.
            if let (Some(here), Some(next)) =
                (equals(line), lines.get(index + 1).copied().and_then(equals))
            {
                assert!(
                    here.0 != next.0 || here.1 == next.1,
                    "{at}: = is not below ="
                );
            }
        }
    }
}

/// Depth of a one-line attribute, and the column of its `=`.
fn equals(line: &str) -> Option<(usize, usize)> {
    let indent = line.len() - line.trim_start().len();
    let at = line.find(" = ")?;
    let name = line[indent..at].trim_end();
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_\"./-".contains(c));
    let whole = !line.ends_with(['(', '[', '{']);
    (plain && whole && !name.is_empty()).then_some((indent, at))
}
