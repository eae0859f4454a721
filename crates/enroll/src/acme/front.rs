//! What a request is, and everything that must hold before anybody acts on it (RFC 8555 §6).

use std::pin::Pin;
use std::sync::Arc;

use agent::control::ChallengeKind;
use audit::Timestamp;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::directory::ExternalAccount;
use super::jwk::Jwk;
use super::jws::{self, Signer};
use super::limits::Spend;
use super::problem::{ErrorType, Problem};
use super::{
    Account, Acme, Directory, Reply, Request, account, ari, authorization, certificate, challenge,
    finalize, json, keychange, order, revoke,
};

/// A resource of a directory, with what its path says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource<'a> {
    Directory,
    NewNonce,
    NewAccount,
    NewOrder,
    NewAuthorization,
    RevokeCertificate,
    KeyChange,
    Account(&'a str),
    Orders(&'a str),
    Order(&'a str),
    Finalize(&'a str),
    Authorization(&'a str),
    Challenge(&'a str, &'a str),
    Certificate(&'a str, usize),
    RenewalInfo(&'a str),
}

impl<'a> Resource<'a> {
    /// Reads what follows `/acme/{directory}/`.
    fn parse(path: &'a str) -> Option<Self> {
        let mut parts = path.split('/');
        let resource = match (parts.next()?, parts.next(), parts.next()) {
            ("directory", None, _) => Self::Directory,
            ("new-nonce", None, _) => Self::NewNonce,
            ("new-account", None, _) => Self::NewAccount,
            ("new-order", None, _) => Self::NewOrder,
            ("new-authz", None, _) => Self::NewAuthorization,
            ("revoke-cert", None, _) => Self::RevokeCertificate,
            ("key-change", None, _) => Self::KeyChange,
            ("account", Some(id), None) => Self::Account(id),
            ("account", Some(id), Some("orders")) => Self::Orders(id),
            ("order", Some(id), None) => Self::Order(id),
            ("order", Some(id), Some("finalize")) => Self::Finalize(id),
            ("authz", Some(id), None) => Self::Authorization(id),
            ("challenge", Some(id), Some(kind)) => Self::Challenge(id, kind),
            ("certificate", Some(sha256), None) => Self::Certificate(sha256, 0),
            ("certificate", Some(sha256), Some(chain)) => {
                Self::Certificate(sha256, chain.parse().ok()?)
            }
            ("renewal-info", Some(id), None) => Self::RenewalInfo(id),
            _ => return None,
        };
        parts.next().is_none().then_some(resource)
    }

    /// The name in metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::NewNonce => "new-nonce",
            Self::NewAccount => "new-account",
            Self::NewOrder => "new-order",
            Self::NewAuthorization => "new-authz",
            Self::RevokeCertificate => "revoke-cert",
            Self::KeyChange => "key-change",
            Self::Account(_) => "account",
            Self::Orders(_) => "orders",
            Self::Order(_) => "order",
            Self::Finalize(_) => "finalize",
            Self::Authorization(_) => "authz",
            Self::Challenge(..) => "challenge",
            Self::Certificate(..) => "certificate",
            Self::RenewalInfo(_) => "renewal-info",
        }
    }

    /// Who may sign for it: a key for what needs no account yet, an account otherwise, either for revocation
    /// (RFC 8555 §6.2).
    const fn signer(self) -> Signer {
        match self {
            Self::NewAccount => Signer::Key,
            Self::RevokeCertificate => Signer::Either,
            _ => Signer::Account,
        }
    }
}

/// A request whose signature, nonce, URL and account have been checked.
pub(crate) struct Verified<'a> {
    pub(crate) request: &'a Request<'a>,
    pub(crate) directory: Arc<Directory>,
    /// The account, unless the request is signed with a bare key; never a deactivated or revoked one.
    pub(crate) account: Option<Arc<Account>>,
    /// The key that signed.
    pub(crate) key: Arc<Jwk>,
    /// Empty for POST-as-GET (RFC 8555 §6.3).
    pub(crate) payload: Vec<u8>,
}

impl Verified<'_> {
    /// The account that signed.
    pub(crate) fn account(&self) -> Result<&Arc<Account>, Problem> {
        self.account
            .as_ref()
            .ok_or_else(|| Problem::internal(&"a resource of accounts without an account"))
    }

    /// The URL of a resource of this directory: `call.url("order/abc")`.
    pub(crate) fn url(&self, rest: &str) -> String {
        url(self.request.base, &self.directory.name, rest)
    }

    /// The URL of an account of this directory: what `kid` is.
    pub(crate) fn account_url(&self, id: &str) -> String {
        self.url(&format!("account/{id}"))
    }

    /// RFC 8555 §6.3: an empty payload asks to be shown the resource.
    pub(crate) fn is_post_as_get(&self) -> bool {
        self.payload.is_empty()
    }

    /// Refuses a body where there is only something to be shown.
    pub(crate) fn require_post_as_get(&self) -> Result<(), Problem> {
        match self.is_post_as_get() {
            true => Ok(()),
            false => Err(Problem::malformed(
                "this resource can only be shown: the payload must be empty (RFC 8555 §6.3)",
            )),
        }
    }

    /// The payload as JSON: unknown members are passed over, a member that stands twice is refused.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        json::parse(&self.payload, "payload")
    }
}

/// `{base}/acme/{directory}/{rest}`.
pub(crate) fn url(base: &str, directory: &str, rest: &str) -> String {
    [base, "/acme/", directory, "/", rest].concat()
}

/// Answers a request.
pub(crate) async fn handle(acme: &Acme, request: &Request<'_>, now: Timestamp) -> Reply {
    let (directory_name, rest) = request.path.split_once('/').unwrap_or((request.path, ""));
    let directory = acme.inner.directories.find(directory_name);
    let Some(directory) = directory.filter(|directory| directory.enabled) else {
        let mut reply = Problem::not_found("there is no such ACME directory").reply();
        add_nonce(acme, request, &mut reply, now);
        return reply;
    };
    let resource = Resource::parse(rest);
    let name = resource.map_or("unknown", Resource::name);
    let answer = match resource {
        Some(resource) => answer(acme, request, &directory, resource, now).await,
        None => Err(Problem::not_found("there is no such resource")),
    };
    let mut reply = answer.unwrap_or_else(|problem| {
        metrics::counter!("ward_acme_problems_total", "directory" => directory.name.clone(),
            "type" => problem.kind.name())
        .increment(1);
        problem.reply()
    });
    add_nonce(acme, request, &mut reply, now);
    // RFC 8555 §7.1: "index" points to the directory from everywhere but itself.
    if resource != Some(Resource::Directory) {
        reply = reply.link(&url(request.base, &directory.name, "directory"), "index");
    }
    metrics::counter!("ward_acme_requests_total", "directory" => directory.name.clone(),
        "resource" => name, "status" => status(reply.status))
    .increment(1);
    reply
}

/// RFC 8555 §6.5: every answer to a POST carries a nonce, errors too.
fn add_nonce(acme: &Acme, request: &Request<'_>, reply: &mut Reply, now: Timestamp) {
    if reply.nonce.is_none() && request.method == Method::POST {
        reply.nonce = acme.inner.nonces.issue(now).ok();
    }
}

/// The statuses that occur, without an allocation for each.
fn status(status: u16) -> &'static str {
    match status {
        200 => "200",
        201 => "201",
        204 => "204",
        400 => "400",
        401 => "401",
        403 => "403",
        404 => "404",
        405 => "405",
        409 => "409",
        413 => "413",
        415 => "415",
        429 => "429",
        500 => "500",
        503 => "503",
        _ => "other",
    }
}

