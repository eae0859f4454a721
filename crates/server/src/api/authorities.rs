//! Authorities, their generations, and what is published about them.

use access::{Action, Target};
use axum::Json;
use serde::Serialize;

use crate::api::as_of::AsOf;
use crate::api::caller::{Asked, At, Caller};
use crate::problem::Problem;

/// Authorities at the instant that is asked for.
async fn authorities(caller: &Caller, asked: &AsOf) -> Result<Vec<ca::Authority>, Problem> {
    caller.may_read(Action::ReadAuthorities)?;
    let ca = &caller.services.ca;
    Ok(match asked.at(caller.now)? {
        Some(at) => ca.authorities_as_of(at).await?,
        None => ca.authorities(),
    })
}

/// Authorities with their generations.
#[utoipa::path(get, path = "/api/v1/authorities", tag = "authorities", params(AsOf),
    responses((status = 200, body = [Object])))]
pub(crate) async fn list(
    caller: Caller,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<Vec<ca::Authority>>, Problem> {
    Ok(Json(authorities(&caller, &asked).await?))
}

/// One authority.
#[utoipa::path(get, path = "/api/v1/authorities/{name}", tag = "authorities", params(("name" = String, Path), AsOf),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn show(
    caller: Caller,
    At(name): At<String>,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<ca::Authority>, Problem> {
    let mut all = authorities(&caller, &asked).await?.into_iter();
    let found = all.find(|authority| authority.name == name);
    found
        .map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no authority `{name}`")))
}

/// One generation of an authority: a key and its certificate.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct IssuerView {
    id: String,
    authority: String,
    generation: u32,
    /// active, superseded, retired or offline.
    #[schema(value_type = String)]
    state: ca::IssuerState,
    /// The issuer that signed it; `null` for a root or where that is not of this Ward.
    parent: Option<String>,
    subject: String,
    /// The key's algorithm.
    algorithm: String,
    not_before: String,
    not_after: String,
    sha256: String,
    /// Other certificates for the same key and name.
    cross_certificates: usize,
    /// Whether its key is on this machine or on a token that it uses; of the past, whether this Ward had its key.
    key_here: bool,
}

impl IssuerView {
    fn new(record: &ca::IssuerRecord, key_here: bool) -> Self {
        let certificate = &record.certificate;
        Self {
            id: record.id.clone(),
            authority: record.authority.clone(),
            generation: record.generation,
            state: record.state,
            parent: record.parent.clone(),
            subject: certificate.subject().to_string(),
            algorithm: record.algorithm.to_string(),
            not_before: certificate.not_before().to_string(),
            not_after: certificate.not_after().to_string(),
            sha256: hex::encode(certificate.fingerprint()),
            cross_certificates: record.cross.len(),
            key_here,
        }
    }
}

/// Generations of authorities, with the validity and the kind of key of each.
#[utoipa::path(get, path = "/api/v1/issuers", tag = "authorities", params(AsOf),
    responses((status = 200, body = [IssuerView])))]
pub(crate) async fn issuers(
    caller: Caller,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<Vec<IssuerView>>, Problem> {
    caller.may_read(Action::ReadAuthorities)?;
    let ca = &caller.services.ca;
    let shown = match asked.at(caller.now)? {
        Some(at) => {
            let then = ca.issuers_as_of(at).await?;
            let shown = then
                .iter()
                .map(|(record, had)| IssuerView::new(record, *had));
            shown.collect()
        }
        None => {
            let now = ca.issuers();
            let shown = now
                .iter()
                .map(|issuer| IssuerView::new(issuer.record(), issuer.key().is_some()));
            shown.collect()
        }
    };
    Ok(Json(shown))
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct ListView {
    issuer: String,
    list: String,
    url: String,
    number: i64,
    entries: i64,
    bytes: usize,
    this_update: String,
    next_update: String,
}

/// Published CRLs.
#[utoipa::path(get, path = "/api/v1/crls", tag = "authorities", responses((status = 200, body = [ListView])))]
pub(crate) async fn crls(caller: Caller) -> Result<Json<Vec<ListView>>, Problem> {
    caller.may_read(Action::ReadAuthorities)?;
    let lists = caller.services.ca.published_lists().await?;
    let view = |list: ca::crl::PublishedList| ListView {
        url: list.name.path(),
        issuer: list.name.issuer,
        list: list.name.kind.to_string(),
        number: list.number,
        entries: list.entries,
        bytes: list.size,
        this_update: list.this_update.to_string(),
        next_update: list.next_update.to_string(),
    };
    Ok(Json(lists.into_iter().map(view).collect()))
}

/// Publishes an issuer's lists now.
#[utoipa::path(post, path = "/api/v1/crls/{issuer}/publish", tag = "authorities", params(("issuer" = String, Path)),
    responses((status = 200, body = Object), (status = 403, body = Problem)))]
pub(crate) async fn publish(
    caller: Caller,
    At(issuer): At<String>,
) -> Result<Json<Option<ca::crl::Publication>>, Problem> {
    let target = Target {
        authority: Some(&issuer),
        ..Target::default()
    };
    caller.permit(Action::PublishStatus, &target).await?;
    Ok(Json(
        caller.services.ca.publish_now(&issuer, caller.now).await?,
    ))
}
