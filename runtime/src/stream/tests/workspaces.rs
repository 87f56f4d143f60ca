//! First lines and ends of workspaces.

use super::*;

#[test]
fn workspaces_start_and_end_once() {
    let mut out = Vec::new();
    let mut stream = stream();
    let workspace = known(70, 1);
    stream.registered(&workspace, Found::Announcement, &mut out);
    stream.registered(&workspace, Found::Announcement, &mut out);
    assert_eq!(
        summaries(&out),
        ["workspace_started", "workspace_announced"]
    );
    out.clear();
    for id in [workspace.id, workspace.id, known(71, 1).id] {
        stream.ended(id);
    }
    // The ring may still have the workspace's last execs.
    assert_eq!(summaries(&out), [""; 0]);
    stream.record(&exec(0, 0, 0, b"a\0", 2), &mut out).unwrap();
    stream.finish(None, &mut out);
    assert_eq!(
        summaries(&out),
        [
            "workspace_started",
            "a",
            "workspace_ended",
            "tracing_stopped"
        ]
    );
}

#[test]
fn a_number_that_is_used_again_is_another_workspace() {
    let mut out = Vec::new();
    let mut stream = stream();
    stream.registered(&known(60, 1), Found::Announcement, &mut out);
    stream.registered(&known(60, 2), Found::Announcement, &mut out);
    // The end of the previous namespace arrives late.
    stream.ended(known(60, 1).id);
    stream.settle(&mut out);
    stream.record(&exec(0, 0, 0, b"a\0", 2), &mut out).unwrap();
    assert_eq!(
        summaries(&out),
        [
            "workspace_started",
            "workspace_ended",
            "workspace_started",
            "a"
        ]
    );
}

/// Announcements arrive at once, and records of the ring up to 60 ms later.
#[test]
fn what_the_ring_has_of_a_namespace_that_is_gone_ends_nothing() {
    let mut out = Vec::new();
    let mut stream = stream();
    stream.registered(&known(60, 1_000), Found::Announcement, &mut out);
    stream.registered(&known(60, 2_000), Found::Announcement, &mut out);
    out.clear();
    // This workspace has a line already.
    stream
        .record(&found(60, 1_000, BY_NETWORK), &mut out)
        .unwrap();
    assert_eq!(summaries(&out), [""; 0]);
    // A namespace that started between the two, and never announced itself.
    stream
        .record(&found(60, 1_500, BY_NETWORK), &mut out)
        .unwrap();
    stream
        .record(&found(60, 1_500, BY_NETWORK), &mut out)
        .unwrap();
    assert_eq!(summaries(&out), ["workspace_started", "workspace_ended"]);
    out.clear();
    stream.ended(known(60, 2_000).id);
    stream.settle(&mut out);
    stream.record(&exec(0, 0, 0, b"a\0", 2), &mut out).unwrap();
    assert_eq!(summaries(&out)[0], "workspace_ended");
}

/// A workspace of an earlier run has a line when an exec has confirmed it, not before.
#[test]
fn a_workspace_of_an_earlier_run_is_named_at_its_next_exec() {
    let mut out = Vec::new();
    let mut stream = stream();
    let previous = Previous {
        run: "one".to_owned(),
        until: 700,
        targets: vec![known(60, 500).id, known(61, 600).id],
        not_taken_over: 0,
        checkpoint: None,
    };
    let beginning = Beginning {
        at: 900,
        previous: Some(previous),
        ..Beginning::default()
    };
    stream.begin(&beginning, &mut out);
    stream.targets(&[known(60, 500), known(61, 600)], &mut out);
    stream.record(&exec(0, 0, 0, b"a\0", 2), &mut out).unwrap();
    // The number 61 now belongs to another namespace.
    stream.registered(&known(61, 950), Found::Announcement, &mut out);
    let lines = lines(&out);
    assert_eq!(lines[0]["fields"]["previous_run"]["run"], "one");
    assert_eq!(lines[0]["fields"]["previous_run"]["gap_ns"], 200);
    let started = |line: &Value| {
        (
            line["fields"]["pid_ns"].clone(),
            line["fields"]["found"].clone(),
        )
    };
    assert_eq!(started(&lines[1]), (60.into(), "state".into()));
    assert_eq!(lines[1]["fields"]["untraced_ns"], 400);
    assert_eq!(started(&lines[3]), (61.into(), "announcement".into()));
    assert_eq!(lines.len(), 4);
}

#[test]
fn a_workspace_that_ran_before_says_for_how_long() {
    let mut out = Vec::new();
    let mut stream = stream();
    let beginning = Beginning {
        at: 5_000,
        discovery: true,
        own_level: 1,
        ..Beginning::default()
    };
    stream.begin(&beginning, &mut out);
    // 60 and 61 started before this run, 62 after its beginning. A namespace that only its network
    // ties to the pod may have been in another network until it was found.
    stream
        .record(&found(60, 2_000, BY_CGROUP | BY_NETWORK), &mut out)
        .unwrap();
    stream.record(&exec(0, 0, 0, b"a\0", 2), &mut out).unwrap();
    stream
        .record(&found(61, 2_000, BY_NETWORK), &mut out)
        .unwrap();
    stream
        .record(&found(62, 8_000, BY_NETWORK), &mut out)
        .unwrap();
    let lines = lines(&out);
    let started: Vec<_> = lines
        .iter()
        .filter(|line| line["msg"] == "workspace_started")
        .map(|line| {
            let fields = &line["fields"];
            assert!(fields["started"].is_string());
            (fields["pid_ns"].clone(), fields["untraced_ns"].clone())
        })
        .collect();
    assert_eq!(
        started,
        [
            (60.into(), 3_000.into()),
            (61.into(), 7_000.into()),
            (62.into(), 0.into())
        ]
    );
}

/// A workspace all of whose execs are suppressed.
#[test]
fn workspaces_that_no_record_shows_begin_and_end() {
    let mut out = Vec::new();
    let mut stream = stream();
    stream.targets(&[known(60, 1)], &mut out);
    stream.targets(&[known(60, 1)], &mut out);
    stream.ended(known(60, 1).id);
    stream.settle(&mut out);
    assert_eq!(summaries(&out), ["workspace_started", "workspace_ended"]);
}
