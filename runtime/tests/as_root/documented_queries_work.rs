//! Runs the code blocks of docs/reading-with-jq.md on freshly recorded lines. Compares the keys
//! that documents name with the keys of these lines. Reads the lines with DuckDB and ClickHouse.

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use exectrail_testbed::cache;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    pod::{Pod, argv, execs, messages},
    tools::{EXECTRAIL, NOOP, TOOL, needs_kernel, skip},
};

/// Documents with queries. The queries of docs/reading-the-log.md are tested in
/// `reader/tests/engines`.
const DOCUMENTS: [&str; 2] = ["docs/reading-with-jq.md", "docs/reading-elsewhere.md"];

/// A developer's session; `$0` is its directory.
const SESSION: &str = r#"
uname -r >/dev/null
uname -m >/dev/null
curl --silent --max-time 5 --header 'X-Note: two words' http://127.0.0.1:9/
cp /usr/bin/id "$0/id"
chmod 4755 "$0/id"
setpriv --reuid=1000 --clear-groups "$0/id" -u >/dev/null
unshare --pid --fork -- id -g >/dev/null
sh -c 'kill -KILL $$'
/bin/echo "$(head -c 100000 /dev/zero | tr '\0' x)" >/dev/null
"#;

/// A recorded log, and facts about it.
struct Log {
    directory: TempDir,
    lines: Vec<Value>,
    /// Process id of the session's shell, if the log has a session.
    pid: Option<Value>,
}

impl Log {
    /// Records the log of a sidecar while `work` runs.
    fn of(flags: &[&str], work: impl FnOnce(&Path, &Pod, &crate::pod::Sidecar)) -> Self {
        let directory = TempDir::new().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let pod = Pod::new();
        let labels = ["--label=username=jessie", "--label=workspace_name=apache"];
        let mut sidecar = pod.sidecar(&[&labels, flags].concat());
        work(directory.path(), &pod, &sidecar);
        sidecar.signal(Signal::TERM);
        assert!(sidecar.wait().success());
        fs::copy(sidecar.log(), directory.path().join("exectrail.log")).unwrap();
        let lines = sidecar.lines();
        let pid = execs(&lines)
            .iter()
            .find(|event| argv(event).starts_with(&["sh", "-c", SESSION]))
            .map(|event| event["pid"].clone());
        Self {
            directory,
            lines,
            pid,
        }
    }

    fn of_the_session() -> Self {
        let flags = [
            "--announced-only",
            "--exit-events",
            "--max-argv-bytes=64KiB",
        ];
        Self::of(&flags, |directory, pod, _| {
            let workspace = pod.workspace();
            assert_eq!(workspace.announce().0, 204);
            let mut session = workspace.command("sh");
            session.args(["-c", SESSION]).arg(directory);
            assert!(session.status().unwrap().success());
        })
    }

    fn of_losses() -> Self {
        Self::of(
            &["--announced-only", "--ring-bytes=4096"],
            |_, pod, sidecar| {
                let workspace = pod.workspace();
                assert_eq!(workspace.announce().0, 204);
                sidecar.signal(Signal::STOP);
                workspace.run(&*TOOL, &["burst", NOOP.to_str().unwrap(), "500"]);
                sidecar.signal(Signal::CONT);
            },
        )
    }

    /// The event of the first exec with these first arguments.
    fn event(&self, start: &[&str]) -> &Value {
        execs(&self.lines)
            .into_iter()
            .find(|event| argv(event).starts_with(start))
            .unwrap_or_else(|| panic!("no exec of {start:?}"))
    }

