//! Code blocks of documents.

use std::fs;

use crate::machine::repository;

/// A code block for the shell.
pub(crate) struct Block {
    /// The heading above the block.
    pub(crate) heading: String,
    /// The first line of the block, without `# `.
    pub(crate) title: String,
    pub(crate) text: String,
}

/// The shell blocks of a document in docs/.
pub(crate) fn blocks(document: &str) -> Vec<Block> {
    let text = fs::read_to_string(repository().join("docs").join(document)).unwrap();
    let (mut heading, mut blocks) = (String::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "```sh" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let title = block[0].strip_prefix("# ").unwrap().to_owned();
            blocks.push(Block {
                heading: heading.clone(),
                title,
                text: block.join("\n"),
            });
        } else if line.starts_with('#')
            && let Some(text) = line.trim_start_matches('#').strip_prefix(' ')
        {
            heading = text.to_owned();
        }
    }
    blocks
}

/// The text of the block with this title.
pub(crate) fn titled(document: &str, title: &str) -> String {
    let found = blocks(document)
        .into_iter()
        .find(|block| block.title == title);
    found
        .unwrap_or_else(|| panic!("{document} has no block `# {title}`"))
        .text
}
