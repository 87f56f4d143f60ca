//! A target belongs to the pod: what is announced or found is checked with the kernel.

mod announcements;
mod discovery;
mod evasion;
mod shared_pid_namespace;

/// Process id of a process in its own PID namespace.
fn ns_pid(pid: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("NSpid:"))
        .unwrap();
    line.split_whitespace().last().unwrap().parse().unwrap()
}
