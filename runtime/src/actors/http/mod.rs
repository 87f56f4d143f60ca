//! Serves HTTP to untrusted clients, with limits on their number, time and bytes. Each connection
//! serves one request. If there are too many clients, a new one replaces the oldest idle one. While
//! no client can be replaced, connections wait in the kernel's backlog.

mod clients;
pub(crate) mod listening;

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    ext::ReasonPhrase,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::yield_now,
    time::{sleep, timeout},
};

use crate::telemetry::{events::ConnectionFailed, line_limit::LineLimit};

pub(crate) use clients::Client;
use clients::Clients;

/// A request's head must arrive in this time.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// Maximum number of bytes of a request's head.
const LONGEST_HEAD: usize = 16 * 1024;
/// A connection is closed after this time in any case.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// Wait after a failed accept, such as one without free descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// A failed accept is logged at most once in this time.
const FAILURE_PERIOD: Duration = Duration::from_secs(10);
/// Maximum number of characters of a reason phrase.
const LONGEST_PHRASE: usize = 400;
/// Maximum number of bytes of a line of text, without the note that it was truncated. Clients read
/// at least 16 KiB of a response.
const LONGEST_REASON: usize = 8 * 1024;

/// Accepts connections forever, serving at most `connections` at once; `of` names the address in
/// diagnostics. Needs an actix system.
pub(crate) async fn accept<R, F>(
    listener: TcpListener,
    of: &'static str,
    connections: u64,
    respond: R,
) where
    R: Fn(Request<Incoming>, Client) -> F + Clone + 'static,
    F: Future<Output = Response<Full<Bytes>>> + 'static,
{
    let clients = Clients::new(connections);
    let mut failures = LineLimit::new(1, FAILURE_PERIOD);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let place = clients.place().await;
                let respond = respond.clone();
                actix::spawn(async move {
                    let client = place.client();
                    let serving = serve(stream, client.clone(), respond);
                    tokio::select! {
                        // A client that is too slow is disconnected.
                        _ = timeout(CONNECTION_TIME, serving) => {}
                        () = client.replaced() => {}
                    }
                });
                // Requests that have arrived are read before the next client is accepted.
                yield_now().await;
            }
            Err(error) => {
                if let Some(not_logged) = failures.admit(Instant::now()) {
                    ConnectionFailed {
                        of,
                        error,
                        not_logged,
                    }
                    .emit();
                }
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Answers one request of a client, if it is valid HTTP.
///
/// Only the request's head has a time limit here. Needs a runtime with timers.
pub(crate) async fn serve<S, R, F>(stream: S, client: Client, respond: R)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    R: Fn(Request<Incoming>, Client) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let service = service_fn(|request| {
        let client = client.clone();
        let response = respond(request, client.clone());
        async move {
            let response = response.await;
            // Not every `respond` calls `set_asked`. A client that has its answer is not idle.
            client.set_asked();
            Ok::<_, Infallible>(response)
        }
    });
    // An error is ignored: the client detects errors of its connection.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        // A connection that is kept alive would take the place of a client with a request.
        .keep_alive(false)
        // A client may close its sending side once it has sent its request.
        .half_close(true)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A response with one line as its body. The line is also the reason phrase, as far as possible.
pub(crate) fn text(status: StatusCode, line: &impl ToString) -> Response<Full<Bytes>> {
    let mut line = shortened(line.to_string());
    let phrase = reason_phrase(&line);
    line.push('\n');
    let mut response = Response::new(Full::from(line));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    if let Some(phrase) = phrase {
        response.extensions_mut().insert(phrase);
    }
    response
}

/// The line; if it is longer than [`LONGEST_REASON`], its beginning with a note.
fn shortened(mut line: String) -> String {
    if line.len() > LONGEST_REASON {
        let whole = line.len();
        let end = (0..=LONGEST_REASON)
            .rev()
            .find(|at| line.is_char_boundary(*at));
        line.truncate(end.unwrap_or(0));
        line.push_str(&format!(
            " … (truncated here; exectrail's diagnostics have all {whole} bytes)"
        ));
    }
    line
}

/// The reason phrase, the text after the status in the response's first line: busybox's wget shows
/// only this text of an error. It has only visible ASCII and spaces (RFC 9112, section 4, allows
/// little more). It fits the line of 512 bytes that old versions of busybox's wget read.
fn reason_phrase(line: &str) -> Option<ReasonPhrase> {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
    let phrase: String = line.chars().take(LONGEST_PHRASE).map(plain).collect();
    ReasonPhrase::try_from(phrase).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_and_say_so() {
        assert_eq!(shortened("short".to_owned()), "short");
        for letter in ["x", "é", "…", "𝄞"] {
            let cut = shortened(letter.repeat(40_000));
            assert!(cut.len() < 16 * 1024, "{}", cut.len());
            assert!(cut.starts_with(letter));
            let flag = format!("have all {} bytes)", 40_000 * letter.len());
            assert!(cut.contains(&flag), "{cut}");
        }
    }
}
