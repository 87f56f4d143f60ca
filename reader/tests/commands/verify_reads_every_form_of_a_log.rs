//! `verify` proves a log in every form that keeps its bytes, and finds faults in each form.

use crate::files::{
    TIME, cri, docker, exectrail_log, file, gzip, output_of, plain, prefixed, records, run, zstd,
};

/// A log in each of its forms.
fn forms(lines: &[String]) -> Vec<(&'static str, Vec<u8>)> {
    let prefix = format!("[pod/workspace-0/exectrail] {TIME} ");
    vec![
        ("plain", plain(lines).into()),
        ("kubectl", prefixed(&prefix, lines).into()),
        ("timestamps", prefixed(&format!("{TIME} "), lines).into()),
        ("cri", cri(lines).into()),
        ("docker", docker(lines).into()),
        ("message", records("message", lines).into()),
        ("line", records("line", lines).into()),
        ("plain.gz", gzip(&plain(lines))),
        ("plain.zst", zstd(&plain(lines))),
        ("cri.gz", gzip(&cri(lines))),
        ("docker.zst", zstd(&docker(lines))),
        ("crlf", cri(lines).replace('\n', "\r\n").into()),
        ("mark", [b"\xef\xbb\xbf", plain(lines).as_bytes()].concat()),
        (
            "message-of-docker",
            records("message", &docker_lines(lines)).into(),
        ),
    ]
}

fn docker_lines(lines: &[String]) -> Vec<String> {
    let file = docker(lines);
    file.lines().map(str::to_owned).collect()
}

#[test]
fn every_form_of_a_log_is_proved() {
    let directory = tempfile::tempdir().unwrap();
    let lines = run("aabbccddeeff", 3);
    for (name, content) in forms(&lines) {
        let log = file(directory.path(), name, &content);
        let printed = output_of(&["verify"], &[&log]);
        assert!(printed.contains("3 execs, 0 lost"), "{name}: {printed}");
        assert!(printed.contains("complete until"), "{name}: {printed}");
    }
}

#[test]
fn a_missing_line_and_a_changed_byte_are_found_in_every_form() {
    let directory = tempfile::tempdir().unwrap();
    let lines = run("aabbccddeeff", 3);
    let mut removed = lines.clone();
    removed.remove(2);
    let mut changed = lines;
    changed[1] = changed[1].replace("echo", "ecHo");
    for (case, lines) in [("removed", removed), ("changed", changed)] {
        for (name, content) in forms(&lines) {
            let log = file(directory.path(), name, &content);
            let output = exectrail_log(&["verify"], &[&log]);
            assert_eq!(output.status.code(), Some(1), "{case} {name}: {output:?}");
        }
    }
}

#[test]
fn a_log_and_even_a_line_may_go_on_in_the_next_file() {
    let directory = tempfile::tempdir().unwrap();
    let file_of = |name, content: &str| file(directory.path(), name, content.as_bytes());
    let text = cri(&run("aabbccddeeff", 3));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for at in 0..=lines.len() {
        let old = file_of("0.log.20261124-040415", &lines[..at].concat());
        let new = file_of("0.log", &lines[at..].concat());
        let printed = output_of(&["verify"], &[&old, &new]);
        assert!(printed.contains("3 execs, 0 lost"), "{at}: {printed}");
        assert!(printed.contains("lines of diagnostics"), "{at}: {printed}");
        let of_directory = output_of(&["verify"], &[directory.path()]);
        assert_eq!(of_directory, printed);
    }
}

#[test]
fn a_damaged_or_cut_compressed_file_is_a_fault() {
    let directory = tempfile::tempdir().unwrap();
    let text = plain(&run("aabbccddeeff", 3));
    for (name, whole) in [("log.gz", gzip(&text)), ("log.zst", zstd(&text))] {
        // A file of the second length does not contain a whole line.
        for length in [whole.len() - 9, 20] {
            let log = file(directory.path(), name, &whole[..length]);
            let output = exectrail_log(&["verify"], &[&log]);
            let printed = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(1), "{name}");
            assert!(printed.contains("damaged or cut here"), "{name}: {printed}");
        }
    }
}

#[test]
fn another_encoding_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let text = plain(&run("aabbccddeeff", 1));
    let text = format!("\u{feff}{text}");
    let content: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let log = file(directory.path(), "log", &content);
    let output = exectrail_log(&["verify"], &[&log]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("iconv -f UTF-16"), "{printed}");
}
