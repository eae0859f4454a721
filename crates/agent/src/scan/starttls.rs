//! Asking a plain-text protocol to change to TLS, each in its own words.
//!
//! Every answer is read under one budget and one clock. A server that speaks the protocol and declines is
//! told apart from one that speaks something else. Nothing but what leads to TLS is said; where the
//! protocol has a polite end, a refused conversation ends with it.

mod binary;
mod text;
mod wrap;

pub(super) use wrap::Wrap;

use super::line::{End, Line};
use crate::observation::StartTls;
use crate::tls::Fault;

/// Bytes that a server may say before TLS: greetings of many lines, XMPP features, LDAP notices.
const TALK_LIMIT: usize = 64 << 10;

/// Asks for TLS. What the server sent beyond its consent comes back: it belongs to what follows.
pub(super) async fn upgrade(
    line: &mut Line,
    protocol: StartTls,
    host: &str,
    port: u16,
) -> Result<Vec<u8>, End> {
    let mut talk = Talk {
        line,
        received: Vec::new(),
        total: 0,
    };
    match protocol {
        StartTls::Smtp => text::smtp(&mut talk).await?,
        StartTls::Imap => text::imap(&mut talk).await?,
        StartTls::Pop3 => text::pop3(&mut talk).await?,
        StartTls::Ftp => text::ftp(&mut talk).await?,
        StartTls::Xmpp => text::xmpp(&mut talk, host, port).await?,
        StartTls::Ldap => binary::ldap(&mut talk).await?,
        StartTls::Postgres => binary::postgres(&mut talk).await?,
        StartTls::Mysql => binary::mysql(&mut talk).await?,
        StartTls::Rdp => binary::rdp(&mut talk).await?,
        StartTls::Mssql => {
            binary::mssql(&mut talk).await?;
            let rest = talk.received;
            let mut wrap = Wrap::default();
            let rest = wrap.open(&rest)?;
            line.wrap = Some(wrap);
            return Ok(rest);
        }
    }
    Ok(talk.received)
}

/// The first bytes that a scan sends to a server of this protocol, for a dry run; none where it waits to be greeted.
pub(super) fn opening(protocol: StartTls, host: &str, port: u16) -> Vec<u8> {
    match protocol {
        StartTls::Smtp | StartTls::Imap | StartTls::Pop3 | StartTls::Ftp | StartTls::Mysql => {
            Vec::new()
        }
        StartTls::Xmpp => text::stream(host, port).into_bytes(),
        StartTls::Ldap => binary::LDAP_REQUEST.to_vec(),
        StartTls::Postgres => binary::POSTGRES_REQUEST.to_vec(),
        StartTls::Mssql => binary::MSSQL_PRELOGIN.to_vec(),
        StartTls::Rdp => binary::RDP_REQUEST.to_vec(),
    }
}

/// The conversation before TLS.
struct Talk<'a> {
    line: &'a mut Line,
    /// Came, and not yet consumed.
    received: Vec<u8>,
    total: usize,
}

impl Talk<'_> {
    async fn say(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.line.send(bytes).await
    }

    /// Waits for more.
    async fn more(&mut self, what: &str) -> Result<(), End> {
        let mut buffer = [0; 2048];
        let got = self.line.read(&mut buffer).await?;
        if got == 0 {
            return Err(Fault::garbage(format!("the connection was closed before {what}")).into());
        }
        self.total += got;
        if self.total > TALK_LIMIT {
            return Err(End::Fault(Fault::TooLarge {
                what: "bytes before TLS",
                limit: TALK_LIMIT,
            }));
        }
        self.received
            .extend_from_slice(buffer.get(..got).unwrap_or_default());
        Ok(())
    }

    /// Waits for `count` bytes and gives them without consuming them.
    async fn peek(&mut self, count: usize, what: &str) -> Result<&[u8], End> {
        while self.received.len() < count {
            self.more(what).await?;
        }
        Ok(self.received.get(..count).unwrap_or_default())
    }

    /// Waits for `count` bytes.
    async fn take(&mut self, count: usize, what: &str) -> Result<Vec<u8>, End> {
        self.peek(count, what).await?;
        let rest = self.received.split_off(count);
        Ok(std::mem::replace(&mut self.received, rest))
    }

    /// Waits for a line; its end is cut off, and what is not UTF-8 is replaced.
    async fn line(&mut self, what: &str) -> Result<String, End> {
        let mut looked = 0;
        loop {
            let fresh = self.received.get(looked..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|&byte| byte == b'\n') {
                let line = self.take(looked + at + 1, what).await?;
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            looked = self.received.len();
            self.more(what).await?;
        }
    }

    /// Something else is spoken here.
    fn other(&self, seen: &[u8]) -> End {
        End::Fault(Fault::NotTls(seen.iter().take(16).copied().collect()))
    }
}

/// The server speaks the protocol and says no.
fn declined(protocol: StartTls, answer: &str) -> End {
    let short: String = answer
        .chars()
        .filter(|c| !c.is_control())
        .take(120)
        .collect();
    End::Declined(format!("{protocol} does not change to TLS: {short}"))
}
