//! Where everything stands, level by level, and the flows between systems (R16).

use access::Action;
use axum::Json;
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

/// One level of site → segment → asset → service → certificate; without `under`, also the flows.
#[utoipa::path(get, path = "/api/v1/topology", tag = "overview", params(TopologyQuery),
    responses((status = 200, body = Topology), (status = 400, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn topology(
    caller: Caller,
    Asked(query): Asked<TopologyQuery>,
) -> Result<Json<Topology>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    let as_of = as_of::past("as_of", query.as_of.as_deref(), caller.now)?;
    let fleet = &caller.services.fleet;
    let flows = match query.under {
        None => {
            let after = query.flows_after.as_deref();
            Some(fleet.topology_flows(after, as_of, caller.now).await?)
        }
        Some(_) => None,
    };
    let asked = Under {
        under: query.under.clone(),
        after: query.after,
        limit: query.limit,
        as_of,
    };
    let found = fleet.topology(&asked, caller.now).await?;
    Ok(Json(Topology {
        under: query.under,
        nodes: found.nodes,
        next: found.next,
        flows,
    }))
}
