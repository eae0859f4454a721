//! Certificates and TLS parameters from captured traffic (R53): for segments that nobody dares to scan. Nothing is
//! sent.

mod container;
mod pcapng;
mod window;

pub use container::{End, Link, MAX_PACKET, Packet, Packets};

/// Why nothing was read at all. Once packets have been read, whatever happens is in [`End`].
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("not a capture: neither pcap nor pcapng")]
    NotACapture,
    #[error("the capture is compressed with {0} decompresses it to standard input")]
    Compressed(&'static str),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
