//! `cargo xtask picture`: the picture in the README, from what exectrail prints.

mod color;
mod session;
mod svg;

use std::fs;

use anyhow::{Context, Result, ensure};

use self::session::Session;
use crate::{build, workspace};

/// The picture, relative to the root.
const PATH: &str = "docs/images/exectrail.svg";

/// The commands that it shows.
const COMMANDS: [&str; 2] = [
    "exectrail run -- make",
    r#"exectrail run --output=json --label=username=jessie -- make 2>&1 | grep '"tar","-cz"'"#,
];

const TITLE: &str = "exectrail records a build";
const DESCRIPTION: &str = "\
    A terminal. Above, make prints one line, \"cc -c main.c\", and exectrail prints one line for \
    each program that make executed: the compiler, but also a shell that sends the directory .ssh \
    to a server by tar and curl, which the Makefile hides. Below, the line of tar as JSON: time, \
    labels, command line, file, argv, process, parent, user, namespaces. Long lines above end with \
    an ellipsis.";

/// `cargo xtask picture`.
pub(crate) fn command() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "only root may load eBPF programs: sudo -E cargo xtask picture"
    );
    let exectrail = build::release()?.exectrail;
    let session = Session::new(&exectrail)?;
    let mut lines = Vec::new();
    for command in COMMANDS {
        let output = session.run(command)?;
        ensure!(
            output.contains("/home/jessie/.ssh"),
            "`{command}` printed no line of tar:\n{output}"
        );
        if !lines.is_empty() {
            lines.push(Vec::new());
        }
        lines.push(color::prompt(command));
        lines.extend(output.lines().flat_map(color::output));
    }
    let path = workspace::root().join(PATH);
    let picture = svg::picture(TITLE, DESCRIPTION, &lines);
    fs::write(&path, picture).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{PATH}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_shows_the_picture_with_a_text_for_those_who_do_not_see_it() {
        let readme = fs::read_to_string(workspace::root().join("README.md")).unwrap();
        let (before, after) = readme.split_once(&format!("]({PATH})")).unwrap();
        let alternative = before.rsplit("![").next().unwrap();
        assert!(alternative.len() > 40, "{alternative}");
        assert!(after.contains("cargo xtask run"), "the commands come after");
    }

    #[test]
    fn the_picture_is_of_these_commands_and_loads_nothing() {
        let picture = fs::read_to_string(workspace::root().join(PATH)).unwrap();
        for command in COMMANDS {
            assert!(picture.contains(&svg::escaped(command)), "{command}");
        }
        assert_eq!(picture.matches("http").count(), 1, "only the name space");
        assert!(picture.contains("prefers-color-scheme: dark"));
        assert!(picture.contains(" execs recorded, 0 lost<"));
    }
}
