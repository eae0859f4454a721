//! The inventory over REST, for reading: searches, saved views, one certificate, places, keys, issuers, exports (R16).

use access::{Action, Refusal, Target};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use fleet::search::{
    self, Ask, Export, Format, Issuer, KeyPage, Page, PlacePage, Query, Reach, Shown, Sort, Source,
    StoredView, View,
};
use futures_util::stream::try_unfold;
use hyper::StatusCode;
use serde::Deserialize;

use crate::api::caller::{Asked, At, Caller, Sent, in_segment};
use crate::problem::Problem;

impl Caller {
    /// How far the caller sees of the inventory; `None` is everything.
    pub(super) async fn reach(&self) -> Result<Option<Reach>, Problem> {
        let permit = self.may_list(Action::ReadInventory)?;
        Ok(self.services.fleet.reach(&permit).await?)
    }

    /// What `text` asks for, as far as the caller sees.
    async fn asks(&self, text: Option<&str>) -> Result<Query, Problem> {
        let reach = self.reach().await?;
        let query = text.unwrap_or_default().parse::<Query>();
        let query = query.map_err(|error| Problem::from(fleet::FleetError::from(error)))?;
        Ok(Query { reach, ..query })
    }

    /// The search or the view as far as the caller sees. What a view shows is kept for those who see everything; for
    /// others it is searched for.
    async fn narrowed(&self, source: Source) -> Result<Source, Problem> {
        let reach = self.reach().await?;
        if reach.is_none() {
            return Ok(source);
        }
        let (query, sort) = match source {
            Source::Search(query, sort) => (query, sort),
            Source::View(name) => {
                let view = self.sees_view(&name).await?.view;
                let query = view.query.parse::<Query>();
                (query.map_err(fleet::FleetError::from)?, view.sort)
            }
        };
        Ok(Source::Search(Query { reach, ..query }, sort))
    }

    async fn sees_view(&self, name: &str) -> Result<StoredView, Problem> {
        let permit = self.may_list(Action::ReadInventory)?;
        let stored = self.services.fleet.view(name).await?;
        if let Some(segment) = stored.view.segment() {
            let place = Target::at(in_segment(segment));
            let seen = permit.covers(&place);
            seen.map_err(|refusal| Problem::refused(StatusCode::FORBIDDEN, &refusal))?;
        }
        Ok(match permit.places() {
            None => stored,
            Some(_) => uncounted(stored),
        })
    }

    /// A certificate as far as the caller sees: what is inside whole; of an authority that is outside, which everybody
    /// needs for a chain, what the certificate itself says.
    async fn sees_certificate(&self, sha256: &str) -> Result<Shown, Problem> {
        let fleet = &self.services.fleet;
        let reach = self.reach().await?;
        match fleet.certificate_within(sha256, reach.as_ref()).await {
            Err(fleet::FleetError::NotFound { .. }) if reach.is_some() => {}
            done => return Ok(done?),
        }
        let shown = fleet.inventory_certificate(sha256).await?;
        match shown.certificate.ca {
            true => Ok(shown.unplaced()),
            false => Err(Problem::refused(StatusCode::FORBIDDEN, &outside())),
        }
    }

    /// Refuses what is said of a certificate that the caller does not see.
    pub(super) async fn check_certificate(&self, sha256: &str) -> Result<(), Problem> {
        match self.reach().await? {
            None => Ok(()),
            Some(_) => self.sees_certificate(sha256).await.map(drop),
        }
    }
}

fn outside() -> Refusal {
    let text = "the certificate is outside the part of the house that the grant is limited to";
    Refusal::new("scope.place", "scope", text)
        .accepted("a certificate of which the owner, the asset or a place lies in that part")
}

/// How much a view shows is counted in the whole house.
fn uncounted(stored: StoredView) -> StoredView {
    StoredView {
        members: None,
        looked_at: None,
        ..stored
    }
}

