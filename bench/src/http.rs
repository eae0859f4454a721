//! HTTP/1.1 over one kept connection: prepared request bytes out, status and length of the answer in.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest answer accepted; the largest of a peer is a few kilobytes of PEM.
const MAX_ANSWER: usize = 1 << 20;

pub struct Connection<S> {
    stream: S,
    buffer: Vec<u8>,
}

/// Where the body of an answer ends.
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
}

/// An answer that is read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.split("\r\n").find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::with_capacity(16 * 1024),
        }
    }

    /// Sends one prepared request and returns the status of its answer, body read.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        let (status, _, end) = self.read_answer(request).await?;
        self.buffer.drain(..end);
        Ok(status)
    }

    /// The same, for a dialogue: the next request depends on what this answer says.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        let (status, head_end, end) = self.read_answer(request).await?;
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).into_owned();
        let chunked = parse_head(head.as_bytes()).is_some_and(|(_, how)| how == Framing::Chunked);
        let raw = &self.buffer[head_end..end];
        let body = if chunked { unchunk(raw) } else { raw.to_vec() };
        self.buffer.drain(..end);
        Ok(Answer { status, head, body })
    }

    /// Reads one whole answer into the buffer; says its status, where its head ends and where it ends.
    async fn read_answer(&mut self, request: &[u8]) -> io::Result<(u16, usize, usize)> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let head_end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill().await?;
        };
        let (status, framing) =
            parse_head(&self.buffer[..head_end]).ok_or_else(|| invalid("not an HTTP answer"))?;
        let end = match framing {
            Framing::Length(length) => {
                while self.buffer.len() < head_end + length {
                    self.fill().await?;
                }
                head_end + length
            }
            Framing::Chunked => loop {
                if let Some(length) = chunked_length(&self.buffer[head_end..]) {
                    break head_end + length;
                }
                self.fill().await?;
            },
        };
        Ok((status, head_end, end))
    }

    async fn fill(&mut self) -> io::Result<()> {
        if self.buffer.len() > MAX_ANSWER {
            return Err(invalid("answer too long"));
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn parse_head(head: &[u8]) -> Option<(u16, Framing)> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut framing = Framing::Length(0);
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            framing = Framing::Length(value.trim().parse().ok()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Framing::Chunked;
        }
    }
    Some((status, framing))
}

/// Length of a complete chunked body at the start of `body`, or None if more bytes are needed.
fn chunked_length(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line_end = at + find(&body[at..], b"\r\n")?;
        let digits = std::str::from_utf8(&body[at..line_end]).ok()?;
        let size = usize::from_str_radix(digits.split(';').next()?.trim(), 16).ok()?;
        at = line_end + 2 + size + 2;
        if at > body.len() {
            return None;
        }
        if size == 0 {
            return Some(at);
        }
    }
}

/// The content of a complete chunked body.
fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(body.len());
    while let Some(line_end) = find(body, b"\r\n") {
        let digits = std::str::from_utf8(&body[..line_end]).unwrap_or_default();
        let size = digits.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).unwrap_or_default();
        let from = line_end + 2;
        if size == 0 || from + size + 2 > body.len() {
            break;
        }
        content.extend_from_slice(&body[from..from + size]);
        body = &body[from + size + 2..];
    }
    content
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let table: &[(&str, Option<(u16, Framing)>)] = &[
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n",
                Some((200, Framing::Length(12))),
            ),
            (
                "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n",
                Some((201, Framing::Chunked)),
            ),
            (
                "HTTP/1.1 204 No Content\r\n\r\n",
                Some((204, Framing::Length(0))),
            ),
            ("nonsense\r\n\r\n", None),
        ];
        for (head, expected) in table {
            assert_eq!(parse_head(head.as_bytes()), *expected, "{head}");
        }
    }

    #[test]
    fn chunked_bodies_end_where_they_end() {
        let whole = b"4\r\nWiki\r\n5;x=y\r\npedia\r\n0\r\n\r\nnext";
        assert_eq!(chunked_length(whole), Some(whole.len() - 4));
        assert_eq!(unchunk(&whole[..whole.len() - 4]), b"Wikipedia");
        for cut in 0..whole.len() - 4 {
            assert_eq!(chunked_length(&whole[..cut]), None, "cut at {cut}");
        }
    }
}
