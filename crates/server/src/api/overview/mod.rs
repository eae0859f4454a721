//! What the console begins with: what needs whoever asks today, when certificates end, how the house stands; and the Health
//! Radar (R39). Answered out of counts that are kept, however many certificates there are.

mod today;

use std::sync::Arc;

use access::Action;
use audit::Timestamp;
use axum::routing::get;
use axum::{Json, Router};
use fleet::posture::{Day, Heat, Horizon, KeptDay, Radar, Tally};
use serde::{Deserialize, Serialize};

use crate::Services;
use crate::api::as_of::{self, AsOf};
use crate::api::caller::{Asked, Caller};
use crate::problem::Problem;

pub(crate) use today::Need;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/api/v1/overview", get(overview))
        .route("/api/v1/radar", get(radar))
}

/// How much earlier than now is new, if nobody says since when.
const A_DAY_MS: i64 = 86_400_000;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Since {
    /// An instant in RFC 3339 that has passed: everything as it was then.
    as_of: Option<String>,
    /// Findings from here on are new: the last visit. 24 hours ago if absent; at most 30 days are counted.
    since: Option<String>,
}

/// One axis of the radar, without what is behind it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct AxisValue {
    id: &'static str,
    title: &'static str,
    /// 0 to 100; absent where there is nothing to judge yet.
    value: Option<f64>,
}

/// The radar in short.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Posture {
    score: Option<f64>,
    axes: Vec<AxisValue>,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Overview {
    /// When this was counted, RFC 3339. In a large house a few seconds ago; with `as_of` the day's count.
    counted_at: String,
    /// Present if `as_of` was asked for. Then `today` is empty: what needed somebody on a past day is not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<String>,
    /// What needs whoever asks, the worst first.
    today: Vec<Need>,
    /// Eighteen months.
    horizon: Horizon,
    /// Segments and the next 26 weeks.
    heat: Heat,
    posture: Posture,
    certificates: Tally,
}

#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct RadarView {
    /// When this was counted, RFC 3339.
    counted_at: String,
    /// Present if `as_of` was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<String>,
    #[serde(flatten)]
    radar: Radar,
    certificates: Tally,
}

impl From<&Radar> for Posture {
    fn from(radar: &Radar) -> Self {
        let axis = |axis: &fleet::posture::Judged| AxisValue {
            id: axis.id,
            title: axis.title,
            value: axis.value,
        };
        Posture {
            score: radar.score,
            axes: radar.axes.iter().map(axis).collect(),
        }
    }
}

/// What needs the caller today, the expiry horizon, segments by weeks, and how the house stands.
#[utoipa::path(get, path = "/api/v1/overview", tag = "overview", params(Since),
    responses((status = 200, body = Overview), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn overview(
    caller: Caller,
    Asked(Since { as_of, since }): Asked<Since>,
) -> Result<Json<Overview>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    let since = as_of::past("since", since.as_deref(), caller.now)?;
    if let Some(at) = as_of::past("as_of", as_of.as_deref(), caller.now)? {
        let day = caller.day(at).await?;
        return Ok(Json(Overview {
            counted_at: Timestamp(day.at).to_string(),
            as_of,
            today: Vec::new(),
            posture: Posture::from(&Radar::of(&day.counts)),
            certificates: day.counts.certificates,
            horizon: day.horizon,
            heat: day.heat,
        }));
    }
    let figures = caller.services.fleet.figures(caller.now).await?;
    let since = since.unwrap_or(Timestamp(caller.now.0 - A_DAY_MS));
    Ok(Json(Overview {
        counted_at: figures.at.to_string(),
        as_of: None,
        today: today::needs(&caller, &figures, since),
        horizon: figures.horizon.clone(),
        heat: figures.heat.clone(),
        posture: Posture::from(&Radar::of(&figures.counts)),
        certificates: figures.counts.certificates,
    }))
}

/// The Health Radar: eight axes with their parts, what pulls each down, and the levers of "what if". docs/radar.md has the
/// formulas; the page recomputes with `levers` and `parts` alone.
#[utoipa::path(get, path = "/api/v1/radar", tag = "overview", params(AsOf),
    responses((status = 200, body = RadarView), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn radar(
    caller: Caller,
    Asked(asked): Asked<AsOf>,
) -> Result<Json<RadarView>, Problem> {
    caller.may_read(Action::ReadInventory)?;
    if let Some(at) = asked.at(caller.now)? {
        let day = caller.day(at).await?;
        return Ok(Json(RadarView {
            counted_at: Timestamp(day.at).to_string(),
            as_of: asked.as_of,
            radar: Radar::of(&day.counts),
            certificates: day.counts.certificates,
        }));
    }
    let figures = caller.services.fleet.figures(caller.now).await?;
    Ok(Json(RadarView {
        counted_at: figures.at.to_string(),
        as_of: None,
        radar: Radar::of(&figures.counts),
        certificates: figures.counts.certificates,
    }))
}

impl Caller {
    async fn day(&self, at: Timestamp) -> Result<Day, Problem> {
        match self.services.fleet.day_as_of(at).await? {
            KeptDay::Kept(day) => Ok(*day),
            KeptDay::None { since } => Err(as_of::not_kept("the house's posture", since)),
        }
    }
}
