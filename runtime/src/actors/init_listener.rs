//! InitListener: who asks to be traced?
//!
//! Receives [`Open`], [`Close`]. Sends [`Announce`] to Tracer and answers `204` only when that has
//! said that tracing is on. Reads at most 16 bytes of body and bounds every client in time and
//! number; what it cannot serve waits in the kernel's backlog.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorFutureExt as _, AsyncContext as _, Context, Handler, ResponseActFuture,
    SpawnHandle, WrapFuture as _,
};
use http_body_util::{BodyExt as _, Full, Limited};
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

use super::messages::{Announce, Answer, BindError, Close, NotRegistered, Open};
use crate::{
    announcement::{self, MAX_BODY, Malformed},
    internal_events::ConnectionFailed,
    rate_limit::RateLimit,
};

/// Most connections served at once; fewer where descriptors are few.
const CONNECTIONS: u64 = 64;
/// Most characters of a reason that stand behind a status.
const LONGEST_PHRASE: usize = 400;
/// A request's head must arrive in this time.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// A request's body must arrive in this time.
const BODY_TIME: Duration = Duration::from_secs(5);
/// A connection is closed after this time, whatever it does.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// After a failed accept (no descriptors left, for one), wait so long.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A failed accept is logged at most once in this time.
const FAILURE_PERIOD: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Default)]
pub struct InitListener {
    accepting: Option<SpawnHandle>,
}

impl Actor for InitListener {
    type Context = Context<Self>;
}

impl Handler<Open> for InitListener {
    type Result = ResponseActFuture<Self, Result<SocketAddr, BindError>>;

    fn handle(&mut self, Open { address, answer }: Open, _: &mut Self::Context) -> Self::Result {
        let bind = async move {
            let listener = TcpListener::bind(address).await?;
            let bound = listener.local_addr()?;
            Ok((listener, bound))
        };
        Box::pin(bind.into_actor(self).map(
            move |bound: std::io::Result<_>, listener: &mut Self, ctx: &mut Context<Self>| {
                let (socket, bound) = bound.map_err(|source| BindError { address, source })?;
                let accepting = ctx.spawn(accept(socket, answer).into_actor(listener));
                listener.accepting = Some(accepting);
                Ok(bound)
            },
        ))
    }
}

impl Handler<Close> for InitListener {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Self::Context) {
        if let Some(accepting) = self.accepting.take() {
            ctx.cancel_future(accepting);
        }
    }
}

/// How many connections to serve at once: half of the descriptors that are left, the rest of
/// exectrail having opened what it holds.
fn room() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let left = limit.saturating_sub(open as u64);
    (left / 2).clamp(1, CONNECTIONS) as usize
}

/// Accepts connections for ever.
async fn accept(listener: TcpListener, answer: Answer) {
    let room = Arc::new(Semaphore::new(room()));
    let mut failures = RateLimit::new(1, FAILURE_PERIOD);
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answer = answer.clone();
                actix::spawn(async move {
                    // A client too slow is cut off; it has its time in the constants above.
                    let _ = timeout(CONNECTION_TIME, serve(stream, answer)).await;
                    drop(place);
                });
            }
            Err(error) => {
                if let Some(untold) = failures.admit(Instant::now()) {
                    ConnectionFailed { error, untold }.emit();
                }
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Serves one connection, until its client is done or has broken the rules of HTTP.
///
/// It has no bound in time of its own beyond those on a request's head and body. Needs a runtime with
/// timers; of an answer that asks the tracer, also an actix system.
pub async fn serve<S>(stream: S, answer: Answer)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(move |request| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(respond(request, &answer).await) }
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

/// The answer to one request.
async fn respond(request: Request<Incoming>, answer: &Answer) -> Response<Full<Bytes>> {
    match read(request).await {
        Err(malformed) => text(Malformed::STATUS, &malformed),
        Ok(pid_ns) => match answer {
            Answer::Refuse(reason) => text(StatusCode::SERVICE_UNAVAILABLE, reason),
            Answer::Ask(tracer) => match tracer.send(Announce { pid_ns }).await {
                Ok(Ok(_)) => {
                    let mut response = Response::default();
                    *response.status_mut() = StatusCode::NO_CONTENT;
                    response
                }
                Ok(Err(refused @ NotRegistered::Refused(_))) => {
                    text(StatusCode::FORBIDDEN, &refused)
                }
                Ok(Err(failed)) => text(StatusCode::SERVICE_UNAVAILABLE, &failed),
                Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, &"exectrail is stopping"),
            },
        },
    }
}

/// The namespace that a request announces.
async fn read(request: Request<Incoming>) -> Result<u32, Malformed> {
    announcement::check_head(request.method(), request.uri().path(), request.headers())?;
    let body = Limited::new(request.into_body(), MAX_BODY).collect();
    let body = match timeout(BODY_TIME, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(Malformed::TooLong);
        }
        Ok(Err(error)) => return Err(Malformed::Body(error.to_string())),
        Err(_) => return Err(Malformed::Body("it did not arrive in time".to_owned())),
    };
    announcement::parse_body(&body)
}

/// A response of one line, the same in its body and, as far as it goes there, behind its status.
fn text(status: StatusCode, line: &impl ToString) -> Response<Full<Bytes>> {
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
