//! OpenID providers: what they say of themselves and their keys, fetched when first needed, kept for an hour, and fetched
//! again no more often than once in half a minute, however many tokens with unknown keys somebody sends.

pub(crate) mod flow;
mod page;

use std::sync::Arc;

use access::Keys;
use audit::Timestamp;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Uri, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

use crate::config::{Oidc, is_provider_url};
use crate::webhook::{self, Trust};

/// How long what a provider says of itself is believed.
const FRESH_MS: i64 = 3_600_000;
/// The shortest time between two fetches because of an unknown key.
const REFETCH_MS: i64 = 30_000;
/// The longest that any answer of a provider may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Every provider of the configuration.
pub(crate) struct Providers {
    all: Vec<Provider>,
    trust: Trust,
}

/// One provider.
pub(crate) struct Provider {
    pub(crate) config: Oidc,
    known: Mutex<Option<Arc<Known>>>,
}

/// What a provider says of itself (OpenID Connect Discovery 1.0 §3), checked.
pub(crate) struct Known {
    pub(crate) authorization_endpoint: String,
    pub(crate) token_endpoint: String,
    pub(crate) keys: Keys,
    /// The client's secret goes into the body and not into a header.
    pub(crate) posts_secret: bool,
    fetched: Timestamp,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Providers {
    pub(crate) fn new(configured: &[Oidc]) -> Self {
        let provider = |config: &Oidc| Provider {
            config: config.clone(),
            known: Mutex::default(),
        };
        Self {
            all: configured.iter().map(provider).collect(),
            trust: Trust::default(),
        }
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Provider> {
        self.all
            .iter()
            .find(|provider| provider.config.name == name)
    }

    /// What `provider` says of itself; `anew` after a token with an unknown key.
    pub(crate) async fn known(
        &self,
        ca: &ca::Ca,
        provider: &Provider,
        anew: bool,
        now: Timestamp,
    ) -> Result<Arc<Known>, String> {
        // Held over the fetch: those who come in between wait for it instead of asking as well.
        let mut known = provider.known.lock().await;
        if let Some(there) = known.as_ref() {
            let age = now.0.saturating_sub(there.fetched.0);
            let longest = if anew { REFETCH_MS } else { FRESH_MS };
            if (0..longest).contains(&age) {
                return Ok(Arc::clone(there));
            }
        }
        match self.fetched(ca, &provider.config, now).await {
            Ok(fetched) => Ok(Arc::clone(known.insert(Arc::new(fetched)))),
            // A provider that is away for a moment is as it was; with new keys it would have to be there.
            Err(error) => match known.as_ref().filter(|_| !anew) {
                Some(there) => {
                    tracing::warn!(provider = provider.config.name, %error, "what it said before is used");
                    Ok(Arc::clone(there))
                }
                None => Err(error),
            },
        }
    }

    async fn fetched(&self, ca: &ca::Ca, config: &Oidc, now: Timestamp) -> Result<Known, String> {
        let base = config.issuer.trim_end_matches('/');
        let url = format!("{base}/.well-known/openid-configuration");
        let metadata: Metadata = parsed(&self.get(ca, &url).await?)?;
        // Discovery §4.3: otherwise one provider could speak for another.
        if metadata.issuer != config.issuer {
            return Err(format!(
                "{url} says that it is {}, and the configuration {}",
                metadata.issuer.escape_default(),
                config.issuer
            ));
        }
        for url in [
            &metadata.authorization_endpoint,
            &metadata.token_endpoint,
            &metadata.jwks_uri,
        ] {
            if !is_provider_url(url) {
                return Err(format!("{} is no HTTPS URL", url.escape_default()));
            }
        }
        let keys = self.get(ca, &metadata.jwks_uri).await?;
        let methods = metadata.token_endpoint_auth_methods_supported;
        let basic = methods
            .as_ref()
            // Discovery §3: if absent, client_secret_basic.
            .is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"));
        Ok(Known {
            authorization_endpoint: metadata.authorization_endpoint,
            token_endpoint: metadata.token_endpoint,
            keys: Keys::parse(&keys).ok_or("the provider's keys cannot be read")?,
            posts_secret: !basic,
            fetched: now,
        })
    }

    async fn get(&self, ca: &ca::Ca, url: &str) -> Result<Bytes, String> {
        let request = Request::builder().method(Method::GET);
        let request = request.header(header::ACCEPT, "application/json");
        self.ask(ca, url, request, Bytes::new()).await
    }

    /// One request; anything but 200 is an error.
    pub(crate) async fn ask(
        &self,
        ca: &ca::Ca,
        url: &str,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<Bytes, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url}: {error}"))?;
        let request = request
            .body(Full::new(body))
            .map_err(|error| format!("{url}: {error}"))?;
        let asked = webhook::ask(ca, &self.trust, &uri, request);
        let host = uri.host().unwrap_or_default();
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok((200, body))) => Ok(body),
            Ok(Ok((status, _))) => Err(format!("{host} answered {status}")),
            Ok(Err(error)) => Err(format!("{host}: {error}")),
            Err(_) => Err(format!(
                "{host} did not answer within {} s",
                PATIENCE.as_secs()
            )),
        }
    }
}

pub(crate) fn parsed<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| format!("not understood: {error}"))
}
