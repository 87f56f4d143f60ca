//! `exectrail ready`: checks whether the sidecar answers workspaces.
//!
//! The kubelet runs this command in the sidecar's container as its startup probe. The kubelet
//! itself cannot connect to an init address on the pod's loopback. The image has no other program.
//!
//! A sidecar that refuses is ready, too. The workspace then starts, is refused, and shows the
//! reason in its own log.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

use crate::{cli::ReadyArgs, handshake::request::Malformed};

/// Time limit of each step. By default the kubelet gives a probe one second.
const PATIENCE: Duration = Duration::from_millis(800);

/// Why the sidecar is not ready.
#[derive(Debug, thiserror::Error)]
enum NotReady {
    #[error("nothing answers at {address}: {source}")]
    Silent {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("another program than exectrail answers at {address}: {answer:?}")]
    Foreign { address: SocketAddr, answer: String },
}

/// Asks once.
pub(crate) fn main(args: &ReadyArgs) -> ExitCode {
    match ask(args.init_address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("exectrail ready: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Sends a request that is not an announcement. exectrail answers with the text of
/// [`Malformed::MethodOrPath`], so that text must not change.
fn ask(address: SocketAddr) -> Result<(), NotReady> {
    let answer = get(address).map_err(|source| NotReady::Silent { address, source })?;
    let answer = String::from_utf8_lossy(&answer);
    if answer.contains(&Malformed::MethodOrPath.to_string()) {
        return Ok(());
    }
    Err(NotReady::Foreign {
        address,
        answer: answer.chars().take(200).collect(),
    })
}

fn get(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(answer)
}
