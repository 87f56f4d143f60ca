//! Assembles the page, and restricts what a browser does with it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

/// The document. Its comments are replaced with the other parts.
const DOCUMENT: &str = include_str!("page/page.html");

/// The styles, in the order of the page.
const STYLES: [&str; 4] = [
    include_str!("page/colors.css"),
    include_str!("page/layout.css"),
    include_str!("page/grid.css"),
    include_str!("page/print.css"),
];

/// The files of the script. They become one script, in this order.
const SCRIPTS: [&str; 13] = [
    include_str!("page/elements.js"),
    include_str!("page/data.js"),
    include_str!("page/blocks.js"),
    include_str!("page/grid.js"),
    include_str!("page/choice.js"),
    include_str!("page/gaps.js"),
    include_str!("page/timeline.js"),
    include_str!("page/execs.js"),
    include_str!("page/tree.js"),
    include_str!("page/tables.js"),
    include_str!("page/details.js"),
    include_str!("page/print.js"),
    include_str!("page/main.js"),
];

/// The parts of the page around its data.
pub(super) struct Page {
    pub(super) head: String,
    pub(super) script: String,
    pub(super) end: String,
}

/// Makes the page. Its Content Security Policy (level 3) forbids it to load anything, and allows
/// only these styles and this script.
pub(super) fn page() -> Page {
    let style = STYLES.concat();
    let script = format!("\"use strict\";\n{}", SCRIPTS.concat());
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'",
        hash(&script),
        hash(&style),
    );
    let document = DOCUMENT
        .replace("<!--policy-->", &policy)
        .replace("<!--style-->", &format!("<style>{style}</style>"));
    let (head, end) = document
        .split_once("<!--data-->")
        .unwrap_or((document.as_str(), ""));
    Page {
        head: head.to_owned(),
        script: format!("<script>{script}</script>\n"),
        end: end.to_owned(),
    }
}

/// The hash of an element's content, in the form of a policy.
fn hash(content: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_no_other_place_and_nothing_in_it_ends_an_element_early() {
        let page = page();
        let all = format!("{}{}{}", page.head, page.script, page.end);
        for word in [
            "http:",
            "https:",
            "//cdn",
            "@import",
            "url(",
            "innerHTML",
            "eval(",
        ] {
            assert!(!all.contains(word), "{word}");
        }
        assert_eq!(all.matches("<script").count(), 1);
        assert_eq!(all.matches("</script").count(), 1);
        assert_eq!(all.matches("</style").count(), 1);
        assert!(!all.contains("<!--policy") && !all.contains("<!--style"));
        assert!(!all.contains(" style=\"") && !all.contains(" onclick="));
    }
}
