//! The client of the init address.

use std::{net::SocketAddr, time::Duration};

use http_body_util::{BodyExt as _, Empty, Full};
use hyper::{
    Request, StatusCode,
    body::{Body, Bytes, Incoming},
    client::conn::http1,
    header::HOST,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

use crate::handshake::request::Malformed;

/// Maximum number of bytes of an answer that are read. A longer answer is truncated.
const MAX_ANSWER: usize = 16 * 1024;
/// Time limit for the text of an answer, after its status.
const BODY_TIME: Duration = Duration::from_secs(2);
/// Marks a truncated answer.
const CUT: &str = " … (cut)";

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Announces a PID namespace once; returns the status and the text of the answer.
pub(crate) async fn post(address: SocketAddr, pid_ns: &str) -> Result<(StatusCode, String), Error> {
    let body = Full::new(Bytes::copy_from_slice(pid_ns.as_bytes()));
    ask(address, Request::post("/"), body).await
}

/// Sends a request that is not an announcement. Fails unless exectrail answers.
pub(crate) async fn probe(address: SocketAddr) -> Result<(), Error> {
    let (_, text) = ask(address, Request::get("/"), Empty::new()).await?;
    if text.contains(&Malformed::MethodOrPath.to_string()) {
        Ok(())
    } else {
        Err(format!(
            "another program than exectrail answers: {}",
            text.chars().take(200).collect::<String>()
        )
        .into())
    }
}

async fn ask<B>(
    address: SocketAddr,
    request: hyper::http::request::Builder,
    body: B,
) -> Result<(StatusCode, String), Error>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake::<_, B>(TokioIo::new(stream)).await?;
    // Any return drops this set, which ends the connection.
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let request = request
        .header(HOST, address.to_string())
        .header(hyper::header::CONNECTION, "close")
        .body(body)?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    Ok((status, text(response.into_body()).await))
}

/// The text of an answer, as far as it arrives in time. If a part is missing, [`CUT`] is added.
async fn text(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            if let Some(data) = frame.data_ref() {
                bytes.extend_from_slice(data);
            }
            if bytes.len() > MAX_ANSWER {
                return false;
            }
        }
        true
    };
    let whole = timeout(BODY_TIME, read).await.unwrap_or(false);
    bytes.truncate(MAX_ANSWER);
    let mut text = String::from_utf8_lossy(&bytes).trim().to_owned();
    if !whole {
        text.push_str(CUT);
    }
    text
}
