//! A mail: composed from typed parts (`lettre`), so that no name or title can add a header, and handed to the relay.

use std::time::{Duration, UNIX_EPOCH};

use access::Person;
use audit::Timestamp;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use zeroize::Zeroizing;

use crate::Services;
use crate::config::{Mail, MailTls};

/// Longest that the relay may take for one mail.
const PATIENCE: Duration = Duration::from_secs(20);
/// So many requests are listed in one mail; the console has the rest.
const LISTED: usize = 30;

/// One line of a mail.
pub(super) struct Item {
    pub(super) title: String,
    pub(super) url: String,
}

/// A relay, for one round.
pub(super) struct Post<'a> {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: &'a Mailbox,
    house: String,
}

/// RFC 3834 §5: no answer of an absent person is wanted.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl<'a> Post<'a> {
    /// Reads the credentials and makes ready; nothing is connected yet.
    pub(super) async fn open(services: &Services, config: &'a Mail) -> Result<Self, String> {
        let tls = match config.tls {
            MailTls::NoneOnLoopbackOnly => Tls::None,
            MailTls::Starttls => Tls::Required(trust(services, config)?),
            MailTls::Tls => Tls::Wrapper(trust(services, config)?),
        };
        let mut built = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.relay)
            .port(config.port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let Some(file) = &config.credentials_file {
            let text = tokio::fs::read_to_string(file).await;
            let text = Zeroizing::new(text.map_err(|error| format!("credentials file: {error}"))?);
            let mut lines = text.lines().map(|line| line.trim().to_owned());
            let (Some(user), Some(password)) = (lines.next(), lines.next()) else {
                return Err("the credentials file needs a user and a password, a line each".into());
            };
            built = built.credentials(Credentials::new(user, password));
        }
        Ok(Self {
            transport: built.build(),
            from: &config.from,
            house: services.config.sign_in_origin(),
        })
    }

    /// Everything that is news for one person. `id` names the mail.
    pub(super) async fn send(
        &self,
        person: &Person,
        id: i64,
        items: &[Item],
        now: Timestamp,
    ) -> Result<(), String> {
        let message = self.message(person, id, items, now)?;
        let sending = tokio::time::timeout(PATIENCE, self.transport.send(message));
        match sending.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("mail to {}: {}", person.id, whole(&error))),
            Err(_) => Err(format!("mail: no answer within {} s", PATIENCE.as_secs())),
        }
    }

    fn message(
        &self,
        person: &Person,
        id: i64,
        items: &[Item],
        now: Timestamp,
    ) -> Result<Message, String> {
        let text = |error: &dyn std::fmt::Display| format!("mail to {}: {error}", person.id);
        let to: Address = person
            .email
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(|error| text(&error))?;
        let subject = match items {
            [one] => format!("Ward: {}", one.title),
            many => format!("Ward: news of {} requests", many.len()),
        };
        let mut body = String::new();
        for item in items.iter().take(LISTED) {
            body.push_str(&format!("{}\n{}\n\n", item.title, item.url));
        }
        if items.len() > LISTED {
            let more = items.len() - LISTED;
            body.push_str(&format!("and {more} more: {}/requests\n\n", self.house));
        }
        body.push_str("You get this because your role in Ward decides about such requests, or because you asked.\nWard never asks for a password by mail.\n");
        let millis = u64::try_from(now.0).unwrap_or_default();
        let domain = self.from.email.domain();
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .date(UNIX_EPOCH + Duration::from_millis(millis))
            .message_id(Some(format!("<ward-notice-{id}-{}@{domain}>", person.id)))
            .header(AutoSubmitted)
            .header(ContentType::TEXT_PLAIN)
            .body(body);
        message.map_err(|error| text(&error))
    }
}

/// The relay is known by the system's trust store or one of Ward's own roots, as programs over HTTPS are.
fn trust(services: &Services, config: &Mail) -> Result<TlsParameters, String> {
    let mut parameters = TlsParameters::builder(config.relay.clone());
    for issuer in services.ca.issuers().iter() {
        let certificate = issuer.certificate();
        if certificate.subject() == certificate.issuer() {
            let root = Certificate::from_der(certificate.der().to_vec());
            parameters = parameters.add_root_certificate(root.map_err(|error| whole(&error))?);
        }
    }
    parameters.build().map_err(|error| whole(&error))
}

/// An error and what is behind it.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
