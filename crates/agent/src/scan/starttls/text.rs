//! The protocols that are made of lines, and XMPP, which is made of angle brackets.

use super::{Talk, declined};
use crate::observation::StartTls;
use crate::scan::line::End;

/// What we call ourselves; a name that cannot exist (RFC 2606 §2).
const OWN_NAME: &str = "ward.invalid";

/// RFC 3207.
pub(super) async fn smtp(talk: &mut Talk<'_>) -> Result<(), End> {
    reply(talk, "220").await?;
    talk.say(format!("EHLO {OWN_NAME}\r\n").as_bytes()).await?;
    let features = replies(talk, "the answer to EHLO").await?;
    let offered = features.iter().any(|line| {
        let word = line.get(4..).unwrap_or_default();
        word.trim().eq_ignore_ascii_case("STARTTLS")
    });
    if !offered {
        talk.say(b"QUIT\r\n").await?;
        let said = features.last().map_or("", String::as_str);
        return Err(declined(
            StartTls::Smtp,
            &format!("not among its extensions; {said}"),
        ));
    }
    talk.say(b"STARTTLS\r\n").await?;
    let consent = replies(talk, "the answer to STARTTLS").await?;
    agreed(talk, StartTls::Smtp, &consent, "220").await
}

/// RFC 4217.
pub(super) async fn ftp(talk: &mut Talk<'_>) -> Result<(), End> {
    reply(talk, "220").await?;
    talk.say(b"AUTH TLS\r\n").await?;
    let consent = replies(talk, "the answer to AUTH").await?;
    agreed(talk, StartTls::Ftp, &consent, "234").await
}

/// RFC 9051 §6.2.1.
pub(super) async fn imap(talk: &mut Talk<'_>) -> Result<(), End> {
    greeted(talk, &["* OK", "* PREAUTH", "* BYE"]).await?;
    talk.say(b"a STARTTLS\r\n").await?;
    loop {
        let line = talk.line("the answer to STARTTLS").await?;
        match line.strip_prefix("a ") {
            Some(answer) if starts(answer, "OK") => return Ok(()),
            Some(answer) => {
                talk.say(b"b LOGOUT\r\n").await?;
                return Err(declined(StartTls::Imap, answer));
            }
            // Untagged news may come at any time.
            None => {}
        }
    }
}

/// RFC 2595 §4.
pub(super) async fn pop3(talk: &mut Talk<'_>) -> Result<(), End> {
    greeted(talk, &["+OK", "-ERR"]).await?;
    talk.say(b"STLS\r\n").await?;
    let answer = talk.line("the answer to STLS").await?;
    if starts(&answer, "+OK") {
        return Ok(());
    }
    talk.say(b"QUIT\r\n").await?;
    Err(declined(StartTls::Pop3, &answer))
}

/// RFC 6120 §5.4.
pub(super) async fn xmpp(talk: &mut Talk<'_>, host: &str, port: u16) -> Result<(), End> {
    talk.say(stream(host, port).as_bytes()).await?;
    let first = talk.peek(1, "a stream").await?.first().copied();
    if first != Some(b'<') {
        return Err(talk.other(&talk.received));
    }
    let features = until(
        talk,
        &[
            "</stream:features>",
            "<stream:features/>",
            "</stream:stream>",
        ],
    )
    .await?;
    if !features.contains("urn:ietf:params:xml:ns:xmpp-tls") {
        talk.say(b"</stream:stream>").await?;
        return Err(declined(StartTls::Xmpp, "not among its features"));
    }
    talk.say(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
        .await?;
    let answer = until(talk, &[">"]).await?;
    if answer.contains("<proceed") {
        return Ok(());
    }
    Err(declined(StartTls::Xmpp, &answer))
}

/// How a stream begins: between servers on their port, else from a client.
pub(super) fn stream(host: &str, port: u16) -> String {
    let kind = if port == 5269 { "server" } else { "client" };
    let host: String = host
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || ".-:".contains(*c))
        .collect();
    format!(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:{kind}' \
         xmlns:stream='http://etherx.jabber.org/streams' to='{host}' version='1.0'>"
    )
}

/// Everything up to and with the first of `ends` to come.
async fn until(talk: &mut Talk<'_>, ends: &[&str]) -> Result<String, End> {
    loop {
        let found = ends.iter().filter_map(|end| {
            let mut windows = talk.received.windows(end.len());
            let at = windows.position(|window| window == end.as_bytes())?;
            Some(at + end.len())
        });
        if let Some(end) = found.min() {
            let taken = talk.take(end, "an element").await?;
            return Ok(String::from_utf8_lossy(&taken).into_owned());
        }
        talk.more("the end of an element").await?;
    }
}

/// A greeting with one of these beginnings.
async fn greeted(talk: &mut Talk<'_>, beginnings: &[&str]) -> Result<(), End> {
    let first = talk.peek(1, "a greeting").await?.first().copied();
    let known = |byte| {
        beginnings
            .iter()
            .any(|text| text.as_bytes().first() == Some(byte))
    };
    if !first.as_ref().is_some_and(known) {
        return Err(talk.other(&talk.received));
    }
    let line = talk.line("the end of its greeting").await?;
    if beginnings.iter().any(|beginning| starts(&line, beginning)) {
        return Ok(());
    }
    Err(talk.other(line.as_bytes()))
}

/// A greeting of three digits, which SMTP and FTP share.
async fn reply(talk: &mut Talk<'_>, wanted: &str) -> Result<(), End> {
    let first = talk.peek(1, "a greeting").await?.first().copied();
    if !first.is_some_and(|byte| byte.is_ascii_digit()) {
        return Err(talk.other(&talk.received));
    }
    let lines = replies(talk, "the end of its greeting").await?;
    match lines.last() {
        Some(line) if line.starts_with(wanted) => Ok(()),
        Some(line) => Err(talk.other(line.as_bytes())),
        None => Err(talk.other(&[])),
    }
}

/// One reply of any number of lines: `250-` goes on, `250 ` ends (RFC 5321 §4.2.1).
async fn replies(talk: &mut Talk<'_>, what: &str) -> Result<Vec<String>, End> {
    let mut lines = Vec::new();
    loop {
        let line = talk.line(what).await?;
        let goes_on = line.as_bytes().get(3) == Some(&b'-')
            || !line.as_bytes().first().is_some_and(u8::is_ascii_digit);
        lines.push(line);
        if !goes_on {
            return Ok(lines);
        }
    }
}

async fn agreed(
    talk: &mut Talk<'_>,
    protocol: StartTls,
    consent: &[String],
    wanted: &str,
) -> Result<(), End> {
    let said = consent.last().map_or("", String::as_str);
    if said.starts_with(wanted) {
        return Ok(());
    }
    talk.say(b"QUIT\r\n").await?;
    Err(declined(protocol, said))
}

fn starts(text: &str, beginning: &str) -> bool {
    text.get(..beginning.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}
