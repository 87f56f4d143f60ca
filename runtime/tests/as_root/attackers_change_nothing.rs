//! Tests of hostile clients on the init address.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    pod::{Pod, Sidecar, argv, execs, messages, wait_for},
    tools::{EXECTRAIL, NOOP, TOOL, needs_kernel},
};

/// Resident memory of exectrail, in KiB.
fn resident(sidecar: &Sidecar) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", sidecar.pid())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    let value = line.split_whitespace().nth(1).unwrap();
    value.parse().unwrap()
}

/// Many clients at once make ten thousand false announcements while a workspace works.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_flood_of_false_announcements() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    let memory = || resident(&sidecar);
    let before = memory();
    let script = "import http.client, concurrent.futures, random\n\
        def ask(i):\n\
        \x20   c = http.client.HTTPConnection('127.0.0.1', 56123, timeout=60)\n\
        \x20   got = []\n\
        \x20   for n in range(100):\n\
        \x20       number = random.choice([0, 4026531836, 1, 2**32 - 1, random.randrange(2**32)])\n\
        \x20       c.request('POST', '/', str(number))\n\
        \x20       r = c.getresponse(); r.read(); got.append(r.status)\n\
        \x20   return got\n\
        with concurrent.futures.ThreadPoolExecutor(50) as pool:\n\
        \x20   got = sum(pool.map(ask, range(100)), [])\n\
        assert got == [403] * 10000, set(got)\n";
    // The flood comes from the pod's network namespace, but not from the workspace. So the
    // flood's execs have no lines.
    let mut flood = pod.command("python3").args(["-c", script]).spawn().unwrap();
    let noop = NOOP.to_str().unwrap();
    let mut bursts = 0;
    while flood.try_wait().unwrap().is_none() {
        workspace.run(&*TOOL, &["burst", noop, "100"]);
        bursts += 1;
    }
    assert!(flood.wait().unwrap().success());
    assert!(
        memory() < before + 8 * 1024,
        "memory grew from {before} KiB to {} KiB",
        memory()
    );
    let refusals = sidecar
        .diagnostics()
        .matches("announcement refused")
        .count();
    assert!((1..200).contains(&refusals), "{refusals} lines of refusals");
    let lines = sidecar.stop();
    assert!(messages(&lines, "lost").is_empty());
    assert_eq!(messages(&lines, "workspace_started").len(), 1);
    // A burst is one exec of the tool, and a hundred execs that the tool makes.
    assert!(bursts > 0);
    assert_eq!(execs(&lines).len(), bursts * 101);
}

/// More clients connect than exectrail has descriptors for. Tracing continues during this time, and
/// the workspace can announce itself again afterwards.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn more_clients_than_descriptors() {
    needs_kernel!();
    let pod = Pod::new();
    let mut command = pod.container("prlimit");
    command
        .args(["--nofile=64", "--", EXECTRAIL])
        .args(["--announced-only", "--init-address=127.0.0.1:56123"]);
    let sidecar = crate::pod::Sidecar::spawn(command);
    sidecar.wait_until_on();
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    let script = "import socket, time\n\
        held = [socket.create_connection(('127.0.0.1', 56123), 30) for i in range(100)]\n\
        time.sleep(3)\n";
    let mut holder = pod.command("python3").args(["-c", script]).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let noop = NOOP.to_str().unwrap();
    workspace.run(&*TOOL, &["burst", noop, "100"]);
    assert!(holder.wait().unwrap().success());
    let start = Instant::now();
    assert_eq!(workspace.announce().0, 204);
    assert!(start.elapsed() < Duration::from_secs(15));
    let lines = sidecar.stop();
    let seen = execs(&lines)
        .iter()
        .filter(|event| event["filename"] == noop)
        .count();
    assert_eq!(seen, 100);
}

/// exectrail may open no more descriptors: clients wait. Tracing continues during this time, and a
/// client is answered once there are descriptors again.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn without_free_descriptors_clients_wait() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    let limit = |descriptors: &str| {
        let pid = sidecar.pid().to_string();
        let status = Command::new("prlimit")
            .args(["--pid", &pid, &format!("--nofile={descriptors}:")])
            .status();
        assert!(status.unwrap().success());
    };
    // The limit is below the number of descriptors that are open.
    limit("4");
    let mut client = workspace
        .command(EXECTRAIL)
        .args(["announce", "--timeout=300s"])
        .spawn()
        .unwrap();
    wait_for("a failed accept", || {
        let said = sidecar.diagnostics();
        said.contains("Too many open files").then_some(())
    });
    let noop = NOOP.to_str().unwrap();
    workspace.run(&*TOOL, &["burst", noop, "100"]);
    wait_for("the lines", || {
        let lines = sidecar.lines();
        let mut events = execs(&lines).into_iter();
        events
            .rfind(|event| argv(event) == ["noop", "99"])
            .map(|_| ())
    });
    assert!(client.try_wait().unwrap().is_none());
    limit("1024");
    assert!(client.wait().unwrap().success());
    let lines = sidecar.stop();
    assert!(messages(&lines, "lost").is_empty());
    let seen = execs(&lines)
        .iter()
        .filter(|event| event["filename"] == noop)
        .count();
    assert_eq!(seen, 100);
}

