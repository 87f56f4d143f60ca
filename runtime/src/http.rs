//! Answering HTTP for clients that nobody trusts: bounded in number, time and bytes. What cannot be
//! served waits in the kernel's backlog.

use std::{
    convert::Infallible,
    sync::Arc,
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
use rustix::process::{Resource, getrlimit};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Semaphore,
    time::{sleep, timeout},
};

use crate::{internal_events::ConnectionFailed, rate_limit::RateLimit};

/// A request's head must arrive in this time.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// A connection is closed after this time, whatever it does.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// After a failed accept (no descriptors left, for one), wait so long.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// A failed accept is logged at most once in this time.
const FAILURE_PERIOD: Duration = Duration::from_secs(10);
/// Most characters of a reason that stand behind a status.
const LONGEST_PHRASE: usize = 400;

/// How many connections to serve at once, of at most `wanted`: half of the descriptors that are
/// left, the rest of exectrail having opened what it holds.
fn room(wanted: u64) -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let left = limit.saturating_sub(open as u64);
    (left / 2).clamp(1, wanted) as usize
}

/// Accepts connections for ever, at most `connections` at once; `of` says which address in
/// diagnostics. Needs an actix system.
pub async fn accept<R, F>(listener: TcpListener, of: &'static str, connections: u64, respond: R)
where
    R: Fn(Request<Incoming>) -> F + Clone + 'static,
    F: Future<Output = Response<Full<Bytes>>> + 'static,
{
    let room = Arc::new(Semaphore::new(room(connections)));
    let mut failures = RateLimit::new(1, FAILURE_PERIOD);
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let respond = respond.clone();
                actix::spawn(async move {
                    // A client too slow is cut off; it has its time in the constants above.
                    let _ = timeout(CONNECTION_TIME, serve(stream, respond)).await;
                    drop(place);
                });
            }
            Err(error) => {
                if let Some(untold) = failures.admit(Instant::now()) {
                    ConnectionFailed { of, error, untold }.emit();
                }
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Serves one connection, until its client is done or has broken the rules of HTTP.
///
/// It has no bound in time of its own beyond that on a request's head. Needs a runtime with timers.
pub async fn serve<S, R, F>(stream: S, respond: R)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    R: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let service = service_fn(|request| {
        let response = respond(request);
        async { Ok::<_, Infallible>(response.await) }
    });
    // What goes wrong with a connection is the client's to notice.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        // A client may close its sending side once it has sent its request.
        .half_close(true)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A response of one line, the same in its body and, as far as it goes there, behind its status.
pub fn text(status: StatusCode, line: &impl ToString) -> Response<Full<Bytes>> {
    let mut line = line.to_string();
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

/// What stands behind the status in the response's first line: all that busybox's wget shows of an
/// error. Visible ASCII and spaces only (RFC 9112, section 4, allows little more), and short enough
/// for that wget's line of 512 bytes.
fn reason_phrase(line: &str) -> Option<ReasonPhrase> {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
    let phrase: String = line.chars().take(LONGEST_PHRASE).map(plain).collect();
    ReasonPhrase::try_from(phrase).ok()
}
