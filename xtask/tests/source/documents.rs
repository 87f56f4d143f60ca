//! Each `.rs` file that a document names exists.

use std::fs;
use std::process::Command;

use crate::crates::root;

/// The files of the repository, as git lists them.
fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let list = String::from_utf8(output.stdout).unwrap();
    let files: Vec<String> = list.lines().map(str::to_owned).collect();
    let exists = |file: &String| root().join(file).exists();
    files.into_iter().filter(exists).collect()
}

#[test]
fn documents_name_files_that_exist() {
    let files = files();
    let mut named = 0;
    for document in files.iter().filter(|file| file.ends_with(".md")) {
        let text = fs::read_to_string(root().join(document)).unwrap();
        // Every second part is between backticks. Files of other repositories are linked, not
        // quoted.
        let quoted = text.split('`').skip(1).step_by(2);
        for path in quoted.filter(|text| {
            text.ends_with(".rs") && !text.contains([' ', '*']) && !text.starts_with("NAME")
        }) {
            named += 1;
            let found = |file: &String| file == path || file.ends_with(&format!("/{path}"));
            assert!(files.iter().any(found), "{document} names `{path}`");
        }
    }
    assert!(named > 50, "only {named} names were found");
}
