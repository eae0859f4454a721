//! The PHI data-flow map over REST (R16), and how many certificates are how bad (R18).

use std::sync::Arc;

use access::{Action, Permit, Target};
use axum::routing::get;
use axum::{Json, Router};
use fleet::flow::{
    Flow, Gap, Guarded, Imported, Map, MapFile, MapRecord, Observed, Protects, Stored, System,
};
use fleet::risk::{Explained, RiskCounts};
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use crate::Services;
use crate::api::as_of::AsOf;
use crate::api::caller::{Asked, At, Caller, Sent};
use crate::problem::Problem;

pub(crate) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/systems", get(systems).post(create_system))
        .route(
            "/api/v1/systems/{name}",
            get(system).put(put_system).delete(remove_system),
        )
        .route("/api/v1/flows", get(flows).post(create_flow))
        .route(
            "/api/v1/flows/{name}",
            get(flow).put(put_flow).delete(remove_flow),
        )
        .route("/api/v1/flow-gaps", get(gaps))
        .route("/api/v1/flow-calls", get(calls))
        .route("/api/v1/flow-map", get(export).post(import))
        .route("/api/v1/risk", get(risk))
        .route("/api/v1/inventory/{sha256}/risk", get(explain))
}

impl Caller {
    async fn manages_flows(&self) -> Result<Permit, Problem> {
        self.permit(Action::ManageFlows, &Target::default()).await
    }

    async fn map(&self, asked: &AsOf) -> Result<Map, Problem> {
        self.may_read(Action::ReadInventory)?;
        let fleet = &self.services.fleet;
        Ok(match asked.at(self.now)? {
            None => fleet.flow_map().await?,
            Some(at) => fleet.flow_map_as_of(at).await?,
        })
    }

    async fn record<T: MapRecord>(&self, name: &str) -> Result<Stored<T>, Problem> {
        self.may_read(Action::ReadInventory)?;
        Ok(self.services.fleet.map_record(name, None).await?)
    }

    async fn put<T: MapRecord>(&self, record: T, version: u64) -> Result<Json<Stored<T>>, Problem> {
        let permit = self.manages_flows().await?;
        let put = self
            .services
            .fleet
            .put_on_map(&permit, record, version, self.now);
        Ok(Json(put.await?))
    }

    /// Changes what is there, in the place of a version that was read.
    async fn replace<T: MapRecord>(
        &self,
        name: &str,
        version: u64,
        mut record: T,
    ) -> Result<Json<Stored<T>>, Problem> {
        let permit = self.manages_flows().await?;
        let fleet = &self.services.fleet;
        let stands = fleet.map_record::<T>(name, None).await?;
        if stands.version != version || version == 0 {
            let what = T::KIND;
            return Err(Problem::conflict(format!(
                "the {what} has changed since it was read"
            )));
        }
        record.set_name(name);
        let put = fleet.put_on_map(&permit, record, version, self.now);
        Ok(Json(put.await?))
    }

    async fn take<T: MapRecord>(
        &self,
        name: &str,
        why: Option<String>,
    ) -> Result<StatusCode, Problem> {
        let permit = self.manages_flows().await?;
        let why = why.unwrap_or_default();
        let fleet = &self.services.fleet;
        fleet
            .take_from_map::<T>(&permit, name, &why, self.now)
            .await?;
        Ok(StatusCode::NO_CONTENT)
    }
}

/// A system or a flow, with what passes along the map to it.
#[derive(Serialize)]
pub(crate) struct Known<T> {
    #[serde(flatten)]
    is: T,
    known: Protects,
}

