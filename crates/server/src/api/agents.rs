//! What people do about agents: invite, look, order, revoke. Agents themselves do not come this way.

use access::{Action, Permit, Target};
use axum::Json;
use fleet::agents::{Agent, AgentOrder, HandedOver, Invitation, NewOrder, StoredAgent};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::caller::{At, Caller, Sent};
use crate::problem::Problem;

impl Caller {
    async fn runs_discovery(&self) -> Result<Permit, Problem> {
        self.permit(Action::RunDiscovery, &Target::default()).await
    }
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AgentView {
    version: u64,
    /// Unix milliseconds.
    since: i64,
    #[schema(value_type = Object)]
    agent: Agent,
    #[schema(value_type = Object)]
    handed_over: HandedOver,
    /// When it last asked this server, Unix milliseconds.
    seen: Option<i64>,
    /// How far this server's clock was ahead of the agent's, in milliseconds.
    clock: Option<i64>,
    /// Bytes that waited in its queue.
    waiting: Option<u64>,
}

async fn view(caller: &Caller, stored: StoredAgent) -> Result<AgentView, Problem> {
    let seen = caller
        .services
        .seen_agents
        .lock()
        .get(&stored.agent.name)
        .cloned();
    Ok(AgentView {
        version: stored.version,
        since: stored.since,
        handed_over: caller.services.fleet.handed_over(&stored.agent).await?,
        agent: stored.agent.without_hash(),
        seen: seen.as_ref().map(|(at, _)| at.0),
        clock: seen.as_ref().map(|(_, poll)| poll.clock),
        waiting: seen.map(|(_, poll)| poll.bytes),
    })
}

/// Agents with what they have handed over.
#[utoipa::path(get, path = "/api/v1/agents", tag = "agents", responses((status = 200, body = [AgentView])))]
pub(crate) async fn list(caller: Caller) -> Result<Json<Vec<AgentView>>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    let mut views = Vec::new();
    for stored in caller.services.fleet.agents().await? {
        views.push(view(&caller, stored).await?);
    }
    Ok(Json(views))
}

/// One agent.
#[utoipa::path(get, path = "/api/v1/agents/{name}", tag = "agents", params(("name" = String, Path)),
    responses((status = 200, body = AgentView), (status = 404, body = Problem)))]
pub(crate) async fn show(caller: Caller, At(name): At<String>) -> Result<Json<AgentView>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    let stored = caller.services.fleet.agent(&name).await?;
    Ok(Json(view(&caller, stored).await?))
}

/// Makes a ticket, which is shown this once: `name`, `segment`, `expires` (Unix milliseconds), `core` (where the agent reaches
/// this Ward), `note`, `lifetime`.
#[utoipa::path(post, path = "/api/v1/agents", tag = "agents", request_body = Object,
    responses((status = 201, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn invite(
    caller: Caller,
    Sent(wanted): Sent<Invitation>,
) -> Result<(StatusCode, Json<agent::relay::Ticket>), Problem> {
    let permit = caller.runs_discovery().await?;
    let (_, ticket) = caller
        .services
        .fleet
        .invite_agent(permit, wanted, caller.now)
        .await?;
    Ok((StatusCode::CREATED, Json(ticket)))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhyEnded {
    /// Goes into the log.
    #[serde(default)]
    why: String,
}

/// Ends an agent at once: its certificates are revoked, nothing of it is taken any more.
#[utoipa::path(post, path = "/api/v1/agents/{name}/revoke", tag = "agents", params(("name" = String, Path)), request_body = WhyEnded,
    responses((status = 200, body = AgentView), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn revoke(
    caller: Caller,
    At(name): At<String>,
    Sent(wanted): Sent<WhyEnded>,
) -> Result<Json<AgentView>, Problem> {
    let permit = caller.runs_discovery().await?;
    let stored = caller
        .services
        .fleet
        .revoke_agent(permit, &name, &wanted.why, caller.now)
        .await?;
    Ok(Json(view(&caller, stored).await?))
}

/// Orders of an agent, the newest first.
#[utoipa::path(get, path = "/api/v1/agents/{name}/orders", tag = "agents", params(("name" = String, Path)),
    responses((status = 200, body = [Object]), (status = 404, body = Problem)))]
pub(crate) async fn orders(
    caller: Caller,
    At(name): At<String>,
) -> Result<Json<Vec<AgentOrder>>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    caller.services.fleet.agent(&name).await?;
    Ok(Json(caller.services.fleet.agent_orders(&name).await?))
}

/// Orders an agent to scan: `ranges`, `ports`, `names`, `depth`; what is left out is all that its segment's signed limits allow.
#[utoipa::path(post, path = "/api/v1/agents/{name}/orders", tag = "agents", params(("name" = String, Path)), request_body = Object,
    responses((status = 201, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn order(
    caller: Caller,
    At(name): At<String>,
    Sent(wanted): Sent<NewOrder>,
) -> Result<(StatusCode, Json<AgentOrder>), Problem> {
    let permit = caller.runs_discovery().await?;
    let order = caller
        .services
        .fleet
        .order_agent(permit, &name, wanted, caller.now)
        .await?;
    Ok((StatusCode::CREATED, Json(order)))
}

/// Ends an order; the agent hears of it when it next asks.
#[utoipa::path(post, path = "/api/v1/agent-orders/{id}/stop", tag = "agents", params(("id" = String, Path)), request_body = WhyEnded,
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn stop(
    caller: Caller,
    At(id): At<String>,
    Sent(wanted): Sent<WhyEnded>,
) -> Result<Json<AgentOrder>, Problem> {
    let permit = caller.runs_discovery().await?;
    Ok(Json(
        caller
            .services
            .fleet
            .stop_order(permit, &id, &wanted.why, caller.now)
            .await?,
    ))
}
