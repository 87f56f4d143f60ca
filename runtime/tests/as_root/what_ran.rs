//! A line has the file that runs and the working directory, whatever the caller named the file.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    pod::{Pod, execs},
    tools::{NOOP, needs_kernel},
};

/// The event of the only exec whose argv begins with this word.
#[track_caller]
fn one<'a>(lines: &'a [Value], word: &str) -> &'a Value {
    let begins = |event: &&Value| event["argv"][0] == word;
    let found: Vec<_> = execs(lines).into_iter().filter(begins).collect();
    assert_eq!(found.len(), 1, "{word}: {found:?}");
    found[0]
}

/// A copy of a program that ends at once, in the pod's directory.
fn program(pod: &Pod, name: &str) -> PathBuf {
    let program = pod.dir.path().join(name);
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    fs::copy(&*NOOP, &program).unwrap();
    program
}

/// The lines of a workspace that runs this script in the pod's directory.
fn lines_of(pod: &Pod, flags: &[&str], script: &str) -> Vec<Value> {
    let sidecar = pod.sidecar(flags);
    let workspace = pod.workspace();
    let script = format!("set -e; cd {}; {script}; :", pod.dir.path().display());
    workspace.run("sh", &["-c", &script]);
    sidecar.stop()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_file_is_known_by_path_and_number() {
    needs_kernel!();
    let pod = Pod::new();
    let program = program(&pod, "deep/er/program");
    fs::hard_link(&program, pod.dir.path().join("second")).unwrap();
    symlink(&program, pod.dir.path().join("link")).unwrap();
    let lines = lines_of(&pod, &["--fields", "all"], "./link; cd deep; er/program");
    let truth = fs::metadata(&program).unwrap();
    let dev = truth.dev();
    let dev = format!("{}:{}", rustix::fs::major(dev), rustix::fs::minor(dev));
    for (word, cwd) in [("./link", "."), ("er/program", "deep")] {
        let event = one(&lines, word);
        let canonical = fs::canonicalize(&program).unwrap();
        assert_eq!(event["exe"], text(&canonical), "{event}");
        assert_eq!(event["dev"], *dev, "{event}");
        assert_eq!(event["ino"], truth.ino(), "{event}");
        assert_eq!(event["nlink"], 2, "{event}");
        let cwd = fs::canonicalize(pod.dir.path().join(cwd)).unwrap();
        assert_eq!(event["cwd"], text(&cwd), "{event}");
        for flag in [
            "deleted",
            "memfd",
            "exe_truncated",
            "exe_unreachable",
            "upper_layer",
        ] {
            assert!(event.get(flag).is_none(), "{flag}: {event}");
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_script_runs_its_interpreter() {
    needs_kernel!();
    let pod = Pod::new();
    let interpreter = program(&pod, "interpreter");
    let script = pod.dir.path().join("script");
    fs::write(&script, format!("#!{}\n", interpreter.display())).unwrap();
    make_executable(&script);
    let lines = lines_of(&pod, &[], "./script");
    let event = one(&lines, text(&interpreter));
    assert_eq!(event["exe"], text(&fs::canonicalize(&interpreter).unwrap()));
    assert_eq!(event["filename"], "./script");
    assert_eq!(
        event["cwd"],
        text(&fs::canonicalize(pod.dir.path()).unwrap())
    );
}

fn make_executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A relative name needs the working directory. An absolute one does not, so by default its line
/// has no `cwd`.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_working_directory_is_there_where_the_name_needs_it() {
    needs_kernel!();
    let pod = Pod::new();
    let program = program(&pod, "program");
    let lines = lines_of(&pod, &[], &format!("cd /; {}; uname", program.display()));
    assert!(one(&lines, text(&program)).get("cwd").is_none());
    let root = lines_of(
        &pod,
        &["--fields", "all"],
        "cd /; uname; mkdir /tmp/$$; cd /tmp/$$; rmdir /tmp/$$; uname -m",
    );
    let cwds: Vec<_> = execs(&root)
        .into_iter()
        .filter(|event| event["argv"][0] == "uname")
        .map(|event| (event["cwd"].clone(), event.get("cwd_deleted").cloned()))
        .collect();
    assert_eq!(cwds.len(), 2);
    assert_eq!(cwds[0], ("/".into(), None));
    assert!(cwds[1].0.as_str().unwrap().starts_with("/tmp/"), "{cwds:?}");
    assert_eq!(cwds[1].1, Some(true.into()));
}

/// Python that opens the program, runs `before`, and executes the open file as `word`.
fn by_descriptor(program: &Path, before: &str, word: &str) -> String {
    format!(
        "python3 -c 'import os; fd = os.open(\"{}\", os.O_RDONLY); {before}; \
         os.execve(fd, [\"{word}\"], {{}})'",
        program.display()
    )
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_file_without_a_name_is_named() {
    needs_kernel!();
    let pod = Pod::new();
    let (gone, whole) = (program(&pod, "gone"), program(&pod, "whole"));
    let unlink = format!("os.unlink(\"{}\")", gone.display());
    let memfd = "fd = os.memfd_create(\"ev il\", 0); os.write(fd, open(\"whole\", \"rb\").read())";
    // A file on tmpfs that only has the name of a memfd.
    let lookalike = "os.mkdir(\"/dev/shm/exectrail\"); p = \"/dev/shm/exectrail/memfd:x\"; \
        f = open(p, \"wb\"); f.write(open(\"whole\", \"rb\").read()); f.close(); os.chmod(p, 493); \
        fd = os.open(p, os.O_RDONLY); os.unlink(p); os.rmdir(\"/dev/shm/exectrail\")";
    let script = [
        by_descriptor(&gone, &unlink, "deleted"),
        by_descriptor(&whole, memfd, "memfd"),
        by_descriptor(&whole, lookalike, "lookalike"),
        by_descriptor(&whole, "0", "whole"),
    ]
    .join("; ");
    let lines = lines_of(&pod, &["--fields", "all"], &script);
    let deleted = one(&lines, "deleted");
    assert_eq!(deleted["deleted"], true, "{deleted}");
    assert_eq!(deleted["nlink"], 0, "{deleted}");
    assert!(
        deleted["exe"].as_str().unwrap().ends_with("/gone"),
        "{deleted}"
    );
    let memfd = one(&lines, "memfd");
    assert_eq!(memfd["exe"], "memfd:ev il", "{memfd}");
    assert_eq!(memfd["memfd"], true, "{memfd}");
    assert_eq!(memfd["nlink"], 0, "{memfd}");
    let lookalike = one(&lines, "lookalike");
    assert!(lookalike.get("memfd").is_none(), "{lookalike}");
    assert_eq!(lookalike["deleted"], true, "{lookalike}");
    assert_eq!(lookalike["exe"], "/dev/shm/exectrail/memfd:x");
    let whole = one(&lines, "whole");
    assert!(
        whole["exe"].as_str().unwrap().ends_with("/whole"),
        "{whole}"
    );
    assert!(
        whole["filename"].as_str().unwrap().starts_with("/dev/fd/"),
        "{whole}"
    );
    assert!(
        whole.get("deleted").is_none() && whole.get("memfd").is_none(),
        "{whole}"
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_path_begins_at_the_root_of_the_process() {
    needs_kernel!();
    let pod = Pod::new();
    program(&pod, "jail/bin/program");
    let outside = program(&pod, "outside");
    fs::create_dir_all(pod.dir.path().join("volume/deep")).unwrap();
    fs::create_dir_all(pod.dir.path().join("jail/old")).unwrap();
    let escaped = by_descriptor(&outside, "os.chroot(\"jail\")", "unreachable");
    let script = format!(
        "{escaped}; chroot jail /bin/program; \
         unshare --mount sh -ec 'mount --bind jail/bin volume/deep; volume/deep/program 1; \
           cd volume/deep; ./program 2; cd ../..; \
           mount --bind jail jail; cd jail; pivot_root . old; exec /bin/program pivoted; :'"
    );
    let lines = lines_of(&pod, &["--fields", "all"], &script);
    let jailed: Vec<_> = execs(&lines)
        .into_iter()
        .filter(|event| event["argv"][0] == "/bin/program")
        .collect();
    assert_eq!(jailed.len(), 2, "{jailed:?}");
    for event in jailed {
        assert_eq!(event["exe"], "/bin/program", "{event}");
        assert!(event.get("exe_unreachable").is_none(), "{event}");
    }
    let volume = fs::canonicalize(pod.dir.path().join("volume/deep")).unwrap();
    for word in ["volume/deep/program", "./program"] {
        let event = one(&lines, word);
        assert_eq!(event["exe"], text(&volume.join("program")), "{event}");
    }
    assert_eq!(one(&lines, "./program")["cwd"], text(&volume));
    let escaped = one(&lines, "unreachable");
    assert_eq!(escaped["exe_unreachable"], true, "{escaped}");
    assert!(
        escaped["exe"].as_str().unwrap().ends_with("/outside"),
        "{escaped}"
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_changed_since_the_image_is_flagged() {
    needs_kernel!();
    let pod = Pod::new();
    program(&pod, "lower/image");
    program(&pod, "lower/touched");
    for dir in ["work", "merged"] {
        fs::create_dir(pod.dir.path().join(dir)).unwrap();
    }
    let script = "unshare --mount sh -ec 'mount -t tmpfs none work; mkdir work/u work/w; \
        mount -t overlay none -o lowerdir=lower,upperdir=work/u,workdir=work/w merged; cd merged; \
        touch touched; cp image new; ./image; ./touched; ./new; :'";
    let lines = lines_of(&pod, &[], script);
    let merged = fs::canonicalize(pod.dir.path().join("merged")).unwrap();
    for (name, upper) in [
        ("image", None),
        ("touched", Some(true)),
        ("new", Some(true)),
    ] {
        let event = one(&lines, &format!("./{name}"));
        assert_eq!(event["exe"], text(&merged.join(name)), "{event}");
        let flag = event.get("upper_layer").and_then(Value::as_bool);
        assert_eq!(flag, upper, "{event}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_long_path_is_cut_and_flagged() {
    needs_kernel!();
    let pod = Pod::new();
    let many = format!("{}/program", vec!["d"; 60].join("/"));
    let long = format!("{}/other", vec!["x".repeat(250); 6].join("/"));
    program(&pod, &many);
    program(&pod, &long);
    let lines = lines_of(
        &pod,
        &["--fields", "all"],
        &format!("{many}; cd {long}/..; ./other"),
    );
    for (word, end) in [(many.as_str(), "d/d/d/program"), ("./other", "x/other")] {
        let event = one(&lines, word);
        let exe = event["exe"].as_str().unwrap();
        assert!(exe.ends_with(end) && !exe.starts_with('/'), "{event}");
        assert_eq!(event["exe_truncated"], true, "{event}");
    }
    let event = one(&lines, "./other");
    assert_eq!(event["cwd_truncated"], true, "{event}");
    assert!(event["cwd"].as_str().unwrap().len() > 1000, "{event}");
}

/// The directory of the file is moved out of a bind mount. Its path then begins at the root of the
/// file system, not at the root of the process. Without the flag, this path could be taken for the
/// path of another file.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_was_moved_out_of_a_mount_is_flagged() {
    needs_kernel!();
    let pod = Pod::new();
    let whole = program(&pod, "whole");
    let directory = text(pod.dir.path()).to_owned();
    let script = format!(
        "mkdir mnt; unshare -m sh -c 'mount -t tmpfs none mnt; cd mnt; mkdir -p a/b/usr/bin m; \
         cp {} a/b/usr/bin/git; mount --bind a/b m; cd m/usr/bin; \
         mv {directory}/mnt/a/b/usr {directory}/mnt/usr; ./git'",
        whole.display()
    );
    let lines = lines_of(&pod, &[], &script);
    let event = one(&lines, "./git");
    assert_eq!(event["exe"], "/usr/bin/git", "{event}");
    assert_eq!(event["exe_unreachable"], true, "{event}");
    assert_eq!(event["cwd"], "/usr/bin", "{event}");
    assert_eq!(event["cwd_unreachable"], true, "{event}");
}

/// The file or directory at the root of a bind mount may have been deleted at its original path.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_deleted_root_of_a_mount_is_flagged() {
    needs_kernel!();
    let pod = Pod::new();
    let (file, other) = (program(&pod, "file"), program(&pod, "other"));
    let script = "touch on; mkdir in at; unshare -m sh -c 'mount --bind file on; rm file; \
        mount --bind in at; rmdir in; ./on; cd at; ../other'";
    let lines = lines_of(&pod, &[], script);
    let on = one(&lines, "./on");
    assert_eq!(on["exe"], text(&file.with_file_name("on")), "{on}");
    assert_eq!(on["deleted"], true, "{on}");
    let in_at = one(&lines, "../other");
    assert_eq!(in_at["exe"], text(&other), "{in_at}");
    assert_eq!(in_at.get("deleted"), None, "{in_at}");
    assert_eq!(in_at["cwd"], text(&other.with_file_name("at")), "{in_at}");
    assert_eq!(in_at["cwd_deleted"], true, "{in_at}");
}

/// The probes read short names differently from long ones. They read the last few names of a path
/// differently from the names above.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_path_is_whole_at_any_depth_with_names_of_any_length() {
    needs_kernel!();
    let pod = Pod::new();
    let mut programs = Vec::new();
    for depth in [1, 2, 5, 6, 7, 8, 9, 20] {
        for (length, long) in [(1, 1), (31, 31), (7, 32), (31, 255)] {
            // The name of the first or last directory has `long` bytes, and the others have
            // `length`. The whole path has fewer than 1,000 bytes.
            for place in [0, depth - 1] {
                let names = (0..depth).map(|at| {
                    let length = if at == place { long } else { length };
                    format!("{depth:02}{at:02}").repeat(64)[..length].to_owned()
                });
                let program = names.collect::<PathBuf>().join(format!("{length}-{place}"));
                programs.push(program);
            }
        }
    }
    programs.dedup();
    let script: Vec<String> = programs
        .iter()
        .map(|name| text(&program(&pod, text(name))).to_owned())
        .collect();
    let lines = lines_of(&pod, &[], &script.join("; "));
    for program in &script {
        let event = one(&lines, program);
        assert_eq!(event["exe"], **program, "{event}");
        assert!(event.get("exe_truncated").is_none(), "{event}");
    }
}

/// Names with bytes that are not text, and names too long for the room in `struct dentry` itself.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn any_name_is_shown_without_loss() {
    needs_kernel!();
    let pod = Pod::new();
    let mut names: Vec<String> = (1..=255).step_by(23).map(|n| "n".repeat(n)).collect();
    names.extend((28..45).map(|n| "m".repeat(n)));
    for name in &names {
        program(&pod, name);
    }
    let each = names.iter().map(|name| format!("./{name}"));
    let script = each.collect::<Vec<_>>().join("; ");
    let odd = "cp noop \"$(printf 'a\\377b')\"; \"./$(printf 'a\\377b')\"";
    program(&pod, "noop");
    let lines = lines_of(&pod, &[], &format!("{script}; {odd}"));
    let dir = fs::canonicalize(pod.dir.path()).unwrap();
    for name in &names {
        let event = one(&lines, &format!("./{name}"));
        assert_eq!(event["exe"], text(&dir.join(name)), "{event}");
    }
    let event = one(&lines, "./a\\xffb");
    assert_eq!(
        event["exe"],
        format!("{}/a\\xffb", dir.display()),
        "{event}"
    );
    let escaped = event["escaped"].as_array().unwrap();
    assert!(escaped.contains(&"exe".into()), "{event}");
}
