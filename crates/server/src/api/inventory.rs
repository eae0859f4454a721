//! The inventory over REST, for reading: searches, saved views, one certificate, places, keys, issuers, exports (R16).

use access::{Action, Target};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse;
use fleet::search::{
    self, Ask, Export, Format, Issuer, KeyPage, Page, PlacePage, Query, Shown, Sort, StoredView,
    View,
};
use futures_util::stream::try_unfold;
use hyper::StatusCode;
use serde::Deserialize;

use crate::api::caller::{Asked, At, Caller, Sent};
use crate::problem::Problem;

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

fn parsed(text: Option<&str>) -> Result<Query, Problem> {
    let query = text.unwrap_or_default().parse::<Query>();
    query.map_err(|error| Problem::from(fleet::FleetError::from(error)))
}

/// A page of certificates of any issuer, found by a search or shown by a saved view.
#[utoipa::path(get, path = "/api/v1/inventory", tag = "inventory", params(Search),
    responses((status = 200, body = Object), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn list(
    caller: Caller,
    Asked(search): Asked<Search>,
) -> Result<Json<Page>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    let fleet = &caller.services.fleet;
    let source = search::source(search.q.as_deref(), search.view.as_deref(), search.sort)?;
    let (after, limit) = (search.after, search.limit);
    Ok(Json(match source {
        search::Source::View(name) => {
            fleet
                .view_page(&name, after.as_deref(), limit, caller.now)
                .await?
        }
        search::Source::Search(query, sort) => {
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
    caller.may_read(Action::ReadInventory)?;
    let shown = caller.services.fleet.inventory_certificate(&sha256).await?;
    Ok(Json(shown))
}

/// A page of places. Tests of places are about each place itself, the others about the certificate there.
#[utoipa::path(get, path = "/api/v1/places", tag = "inventory", params(Listing),
    responses((status = 200, body = Object), (status = 422, body = Problem)))]
pub(crate) async fn places(
    caller: Caller,
    Asked(listing): Asked<Listing>,
) -> Result<Json<PlacePage>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    let after = listing.after.as_deref().map(str::parse).transpose();
    let after = after.map_err(|_| Problem::malformed("after: send the `next` of a page"))?;
    let query = parsed(listing.q.as_deref())?;
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
    caller.may_read(Action::ReadInventory)?;
    let fleet = &caller.services.fleet;
    let page = fleet
        .shared_keys(listing.after.as_deref(), listing.limit)
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
    caller.may_read(Action::ReadInventory)?;
    let query = parsed(listing.q.as_deref())?;
    let fleet = &caller.services.fleet;
    Ok(Json(
        fleet.issuers(&query, listing.limit, caller.now).await?,
    ))
}

/// Saved views: built in, of segments, people's.
#[utoipa::path(get, path = "/api/v1/inventory/views", tag = "inventory", responses((status = 200, body = [Object])))]
pub(crate) async fn views(caller: Caller) -> Result<Json<Vec<StoredView>>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    Ok(Json(caller.services.fleet.views().await?))
}

/// One saved view.
#[utoipa::path(get, path = "/api/v1/inventory/views/{name}", tag = "inventory", params(("name" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn view(
    caller: Caller,
    At(name): At<String>,
) -> Result<Json<StoredView>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    Ok(Json(caller.services.fleet.view(&name).await?))
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
    caller.may_read(Action::ReadInventory)?;
    let source = search::source(wanted.q.as_deref(), wanted.view.as_deref(), wanted.sort)?;
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
