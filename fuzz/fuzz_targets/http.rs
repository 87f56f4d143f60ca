//! A client sends any bytes to the init address. Every answer is HTTP. The server refuses every
//! announcement, so no answer is a `204`.
#![no_main]
#![forbid(unsafe_code)]

use exectrail::internals::{Answer, serve};
use libfuzzer_sys::fuzz_target;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, duplex},
    runtime::{Builder, Runtime},
};

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O needs nothing");
}

/// More bytes than any request or answer has, so that neither side waits for room.
const ROOM: usize = 1 << 20;

fuzz_target!(|request: &[u8]| {
    let exchange = async {
        let (mut client, server) = duplex(ROOM);
        client.write_all(request).await.expect("there is room");
        client.shutdown().await.expect("it is open");
        serve(server, Answer::Refuse("no".to_owned())).await;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("it is memory");
        answer
    };
    let answer = RUNTIME.with(|runtime| runtime.block_on(exchange));
    if answer.is_empty() {
        return;
    }
    let answer = String::from_utf8(answer).expect("answers are text");
    let status = answer
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| answer.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3));
    assert!(
        matches!(status, Some("400" | "414" | "431" | "503")),
        "{answer}"
    );
});
