//! A feature that is off costs nothing.

use std::path::Path;

use crate::{
    pod::{Pod, Sidecar},
    tools::needs_kernel,
};

/// Size of the `exec` program: the number of instructions that the verifier processed, and the
/// bytes that remain after verification.
fn program_of(sidecar: &Sidecar) -> (u32, u32) {
    let dir = Path::new("/proc")
        .join(sidecar.pid().to_string())
        .join("fdinfo");
    let ids: Vec<u32> = std::fs::read_dir(dir)
        .unwrap()
        .filter_map(|entry| {
            let text = std::fs::read_to_string(entry.unwrap().path()).ok()?;
            let id = text
                .lines()
                .find_map(|line| line.strip_prefix("prog_id:"))?;
            id.trim().parse().ok()
        })
        .collect();
    aya::programs::loaded_programs()
        .flatten()
        .filter(|program| ids.contains(&program.id()) && program.name() == b"exec")
        .map(|program| {
            let verified = program.verified_instruction_count().unwrap_or(0);
            (verified, program.size_translated().unwrap())
        })
        .next()
        .unwrap()
}

/// The code of a feature that is off is not in the loaded program, because the verifier removes it.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn limits_that_are_off_cost_nothing() {
    needs_kernel!();
    // Use a separate pod each time: a killed exectrail may hold the init address a little longer.
    let program = |flags: &[&str]| program_of(&Pod::new().sidecar(flags));
    let off = program(&[]);
    let sizes = [
        program(&["--exclude=uid=1"]),
        program(&["--exclude=uid=1", "--exclude=comm=a"]),
        program(&[
            "--exclude=uid=1",
            "--exclude=comm=a",
            "--exclude=filename=/a",
        ]),
    ];
    let bucket = program(&["--rate-limit=1/s"]);
    println!("off {off:?}, rules {sizes:?}, bucket {bucket:?}");
    assert!(off.1 < sizes[0].1 && off.1 < bucket.1);
    assert!(sizes[0].1 < sizes[1].1 && sizes[1].1 < sizes[2].1);
    // Both numbers are the same in every pod.
    assert_eq!(program(&[]), off);
}
