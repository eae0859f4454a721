//! Where everything stands: site → segment → asset → service → certificate, level by level, each with how many certificates
//! there are below it and how bad the worst is; and the flows of health information between systems (R16).
//!
//! The upper levels come out of the counts that are kept, the lower ones a page at a time along indexes: no answer walks the
//! inventory.

mod below;
mod edge;

use access::Refusal;
use audit::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::posture::{KeptDay, Link, Tally};
use crate::risk::Level;
use crate::search::Reach;
use crate::{Fleet, FleetError, Result};

pub use edge::{Edge, EdgeGap, EdgeGuard, Edges};

/// Most nodes of one page.
const LARGEST: u32 = 500;
const SOURCE: &str = "docs/topology.md";

/// Something that stands somewhere.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Node {
    /// What `under=` takes to see what is below it.
    pub id: String,
    /// `site`, `segment`, `asset`, `rest` (services that no asset is known of), `service`, `certificate`.
    pub kind: &'static str,
    pub label: String,
    /// Certificates below it, or the one that it is.
    pub certificates: u64,
    /// The worst risk of them (R18).
    pub worst: &'static str,
    /// One of them protects health information.
    pub phi: bool,
    /// There is something below it.
    pub expandable: bool,
    /// Of a service: the certificate that it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Leaf>,
    /// What more there is to say: the kind and department of an asset, the outcome of a service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    pub link: Link,
}

/// A certificate in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Leaf {
    pub sha256: String,
    pub subject: String,
    /// Unix seconds.
    pub expires: i64,
    pub phi: bool,
    pub risk: &'static str,
}

/// One level.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Nodes {
    pub nodes: Vec<Node>,
    /// Where the next page begins; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Under {
    /// The id of a node; the sites if absent.
    pub under: Option<String>,
    pub after: Option<String>,
    pub limit: Option<u32>,
    pub as_of: Option<Timestamp>,
    /// Of sites and segments, those inside alone; what is below a node is whoever's who sees the node.
    pub reach: Option<Reach>,
}

impl Under {
    fn limit(&self) -> u32 {
        self.limit.unwrap_or(100).clamp(1, LARGEST)
    }
}

/// A segment with its counts; `None` is where nobody knows the segment.
type Counted = (Option<String>, Option<String>, Tally);

impl Fleet {
    /// One level below a node.
    pub async fn topology(&self, asked: &Under, now: Timestamp) -> Result<Nodes> {
        let under = asked.under.as_deref().unwrap_or_default();
        let (kind, name) = under.split_once(':').unwrap_or((under, ""));
        match (kind, asked.as_of) {
            ("", _) => Ok(sites(&self.counted(asked, now).await?)),
            ("site", _) => Ok(segments(&self.counted(asked, now).await?, name)),
            ("segment" | "rest" | "asset", Some(_)) => Err(not_kept()),
            ("segment", None) => self.assets_of_segment(name, asked).await,
            ("rest", None) => self.services_of_segment(name, asked).await,
            ("asset", None) => self.services_of_asset(name, asked).await,
            _ => Err(unknown(under)),
        }
    }

    /// Segments with their sites and counts, now or as the day's count had them.
    async fn counted(&self, asked: &Under, now: Timestamp) -> Result<Vec<Counted>> {
        let (segments, tallies) = match asked.as_of {
            None => {
                let figures = self.figures(now).await?;
                (self.segments().await?, figures.segments.clone())
            }
            Some(at) => match self.day_as_of(at).await? {
                KeptDay::Kept(day) => (self.segments_as_of(at).await?, day.segments),
                KeptDay::None { .. } => return Err(not_kept()),
            },
        };
        let mut tallies: Vec<(Option<String>, Tally)> = tallies;
        let mut counted: Vec<Counted> = Vec::new();
        for stored in segments {
            let name = Some(stored.segment.name);
            let at = tallies.iter().position(|(segment, _)| *segment == name);
            let tally = at.map_or_else(Tally::default, |at| tallies.swap_remove(at).1);
            counted.push((stored.segment.site, name, tally));
        }
        // What is in a segment that is gone, or in none.
        counted.extend(
            tallies
                .into_iter()
                .map(|(segment, tally)| (None, segment, tally)),
        );
        if let Some(reach) = &asked.reach {
            counted.retain(|(site, segment, _)| reach.holds(site.as_deref(), segment.as_deref()));
        }
        Ok(counted)
    }
}

fn worst(tally: &Tally) -> Level {
    let levels = [
        (tally.risk_critical, Level::Critical),
        (tally.risk_high, Level::High),
        (tally.risk_medium, Level::Medium),
        (tally.risk_low, Level::Low),
    ];
    let found = levels.into_iter().find(|(count, _)| *count > 0);
    found.map_or(Level::None, |(_, level)| level)
}

fn sites(counted: &[Counted]) -> Nodes {
    let mut names: Vec<Option<&str>> = counted.iter().map(|(site, ..)| site.as_deref()).collect();
    names.sort_unstable_by_key(|name| (name.is_none(), *name));
    names.dedup();
    let node = |name: Option<&str>| {
        let mut sum = Tally::default();
        let of = counted.iter().filter(|(site, ..)| site.as_deref() == name);
        of.for_each(|(_, _, tally)| sum += *tally);
        Node {
            id: format!("site:{}", name.unwrap_or_default()),
            kind: "site",
            label: name.unwrap_or("site not known").to_owned(),
            certificates: sum.all,
            worst: worst(&sum).name(),
            phi: sum.phi > 0,
            expandable: true,
            certificate: None,
            detail: None,
            link: Link::inventory(&match name {
                Some(name) => format!("site = {}", quoted(name)),
                None => "not site".to_owned(),
            }),
        }
    };
    Nodes {
        nodes: names.into_iter().map(node).collect(),
        next: None,
    }
}

fn segments(counted: &[Counted], site: &str) -> Nodes {
    let here = counted
        .iter()
        .filter(|(of, ..)| of.as_deref().unwrap_or_default() == site);
    let node = |(_, segment, tally): &Counted| Node {
        id: format!("segment:{}", segment.as_deref().unwrap_or_default()),
        kind: "segment",
        label: segment
            .clone()
            .unwrap_or_else(|| "segment not known".to_owned()),
        certificates: tally.all,
        worst: worst(tally).name(),
        phi: tally.phi > 0,
        expandable: true,
        certificate: None,
        detail: None,
        link: Link::inventory(&match segment {
            Some(name) => format!("segment = {}", quoted(name)),
            None => "not segment".to_owned(),
        }),
    };
    Nodes {
        nodes: here.map(node).collect(),
        next: None,
    }
}

fn quoted(text: &str) -> String {
    crate::search::Literal::Text(text.to_owned()).to_string()
}

fn not_kept() -> FleetError {
    let message = "below segments, and before the first day that was counted, no past is kept";
    Refusal::new("topology.as-of", SOURCE, message)
        .accepted("sites and segments as of a day that was counted, or no `as_of`")
        .into()
}

fn unknown(under: &str) -> FleetError {
    let shown = x509::describe::escape(&under.chars().take(60).collect::<String>());
    Refusal::new("topology.under", SOURCE, format!("`{shown}` is no node"))
        .accepted("the id of a node with something below it: site:…, segment:…, rest:…, asset:…")
        .into()
}
