//! Tests of the user that the command of `exectrail run` runs as.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::tools::{EXECTRAIL, needs_kernel};

/// A machine with the users alice (in two more groups), bob and root.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let passwd = "root:x:0:0::/root:/bin/sh\n\
            alice:x:4001:4001::/home/alice:/bin/zsh\nbob:x:4002:4002::/home/bob:/bin/sh\n";
        fs::write(dir.path().join("passwd"), passwd).unwrap();
        let group = "root:x:0:\nalice:x:4001:\nwheel:x:4010:bob,alice\nstaff:x:4011:alice\n";
        fs::write(dir.path().join("group"), group).unwrap();
        Self(dir)
    }

    /// Runs `exectrail run` with these arguments, and with variables as sudo sets them for this
    /// user.
    fn run(&self, sudo: Option<(&str, u32)>, arguments: &[&str]) -> Output {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c"])
            .arg(
                "mount --bind \"$0/passwd\" /etc/passwd && \
                 mount --bind \"$0/group\" /etc/group && exec \"$@\"",
            )
            .arg(self.0.path())
            .args([EXECTRAIL, "run", "--log"])
            .arg(self.0.path().join("log"))
            .args(arguments)
            .env("HOME", "/root")
            .env("USER", "root")
            .env("KEPT", "as it was");
        for variable in ["SUDO_USER", "SUDO_UID", "SUDO_GID", "SUDO_COMMAND"] {
            command.env_remove(variable);
        }
        if let Some((name, uid)) = sudo {
            command
                .env("SUDO_USER", name)
                .env("SUDO_UID", uid.to_string())
                .env("SUDO_GID", uid.to_string());
        }
        command.output().unwrap()
    }
}

const WHO: [&str; 4] = [
    "--",
    "sh",
    "-c",
    "echo $(id -u):$(id -g):$(id -G | tr ' ' '\\n' | sort -n | tr '\\n' ' ')\n\
     echo $HOME $USER $LOGNAME $SHELL $KEPT ${SUDO_UID-unset}\n\
     grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status | tr -d '[:space:]'",
];
const ALICE: &str = "4001:4001:4001 4010 4011\n\
    /home/alice alice alice /bin/zsh as it was unset\n\
    CapPrm:0000000000000000CapEff:0000000000000000CapAmb:0000000000000000";

fn who(machine: &Machine, sudo: Option<(&str, u32)>, user: &[&str]) -> String {
    let output = machine.run(sudo, &[user, &WHO].concat());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_command_runs_wholly_as_that_user() {
    needs_kernel!();
    let machine = Machine::new();
    assert_eq!(who(&machine, None, &["--user=alice"]), ALICE);
    assert_eq!(who(&machine, None, &["--user", "4001"]), ALICE);
    let bob = who(&machine, None, &["--user=bob"]);
    assert!(
        bob.starts_with("4002:4002:4002 4010\n/home/bob bob bob"),
        "{bob}"
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn under_sudo_the_command_runs_as_the_caller() {
    needs_kernel!();
    let machine = Machine::new();
    let alice = Some(("alice", 4001));
    assert_eq!(who(&machine, alice, &[]), ALICE);
    let bob = who(&machine, alice, &["--user=bob"]);
    assert!(bob.starts_with("4002:4002:"), "{bob}");
    for root in ["root", "0"] {
        let root = who(&machine, alice, &["--user", root]);
        assert!(root.starts_with("0:0:"), "{root}");
        assert!(root.contains("/root root"), "{root}");
    }
    // sudo by root itself, and no sudo.
    for sudo in [Some(("root", 0)), None] {
        let root = who(&machine, sudo, &[]);
        assert!(root.starts_with("0:0:"), "{root}");
    }
}

/// exectrail starts programs to look up the user; these execs are not recorded.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn only_the_commands_execs_are_recorded() {
    needs_kernel!();
    let machine = Machine::new();
    let output = machine.run(Some(("alice", 4001)), &["--", "/bin/true"]);
    assert!(output.status.success(), "{output:?}");
    let log = fs::read_to_string(machine.0.path().join("log")).unwrap();
    assert!(log.contains("tracing stopped: 1 exec, 0 lost"), "{log}");
    assert_eq!(log.matches(" exec pid=").count(), 1, "{log}");
}

/// The user is in neither /etc/passwd nor /etc/group, as with a directory service: only the name
/// and the ids from sudo are known.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_caller_without_an_entry_has_the_name_and_ids_from_sudo() {
    needs_kernel!();
    let machine = Machine::new();
    let carol = who(&machine, Some(("carol", 4009)), &[]);
    assert!(
        carol.starts_with("4009:4009:4009\ncarol carol as it was unset\n"),
        "{carol}"
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_user_that_is_not_there_is_an_error_before_anything_runs() {
    needs_kernel!();
    for user in ["dave", "4003", ""] {
        let machine = Machine::new();
        let output = machine.run(None, &["--user", user, "--", "echo", "ran"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(output.stdout, b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            said,
            format!("exectrail run: there is no user {user:?} (--user)\n")
        );
    }
}

/// A user id that cannot be parsed, or whose group is not known, is an error: the command does not
/// run as root.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_caller_without_user_or_group_id_is_an_error() {
    needs_kernel!();
    // An empty variable counts as unset. The last user has no entry, so its group is not known.
    for (uid, gid) in [
        ("1000x", "1000"),
        ("-1", "1000"),
        ("alice", "1000"),
        ("4009", ""),
    ] {
        let output = Command::new(EXECTRAIL)
            .args(["run", "--", "echo", "ran"])
            .env("SUDO_UID", uid)
            .env("SUDO_GID", gid)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(output.stdout, b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("SUDO_UID"), "{said}");
    }
}

/// A static program that asks the C library for a user loads the machine's NSS modules. If the
/// modules were built for another C library, the program crashes. exectrail imports no such
/// function.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_machines_nss_modules_are_not_loaded() {
    needs_kernel!();
    let symbols = Command::new("nm").args(["-D", EXECTRAIL]).output().unwrap();
    assert!(symbols.status.success(), "{symbols:?}");
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    assert!(symbols.contains("setgroups"), "{symbols}");
    for function in ["getpw", "getgr", "getaddrinfo", "getservby"] {
        assert!(!symbols.contains(function), "{function}");
    }
}

/// A program that the user may not execute is not executed, though root could.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn permissions_are_the_users() {
    needs_kernel!();
    let machine = Machine::new();
    let script = machine.0.path().join("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let output = machine.run(None, &["--user=alice", "--", script.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(126), "{output:?}");
}

/// The error is one useful line, without any mention of Kubernetes.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn without_root_it_suggests_sudo() {
    needs_kernel!();
    let machine = Machine::new();
    let program = machine.0.path().join("exectrail");
    fs::copy(EXECTRAIL, &program).unwrap();
    let refused = |mut command: Command| {
        let output = command
            .args(["run", "--", "make", "a b", "\u{1b}[2J"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        for word in ["ubernetes", "container:", "securityContext", "\u{1b}"] {
            assert!(!said.contains(word), "{said}");
        }
        said
    };
    let mut command = Command::new(&program);
    command.uid(4001).gid(4001);
    let said = refused(command);
    let expected = format!("sudo {} run -- make 'a b' $'\\033[2J'", program.display());
    assert!(said.contains(&expected), "{said}");
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-sys_admin", EXECTRAIL]);
    assert!(refused(command).contains("CAP_SYS_ADMIN"));
}
