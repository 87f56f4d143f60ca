//! Tests that clients which hold or open many connections do not keep other clients from an
//! answer.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use crate::{
    pod::Pod,
    tools::{EXECTRAIL, needs_kernel},
};

/// Kinds of clients: the name, and the data that the client sends, in Python. The client sends
/// nothing more.
const KINDS: [(&str, &str); 5] = [
    ("nothing", "b''"),
    ("half a head", "b'POST / HT'"),
    (
        "half a body",
        "b'POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 9\\r\\n\\r\\n40'",
    ),
    (
        "a request to keep alive",
        "b'GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: keep-alive\\r\\n\\r\\n'",
    ),
    (
        "a request of HTTP/1.0 to keep alive",
        "b'GET / HTTP/1.0\\r\\nConnection: keep-alive\\r\\n\\r\\n'",
    ),
];

/// 300 clients of each kind hold connections to each address in turn, and delay neither an
/// announcement nor a scrape. The limit of four seconds is for a busy machine.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn idle_clients_delay_nobody() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only", "--metrics-address=127.0.0.1:9464"]);
    let workspace = pod.workspace();
    for (kind, sends) in KINDS {
        for port in [56123, 9464] {
            let script = format!(
                "import socket, sys\n\
                 held = []\n\
                 for i in range(300):\n\
                 \x20   s = socket.create_connection(('127.0.0.1', {port}), 60)\n\
                 \x20   s.sendall({sends}); held.append(s)\n\
                 print('held', flush=True)\n\
                 sys.stdin.read()"
            );
            let mut holder = pod
                .command("python3")
                .args(["-c", &script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::new(holder.stdout.take().unwrap())
                .read_line(&mut line)
                .unwrap();
            assert_eq!(line, "held\n");
            let start = Instant::now();
            if port == 56123 {
                assert_eq!(workspace.announce().0, 204, "{kind}");
            } else {
                let scrape = ["--silent", "--fail", "--max-time", "60"];
                let mut curl = pod.command("curl");
                curl.args(scrape).arg("http://127.0.0.1:9464/metrics");
                let output = curl.output().unwrap();
                assert!(output.status.success(), "{kind}: {output:?}");
            }
            let took = start.elapsed();
            println!("{kind}, port {port}: {took:?}");
            assert!(took < Duration::from_secs(4), "{kind}: {took:?}");
            drop(holder.stdin.take());
            holder.wait().unwrap();
        }
    }
    sidecar.stop();
}

/// A client opens connections without end while a workspace announces itself. The announcement is
/// accepted.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_flood_of_connections_keeps_nobody_out() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let workspace = pod.workspace();
    let script = "import socket\n\
        held = [None] * 500\n\
        n = 0\n\
        while True:\n\
        \x20   s = socket.socket(); s.setblocking(False)\n\
        \x20   s.connect_ex(('127.0.0.1', 56123)); held[n % 500] = s; n += 1\n";
    let mut flood = pod.command("python3").args(["-c", script]).spawn().unwrap();
    let output = workspace
        .command(EXECTRAIL)
        .args(["announce", "--timeout=100s"])
        .output()
        .unwrap();
    flood.kill().unwrap();
    flood.wait().unwrap();
    assert!(output.status.success(), "{output:?}");
    sidecar.stop();
}

/// A connection is closed after its answer, even if the client asks otherwise.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_connection_is_closed_after_its_answer() {
    needs_kernel!();
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only", "--metrics-address=127.0.0.1:9464"]);
    let script = "import socket\n\
        for port, path in ((56123, '/'), (9464, '/metrics'), (9464, '/livez'), (9464, '/x')):\n\
        \x20   for head in ('1.1\\r\\nHost: x', '1.1\\r\\nHost: x\\r\\nConnection: keep-alive',\n\
        \x20           '1.0\\r\\nConnection: keep-alive'):\n\
        \x20       s = socket.create_connection(('127.0.0.1', port), 60)\n\
        \x20       s.sendall(f'GET {path} HTTP/{head}\\r\\n\\r\\n'.encode())\n\
        \x20       answer = b''.join(iter(lambda: s.recv(65536), b'')).lower()\n\
        \x20       assert b'keep-alive' not in answer, answer\n\
        \x20       assert b'connection: close' in answer or b'http/1.0' in answer, answer\n";
    let status = pod.command("python3").args(["-c", script]).status();
    assert!(status.unwrap().success());
    sidecar.stop();
}
