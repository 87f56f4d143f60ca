//! `show`, `top`, `tree` and `convert` take an argv on several lines as one exec.

use tempfile::TempDir;

use crate::files::{file, output_of, plain};

/// A line of a run.
fn line(run: &str, number: u64, msg: &str, event: &str) -> String {
    format!(r#"{{"ts":"2026-11-24T04:04:0{number}.000000000Z","level":"INFO","msg":"{msg}","#)
        + r#""fields":{"labels":{"username":"jessie"},"cmdline":"cat one","#
        + &format!(r#""event":{{{event},"pid":10,"start":100,"cpu":0,"seq":0}},"#)
        + &format!(r#""run":"{run}","line":{number}}}}}"#)
}

/// An exec on three lines: `cat one two-and-more three`.
fn exec(run: &str) -> Vec<String> {
    vec![
        line(
            run,
            1,
            "exec",
            r#""filename":"/usr/bin/cat","argv":["cat","one","two"],"argv_continues":true"#,
        ),
        line(
            run,
            2,
            "exec_argv",
            r#""argv":["-and"],"part":1,"argument":2,"offset":3,"argv_continues":true"#,
        ),
        line(
            run,
            3,
            "exec_argv",
            r#""argv":["-more","three"],"part":2,"argument":2,"offset":7"#,
        ),
    ]
}

fn shown(lines: &[String], arguments: &[&str]) -> String {
    let directory = TempDir::new().unwrap();
    let log = file(directory.path(), "log", plain(lines).as_bytes());
    output_of(arguments, &[&log])
}

#[test]
fn filters_see_all_arguments_and_json_has_all_lines() {
    let [one, two] = ["aa", "bb"].map(exec);
    let mixed: Vec<String> = one
        .iter()
        .zip(&two)
        .flat_map(|(a, b)| [a, b])
        .cloned()
        .collect();
    for regex in ["^cat one two-and-more three$", "three"] {
        let found = shown(&mixed, &["show", "--json", "--argv", regex]);
        assert_eq!(found, plain(&[one.clone(), two.clone()].concat()));
        assert_eq!(shown(&mixed, &["show", "--argv", regex]).lines().count(), 2);
    }
    assert_eq!(shown(&mixed, &["show", "--argv", "two three"]), "");
    let counted = shown(&mixed, &["top"]);
    assert!(counted.starts_with("2 execs"), "{counted}");
}

#[test]
fn an_argv_is_cut_only_if_its_end_is_not_there() {
    let cut = |lines: &[String]| shown(lines, &["show"]).contains("[cut");
    let mut lines = exec("aa");
    for line in &mut lines {
        *line = line.replace(
            r#""argv_continues":true"#,
            r#""argv_continues":true,"truncated":true"#,
        );
    }
    assert!(!cut(&lines), "{}", shown(&lines, &["show"]));
    assert!(cut(&lines[..2]));
    lines[2] = lines[2].replace(r#""offset":7"#, r#""offset":7,"truncated":true"#);
    assert!(cut(&lines));
}

#[test]
fn further_lines_are_no_gap_and_missing_ones_are() {
    let mut lines = exec("aa");
    // The only gap is the first line of the run, which is not among these lines.
    let tree = shown(&lines, &["tree"]);
    assert_eq!(tree.matches(" missing: ").count(), 1, "{tree}");
    lines.remove(1);
    let tree = shown(&lines, &["tree"]);
    assert!(tree.contains("missing: lines 2 to 2 of run aa"), "{tree}");
    assert!(tree.contains("cat one"), "{tree}");
    // `show` also shows the exec if its further lines are not in the log.
    assert!(shown(&exec("aa")[..1], &["show"]).contains("cat one"));
    assert!(shown(&exec("aa")[1..], &["show"]).contains("* exec_argv"));
}

#[test]
fn the_text_of_an_exec_has_the_argv_of_all_its_lines() {
    let lines = exec("aa");
    let text = "cat one two-and-more three";
    assert_eq!(
        shown(&lines, &["show", "--columns", "text"]),
        format!("{text}\n")
    );
    for (format, key) in [("ecs", "command_line"), ("ocsf", "cmd_line")] {
        let converted = shown(&lines, &["convert", "--to", format]);
        assert!(
            converted.contains(&format!(r#""{key}":"{text}""#)),
            "{converted}"
        );
    }
}
