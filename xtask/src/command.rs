//! Starts other programs: in the repository's root by default, and without xtask's stdin. Errors
//! show the command in a form that can be pasted into a shell.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{progress, workspace};

/// A command for a program, found on xtask's [`search_path`].
pub(crate) fn new(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(workspace::root())
        .stdin(Stdio::null())
        .env("PATH", search_path());
    // `cargo run` describes xtask in these variables, which are wrong for the other packages that
    // xtask builds.
    for (name, _) in env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    command
}

/// The cargo that started xtask.
pub(crate) fn cargo() -> Command {
    let mut cargo = new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    if workspace::in_ci() {
        // CI builds nothing twice, so incremental data would never be read.
        cargo.env("CARGO_INCREMENTAL", "0");
    }
    cargo
}

/// A cargo sub-command that resolves dependencies: in CI it uses exactly the versions in
/// `Cargo.lock`.
pub(crate) fn cargo_build_like(sub_command: &str) -> Command {
    let mut cargo = cargo();
    cargo.arg(sub_command);
    if workspace::in_ci() {
        cargo.arg("--locked");
    }
    cargo
}

/// Builds programs of the workspace. Their dependencies have the features of
/// `cargo test --workspace`, so that no dependency is built a second time with other features.
///
/// `--examples` builds nothing, because there are no examples. But without examples, tests or
/// benches, cargo does not use the features of development dependencies
/// (`CompileFilter::need_dev_deps`).
pub(crate) fn cargo_build_programs(names: &[&str]) -> Command {
    let mut build = cargo_build_like("build");
    build.args(["--workspace", "--exclude", "exectrail-probes", "--examples"]);
    for name in names {
        build.args(["--bin", name]);
    }
    build
}

/// Runs a command to its end; its output passes through.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    progress::note(format_args!("$ {}", shown(command)));
    let status = command.status().with_context(|| cannot_start(command))?;
    check(command, status, "")
}

/// Runs a command silently and returns its stdout; an error has its stderr.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| cannot_start(command))?;
    check(
        command,
        output.status,
        &String::from_utf8_lossy(&output.stderr),
    )?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Like [`output`], but if the command takes longer than `limit`, kills its process group, and
/// fails.
///
/// For programs that wait long for an unreachable network.
pub(crate) fn output_within(limit: Duration, command: &mut Command) -> Result<String> {
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn().with_context(|| cannot_start(command))?;
    // Threads read both pipes, because a full pipe would stop the program.
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let status = wait_until(&mut child, Instant::now() + limit)?;
    let Some(status) = status else {
        bail!(
            "`{}` took longer than {} s and was killed",
            shown(command),
            limit.as_secs()
        );
    };
    check(command, status, &stderr.join().unwrap_or_default())?;
    Ok(stdout.join().unwrap_or_default())
}

/// The first file of this name on xtask's [`search_path`].
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = search_path();
    env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// The command as typed into a shell.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    // A reader does not need the full path to cargo.
    let program = program.file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words
        .map(|word| quoted(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// PATH, followed by the directories into which cargo and xtask install tools: users may have
/// neither on PATH.
fn search_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let ours = workspace::cargo_home()
        .into_iter()
        .chain(workspace::tools_dir());
    let dirs = env::split_paths(&path).chain(ours.map(|root| root.join("bin")));
    env::join_paths(dirs).unwrap_or(path)
}

fn check(command: &Command, status: ExitStatus, stderr: &str) -> Result<()> {
    match (status.success(), stderr.trim_end()) {
        (true, _) => Ok(()),
        (false, "") => bail!("`{}` failed: {status}", shown(command)),
        (false, stderr) => bail!("`{}` failed: {status}\n{stderr}", shown(command)),
    }
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", shown(command))
}

fn wait_until(child: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            // The command leads its own process group.
            kill_process_group(Pid::from_child(child), Signal::KILL)?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn read_all(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // Text that was read before an error is still useful.
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_command_and_its_standard_error() {
        let error = output(new("sh").args(["-c", "echo no such thing >&2; exit 3"])).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("sh -c 'echo no such thing >&2; exit 3'"),
            "{text}"
        );
        assert!(text.ends_with("exit status: 3\nno such thing"), "{text}");
    }

    #[test]
    fn a_command_that_takes_too_long_is_killed() {
        let since = Instant::now();
        let error = output_within(Duration::from_millis(100), new("sleep").arg("60")).unwrap_err();
        assert!(error.to_string().contains("was killed"), "{error}");
        assert!(since.elapsed() < Duration::from_secs(10));
    }
}
