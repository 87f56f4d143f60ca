//! Logs in which some lines lack their number in the run.

use super::*;

fn without_number(line: &str) -> String {
    let (rest, number) = line.rsplit_once(r#","line":"#).unwrap();
    let end = number.trim_start_matches(|digit: char| digit.is_ascii_digit());
    format!("{rest}{end}")
}

fn missing(lines: &[String]) -> Vec<(u64, u64)> {
    let demands = Demands {
        rewritten: true,
        ..Demands::default()
    };
    let report = audit_with(demands, lines);
    let faults = report.runs[0].faults.first.iter();
    faults
        .filter_map(|fault| match fault {
            Fault::LinesMissing { from, to, .. } => Some((*from, *to)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_line_without_number_counts_as_the_next_one() {
    let whole = Log::of("aa").lines;
    for at in 0..whole.len() {
        let mut lines = whole.clone();
        lines[at] = without_number(&lines[at]);
        assert_eq!(missing(&lines), [], "{at}");
    }
}

#[test]
fn missing_lines_show_after_a_line_without_number() {
    let whole = Log::of("aa").lines;
    for at in 0..whole.len() - 2 {
        let mut lines = whole.clone();
        lines[at] = without_number(&lines[at]);
        lines.remove(at + 1);
        let gone = at as u64 + 1;
        assert_eq!(missing(&lines), [(gone, gone)], "{at}");
    }
}
