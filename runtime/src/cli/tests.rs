//! Tests of the command line: defaults, and the effects of flags on the configuration.

use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};

use super::{Cli, Command};

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_sidecars_defaults() {
    let cli = Cli::parse_from(["exectrail"]);
    let config = cli.sidecar.config().unwrap();
    assert_eq!(config.init_address.to_string(), "0.0.0.0:56123");
    assert_eq!(config.startup_timeout, Duration::from_secs(900));
    assert!(!config.tracing.use_local_pidns);
}

#[test]
fn the_last_label_of_a_key_holds() {
    let cli = Cli::parse_from([
        "exectrail",
        "--label",
        "a=1",
        "--label=b=2",
        "--label",
        "a=3",
    ]);
    let labels = cli.sidecar.config().unwrap().labels.flags;
    assert_eq!(labels["a"], "3");
    assert_eq!(labels["b"], "2");
}

#[test]
fn label_files_are_few_and_have_short_paths() {
    let error = |flags: &[String]| {
        let words = [&["exectrail".to_owned()], flags].concat();
        let config = Cli::parse_from(words).sidecar.config();
        config.err().map(|error| error.to_string())
    };
    let files = |number: usize, length: usize| -> Vec<String> {
        let path = "x".repeat(length);
        vec![format!("--label-file={path}"); number]
    };
    assert_eq!(error(&files(8, 256)), None);
    for wrong in [files(9, 1), files(1, 257)] {
        assert!(error(&wrong).unwrap().contains("at most 256 bytes"));
    }
    let error = error(&["--label-file-key=a".to_owned()]).unwrap();
    assert!(error.contains("without --label-file"), "{error}");
}

#[test]
fn nothing_is_suppressed_by_default() {
    let cli = Cli::parse_from(["exectrail"]);
    assert!(
        cli.sidecar
            .config()
            .unwrap()
            .tracing
            .probes
            .suppression
            .is_none()
    );
}

#[test]
fn the_sidecar_and_run_have_the_same_flags_for_suppression() {
    let flags = [
        "--exclude=filename=/usr/lib/gcc/*",
        "--exclude",
        "comm=make",
        "--include=uid=0",
        "--rate-limit=600/m",
        "--rate-burst=50",
    ];
    let sidecar = Cli::parse_from([&["exectrail"], &flags[..]].concat());
    let sidecar = sidecar.sidecar.config().unwrap().tracing.probes.suppression;
    let exclude: Vec<_> = sidecar
        .rules
        .exclude()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(exclude, ["filename=/usr/lib/gcc/*", "comm=make"]);
    assert_eq!(sidecar.rules.include()[0].to_string(), "uid=0");
    assert_eq!(sidecar.rate.unwrap().burst.get(), 50);
    let run = Cli::parse_from([&["exectrail", "run"], &flags[..], &["--", "true"]].concat());
    let Some(Command::Run(run)) = run.command else {
        panic!("not run");
    };
    assert_eq!(run.config().unwrap().tracing.probes.suppression, sidecar);
}

#[test]
fn execs_and_bytes_have_a_limit_each() {
    let suppression = |flags: &[&str]| {
        let cli = Cli::parse_from([&["exectrail"], flags].concat());
        let config = cli.sidecar.config();
        config
            .map(|config| config.tracing.probes.suppression)
            .map_err(|error| error.to_string())
    };
    let bytes = suppression(&["--rate-limit=10MiB/m"]).unwrap();
    assert_eq!((bytes.rate, bytes.is_none()), (None, false));
    for both in [
        &["--rate-limit=10MiB/m", "--rate-limit", "5/s"][..],
        &["--rate-limit=5/s,10MiB/m"],
    ] {
        let suppression = suppression(both).unwrap();
        assert_eq!(suppression.volume, bytes.volume);
        assert_eq!(suppression.rate.unwrap().rate.to_string(), "5/s");
    }
    let twice = suppression(&["--rate-limit=5/s,6/s"]).unwrap_err();
    assert!(twice.contains("two rates"), "{twice}");
    let burst = suppression(&["--rate-limit=1MiB/s", "--rate-burst=5"]).unwrap_err();
    assert!(burst.contains("--rate-burst"), "{burst}");
}

#[test]
fn wrong_rules_and_limits_are_usage_errors() {
    for wrong in [
        &["--exclude=git"][..],
        &["--rate-limit=1000"],
        &["--rate-burst=5"],
        &["--rate-limit=1/s", "--rate-burst=0"],
    ] {
        let parsed = Cli::try_parse_from([&["exectrail"], wrong].concat());
        assert!(parsed.is_err(), "{wrong:?} was accepted");
    }
    let cli = Cli::parse_from(["exectrail", "--include=uid=0"]);
    let error = cli.sidecar.config().unwrap_err().to_string();
    assert!(error.contains("--exclude 'filename=*'"), "{error}");
}