async fn answer(
    acme: &Acme,
    request: &Request<'_>,
    directory: &Arc<Directory>,
    resource: Resource<'_>,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let limits = &acme.inner.limits;
    limits.spend(directory, None, request.peer, Spend::Request, now)?;
    match (resource, &request.method) {
        (Resource::Directory, &Method::GET | &Method::HEAD) => Ok(index(request, directory)),
        (Resource::NewNonce, &Method::HEAD) => fresh_nonce(acme, 200, now),
        (Resource::NewNonce, &Method::GET) => fresh_nonce(acme, 204, now),
        (Resource::RenewalInfo(id), &Method::GET | &Method::HEAD) => {
            ari::show(acme, directory, id, now).await
        }
        (Resource::Directory | Resource::RenewalInfo(_), _) => {
            Err(method_not_allowed("GET, HEAD", "RFC 8555 §7.1.1"))
        }
        (Resource::NewNonce, _) => Err(method_not_allowed("GET, HEAD", "RFC 8555 §7.2")),
        (_, &Method::POST) => signed(acme, request, directory, resource, now).await,
        _ => Err(method_not_allowed("POST", "RFC 8555 §6.3")),
    }
}

fn method_not_allowed(allow: &'static str, clause: &str) -> Problem {
    let mut problem = Problem::malformed(format!("the method must be {allow} here ({clause})"));
    problem.allow = Some(allow);
    problem.status(405)
}