    /// The output of a shell that runs `block` in the log's directory.
    fn ask(&self, block: &str) -> String {
        let programs = Path::new(EXECTRAIL).parent().unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("dash");
        shell
            .args(["-e", "-c", block])
            .current_dir(self.directory.path())
            .env("PATH", path);
        if let Some(pid) = &self.pid {
            shell.env("PID", pid.to_string());
        }
        let output = shell.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{block}\n{stderr}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A code block: its language, and its lines.
struct Block {
    language: String,
    text: String,
}

fn blocks() -> Vec<Block> {
    DOCUMENTS.into_iter().flat_map(blocks_of).collect()
}

/// The root of the repository.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn blocks_of(document: &str) -> Vec<Block> {
    let document = fs::read_to_string(repository().join(document)).unwrap();
    let mut blocks = Vec::new();
    let mut rest = &*document;
    while let Some((_, fenced)) = rest.split_once("\n```") {
        let (language, after) = fenced.split_once('\n').unwrap();
        let (text, after) = after.split_once("\n```\n").unwrap();
        blocks.push(Block {
            language: language.to_owned(),
            text: text.to_owned(),
        });
        // The search for the next fence would miss a fence directly after this one.
        rest = after;
        if let Some(next) = after.strip_prefix("```") {
            panic!("two blocks without a line between them: {next:.40}");
        }
    }
    blocks
}

/// A block for the shell, identified by its first line.
fn titled(blocks: &[Block], title: &str) -> String {
    let head = format!("# {title}");
    let found = blocks
        .iter()
        .find(|block| block.language == "sh" && block.text.starts_with(&head));
    found
        .unwrap_or_else(|| panic!("{DOCUMENTS:?} have no block that begins with `{head}`"))
        .text
        .clone()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn every_shell_block_answers_its_question() {
    needs_kernel!();
    let log = Log::of_the_session();
    let blocks = blocks();
    let mut asked = BTreeSet::new();
    let mut ask = |title: &str| {
        let block = titled(&blocks, title);
        asked.insert(block.clone());
        log.ask(&block)
    };
    let command_lines: Vec<&str> = messages(&log.lines, "exec")
        .iter()
        .map(|line| line["fields"]["cmdline"].as_str().unwrap())
        .collect();

    let everything = ask("Who executed what, and when");
    let expected: Vec<String> = messages(&log.lines, "exec")
        .iter()
        .map(|line| {
            let command_line = line["fields"]["cmdline"].as_str().unwrap();
            let escaped = command_line.replace('\\', "\\\\").replace('\n', "\\n");
            format!("{}\tjessie\t{escaped}", line["ts"].as_str().unwrap())
        })
        .collect();
    assert_eq!(everything.lines().collect::<Vec<_>>(), expected);

    let one_program = ask("One program, with all its arguments");
    let curl: Value = serde_json::from_str(&one_program).unwrap();
    assert_eq!(curl, log.event(&["curl", "--silent", "--max-time"])["argv"]);
    assert_eq!(curl[5], "X-Note: two words");

    let most = ask("The programs executed most");
    let uname = most.lines().find(|line| line.ends_with("/uname")).unwrap();
    assert_eq!(uname.trim().split(' ').next(), Some("2"));

    let changed = ask("Set-user-ID programs");
    let changed: Value = serde_json::from_str(&changed).unwrap();
    let id = log.directory.path().join("id");
    assert_eq!(changed, json!({"filename": id, "uid": 1000, "euid": 0}));

    let below = ask("What process $PID started");
    let below: Vec<&str> = below.lines().collect();
    assert_eq!(below[..2], ["uname -r", "uname -m"]);
    let unshare = below.iter().position(|line| line.starts_with("unshare "));
    assert_eq!(below[unshare.unwrap() + 1], "  id -g");

    assert_eq!(
        ask("Execs in containers that the developer started"),
        "id -g\n"
    );

    let cut: Value = serde_json::from_str(&ask("Arguments that were cut")).unwrap();
    let true_length = "/bin/echo".len() + 1 + 100_000 + 1;
    assert_eq!(
        cut,
        json!({"filename": "/bin/echo", "argv_bytes": true_length})
    );

    let failed = ask("What did not end well");
    let failed: Vec<Vec<&str>> = failed
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let ended = |how: &str, start: &str| {
        let line = failed.iter().find(|line| line[2].starts_with(start));
        let line = line.unwrap_or_else(|| panic!("no {start} in {failed:?}"));
        assert_eq!(line[0], how);
        assert!(line[1].parse::<f64>().unwrap() < 60.0, "{line:?}");
        assert!(command_lines.contains(&line[2]), "{line:?}");
    };
    // 7: curl could not connect.
    ended("7", "curl ");
    ended("signal 9", "sh -c ");
    // The workspace's first process is `sleep`, which is killed at the end; its exit may still be
    // recorded.
    let of_session = failed.iter().filter(|line| line[2] != "sleep");
    assert_eq!(of_session.count(), 2, "{failed:?}");

    assert_eq!(ask("Execs that happened and have no line"), "");
    ask("Is a line missing, doubled, moved or changed?");

    for block in blocks.iter().filter(|block| block.language == "sh") {
        assert!(asked.contains(&block.text), "not tested: {}", block.text);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn losses_are_found_by_their_query() {
    needs_kernel!();
    let log = Log::of_losses();
    let expected: Vec<String> = messages(&log.lines, "lost")
        .iter()
        .map(|line| {
            let fields = &line["fields"];
            let (since, until) = (fields["since"].as_str(), fields["until"].as_str());
            let (since, until) = (since.unwrap(), until.unwrap());
            format!("{} between {since} and {until}", fields["count"])
        })
        .collect();
    assert!(!expected.is_empty(), "nothing was lost");
    let said = log.ask(&titled(&blocks(), "Execs that happened and have no line"));
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);
}

/// The keys of `fields` that the queries name, in any language, and the keys that an index template
/// maps, are keys of lines. With another key a query would find nothing.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn queries_name_keys_that_lines_have() {
    needs_kernel!();
    let mut lines = Log::of_the_session().lines;
    lines.extend(Log::of_losses().lines);
    let known = |path: &str| {
        lines.iter().any(|line| {
            let mut at = line;
            // Elements of an array are named by their index.
            for key in path.split('.').filter(|key| key.parse::<u64>().is_err()) {
                at = &at[key];
            }
            !at.is_null()
        })
    };
    let mut seen = 0;
    for Block { language, text } in blocks() {
        for (at, _) in text.match_indices("fields.") {
            if text[..at].ends_with(|before: char| before.is_alphanumeric()) {
                continue;
            }
            let path: &str = text[at..]
                .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
                .next()
                .unwrap();
            assert!(known(path.trim_end_matches('.')), "{path} in:\n{text}");
            seen += 1;
        }
        if language == "json"
            && let Ok(template) = serde_json::from_str::<Value>(&text)
            && let Some(properties) = template["mappings"]["properties"].as_object()
        {
            for path in mapped("", properties) {
                assert!(known(&path), "{path} is mapped, but is in no line");
                seen += 1;
            }
        }
    }
    assert!(seen > 40, "only {seen} keys were found in {DOCUMENTS:?}");
}

/// Paths of the keys to which an index template gives a type.
fn mapped(above: &str, properties: &serde_json::Map<String, Value>) -> Vec<String> {
    let mut paths = Vec::new();
    for (key, value) in properties {
        let path = format!("{above}{key}");
        match value["properties"].as_object() {
            Some(below) => paths.extend(mapped(&format!("{path}."), below)),
            None => paths.push(path),
        }
    }
    paths
}

/// The types of the columns fit the kernel's values: the engines return the values of the tested
/// columns unchanged.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn engines_read_what_was_recorded() {
    needs_kernel!();
    let python = cache::python_environment().unwrap().join("bin/python");
    if !python.exists() {
        return skip(
            "engines_read_what_was_recorded",
            "no DuckDB: cargo xtask setup --tests",
        );
    }
    let log = Log::of_the_session();
    let templates = repository().join("templates/log-reading");
    let client = repository().join("reader/tests/engines/clickhouse_client.py");
    let columns = "line, pid, start, ppid_start, uid, euid, ns_uid, pid_ns, seq, program, argv[1]";
    let expected: Vec<String> = messages(&log.lines, "exec")
        .iter()
        .map(|line| {
            let event = &line["fields"]["event"];
            let keys = [
                "pid",
                "start",
                "ppid_start",
                "uid",
                "euid",
                "ns_uid",
                "pid_ns",
                "seq",
            ];
            let mut row = vec![line["fields"]["line"].to_string()];
            row.extend(keys.map(|key| event[key].to_string()));
            row.extend(
                [&event["exe"], &event["argv"][0]].map(|text| text.as_str().unwrap().to_owned()),
            );
            row.join("\t")
        })
        .collect();
    let duckdb = format!(
        "'{}' -noheader -list -separator '\t' -cmd \"SET VARIABLE log = 'exectrail.log'\" \
         -cmd '.read {}/duckdb/views.sql' -c 'SELECT {columns} FROM execs ORDER BY line'",
        python.with_file_name("duckdb").display(),
        templates.display(),
    );
    let clickhouse = format!(
        "CHDB=chdb '{}' '{}' --queries-file '{2}/schema.sql' --queries-file '{2}/views.sql' \
         --query 'INSERT INTO exectrail.lines_in FORMAT LineAsString' \
         --query 'SELECT {columns} FROM exectrail.execs ORDER BY line' < exectrail.log",
        python.display(),
        client.display(),
        templates.join("clickhouse").display(),
    );
    for engine in [duckdb, clickhouse] {
        let said = log.ask(&engine);
        assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{engine}");
    }
}
