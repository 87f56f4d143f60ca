//! MetricsListener: serves the metrics, liveness and readiness.
//!
//! Receives [`Publish`], [`Close`]. Sends nothing: the other actors count in
//! [`crate::telemetry::metrics`]. Any client in the network may connect. So responses contain
//! neither the text of a rule nor the inode number of a workspace's PID namespace.

use std::future::ready;

use actix::{Actor, AsyncContext as _, Context, Handler, SpawnHandle, WrapFuture as _};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue, VARY},
};

use super::messages::{Close, Publish};
use crate::{
    actors::http::{self, listening::ListenAddress, text},
    telemetry::{
        events::MetricsPublished,
        metrics::{Format, metrics},
    },
};

/// Maximum number of connections served at once; usually one or two clients scrape.
const CONNECTIONS: u64 = 16;

/// Serves the metrics address.
#[derive(Default)]
pub(crate) struct MetricsListener {
    accepting: Option<SpawnHandle>,
}

impl Actor for MetricsListener {
    type Context = Context<Self>;
}

impl Handler<Publish> for MetricsListener {
    type Result = ();

    fn handle(&mut self, Publish { address }: Publish, ctx: &mut Self::Context) {
        let listen_address = ListenAddress {
            purpose: "scrapes of metrics",
            flag: "--metrics-address",
            address,
        };
        let first = listen_address.listen();
        let serving = async move {
            let (socket, address) = match first {
                Ok(bound) => bound,
                Err(error) => listen_address.listen_later(error).await,
            };
            MetricsPublished { address }.emit();
            http::accept(socket, "metrics address", CONNECTIONS, |request, _| {
                ready(respond(&request))
            })
            .await;
        };
        self.accepting = Some(ctx.spawn(serving.into_actor(self)));
    }
}

impl Handler<Close> for MetricsListener {
    type Result = ();

    fn handle(&mut self, _: Close, ctx: &mut Self::Context) {
        if let Some(accepting) = self.accepting.take() {
            ctx.cancel_future(accepting);
        }
    }
}

/// The answer to one request. The request's body is not read.
fn respond(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let answer: fn(&Request<Incoming>) -> _ = match request.uri().path() {
        "/metrics" => all_metrics,
        // Any answer shows that the process works.
        "/livez" => |_| text(StatusCode::OK, &"ok"),
        "/readyz" => |_| match metrics().is_ready() {
            Ok(()) => text(StatusCode::OK, &"ready"),
            Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, &reason),
        },
        _ => {
            let paths = "Metrics are at /metrics, liveness at /livez, readiness at /readyz";
            return text(StatusCode::NOT_FOUND, &paths);
        }
    };
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, &"This can only be read");
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    answer(request)
}

/// The metrics, in the format that the request accepts.
fn all_metrics(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let format = Format::accepted(request.headers().get_all(ACCEPT));
    match metrics().encode(format) {
        Ok(encoded) => {
            let mut response = Response::new(Full::from(encoded));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, format.content_type());
            headers.insert(VARY, HeaderValue::from_static("Accept"));
            response
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}
