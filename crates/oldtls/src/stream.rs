//! A connection with its input and output: plaintext on one side, a socket on the other.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{Connection, RECORD, Step};
use crate::{Error, Session};

/// A connection whose handshake is done.
pub struct Stream<I> {
    io: I,
    connection: Connection,
    /// Records that the socket has not taken yet: at most one of ours, and answers to what the client sent beside.
    outgoing: BytesMut,
    closing: bool,
}

impl<I> Stream<I> {
    pub(crate) fn new(io: I, connection: Connection) -> Self {
        Self {
            io,
            connection,
            outgoing: BytesMut::new(),
            closing: false,
        }
    }

    /// What the handshake learnt.
    pub fn session(&self) -> Session {
        self.connection.session()
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Stream<I> {
    /// Sends what waits.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.outgoing.is_empty() {
                self.outgoing = self.connection.output();
            }
            if self.outgoing.is_empty() {
                return Poll::Ready(Ok(()));
            }
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.outgoing))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.outgoing.advance(sent),
            }
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncRead for Stream<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            match this.connection.read(buffer.initialize_unfilled()) {
                Ok(Step::Done(read)) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Ok(Step::Closed) => return Poll::Ready(Ok(())),
                Ok(Step::WantsInput) => {}
                Err(error) => {
                    // The alert that says why; a socket that is full now is not waited for.
                    let _ = this.poll_drain(cx);
                    return Poll::Ready(Err(broken(error)));
                }
            }
            // Refusals to negotiate again go out before more is read, so that who asks and never reads fills its own
            // buffers and not ours. A record of ours that waits for the socket is no reason not to read.
            this.poll_answers(cx)?;
            if this.outgoing.len() > 2 * RECORD {
                return Poll::Pending;
            }
            let mut space = [0; RECORD];
            let mut came = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut this.io).poll_read(cx, &mut came))?;
            if came.filled().is_empty() {
                // Not the end that TLS knows: somebody may have cut it (RFC 5246 §7.2.1).
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            this.connection.input(came.filled()).map_err(broken)?;
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> Stream<I> {
    /// Takes over what the library has answered by itself, and sends what the socket takes.
    fn poll_answers(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let answers = self.connection.output();
        self.outgoing.extend_from_slice(&answers);
        match self.poll_drain(cx) {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }
}

impl<I: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // One record waits at most.
        ready!(this.poll_drain(cx))?;
        let written = this.connection.write(bytes).map_err(broken)?;
        match this.poll_drain(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(written)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !std::mem::replace(&mut this.closing, true) {
            this.connection.close();
        }
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}

fn broken(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
