//! preflight gives a report for any content of the files. It does not panic, and its work ends. No
//! text of the report acts on a terminal.

#![forbid(unsafe_code)]

mod support;

use std::time::{Duration, Instant};

use exectrail_preflight::{Format, Text, offsets};
use proptest::prelude::*;
use support::{KernelTypes, Node, kernel_btf};

const FILES: &[&str] = &[
    "proc/sys/kernel/osrelease",
    "proc/self/status",
    "proc/self/limits",
    "proc/self/uid_map",
    "proc/self/mountinfo",
    "proc/self/cgroup",
    "proc/1/comm",
    "proc/config.gz",
    "boot/config-6.1.0-37-amd64",
    "sys/kernel/security/lockdown",
    "sys/kernel/btf/vmlinux",
    "sys/fs/cgroup/memory.max",
    "proc/version",
    "proc/cmdline",
];

/// Bytes that are more often valid than random bytes are.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec![
        "CapEff:",
        "NSpid:",
        "Max locked memory",
        " - ",
        "fuse",
        "sysboxfs",
        "[",
        "]",
        ":",
        "0::/",
        "memory",
        "..",
        "/",
        "\n",
        "\t",
        " ",
        "0",
        "4294967295",
        "max",
        "18446744073709551616",
        "-1",
        "5.8",
        ".",
        "CONFIG_DEBUG_INFO_BTF",
        "Linux version ",
        "#1 SMP Sun Jan 10 15:06:54 PST 2016",
        "BOOT_IMAGE=",
        "-gvisor",
        "agent.",
        "kataShared",
        "=y",
        "\0",
        "\x1b[2J",
        "\u{202e}",
        "é",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(words, 0..40).prop_map(|words| words.concat().into_bytes()),
    ]
}

fn flip(bytes: &mut [u8], flips: &[(prop::sample::Index, u8)]) {
    for (index, value) in flips {
        if !bytes.is_empty() {
            let at = index.index(bytes.len());
            bytes[at] = *value;
        }
    }
}

fn flips(most: usize) -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_files_give_a_report(contents in prop::collection::vec(content(), FILES.len())) {
        let mut node = Node::fit();
        for (file, content) in FILES.iter().zip(&contents) {
            node = node.file(file, content);
        }
        let report = node.run();
        let text = Text { verbose: true, color: false };
        for text in [report.text(text), report.format(Format::Json)] {
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
            prop_assert!(!text.contains('\u{202e}'), "{text:?}");
        }
        let npd = report.format(Format::Npd);
        prop_assert!(npd.trim_end().chars().count() <= 80 && npd.lines().count() == 1);
    }

    #[test]
    fn any_bytes_are_btf_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = offsets::resolve(&bytes);
    }

    #[test]
    fn any_types_under_a_good_header(
        words in prop::collection::vec(any::<u32>(), 0..200),
        small in any::<bool>(),
    ) {
        let mut writer = support::Writer::new();
        // Small numbers are more often valid as kinds and ids.
        let number = |w: &u32| if small { (w & 0x1f) << 24 | w >> 29 } else { *w };
        let words: Vec<u32> = words.iter().map(number).collect();
        writer.raw(&words);
        let _ = offsets::resolve(&writer.finish());
    }

    #[test]
    fn damaged_btf_is_never_a_panic(damage in flips(8), cut in any::<prop::sample::Index>()) {
        let mut bytes = kernel_btf(KernelTypes::default());
        flip(&mut bytes, &damage);
        let _ = offsets::resolve(&bytes);
        let _ = offsets::resolve(&bytes[..cut.index(bytes.len())]);
    }
}

#[test]
fn btf_cut_anywhere_is_an_error() {
    let bytes = kernel_btf(KernelTypes::default());
    for len in 0..bytes.len() {
        assert!(
            offsets::resolve(&bytes[..len]).is_err(),
            "cut to {len} bytes"
        );
    }
}

#[test]
fn the_running_kernels_btf_damaged_is_never_a_panic() {
    let Ok(original) = std::fs::read("/sys/kernel/btf/vmlinux") else {
        eprintln!("skipped: /sys/kernel/btf/vmlinux cannot be read here");
        return;
    };
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let worst = std::cell::Cell::new(Duration::ZERO);
    runner
        .run(&prop_oneof![flips(4), flips(2000)], |damage| {
            let mut bytes = original.clone();
            flip(&mut bytes, &damage);
            let start = Instant::now();
            let _ = offsets::resolve(&bytes);
            worst.set(worst.get().max(start.elapsed()));
            Ok(())
        })
        .unwrap();
    // A limit for a debug build on a busy machine, far above the usual time.
    assert!(worst.get() < Duration::from_secs(20), "{:?}", worst.get());
}
