//! Spelling: known misspellings of English words, in all files.
//!
//! The dictionary is that of the program `typos`, used as a library, so that nothing has to be
//! installed. `typos.toml` has the exceptions, in the format of `typos`. Editors read the file,
//! too.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use typos::tokens::{Case, Identifier, Tokenizer, Word};
use typos::{Dictionary, Status};
use unicase::UniCase;

use crate::{source, workspace};

/// The file with the exceptions, relative to the root.
const EXCEPTIONS: &str = "typos.toml";

/// Checks every text file that git tracks or would add.
pub(crate) fn check() -> Result<()> {
    let path = workspace::root().join(EXCEPTIONS);
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let exceptions: Exceptions =
        toml::from_str(&text).with_context(|| format!("{EXCEPTIONS} is not as expected"))?;
    let mut found = 0;
    for file in source::files()? {
        if exceptions.excludes(&file) {
            continue;
        }
        // Files that are not text, or that were removed since the last commit, have no words.
        let Ok(text) = fs::read_to_string(workspace::root().join(&file)) else {
            continue;
        };
        for (line, typo) in misspellings(&text, &exceptions) {
            eprintln!("{file}:{line}: {typo}");
            found += 1;
        }
    }
    if found > 0 {
        bail!("{found} words are misspelled; words that are right go to {EXCEPTIONS}");
    }
    Ok(())
}

/// The numbers of lines with a misspelling, and what is wrong.
fn misspellings(text: &str, dictionary: &dyn Dictionary) -> Vec<(usize, String)> {
    let tokenizer = Tokenizer::new();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for typo in typos::check_str(line, &tokenizer, dictionary) {
            let what = match &typo.corrections {
                Status::Corrections(corrections) => {
                    format!("`{}` should be `{}`", typo.typo, corrections.join("` or `"))
                }
                _ => format!("`{}` is misspelled", typo.typo),
            };
            found.push((number + 1, what));
        }
    }
    found
}

/// The part of the format of `typos` that is used here; anything else is an error.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    #[serde(default)]
    default: Words,
    #[serde(default)]
    files: Files,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Words {
    /// Whole names, such as those of the kernel. A name that is its own correction is right.
    #[serde(default)]
    extend_identifiers: BTreeMap<String, String>,
    /// Words, in lower case. A word that is its own correction is right.
    #[serde(default)]
    extend_words: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Files {
    /// Files, and directories with a slash at the end.
    #[serde(default)]
    extend_exclude: Vec<String>,
}

impl Exceptions {
    fn excludes(&self, file: &str) -> bool {
        self.files.extend_exclude.iter().any(|excluded| {
            file == excluded || excluded.ends_with('/') && file.starts_with(excluded)
        })
    }
}

/// What is known about a word or name of the exceptions.
fn status<'a>(word: &str, correction: &'a str) -> Status<'a> {
    if word == correction {
        Status::Valid
    } else {
        Status::Corrections(vec![correction.into()])
    }
}

impl Dictionary for Exceptions {
    fn correct_ident<'s>(&'s self, identifier: Identifier<'_>) -> Option<Status<'s>> {
        let identifier = identifier.token();
        let correction = self.default.extend_identifiers.get(identifier)?;
        Some(status(identifier, correction))
    }

    fn correct_word<'s>(&'s self, word: Word<'_>) -> Option<Status<'s>> {
        if word.case() == Case::None {
            return None;
        }
        let lower = word.token().to_lowercase();
        if let Some(correction) = self.default.extend_words.get(&lower) {
            return Some(status(&lower, correction));
        }
        let corrections = typos_dict::WORD.find(&UniCase::new(word.token()))?;
        Some(match corrections {
            [] => Status::Invalid,
            corrections => {
                Status::Corrections(corrections.iter().map(|&word| word.into()).collect())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The misspelled words of a text.
    fn found(text: &str, exceptions: &str) -> Vec<(usize, String)> {
        let exceptions: Exceptions = toml::from_str(exceptions).unwrap();
        misspellings(text, &exceptions)
    }

    // Written in parts, so that the check does not find it here.
    const WRONG: &str = concat!("rec", "ieve");

    #[test]
    fn misspelled_words_are_found_with_their_line_also_in_names() {
        let text = format!("right\nto {WRONG} it\nlet {WRONG}_all = 1;");
        let what = format!("`{WRONG}` should be `receive`");
        assert_eq!(found(&text, ""), [(2, what.clone()), (3, what)]);
        assert_eq!(found("colour color licence license 0xdeadbeef", ""), []);
    }

    #[test]
    fn words_and_names_of_the_exceptions_are_right() {
        let text = format!("{WRONG} {WRONG}_all");
        let word = format!("[default.extend-words]\n{WRONG} = \"{WRONG}\"");
        assert_eq!(found(&text, &word), []);
        let name = format!("[default.extend-identifiers]\n{WRONG}_all = \"{WRONG}_all\"");
        assert_eq!(found(&text, &name).len(), 1);
    }

    #[test]
    fn an_exception_of_an_unknown_kind_is_an_error() {
        assert!(toml::from_str::<Exceptions>("[default]\nlocale = \"en-gb\"").is_err());
    }

    #[test]
    fn files_and_directories_are_excluded() {
        let exceptions = "[files]\nextend-exclude = [\"a/\", \"b/c.json\"]";
        let exceptions: Exceptions = toml::from_str(exceptions).unwrap();
        assert!(exceptions.excludes("a/b") && exceptions.excludes("b/c.json"));
        assert!(!exceptions.excludes("ab") && !exceptions.excludes("b/c.json5"));
    }
}
