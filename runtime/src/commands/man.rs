//! `exectrail man`: writes the man pages, one per command, from the text of `--help`.

use std::{fs, io, path::Path, process::ExitCode};

use clap::{Command, CommandFactory as _};
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use crate::cli::{Cli, ManArgs};

/// Runs the command.
pub(crate) fn main(args: &ManArgs) -> ExitCode {
    match write(&args.directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "exectrail: cannot write man pages to {}: {error}",
                args.directory.display()
            );
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut all = Cli::command().disable_help_subcommand(true);
    // Gives sub-commands their full names.
    all.build();
    let visible = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    for command in visible.chain([&all]) {
        let man = Man::new(command.clone());
        fs::write(directory.join(man.get_filename()), page(&man, command)?)?;
    }
    Ok(())
}

/// The page of a command. The end of the help becomes separate sections, in the order of
/// man-pages(7).
fn page(man: &Man, command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command
        .get_subcommands()
        .any(|command| !command.is_hide_set())
    {
        man.render_subcommands_section(&mut page)?;
    }
    let help = command.get_after_long_help().or(command.get_after_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    for (title, headings) in SECTIONS {
        let lines: Vec<&str> = part(&help, headings).collect();
        if !lines.is_empty() {
            section(title, &lines).to_writer(&mut page)?;
        }
    }
    Ok(page)
}

/// Sections of a page, each with its headings in `--help`.
const SECTIONS: [(&str, &[&str]); 2] = [
    ("EXIT STATUS", &["Exit status:", "Exit codes:"]),
    ("EXAMPLES", &["Examples:"]),
];

/// The lines below one of these headings, up to the next heading.
fn part<'a>(help: &'a str, headings: &'static [&str]) -> impl Iterator<Item = &'a str> {
    let below = help.lines().skip_while(|line| !headings.contains(line));
    let is_heading = |line: &&str| SECTIONS.iter().any(|(_, all)| all.contains(line));
    below.skip(1).take_while(move |line| !is_heading(line))
}

/// A section with unchanged lines.
fn section(title: &str, lines: &[&str]) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [title]).control("nf", []);
    for line in lines {
        roff.text([roman(*line)]);
    }
    roff.control("fi", []);
    roff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_has_examples_and_exit_statuses() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        let pages: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(pages.len() >= 8, "{pages:?}");
        for page in pages {
            let text = fs::read_to_string(&page).unwrap();
            for section in [".SH EXAMPLES\n.nf\n", ".SH \"EXIT STATUS\"\n.nf\n"] {
                let (_, lines) = text
                    .split_once(section)
                    .unwrap_or_else(|| panic!("{} has no {section}", page.display()));
                let (lines, _) = lines.split_once(".fi").unwrap();
                assert!(lines.lines().count() >= 2, "{lines}");
            }
            assert!(!text.contains(".SH EXTRA"), "{}", page.display());
        }
    }
}
