//! One question to one resolver: UDP, and TCP if the answer does not fit (RFC 1035 §4.2, RFC 7766).
//!
//! Each question has a socket, a port and an identifier of its own, all random, and the socket is
//! connected, so that an answer from elsewhere never reaches us (RFC 5452).

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

use super::{
    message::{Answer, Kind, MessageError, Question},
    name::Name,
};

/// Datagrams that were not the answer, before the rest is not looked at any more.
const MAX_FOREIGN: u32 = 64;
/// Larger than what EDNS offers: some servers do not care.
const BUFFER: usize = 4096;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("its answer cannot be used: {0}")]
    Message(#[from] MessageError),
    #[error("no random numbers")]
    Random,
}

/// Asks once. Waits for as long as the caller lets it.
pub(crate) async fn ask(
    server: SocketAddr,
    name: &Name,
    kind: Kind,
) -> Result<Answer, ExchangeError> {
    let question = Question {
        id: random_id()?,
        name: name.clone(),
        kind,
    };
    let answer = over_udp(server, &question, true).await?;
    // FORMERR, NOTIMP: perhaps a server from before EDNS (RFC 6891 §7).
    let answer = match answer.rcode {
        1 | 4 => over_udp(server, &question, false).await?,
        _ => answer,
    };
    if answer.truncated {
        return over_tcp(server, &question).await;
    }
    Ok(answer)
}

async fn over_udp(
    server: SocketAddr,
    question: &Question,
    edns: bool,
) -> Result<Answer, ExchangeError> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(&question.encode(edns)).await?;
    let mut buffer = vec![0; BUFFER];
    for _ in 0..MAX_FOREIGN {
        let length = socket.recv(&mut buffer).await?;
        let datagram = buffer.get(..length).unwrap_or_default();
        match Answer::decode(datagram, question) {
            Err(MessageError::Foreign) => continue,
            done => return Ok(done?),
        }
    }
    Err(MessageError::Foreign.into())
}

async fn over_tcp(server: SocketAddr, question: &Question) -> Result<Answer, ExchangeError> {
    let query = question.encode(true);
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(|_| MessageError::Name)?;
    let framed = [&length.to_be_bytes(), query.as_slice()].concat();
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    let answer = Answer::decode(&message, question)?;
    if answer.truncated {
        return Err(MessageError::Short.into());
    }
    Ok(answer)
}

fn random_id() -> Result<u16, ExchangeError> {
    let mut id = [0; 2];
    aws_lc_rs::rand::fill(&mut id).map_err(|_| ExchangeError::Random)?;
    Ok(u16::from_be_bytes(id))
}