/// Clients send endless heads and thousands of fields, send nothing or only half a request, or
/// never read their answer. Endless heads are refused. None of these clients stops the tracing or
/// the announcements, and memory grows by less than 8 MiB.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn floods_of_headers_and_half_open_connections() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let workspace = pod.workspace();
    assert_eq!(workspace.announce().0, 204);
    let before = resident(&sidecar);
    let script = "import socket\n\
        def connect():\n\
        \x20   return socket.create_connection(('127.0.0.1', 56123), 30)\n\
        def flood(piece, limit):\n\
        \x20   s = connect(); s.sendall(b'POST / HTTP/1.1\\r\\nHost: x\\r\\n'); sent = 0\n\
        \x20   try:\n\
        \x20       while sent < limit:\n\
        \x20           s.sendall(piece); sent += len(piece)\n\
        \x20       raise SystemExit('took a head of %d bytes' % sent)\n\
        \x20   except TimeoutError:\n\
        \x20       raise SystemExit('no answer to a head of %d bytes' % sent)\n\
        \x20   except OSError:\n\
        \x20       pass\n\
        \x20   s.close()\n\
        for i in range(20):\n\
        \x20   flood(b'X-Flood: ' + b'x' * 1000 + b'\\r\\n', 64 << 20)\n\
        \x20   flood(b'A:\\r\\n' * 100, 64 << 20)\n\
        \x20   flood(b'x' * 65536, 64 << 20)\n\
        held = []\n\
        for i in range(50):\n\
        \x20   s = connect(); held.append(s)\n\
        \x20   half = b'POST / HTTP/1.1\\r\\nContent-Length: 10\\r\\n\\r\\n40265'\n\
        \x20   s.sendall([b'', b'P', half][i % 3])\n\
        for i in range(10):\n\
        \x20   s = connect(); held.append(s); s.setblocking(False)\n\
        \x20   try:\n\
        \x20       request = b'POST / HTTP/1.1\\r\\nContent-Length: 1\\r\\n\\r\\n0'\n\
        \x20       for n in range(100000): s.send(request)\n\
        \x20   except OSError:\n\
        \x20       pass\n\
        print('held', flush=True)\n\
        import time; time.sleep(1)\n";
    let mut flood = pod.command("python3").args(["-c", script]).spawn().unwrap();
    let noop = NOOP.to_str().unwrap();
    let mut bursts = 0;
    while flood.try_wait().unwrap().is_none() {
        workspace.run(&*TOOL, &["burst", noop, "100"]);
        bursts += 1;
    }
    assert!(flood.wait().unwrap().success());
    assert_eq!(workspace.announce().0, 204);
    let after = resident(&sidecar);
    assert!(
        after < before + 8 * 1024,
        "memory grew from {before} KiB to {after} KiB"
    );
    let lines = sidecar.stop();
    assert!(messages(&lines, "lost").is_empty());
    let noops = execs(&lines)
        .iter()
        .filter(|event| event["filename"] == noop)
        .count();
    assert!(bursts > 0);
    assert_eq!(noops, bursts * 100);
}

/// Another pod reaches the init address if exectrail listens on all addresses. The other pod gains
/// nothing: exectrail does not trace its namespace.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn announcements_from_another_network() {
    needs_kernel!();
    let pod = Pod::new();
    let mut command = pod.container(EXECTRAIL);
    command.args(["--announced-only", "--init-address=0.0.0.0:56123"]);
    let sidecar = Sidecar::spawn(command);
    sidecar.wait_until_on();
    let (own, other) = (
        format!("ex{}a", std::process::id()),
        format!("ex{}b", std::process::id()),
    );
    let neighbor = Pod::new();
    // The link between the two network namespaces is removed with them.
    let link = std::process::Command::new("ip")
        .args([
            "link",
            "add",
            &own,
            "netns",
            &pod.holder_id().to_string(),
            "type",
            "veth",
        ])
        .args([
            "peer",
            "name",
            &other,
            "netns",
            &neighbor.holder_id().to_string(),
        ])
        .status()
        .unwrap();
    assert!(link.success());
    for (pod, device, address) in [
        (&pod, &own, "192.0.2.1/24"),
        (&neighbor, &other, "192.0.2.2/24"),
    ] {
        let script = format!("ip addr add {address} dev {device} && ip link set {device} up");
        assert!(
            pod.command("sh")
                .args(["-c", &script])
                .status()
                .unwrap()
                .success()
        );
    }
    let foreign = neighbor.workspace();
    let ours = pod.workspace();
    let ask = |number: u32| {
        let script = format!(
            "for i in 1 2 3 4 5 6 7 8 9 10; do curl --silent --max-time 5 --output /dev/null \
             --header Content-Type: --write-out '%{{http_code}}' --data {number} \
             http://192.0.2.1:56123 && exit; sleep 0.2; done"
        );
        let output = foreign
            .command("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // The numbers of namespaces: the other pod's, the node's, and two that no namespace has.
    for number in [foreign.pid_ns(), 4_026_531_836, 0, 1] {
        let status = ask(number);
        assert!(status.ends_with("403"), "{number}: {status}");
    }
    foreign.run("true", &["foreign"]);
    // Any client that reaches the address may announce a workspace of this pod, because tracing a
    // workspace does no harm.
    ours.run("true", &["before"]);
    assert!(ask(ours.pid_ns()).ends_with("204"));
    ours.run("true", &["ours"]);
    let lines = sidecar.stop();
    let seen: Vec<_> = execs(&lines)
        .iter()
        .map(|event| event["argv"][1].clone())
        .collect();
    assert_eq!(seen, ["ours"]);
}
