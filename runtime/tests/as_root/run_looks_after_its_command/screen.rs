//! The output of `exectrail run` on a terminal, and without one.

use std::process::{Command, Output};

use super::terminals::on_a_terminal;
use crate::tools::{EXECTRAIL, needs_kernel};

/// What a shell script prints on a terminal of 80 columns.
fn printed(script: &str) -> String {
    let read_all = "all = b''\n\
        while True:\n\
        \x20   try: more = os.read(t, 4096)\n\
        \x20   except OSError: break\n\
        \x20   if not more: break\n\
        \x20   all += more\n\
        sys.stdout.write(all.decode())";
    let script = format!("stty cols 80 -onlcr; {script}");
    let printed = on_a_terminal(read_all, &["/bin/sh", "-c", &script]);
    let (printed, status) = printed.rsplit_once("\nstatus ").unwrap();
    assert_eq!(status, "0\n", "{printed}");
    printed.to_owned()
}

/// The programs of a tree, with their indentation.
fn tree(printed: &str) -> Vec<&str> {
    // Nine columns for the time, seven for the process id, and two blanks.
    let lines = printed.lines().filter(|line| line.starts_with("   "));
    lines.map(|line| line.get(18..).unwrap_or(line)).collect()
}

/// A shell that starts `true` and then a second shell, which starts `env` with a long argument.
const COMMAND: &str = "/bin/sh -c '/bin/true; /bin/sh -c \"/usr/bin/env $(printf %0200d 0)=1 \
    /bin/true; :\"; :'";

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_terminal_shows_who_started_what() {
    needs_kernel!();
    // There is no `--`: arguments after the command's name belong to the command.
    let printed = printed(&format!("TERM=xterm NO_COLOR=1 {EXECTRAIL} run {COMMAND}"));
    assert!(!printed.contains('\x1b'), "{printed}");
    let tree = tree(&printed);
    // `printf` is a builtin of the shell, and `env` becomes `true`.
    assert_eq!(tree.len(), 5, "{printed}");
    assert!(tree[0].starts_with("/bin/sh -c '/bin/true; "), "{printed}");
    assert_eq!(tree[1], "  /bin/true");
    assert!(
        tree[2].starts_with("  /bin/sh -c '/usr/bin/env "),
        "{printed}"
    );
    assert!(tree[3].starts_with("    /usr/bin/env '0000"), "{printed}");
    assert_eq!(tree[4], "    /bin/true");
    assert!(tree[3].ends_with("00…"), "{printed}");
    assert!(
        printed.lines().all(|line| line.chars().count() <= 80),
        "{printed}"
    );
    assert!(
        printed.ends_with("\nexectrail: 5 execs recorded, 0 lost"),
        "{printed}"
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn colors_are_for_terminals_and_on_request() {
    needs_kernel!();
    let variables = "unset NO_COLOR CLICOLOR CLICOLOR_FORCE; export TERM=xterm;";
    let on_terminal =
        |flags: &str| printed(&format!("{variables} {EXECTRAIL} run {flags} -- {COMMAND}"));
    let name = "\x1b[36m/usr/bin/env\x1b[0m";
    assert!(on_terminal("").contains(name));
    assert!(!on_terminal("--color=never").contains('\x1b'));
    assert!(on_terminal("--full").contains(&format!("{}=1 /bin/true", "0".repeat(200))));
    let counts = on_terminal("--quiet --color=never");
    assert_eq!(counts, "exectrail: 5 execs recorded, 0 lost");
    let on_pipe = |flags: &[&str]| {
        let mut run = Command::new(EXECTRAIL);
        for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            run.env_remove(variable);
        }
        run.arg("run").args(flags).args(["--", "/bin/true"]);
        let Output { status, stderr, .. } = run.output().unwrap();
        (status.code(), String::from_utf8(stderr).unwrap())
    };
    let (_, plain) = on_pipe(&[]);
    assert!(
        plain
            .lines()
            .all(|line| line.starts_with("20") && line.contains("Z ")),
        "{plain}"
    );
    assert!(
        plain.contains(" exec pid=") && !plain.contains('\x1b'),
        "{plain}"
    );
    let (_, colored) = on_pipe(&["--color=always"]);
    assert!(colored.contains("\x1b[36m/bin/true\x1b[0m"), "{colored}");
    let (status, error) = on_pipe(&["--quiet", "--output=json"]);
    assert!(status == Some(2) && error.contains("--quiet"), "{error}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_sidecar_without_a_pod_says_how_to_try_it() {
    needs_kernel!();
    let play = "seen = b''\n\
        while b'run -- COMMAND' not in seen: seen += os.read(t, 4096)\n\
        os.write(t, b'\\x03')\n\
        while True:\n\
        \x20   try: more = os.read(t, 4096)\n\
        \x20   except OSError: break\n\
        \x20   if not more: break\n\
        \x20   seen += more\n\
        print('hints', seen.count(b'run -- COMMAND'))";
    let command = [EXECTRAIL, "--init-address=127.0.0.1:0"];
    let without_pod = ["/usr/bin/env", "-u", "KUBERNETES_SERVICE_HOST"];
    let printed = on_a_terminal(play, &[&without_pod[..], &command].concat());
    assert_eq!(printed, "hints 1\nstatus 0\n");
}
