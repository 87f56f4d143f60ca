//! MetricsListener: how is exectrail doing?
//!
//! Receives [`Publish`], [`Close`]. Sends nothing: whoever has something to count has counted it
//! ([`crate::metrics`]). Tells nobody a rule's text or a workspace's number: its clients may be anybody in
//! the network.

use std::future::ready;

use actix::{Actor, AsyncContext as _, Context, Handler, SpawnHandle, WrapFuture as _};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
};

use super::messages::{Close, Publish};
use crate::{
    http,
    internal_events::MetricsPublished,
    listening::Place,
    metrics::{self, metrics},
};

/// Most connections served at once: one or two scrape.
const CONNECTIONS: u64 = 8;
/// Where the metrics are.
const PATH: &str = "/metrics";

/// See the module.
#[derive(Default)]
pub struct MetricsListener {
    accepting: Option<SpawnHandle>,
}

impl Actor for MetricsListener {
    type Context = Context<Self>;
}

impl Handler<Publish> for MetricsListener {
    type Result = ();

    fn handle(&mut self, Publish { address }: Publish, ctx: &mut Self::Context) {
        let place = Place {
            purpose: "scrapes of metrics",
            flag: "--metrics-address",
            address,
        };
        let first = place.listen();
        let serving = async move {
            let (socket, address) = match first {
                Ok(bound) => bound,
                Err(error) => place.listen_later(error).await,
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

/// The answer to one request. Its body is not looked at.
fn respond(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.uri().path() != PATH {
        return http::text(StatusCode::NOT_FOUND, &"Metrics are at /metrics");
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = http::text(StatusCode::METHOD_NOT_ALLOWED, &"Metrics can only be read");
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match metrics().encode() {
        Ok(text) => {
            let mut response = Response::new(Full::from(text));
            response.headers_mut().insert(
                CONTENT_TYPE,
                HeaderValue::from_static(metrics::CONTENT_TYPE),
            );
            response
        }
        Err(error) => http::text(StatusCode::INTERNAL_SERVER_ERROR, &error),
    }
}
