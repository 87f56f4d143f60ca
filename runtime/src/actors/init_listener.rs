//! InitListener: serves announcements at the init address.
//!
//! Receives [`Open`], [`Close`]. Sends [`Announce`] to Tracer and answers `204` only after Tracer
//! has answered that the namespace is traced. Retries an address that cannot be bound, unless
//! [`Open::required`]. Reads at most [`MAX_BODY`] bytes of body, and limits the number of clients
//! and the time of each.

use std::{net::SocketAddr, time::Duration};

use actix::{Actor, AsyncContext as _, Context, Handler, SpawnHandle, WrapFuture as _};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::messages::{Announce, Answer, Close, NotRegistered, Open};
use crate::{
    actors::http::{
        self, Client,
        listening::{BindError, ListenAddress},
        text,
    },
    handshake::request::{MAX_BODY, Malformed, check_head, parse_body},
    telemetry::events::ListensLate,
};

/// Maximum number of connections served at once; lower if few descriptors are available.
const CONNECTIONS: u64 = 128;
/// Time limit for the arrival of a request's body.
const BODY_TIME: Duration = Duration::from_secs(5);

/// Accepts connections from [`Open`] to [`Close`].
#[derive(Default)]
pub(crate) struct InitListener {
    accepting: Option<SpawnHandle>,
}

impl Actor for InitListener {
    type Context = Context<Self>;
}

impl Handler<Open> for InitListener {
    type Result = Result<Option<SocketAddr>, BindError>;

    fn handle(&mut self, open: Open, ctx: &mut Self::Context) -> Self::Result {
        let listen_address = ListenAddress {
            purpose: "announcements",
            flag: "--init-address",
            address: open.address,
        };
        let first = match listen_address.listen() {
            Err(error) if open.required => return Err(error),
            first => first,
        };
        let bound = first.as_ref().ok().map(|(_, address)| *address);
        let answer = open.answer;
        let serving = async move {
            let socket = match first {
                Ok((socket, _)) => socket,
                Err(error) => {
                    let (socket, address) = listen_address.listen_later(error).await;
                    ListensLate { address }.emit();
                    socket
                }
            };
            http::accept(
                socket,
                "init address",
                CONNECTIONS,
                move |request, client| respond(request, client, answer.clone()),
            )
            .await;
        };
        self.accepting = Some(ctx.spawn(serving.into_actor(self)));
        Ok(bound)
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

/// Serves one request of a client. A request that is not valid HTTP may get no answer.
///
/// This function limits only the time in which the head and the body arrive. Needs a runtime with
/// timers; with [`Answer::Ask`], also an actix system.
pub async fn serve<S>(stream: S, answer: Answer)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let respond = move |request, client| respond(request, client, answer.clone());
    http::serve(stream, Client::new(), respond).await;
}

/// The answer to one request.
async fn respond(
    request: Request<Incoming>,
    client: Client,
    answer: Answer,
) -> Response<Full<Bytes>> {
    let read = read(request).await;
    client.set_asked();
    match read {
        Err(malformed) => text(Malformed::STATUS, &malformed),
        Ok(pid_ns) => match answer {
            Answer::Refuse(reason) => text(StatusCode::SERVICE_UNAVAILABLE, &reason),
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
    check_head(request.method(), request.uri().path(), request.headers())?;
    let body = Limited::new(request.into_body(), MAX_BODY).collect();
    let body = match timeout(BODY_TIME, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(Malformed::TooLong);
        }
        Ok(Err(error)) => return Err(Malformed::Body(error.to_string())),
        Err(_) => return Err(Malformed::Body("it did not arrive in time".to_owned())),
    };
    parse_body(&body)
}
