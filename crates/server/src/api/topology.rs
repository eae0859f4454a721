//! Where everything stands, level by level, and the flows between systems (R16).

use access::{Action, Place};
use axum::Json;
use fleet::Asset;
use fleet::search::Reach;
use fleet::topology::{Edges, Node, Under};
use serde::{Deserialize, Serialize};

use crate::api::as_of;
use crate::api::caller::{Asked, Caller};
use crate::problem::Problem;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TopologyQuery {
    /// The `id` of a node: what is below it. The sites if absent.
    under: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// 100 if absent, at most 500.
    limit: Option<u32>,
    /// An instant in RFC 3339 that has passed. Sites and segments are told as of the day's count, flows as they were
    /// drawn; what is below segments is not kept, and refused.
    as_of: Option<String>,
    /// The `next` of the flows of the page before.
    flows_after: Option<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Topology {
    #[serde(skip_serializing_if = "Option::is_none")]
    under: Option<String>,
    nodes: Vec<Node>,
    /// Where the next page begins; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Only without `under`: who gives what to whom, what protects it, and what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<Edges>,
}

impl Caller {
    /// Refuses what is below a segment or an asset that lies outside. Sites are told with their segments inside.
    async fn check_node(&self, under: &str, reach: &Reach) -> Result<(), Problem> {
        let fleet = &self.services.fleet;
        let (asset, segment) = match under.split_once(':') {
            Some(("segment" | "rest", name)) => (None, Some(name.to_owned())),
            Some(("asset", id)) => {
                let asset = fleet.asset(id).await?.asset;
                let segment = asset.segment.clone();
                (Some(asset), segment)
            }
            _ => return Ok(()),
        };
        let site = match &segment {
            Some(name) => fleet.segment(name).await.ok(),
            None => None,
        };
        let site = site.and_then(|stored| stored.segment.site);
        if reach.holds(site.as_deref(), segment.as_deref()) {
            return Ok(());
        }
        let place = asset.as_ref().map_or_else(
            || Place {
                site: site.as_deref(),
                segment: segment.as_deref(),
                ..Place::default()
            },
            Asset::place,
        );
        self.may_see(Action::ReadInventory, &place)
    }
}

/// One level of site → segment → asset → service → certificate; without `under`, also the flows.
#[utoipa::path(get, path = "/api/v1/topology", tag = "overview", params(TopologyQuery),
    responses((status = 200, body = Topology), (status = 400, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn topology(
    caller: Caller,
    Asked(query): Asked<TopologyQuery>,
) -> Result<Json<Topology>, Problem> {
    let reach = caller.reach().await?;
    if let (Some(reach), Some(under)) = (&reach, &query.under) {
        caller.check_node(under, reach).await?;
    }
    let as_of = as_of::past("as_of", query.as_of.as_deref(), caller.now)?;
    let fleet = &caller.services.fleet;
    let flows = match query.under {
        None => {
            let after = query.flows_after.as_deref();
            let flows = fleet.topology_flows(after, as_of, caller.now).await?;
            Some(match &reach {
                Some(reach) => flows.within(reach),
                None => flows,
            })
        }
        Some(_) => None,
    };
    let asked = Under {
        under: query.under.clone(),
        after: query.after,
        limit: query.limit,
        as_of,
        reach,
    };
    let found = fleet.topology(&asked, caller.now).await?;
    Ok(Json(Topology {
        under: query.under,
        nodes: found.nodes,
        next: found.next,
        flows,
    }))
}
