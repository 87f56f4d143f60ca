//! Tests the protocol of docs/architecture.md with curl, Python and a raw socket.

use std::{
    io::{Read as _, Write as _},
    process::Stdio,
    time::{Duration, Instant},
};

use crate::{
    pod::{Pod, Workspace, curl, curl_at, execs, messages},
    tools::needs_kernel,
};

const METHOD_OR_PATH: &str = "This server only accepts POST requests at /";
const CONTENT_TYPE: &str = "This server only accepts text/plain requests";
const BODY: &str = "Failed to parse request body: ";

/// A pod with exectrail that traces only announced namespaces, and a workspace.
fn traced_pod() -> (Pod, crate::pod::Sidecar, Workspace) {
    let pod = Pod::new();
    let sidecar = pod.sidecar(&["--announced-only"]);
    let workspace = pod.workspace();
    (pod, sidecar, workspace)
}

/// Sends bytes unchanged from inside the workspace; returns all bytes until the server closes the
/// connection. The exec of python3 in the workspace is the evidence.
fn raw(workspace: &Workspace, bytes: &[u8]) -> String {
    let script = "import socket,sys\n\
        s = socket.create_connection(('127.0.0.1', 56123), 30)\n\
        s.sendall(sys.stdin.buffer.read())\n\
        s.shutdown(socket.SHUT_WR)\n\
        sys.stdout.buffer.write(b''.join(iter(lambda: s.recv(4096), b'')))";
    let mut client = workspace
        .command("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// The status of a raw answer.
fn status(answer: &str) -> &str {
    answer.split_whitespace().nth(1).unwrap_or("none")
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn curl_is_understood() {
    needs_kernel!();
    let (_pod, sidecar, workspace) = traced_pod();
    let pid_ns = workspace.pid_ns().to_string();
    let ask = |arguments: &[&str]| curl(workspace.command("curl"), arguments);

    assert_eq!(ask(&[]), (400, METHOD_OR_PATH.to_owned()));
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = ask(&["--request", method, "--data", &pid_ns]);
        assert_eq!(answer, (400, METHOD_OR_PATH.to_owned()), "{method}");
    }
    for path in ["/x", "/..", "/%2f", "//", "/index.html"] {
        let answer = curl_at(workspace.command("curl"), path, &["--data", &pid_ns]);
        assert_eq!(answer, (400, METHOD_OR_PATH.to_owned()), "{path}");
    }
    // curl's default content type for --data is a form.
    assert_eq!(ask(&["--data", &pid_ns]), (400, CONTENT_TYPE.to_owned()));
    for content_type in ["application/json", "text/html", "text/plain2"] {
        let header = format!("Content-Type: {content_type}");
        let answer = ask(&["--header", &header, "--data", &pid_ns]);
        assert_eq!(answer, (400, CONTENT_TYPE.to_owned()), "{content_type}");
    }
    for body in [
        "",
        "x",
        "-1",
        "+1",
        "1.5",
        "0x10",
        "4294967296",
        "1 1",
        "00000000000000001",
    ] {
        let (status, text) = ask(&["--header", "Content-Type: text/plain", "--data", body]);
        assert_eq!(status, 400, "{body:?}");
        assert!(text.starts_with(BODY), "{body:?}: {text}");
        assert_eq!(text.lines().count(), 1);
    }
    assert!(
        execs(&sidecar.lines()).is_empty(),
        "a malformed request had an effect"
    );

    for header in [
        "Content-Type:",
        "Content-Type: text/plain",
        "Content-Type: text/plain; charset=utf-8",
    ] {
        let answer = ask(&[
            "--header",
            header,
            "--data-binary",
            &format!("  {pid_ns}\n"),
        ]);
        assert_eq!(answer, (204, String::new()), "{header}");
    }
    // A body may have 16 bytes.
    let padded = format!("{pid_ns:0>16}");
    assert_eq!(
        ask(&["--header", "Content-Type:", "--data", &padded]).0,
        204
    );
    // A chunked body, then a request with HTTP/1.0.
    assert_eq!(
        ask(&[
            "--header",
            "Content-Type:",
            "--header",
            "Transfer-Encoding: chunked",
            "--data",
            &pid_ns
        ])
        .0,
        204
    );
    assert_eq!(
        ask(&["--http1.0", "--header", "Content-Type:", "--data", &pid_ns]).0,
        204
    );

    let lines = sidecar.stop();
    assert_eq!(messages(&lines, "workspace_started").len(), 1);
    assert_eq!(messages(&lines, "workspace_announced").len(), 5);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn python_is_understood_and_connects_anew() {
    needs_kernel!();
    let (_pod, sidecar, workspace) = traced_pod();
    let script = format!(
        "import http.client\n\
         c = http.client.HTTPConnection('127.0.0.1', 56123, timeout=10)\n\
         for body, expected in [('x', 400), ('{0}', 204), ('0', 403), ('{0}', 204)]:\n\
         \x20   c.request('POST', '/', body)\n\
         \x20   r = c.getresponse()\n\
         \x20   text = r.read()\n\
         \x20   assert r.status == expected, (body, r.status, text)\n\
         \x20   assert (text == b'') == (expected == 204), text\n\
         \x20   assert r.getheader('connection') == 'close', r.getheaders()\n",
        workspace.pid_ns()
    );
    workspace.run("python3", &["-c", &script]);
    sidecar.stop();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn raw_bytes_get_an_answer_or_the_connection_is_closed() {
    needs_kernel!();
    let (_pod, sidecar, workspace) = traced_pod();
    let pid_ns = workspace.pid_ns();
    let body = pid_ns.to_string();
    let post = |head: &str, body: &str| {
        raw(
            &workspace,
            format!("POST / HTTP/1.1\r\nHost: x\r\n{head}\r\n{body}").as_bytes(),
        )
    };

    assert_eq!(
        status(&post(
            &format!("Content-Length: {}\r\nConnection: close\r\n", body.len()),
            &body
        )),
        "204"
    );
    // Bytes that are invalid in a request.
    assert_eq!(
        status(&raw(&workspace, b"\x16\x03\x01\x02\x00\x01\x00\x01")),
        "400"
    );
    assert_eq!(status(&raw(&workspace, b"POST / HTTP/9.9\r\n\r\n")), "400");
    assert_eq!(
        status(&post("Content-Length: 99999999999999999999999\r\n", &body)),
        "400"
    );
    assert_eq!(
        status(&post("Content-Length: 5\r\nContent-Length: 6\r\n", &body)),
        "400"
    );
    assert_eq!(
        status(&post("Transfer-Encoding: chunked\r\n", "zz\r\n")),
        "400"
    );
    // More than 16 bytes, in every encoding.
    assert_eq!(
        status(&post("Content-Length: 17\r\n", "00000000000000001")),
        "400"
    );
    assert_eq!(
        status(&post(
            "Transfer-Encoding: chunked\r\n",
            "9\r\n000000000\r\n9\r\n000000001\r\n0\r\n\r\n"
        )),
        "400"
    );
    // A very long head.
    let huge = format!("X: {}\r\n", "x".repeat(100_000));
    let answer = raw_tolerant(
        &workspace,
        format!("POST / HTTP/1.1\r\n{huge}\r\n").as_bytes(),
    );
    assert!(
        ["431", "400", "none"].contains(&status(&answer)),
        "{answer}"
    );
    assert_eq!(workspace.announce().0, 204);
    sidecar.stop();
}

/// As `raw`, for a request that the server may cut off while the client sends it.
fn raw_tolerant(workspace: &Workspace, bytes: &[u8]) -> String {
    let mut client = workspace
        .command("sh")
        .args([
            "-c",
            "exec python3 -c \"
import socket,sys
s = socket.create_connection(('127.0.0.1', 56123), 30)
try:
    s.sendall(sys.stdin.buffer.read())
    sys.stdout.buffer.write(s.recv(4096))
except OSError:
    pass\"",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(bytes).unwrap();
    String::from_utf8(client.wait_with_output().unwrap().stdout).unwrap()
}

/// exectrail disconnects clients that never finish, and serves other clients during that time.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn slow_clients_hold_nobody_up() {
    needs_kernel!();
    let (_pod, sidecar, workspace) = traced_pod();
    let script = "import socket,sys,time\n\
        start = time.time()\n\
        half = []\n\
        for i in range(40):\n\
        \x20   s = socket.create_connection(('127.0.0.1', 56123), 30)\n\
        \x20   head = b'POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 9\\r\\n\\r\\n40'\n\
        \x20   s.sendall(b'POST / HT' if i % 2 else head)\n\
        \x20   half.append(s)\n\
        print('connected', flush=True)\n\
        for s in half:\n\
        \x20   while s.recv(4096): pass\n\
        print(time.time() - start)\n";
    let mut slow = workspace
        .command("python3")
        .args(["-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut connected = [0; 10];
    slow.stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut connected)
        .unwrap();
    let start = Instant::now();
    assert_eq!(workspace.announce().0, 204);
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "the announcement waited for slow clients"
    );
    let output = slow.wait_with_output().unwrap();
    let seconds: f64 = String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(
        seconds < 40.0,
        "slow clients were cut off only after {seconds} s"
    );
    sidecar.stop();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn many_clients_at_once_are_all_answered() {
    needs_kernel!();
    let (_pod, sidecar, workspace) = traced_pod();
    let script = format!(
        "import http.client, concurrent.futures\n\
         def ask(i):\n\
         \x20   c = http.client.HTTPConnection('127.0.0.1', 56123, timeout=30)\n\
         \x20   c.request('POST', '/', '{}' if i % 2 else '12')\n\
         \x20   return c.getresponse().status\n\
         with concurrent.futures.ThreadPoolExecutor(100) as pool:\n\
         \x20   got = list(pool.map(ask, range(1000)))\n\
         assert got == [403, 204] * 500, got\n",
        workspace.pid_ns()
    );
    workspace.run("python3", &["-c", &script]);
    sidecar.stop();
}
