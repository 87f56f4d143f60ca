//! With `--follow`, `show`, `tree` and `top` show lines that are written while they run. `convert`
//! converts the lines of a pipe as they come.

use std::{
    fs::{self, OpenOptions},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use exectrail_testbed::wait::wait_for;
use tempfile::TempDir;

use crate::files::{file, gzip};

fn exec(second: u32, pid: u64, ppid: u64, cmdline: &str) -> String {
    let event = format!(
        r#"{{"filename":"/bin/{cmdline}","pid":{pid},"start":{pid},"ppid":{ppid},"ppid_start":{ppid}}}"#
    );
    format!(r#"{{"ts":"2026-11-24T04:04:{second:02}.000000000Z","level":"INFO","msg":"exec","#)
        + &format!(r#""fields":{{"cmdline":"{cmdline}","event":{event},"run":"a"}}}}"#)
        + "\n"
}

fn append(path: &Path, line: &str) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

/// A process that is killed at the end of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(arguments: &[&str], log: &Path) -> Running {
    let child = Command::new(env!("CARGO_BIN_EXE_exectrail-log"))
        .args(arguments)
        .arg(log)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn();
    Running(child.unwrap())
}

#[test]
fn tree_shows_each_exec_below_its_parent_as_it_happens() {
    let directory = TempDir::new().unwrap();
    let log = file(directory.path(), "log", exec(1, 10, 1, "make").as_bytes());
    let mut tree = start(&["tree", "--follow"], &log);
    let mut lines = BufReader::new(tree.0.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "a workspace without labels");
    assert_eq!(next(), "  10 2026-11-24T04:04:01.000Z make");
    append(&log, &exec(2, 11, 10, "cc"));
    assert_eq!(next(), "    11 2026-11-24T04:04:02.000Z cc");
    append(&log, &exec(3, 11, 10, "\\u001b[2Jas"));
    assert_eq!(next(), "    11 => 2026-11-24T04:04:03.000Z \\u{1b}[2Jas");
}

#[test]
fn top_writes_plain_text_where_there_is_no_terminal() {
    let directory = TempDir::new().unwrap();
    let log = file(directory.path(), "log", exec(1, 10, 1, "make").as_bytes());
    let mut top = start(&["top", "--follow"], &log);
    let mut lines = BufReader::new(top.0.stdout.take().unwrap()).lines();
    let table: Vec<String> = lines.by_ref().take(3).map(Result::unwrap).collect();
    assert!(table[0].starts_with("1 execs"), "{table:?}");
    assert!(table[2].ends_with("/bin/make"), "{table:?}");
    assert!(!table.concat().contains('\u{1b}'), "{table:?}");
}

/// A command on a terminal.
struct OnTerminal {
    process: Running,
    output: ChildStdout,
    seen: String,
}

impl OnTerminal {
    /// The program `script` makes the terminal. Every Debian system has it, because it is in
    /// bsdutils.
    fn start(arguments: &str, log: &Path) -> Self {
        let program = env!("CARGO_BIN_EXE_exectrail-log");
        let command = format!("{program} {arguments} {}", log.display());
        let script = Command::new("script")
            .args(["-q", "-e", "-c", &command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut process = Running(script.unwrap());
        let output = process.0.stdout.take().unwrap();
        Self {
            process,
            output,
            seen: String::new(),
        }
    }

    /// Waits for a text. Returns all output so far.
    fn read_until(&mut self, text: &str) -> String {
        let mut chunk = [0; 4096];
        while !self.seen.contains(text) {
            let read = self.output.read(&mut chunk).unwrap();
            assert!(read > 0, "{text} is not in {:?}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
        self.seen.clone()
    }

    /// Presses q. Returns all output and the exit status.
    fn leave(mut self) -> (String, ExitStatus) {
        let mut keyboard = self.process.0.stdin.take().unwrap();
        keyboard.write_all(b"q").unwrap();
        let mut rest = Vec::new();
        self.output.read_to_end(&mut rest).unwrap();
        self.seen.push_str(&String::from_utf8_lossy(&rest));
        let status = self.process.0.wait().unwrap();
        (self.seen.clone(), status)
    }
}

#[test]
fn top_on_a_terminal_draws_changes_and_q_restores_the_terminal() {
    let directory = TempDir::new().unwrap();
    let log = file(directory.path(), "log", exec(1, 10, 1, "make").as_bytes());
    let mut top = OnTerminal::start("top --follow", &log);
    top.read_until("/bin/make");
    append(&log, "not JSON\n");
    append(&log, &exec(2, 11, 10, "cc"));
    let before = top.read_until("/bin/cc");
    assert!(!before.contains("could not be read"), "{before:?}");
    assert!(before.contains("\u{1b}[?1049h"), "{before:?}");
    let (output, status) = top.leave();
    assert!(status.success(), "{status}");
    let (screen, rest) = output.split_once("\u{1b}[?1049l").unwrap();
    assert!(screen.contains("q leaves"), "{output:?}");
    assert!(!screen.contains("could not be read"), "{output:?}");
    assert!(rest.contains("could not be read: 1"), "{output:?}");
}

#[test]
fn q_leaves_top_while_a_pipe_is_silent() {
    let directory = TempDir::new().unwrap();
    let pipe = make_pipe(directory.path());
    let mut top = OnTerminal::start("top --follow", &pipe);
    let _writer = OpenOptions::new().write(true).open(&pipe).unwrap();
    top.read_until("q leaves");
    let (output, status) = top.leave();
    assert!(status.success(), "{status} {output:?}");
}

#[test]
fn lines_on_a_terminal_have_no_progress_among_them() {
    let directory = TempDir::new().unwrap();
    let log = file(directory.path(), "log", exec(1, 10, 1, "make").as_bytes());
    let mut show = OnTerminal::start("show --follow --columns text", &log);
    show.read_until("make\r\n");
    // Progress is shown after a second.
    thread::sleep(Duration::from_millis(1_200));
    append(&log, &exec(2, 11, 10, "cc"));
    append(&log, &exec(3, 12, 10, "ld"));
    assert_eq!(show.read_until("ld\r\n"), "make\r\ncc\r\nld\r\n");
}

#[test]
fn a_file_whose_content_is_replaced_is_read_from_its_beginning() {
    let directory = TempDir::new().unwrap();
    let log = file(directory.path(), "log", exec(1, 10, 1, "make").as_bytes());
    let mut show = start(&["show", "--follow", "--columns", "text"], &log);
    let mut lines = BufReader::new(show.0.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "make");
    // As after `copytruncate` of logrotate, the file has new content. The new content is longer
    // than the old.
    let more = [exec(2, 11, 1, "one"), exec(3, 12, 1, "two")].concat();
    fs::write(&log, more).unwrap();
    assert_eq!((next(), next()), ("one".to_owned(), "two".to_owned()));
}

fn make_pipe(directory: &Path) -> PathBuf {
    let pipe = directory.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    pipe
}

#[test]
fn top_writes_an_unchanged_table_once() {
    let directory = TempDir::new().unwrap();
    let pipe = make_pipe(directory.path());
    let mut top = start(&["top", "--follow"], &pipe);
    let mut lines = BufReader::new(top.0.stdout.take().unwrap()).lines();
    let mut writer = OpenOptions::new().write(true).open(&pipe).unwrap();
    writer.write_all(exec(1, 10, 1, "make").as_bytes()).unwrap();
    // The pipe stays open, so this table is not the one at the end.
    let is_make = |line: &String| line.ends_with("/bin/make");
    assert!(
        lines
            .by_ref()
            .map(Result::unwrap)
            .any(|line| is_make(&line))
    );
    drop(writer);
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn a_pipe_is_read_to_its_end() {
    let directory = TempDir::new().unwrap();
    let pipe = make_pipe(directory.path());
    let mut show = start(&["show", "--follow", "--columns", "text"], &pipe);
    let mut lines = BufReader::new(show.0.stdout.take().unwrap()).lines();
    let mut writer = OpenOptions::new().write(true).open(&pipe).unwrap();
    for (second, program) in [(1, "make"), (2, "cc")] {
        writer
            .write_all(exec(second, 10, 1, program).as_bytes())
            .unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), program);
    }
    drop(writer);
    assert!(lines.next().is_none());
    let status = wait_for("show", || show.0.try_wait().unwrap()).unwrap();
    assert!(status.success(), "{status}");
}

#[test]
fn convert_writes_each_event_of_a_pipe_as_it_comes() {
    let directory = TempDir::new().unwrap();
    let pipe = make_pipe(directory.path());
    let mut convert = start(&["convert", "--to", "ecs"], &pipe);
    let mut lines = BufReader::new(convert.0.stdout.take().unwrap()).lines();
    let mut writer = OpenOptions::new().write(true).open(&pipe).unwrap();
    for (second, program) in [(1, "make"), (2, "cc")] {
        writer
            .write_all(exec(second, 10, 1, program).as_bytes())
            .unwrap();
        let event = lines.next().unwrap().unwrap();
        assert!(event.contains(program), "{event}");
    }
}

#[test]
fn closed_output_ends_a_command_also_if_nothing_more_is_written() {
    let directory = TempDir::new().unwrap();
    let log = file(directory.path(), "log", exec(1, 10, 1, "make").as_bytes());
    let pipe = make_pipe(directory.path());
    for (command, log) in [("show", &log), ("tree", &log), ("show", &pipe)] {
        let mut show = start(&[command, "--follow"], log);
        let mut output = BufReader::new(show.0.stdout.take().unwrap());
        // The pipe stays open.
        let mut writer = OpenOptions::new().append(true).open(log).unwrap();
        if *log == pipe {
            writer.write_all(exec(1, 10, 1, "make").as_bytes()).unwrap();
        }
        output.read_line(&mut String::new()).unwrap();
        drop(output);
        let status = wait_for(command, || show.0.try_wait().unwrap()).unwrap();
        assert!(status.success(), "{status}");
    }
}

/// The status is the same as without `--follow`.
#[test]
fn a_file_without_a_line_of_exectrail_is_status_1() {
    let directory = TempDir::new().unwrap();
    let log = file(directory.path(), "log", b"no line of exectrail\n");
    let show = Command::new(env!("CARGO_BIN_EXE_exectrail-log"))
        .args(["show", "--follow"])
        .arg(&log)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut show = Running(show.unwrap());
    // The line is named at once, so it was read before standard output is closed.
    let mut errors = BufReader::new(show.0.stderr.take().unwrap());
    let mut named = String::new();
    errors.read_line(&mut named).unwrap();
    assert!(named.contains("not JSON"), "{named}");
    drop(show.0.stdout.take());
    let status = wait_for("show", || show.0.try_wait().unwrap()).unwrap();
    assert_eq!(status.code(), Some(1));
}

/// The directory of a container has rotated files, one of them compressed. Then the container
/// restarts.
#[test]
fn a_directory_is_followed_in_order_and_across_restarts() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, content: &[u8]| drop(file(directory.path(), name, content));
    write("0.log.20261124-040401.gz", &gzip(&exec(1, 10, 1, "one")));
    let many: String = (0..3_000).map(|pid| exec(2, 100 + pid, 1, "two")).collect();
    write("0.log.20261124-040402", many.as_bytes());
    write("0.log", exec(3, 11, 1, "three").as_bytes());
    let mut show = start(&["show", "--follow", "--columns", "text"], directory.path());
    let mut lines = BufReader::new(show.0.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "one");
    for _ in 0..3_000 {
        assert_eq!(next(), "two");
    }
    assert_eq!(next(), "three");
    for (name, program) in [("1.log", "four"), ("2.log", "five")] {
        write(name, exec(4, 12, 1, program).as_bytes());
    }
    assert_eq!((next(), next()), ("four".to_owned(), "five".to_owned()));
    // A file that was renamed by rotation is not read again, even if the next file comes late.
    let present = directory.path().join("2.log");
    fs::rename(&present, directory.path().join("2.log.20261124-040405")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    write("2.log", exec(5, 13, 1, "six").as_bytes());
    assert_eq!(next(), "six");
}

/// The rotated file ends with a part of a line, and the next file has the rest.
#[test]
fn a_line_goes_on_in_the_next_file_of_a_directory() {
    let directory = TempDir::new().unwrap();
    let line = exec(1, 10, 1, "make");
    let (one, two) = line.trim_end().split_at(40);
    let part = |tag, text| format!("2026-11-24T04:04:01.000000000Z stdout {tag} {text}\n");
    for (name, content) in [
        ("0.log.20261124-040401", part("P", one)),
        ("0.log", part("F", two)),
    ] {
        file(directory.path(), name, content.as_bytes());
    }
    let mut show = start(&["show", "--follow", "--columns", "text"], directory.path());
    let mut lines = BufReader::new(show.0.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "make");
}

/// The rest of an argv never comes if exectrail was killed.
#[test]
fn an_exec_whose_argv_goes_on_nowhere_is_shown() {
    let directory = TempDir::new().unwrap();
    let line = exec(1, 10, 1, "make").replace(
        r#""pid":10"#,
        r#""argv":["make"],"argv_continues":true,"pid":10"#,
    );
    let log = file(directory.path(), "log", line.as_bytes());
    let mut show = start(&["show", "--follow", "--columns", "text"], &log);
    let mut lines = BufReader::new(show.0.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "make");
}