/// What is searched for: `q` in the search language, or a saved view.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// In the search language (docs/search-language.md): `expires < 30d and phi`. Everything if absent.
    q: Option<String>,
    /// A saved view instead.
    view: Option<String>,
    /// expires, starts, first-seen, last-seen, risk, criticality, findings or places; a view has its own.
    #[param(value_type = Option<String>)]
    #[serde(default)]
    sort: Sort,
    /// The `next` of the page before.
    after: Option<String>,
    /// 100 if absent, at most 1000.
    limit: Option<u32>,
}

/// What is exported.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Exported {
    /// In the search language. Everything if absent.
    q: Option<String>,
    /// A saved view instead.
    view: Option<String>,
    /// As in a search.
    #[param(value_type = Option<String>)]
    #[serde(default)]
    sort: Sort,
    /// csv, xlsx or json.
    #[param(value_type = String)]
    format: Format,
}

/// A search with pages by number.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listing {
    /// In the search language.
    q: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// 100 if absent, at most 1000.
    limit: Option<u32>,
}

/// A page of certificates of any issuer, found by a search or shown by a saved view.
#[utoipa::path(get, path = "/api/v1/inventory", tag = "inventory", params(Search),
    responses((status = 200, body = Object), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn list(
    caller: Caller,
    Asked(search): Asked<Search>,
) -> Result<Json<Page>, Problem> {
    caller.may_list(Action::ReadInventory)?;
    let fleet = &caller.services.fleet;
    let source = search::source(search.q.as_deref(), search.view.as_deref(), search.sort)?;
    let (after, limit) = (search.after, search.limit);
    Ok(Json(match caller.narrowed(source).await? {
        Source::View(name) => {
            fleet
                .view_page(&name, after.as_deref(), limit, caller.now)
                .await?
        }
        Source::Search(query, sort) => {
            let ask = Ask {
                query,
                sort,
                after,
                limit,
            };
            fleet.search_inventory(&ask, caller.now).await?
        }
    }))
}

/// One certificate with its places, its history and what is wrong with it, by its SHA-256 or how that begins.
#[utoipa::path(get, path = "/api/v1/inventory/{sha256}", tag = "inventory", params(("sha256" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn show(caller: Caller, At(sha256): At<String>) -> Result<Json<Shown>, Problem> {
    Ok(Json(caller.sees_certificate(&sha256).await?))
}

/// A page of places. Tests of places are about each place itself, the others about the certificate there.
#[utoipa::path(get, path = "/api/v1/places", tag = "inventory", params(Listing),
    responses((status = 200, body = Object), (status = 422, body = Problem)))]
pub(crate) async fn places(
    caller: Caller,
    Asked(listing): Asked<Listing>,
) -> Result<Json<PlacePage>, Problem> {
    let query = caller.asks(listing.q.as_deref()).await?;
    let after = listing.after.as_deref().map(str::parse).transpose();
    let after = after.map_err(|_| Problem::malformed("after: send the `next` of a page"))?;
    let fleet = &caller.services.fleet;
    let page = fleet
        .search_places(&query, after, listing.limit, caller.now)
        .await?;
    Ok(Json(page))
}

/// Keys that several certificates have. `q` is not used.
#[utoipa::path(get, path = "/api/v1/inventory/keys", tag = "inventory", params(Listing),
    responses((status = 200, body = Object), (status = 422, body = Problem)))]
pub(crate) async fn keys(
    caller: Caller,
    Asked(listing): Asked<Listing>,
) -> Result<Json<KeyPage>, Problem> {
    let reach = caller.reach().await?;
    let fleet = &caller.services.fleet;
    let page = fleet
        .shared_keys(listing.after.as_deref(), listing.limit, reach.as_ref())
        .await?;
    Ok(Json(page))
}

/// Who signed what a search finds, those with the most certificates first. There is one page.
#[utoipa::path(get, path = "/api/v1/inventory/issuers", tag = "inventory", params(Listing),
    responses((status = 200, body = [Object]), (status = 422, body = Problem)))]
