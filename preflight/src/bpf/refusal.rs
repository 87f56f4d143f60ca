//! The kernel's reason for refusing a program.

use std::io;

/// Why the kernel did not load a program.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}{log}", if log.is_empty() { "" } else { ": " })]
pub(crate) struct Refused {
    /// Error of bpf(2).
    pub(crate) error: io::Error,
    /// The verifier's reason ([`verifier_reason`]); empty if the verifier did not run.
    pub(crate) log: String,
}

impl Refused {
    /// Whether the verifier refused because this type of program lacks a helper; its message gives
    /// the helper's name.
    pub(crate) fn lacks_helper(&self) -> bool {
        ["unknown func ", "invalid func ", "cannot use helper "]
            .iter()
            .any(|words| self.log.contains(words))
    }
}

/// The reason in a verifier log, which ends at the first NUL.
pub(super) fn reason_in(log: &[u8]) -> String {
    let text = log.split(|&byte| byte == 0).next().unwrap_or_default();
    verifier_reason(&String::from_utf8_lossy(text)).to_owned()
}

/// The line of a verifier log that says why a program was refused; empty if there is none.
///
/// It is the last line before the statistics, if there are any (`print_verification_stats`,
/// kernel/bpf/verifier.c). The lines of the statistics begin with `verification time`,
/// `stack depth` or `processed`. From Linux 7.1 on, each function of the program also has a line.
/// This line begins with `(subprog` or `subprog`.
pub fn verifier_reason(log: &str) -> &str {
    const STATISTICS: [&str; 5] = [
        "processed ",
        "verification time ",
        "stack depth ",
        "(subprog ",
        "subprog ",
    ];
    log.lines()
        .map(str::trim)
        .rfind(|line| {
            let is_statistics = STATISTICS.iter().any(|start| line.starts_with(start));
            !line.is_empty() && !line.starts_with(';') && !is_statistics
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_no_reason() {
        let log = "R7 unbounded memory access, make sure to bounds check any such access\n\
            verification time 1042 usec\n\
            stack depth 88+0\n\
            (subprog 0 (failed_any) static insns_self 96 insns_total 96)\n\
            (subprog 1 (memset) static insns_self 0 insns_total 0)\n\
            processed 96 insns (limit 1000000) max_states_per_insn 0 total_states 8\n";
        assert_eq!(
            verifier_reason(log),
            "R7 unbounded memory access, make sure to bounds check any such access"
        );
        assert_eq!(verifier_reason("processed 3 insns\n"), "");
        assert_eq!(verifier_reason(""), "");
    }

    #[test]
    fn the_verifiers_reason_precedes_the_statistics() {
        let log = b"0: (85) call bpf_probe_read_kernel#113\n\
            program of this type cannot use helper bpf_probe_read_kernel#113\n\
            processed 4 insns (limit 1000000) max_states_per_insn 0\n\0\0rest";
        let refused = Refused {
            error: io::Error::from_raw_os_error(22),
            log: reason_in(log),
        };
        assert!(refused.lacks_helper());
        assert_eq!(
            refused.to_string(),
            "Invalid argument (os error 22): \
             program of this type cannot use helper bpf_probe_read_kernel#113"
        );
        assert_eq!(reason_in(&[0xff; 64]).chars().count(), 64);
        assert_eq!(reason_in(b""), "");
    }
}
