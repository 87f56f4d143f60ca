//! A build like those in workspaces: `make -j2` of small C files, with one compiler process per
//! file.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Result, ensure};

use crate::workload::{Place, Workload, pinned_container};

/// Writes the project: `files` C files, and a makefile that compiles each with tcc through a shell.
pub(crate) fn write_project(dir: &Path, files: usize) -> Result<()> {
    fs::create_dir_all(dir)?;
    let mut makefile = "all: check\n\ncheck:".to_owned();
    for number in 0..files {
        let source = format!("int f{number}(int x) {{ return x * {number} + 1; }}\n");
        fs::write(dir.join(format!("f{number}.c")), source)?;
        write!(makefile, " f{number}.o")?;
    }
    // The quotes make `make` use a shell, as most real rules do.
    makefile.push_str("\n\n%.o: %.c\n\t@tcc -c -D'NAME=\"$*\"' -o $@ $<\n");
    fs::write(dir.join("Makefile"), makefile)?;
    Ok(())
}

/// Seconds that a clean build takes in a place.
pub(crate) fn seconds(workload: &Workload, place: Place<'_>, dir: &Path) -> Result<f64> {
    let taskset = match place {
        Place::Pod(pod) => pinned_container(pod, workload.cpu, Path::new("taskset")),
        _ => Command::new("taskset"),
    };
    // Use all CPUs: a build is not pinned.
    seconds_of(taskset, &workload.cpus, dir)
}

/// Seconds that a clean build takes on these CPUs. The command `taskset` ends with the name of the
/// program taskset; this function adds the arguments of taskset.
pub(crate) fn seconds_of(mut taskset: Command, cpus: &str, dir: &Path) -> Result<f64> {
    for file in fs::read_dir(dir)? {
        let file = file?.path();
        if file.extension().is_some_and(|extension| extension == "o") {
            fs::remove_file(file)?;
        }
    }
    taskset
        .args(["--cpu-list", cpus, "make", "-s", "-j2", "-C"])
        .arg(dir)
        .stdout(Stdio::null());
    let start = Instant::now();
    let status = taskset.status()?;
    ensure!(status.success(), "make: {status}");
    Ok(start.elapsed().as_secs_f64())
}