pub(crate) async fn issuers(
    caller: Caller,
    Asked(listing): Asked<Listing>,
) -> Result<Json<Vec<Issuer>>, Problem> {
    let query = caller.asks(listing.q.as_deref()).await?;
    let fleet = &caller.services.fleet;
    Ok(Json(
        fleet.issuers(&query, listing.limit, caller.now).await?,
    ))
}

/// Saved views: built in, of segments, people's.
#[utoipa::path(get, path = "/api/v1/inventory/views", tag = "inventory", responses((status = 200, body = [Object])))]
pub(crate) async fn views(caller: Caller) -> Result<Json<Vec<StoredView>>, Problem> {
    let permit = caller.may_list(Action::ReadInventory)?;
    let views = caller.services.fleet.views().await?;
    if permit.places().is_none() {
        return Ok(Json(views));
    }
    let is_seen = |stored: &StoredView| {
        let segment = stored.view.segment();
        segment.is_none_or(|name| permit.covers(&Target::at(in_segment(name))).is_ok())
    };
    let seen = views.into_iter().filter(is_seen).map(uncounted);
    Ok(Json(seen.collect()))
}

/// One saved view.
#[utoipa::path(get, path = "/api/v1/inventory/views/{name}", tag = "inventory", params(("name" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn view(
    caller: Caller,
    At(name): At<String>,
) -> Result<Json<StoredView>, Problem> {
    Ok(Json(caller.sees_view(&name).await?))
}

/// Saves a view (`name`, `query`, and perhaps `sort` and `note`), new or in the place of the one with this name.
#[utoipa::path(post, path = "/api/v1/inventory/views", tag = "inventory", request_body = Object,
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn save_view(
    caller: Caller,
    Sent(view): Sent<View>,
) -> Result<Json<StoredView>, Problem> {
    let permit = caller
        .permit(Action::ManageInventory, &Target::default())
        .await?;
    let fleet = &caller.services.fleet;
    Ok(Json(fleet.save_view(permit, view, caller.now).await?))
}

/// Ends a saved view.
#[utoipa::path(delete, path = "/api/v1/inventory/views/{name}", tag = "inventory", params(("name" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn remove_view(
    caller: Caller,
    At(name): At<String>,
) -> Result<StatusCode, Problem> {
    let permit = caller
        .permit(Action::ManageInventory, &Target::default())
        .await?;
    let fleet = &caller.services.fleet;
    fleet.remove_view(permit, &name, caller.now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A search or a view as CSV, XLSX or JSON, to its end.
#[utoipa::path(get, path = "/api/v1/inventory/export", tag = "inventory", params(Exported),
    responses((status = 200, content_type = "text/csv", body = String), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn export(
    caller: Caller,
    Asked(wanted): Asked<Exported>,
) -> Result<impl IntoResponse, Problem> {
    caller.may_list(Action::ReadInventory)?;
    let source = search::source(wanted.q.as_deref(), wanted.view.as_deref(), wanted.sort)?;
    let source = caller.narrowed(source).await?;
    let fleet = &caller.services.fleet;
    let mut export = fleet
        .export_inventory(source, wanted.format, caller.now)
        .await?;
    // What is wrong from the beginning is answered as a problem; what breaks later breaks the body off.
    let first = export.next().await?;
    let pieces = try_unfold((first, export), following);
    let name = format!(
        "attachment; filename=\"inventory.{}\"",
        wanted.format.name()
    );
    let headers = [
        (CONTENT_TYPE, wanted.format.media_type().to_owned()),
        (CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::from_stream(pieces)))
}

type Pieces = (Option<Vec<u8>>, Export);

async fn following(
    (piece, mut export): Pieces,
) -> Result<Option<(Bytes, Pieces)>, fleet::FleetError> {
    let Some(piece) = piece else {
        return Ok(None);
    };
    let next = export.next().await?;
    Ok(Some((piece.into(), (next, export))))
}