/// RFC 8555 §7.2: HEAD gives 200, GET 204, and nothing may be cached.
fn fresh_nonce(acme: &Acme, status: u16, now: Timestamp) -> Result<Reply, Problem> {
    let mut reply = Reply::empty(status);
    reply.nonce = Some(acme.inner.nonces.issue(now)?);
    reply.cache_control = Some("no-store");
    Ok(reply)
}

async fn signed(
    acme: &Acme,
    request: &Request<'_>,
    directory: &Arc<Directory>,
    resource: Resource<'_>,
    now: Timestamp,
) -> Result<Reply, Problem> {
    let call = jws::verify(acme, request, directory, resource.signer(), now).await?;
    let account = call.account.as_deref();
    let limits = &acme.inner.limits;
    limits.spend(directory, account, request.peer, Spend::Signed, now)?;
    // In a box each: side by side they would make every poll of every request as large as all of them.
    let answer: Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send + '_>> = match resource {
        Resource::NewAccount => Box::pin(account::create(acme, &call, now)),
        Resource::KeyChange => Box::pin(keychange::post(acme, &call, now)),
        Resource::Account(id) => {
            own(&call, id)?;
            Box::pin(account::update(acme, &call, now))
        }
        Resource::Orders(id) => {
            own(&call, id)?;
            call.require_post_as_get()?;
            Box::pin(order::list(acme, &call, now))
        }
        Resource::NewOrder => Box::pin(order::create(acme, &call, now)),
        Resource::NewAuthorization => Box::pin(authorization::create(acme, &call, now)),
        Resource::RevokeCertificate => Box::pin(revoke::post(acme, &call, now)),
        Resource::Order(id) => {
            call.require_post_as_get()?;
            Box::pin(order::show(acme, &call, id, now))
        }
        Resource::Finalize(id) => Box::pin(finalize::post(acme, &call, id, now)),
        Resource::Authorization(id) => Box::pin(authorization::post(acme, &call, id, now)),
        Resource::Challenge(id, kind) => match kind.parse::<ChallengeKind>() {
            Ok(kind) => Box::pin(challenge::post(acme, &call, id, kind, now)),
            Err(_) => return Err(Problem::not_found("there is no such challenge")),
        },
        Resource::Certificate(sha256, chain) => {
            call.require_post_as_get()?;
            Box::pin(certificate::show(acme, &call, sha256, chain, now))
        }
        Resource::Directory | Resource::NewNonce | Resource::RenewalInfo(_) => {
            return Err(Problem::internal(&"a resource that needs no signature"));
        }
    };
    answer.await
}

/// An account sees itself only.
fn own(call: &Verified<'_>, id: &str) -> Result<(), Problem> {
    match call.account()?.id == id {
        true => Ok(()),
        false => Err(Problem::unauthorized(
            "the request is signed by another account (RFC 8555 §7.3.2)",
        )),
    }
}

/// RFC 8555 §7.1.1, RFC 9773 §3, draft-ietf-acme-profiles §3.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    new_nonce: String,
    new_account: String,
    new_order: String,
    new_authz: String,
    revoke_cert: String,
    key_change: String,
    renewal_info: String,
    meta: Meta<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    terms_of_service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    website: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    caa_identities: &'a [String],
    external_account_required: bool,
    profiles: Profiles<'a>,
}

/// Name → description, in the directory's order.
struct Profiles<'a>(&'a Directory);

impl Serialize for Profiles<'_> {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_map(
            self.0
                .profiles
                .iter()
                .map(|offer| (&offer.profile, &offer.description)),
        )
    }
}

fn index(request: &Request<'_>, directory: &Directory) -> Reply {
    let url = |rest| url(request.base, &directory.name, rest);
    let index = Index {
        new_nonce: url("new-nonce"),
        new_account: url("new-account"),
        new_order: url("new-order"),
        new_authz: url("new-authz"),
        revoke_cert: url("revoke-cert"),
        key_change: url("key-change"),
        renewal_info: url("renewal-info"),
        meta: Meta {
            terms_of_service: directory.terms_of_service.as_deref(),
            website: directory.website.as_deref(),
            caa_identities: &directory.caa_identities,
            external_account_required: directory.external_account == ExternalAccount::Required,
            profiles: Profiles(directory),
        },
    };
    Reply::json(200, &index)
}

/// What a name of an unknown or foreign thing in a URL is called in a problem.
pub(crate) fn unsupported_media() -> Problem {
    Problem::new(
        ErrorType::Malformed,
        "the content type must be application/jose+json (RFC 8555 §6.2)",
    )
    .status(415)
}