/// Systems, with what passes along the map to each.
#[utoipa::path(get, path = "/api/v1/systems", tag = "flows", params(AsOf), responses((status = 200, body = [Object])))]
pub(crate) async fn systems(
    caller: Caller,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<Vec<Known<System>>>, Problem> {
    let map = caller.map(&asked).await?;
    let all = map.systems().iter().filter_map(|system| {
        let (is, known) = map.system(&system.name)?;
        Some(Known {
            is: is.clone(),
            known,
        })
    });
    Ok(Json(all.collect()))
}

/// Puts a system on the map. `docs/phi-flows.md` explains the fields.
#[utoipa::path(post, path = "/api/v1/systems", tag = "flows", request_body = Object,
    responses((status = 201, body = Object), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create_system(
    caller: Caller,
    Sent(system): Sent<System>,
) -> Result<(StatusCode, Json<Stored<System>>), Problem> {
    Ok((StatusCode::CREATED, caller.put(system, 0).await?))
}

/// One system.
#[utoipa::path(get, path = "/api/v1/systems/{name}", tag = "flows", params(("name" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn system(
    caller: Caller,
    At(name): At<String>,
) -> Result<Json<Stored<System>>, Problem> {
    Ok(Json(caller.record(&name).await?))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutSystem {
    /// The version that was read; anything else in force is a conflict.
    version: u64,
    /// As it was read, with changes.
    #[schema(value_type = Object)]
    system: System,
}

/// Changes a system in the place of a version that was read.
#[utoipa::path(put, path = "/api/v1/systems/{name}", tag = "flows", params(("name" = String, Path)), request_body = PutSystem,
    responses((status = 200, body = Object), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn put_system(
    caller: Caller,
    At(name): At<String>,
    Sent(sent): Sent<PutSystem>,
) -> Result<Json<Stored<System>>, Problem> {
    caller.replace(&name, sent.version, sent.system).await
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Removal {
    /// Goes into the log.
    why: Option<String>,
}

/// Takes a system from the map, after the flows that name it.
#[utoipa::path(delete, path = "/api/v1/systems/{name}", tag = "flows", params(("name" = String, Path), Removal),
    responses((status = 204), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn remove_system(
    caller: Caller,
    At(name): At<String>,
    Asked(removal): Asked<Removal>,
) -> Result<StatusCode, Problem> {
    caller.take::<System>(&name, removal.why).await
}

/// Flows, with what passes along the map to each.
#[utoipa::path(get, path = "/api/v1/flows", tag = "flows", params(AsOf), responses((status = 200, body = [Object])))]
pub(crate) async fn flows(
    caller: Caller,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<Vec<Known<Flow>>>, Problem> {
    let map = caller.map(&asked).await?;
    let all = map.flows().iter().filter_map(|flow| {
        let (is, known) = map.flow(&flow.name)?;
        Some(Known {
            is: is.clone(),
            known,
        })
    });
    Ok(Json(all.collect()))
}

/// Says that one system calls another.
#[utoipa::path(post, path = "/api/v1/flows", tag = "flows", request_body = Object,
    responses((status = 201, body = Object), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn create_flow(
    caller: Caller,
    Sent(flow): Sent<Flow>,
) -> Result<(StatusCode, Json<Stored<Flow>>), Problem> {
    Ok((StatusCode::CREATED, caller.put(flow, 0).await?))
}

#[derive(Serialize)]
pub(crate) struct FlowView {
    version: u64,
    /// Unix milliseconds.
    since: i64,
    #[serde(flatten)]
    guarded: Guarded,
}

/// One flow, which certificates protect it, and what it lacks.
#[utoipa::path(get, path = "/api/v1/flows/{name}", tag = "flows", params(("name" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn flow(caller: Caller, At(name): At<String>) -> Result<Json<FlowView>, Problem> {
    let stored = caller.record::<Flow>(&name).await?;
    let map = caller.map(&AsOf::default()).await?;
    let fleet = &caller.services.fleet;
    Ok(Json(FlowView {
        version: stored.version,
        since: stored.since,
        guarded: fleet.flow_guarded(&map, &name, caller.now).await?,
    }))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PutFlow {
    /// The version that was read; anything else in force is a conflict.
    version: u64,
    /// As it was read, with changes.
    #[schema(value_type = Object)]
    flow: Flow,
}

/// Changes a flow in the place of a version that was read.
#[utoipa::path(put, path = "/api/v1/flows/{name}", tag = "flows", params(("name" = String, Path)), request_body = PutFlow,
    responses((status = 200, body = Object), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn put_flow(
    caller: Caller,
    At(name): At<String>,
    Sent(sent): Sent<PutFlow>,
) -> Result<Json<Stored<Flow>>, Problem> {
    caller.replace(&name, sent.version, sent.flow).await
}

/// Takes a flow from the map.
#[utoipa::path(delete, path = "/api/v1/flows/{name}", tag = "flows", params(("name" = String, Path), Removal),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn remove_flow(
    caller: Caller,
    At(name): At<String>,
    Asked(removal): Asked<Removal>,
) -> Result<StatusCode, Problem> {
    caller.take::<Flow>(&name, removal.why).await
}

/// What flows lack: gaps, by flow.
#[utoipa::path(get, path = "/api/v1/flow-gaps", tag = "flows", responses((status = 200, body = [Object])))]
pub(crate) async fn gaps(caller: Caller) -> Result<Json<Vec<Gap>>, Problem> {
    let map = caller.map(&AsOf::default()).await?;
    Ok(Json(
        caller.services.fleet.flow_gaps(&map, caller.now).await?,
    ))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallQuery {
    /// Only calls that no flow says.
    #[serde(default)]
    off_map: bool,
}

/// Who was seen to call whom with a certificate of its own, the newest first; at most 10,000.
#[utoipa::path(get, path = "/api/v1/flow-calls", tag = "flows", params(CallQuery), responses((status = 200, body = [Object])))]
pub(crate) async fn calls(
    caller: Caller,
    Asked(query): Asked<CallQuery>,
) -> Result<Json<Vec<Observed>>, Problem> {
    let map = caller.map(&AsOf::default()).await?;
    let calls = caller.services.fleet.observed_calls(&map, query.off_map);
    Ok(Json(calls.await?))
}

/// The whole map, in the form that an import takes.
#[utoipa::path(get, path = "/api/v1/flow-map", tag = "flows", responses((status = 200, body = Object)))]
pub(crate) async fn export(caller: Caller) -> Result<Json<MapFile>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    Ok(Json(caller.services.fleet.export_map().await?))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Trial {
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
}

/// Takes in systems and flows, all of them or none; those that are not named stay.
#[utoipa::path(post, path = "/api/v1/flow-map", tag = "flows", params(Trial), request_body = Object,
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn import(
    caller: Caller,
    Asked(trial): Asked<Trial>,
    Sent(file): Sent<MapFile>,
) -> Result<Json<Imported>, Problem> {
    let permit = caller.manages_flows().await?;
    let fleet = &caller.services.fleet;
    let imported = fleet.import_map(&permit, file, trial.dry_run, caller.now);
    Ok(Json(imported.await?))
}

/// How many certificates are how bad, by owner, segment and time left (R18).
#[utoipa::path(get, path = "/api/v1/risk", tag = "inventory", responses((status = 200, body = Object)))]
pub(crate) async fn risk(caller: Caller) -> Result<Json<RiskCounts>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    Ok(Json(caller.services.fleet.risk_counts(caller.now).await?))
}

/// Why a certificate has its risk.
#[utoipa::path(get, path = "/api/v1/inventory/{sha256}/risk", tag = "inventory", params(("sha256" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn explain(
    caller: Caller,
    At(sha256): At<String>,
) -> Result<Json<Explained>, Problem> {
    caller.may_list(Action::ReadInventory)?;
    let mut digest = [0; 32];
    hex::decode_to_slice(&sha256, &mut digest)
        .map_err(|_| Problem::malformed("certificates are named by 64 hexadecimal digits"))?;
    caller.check_certificate(&sha256).await?;
    let explained = caller.services.fleet.explain_risk(&digest, caller.now);
    Ok(Json(explained.await?))
}
