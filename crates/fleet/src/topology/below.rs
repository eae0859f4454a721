//! The lower levels, read a page at a time.

use store::{Row, Value, params};

use super::{Leaf, Node, Nodes, Under, quoted};
use crate::posture::Link;
use crate::risk::Level;
use crate::{Fleet, FleetError, Result};

/// Assets of a segment with what their certificates come to; each is asked along the index of its certificates.
const ASSETS: &str = "SELECT a.id, a.serial, a.kind, (SELECT COUNT(*) FROM inventory i WHERE i.asset = a.id AND i.risk > 0), \
    (SELECT COALESCE(MAX(i.risk), 0) FROM inventory i WHERE i.asset = a.id), \
    (SELECT COALESCE(MAX(i.phi), 0) FROM inventory i WHERE i.asset = a.id), a.department \
    FROM assets a WHERE a.segment = $1 AND a.state <> 'retired' AND a.id > $2 ORDER BY a.id LIMIT $3";

macro_rules! services {
    ($from:literal) => {
        concat!(
            "SELECT COALESCE(p.id, 0), p.place, p.outcome, i.id, i.sha256, i.subject, i.not_after, i.phi, i.risk FROM ",
            $from
        )
    };
}
const REST: &str = services!(
    "places p JOIN inventory i ON i.id = p.certificate WHERE p.segment = $1 AND p.asset IS NULL AND p.id > $2 \
    ORDER BY p.id LIMIT $3"
);
const NOWHERE: &str = services!(
    "places p JOIN inventory i ON i.id = p.certificate WHERE p.segment IS NULL AND p.asset IS NULL AND p.id > $1 \
    ORDER BY p.id LIMIT $2"
);
/// What an asset has: where its certificates are, and those that are nowhere.
const OF_ASSET: &str = services!(
    "inventory i LEFT JOIN places p ON p.certificate = i.id WHERE i.asset = $1 AND i.risk > 0 \
    AND (i.id > $2 OR (i.id = $2 AND COALESCE(p.id, 0) > $3)) ORDER BY i.id, COALESCE(p.id, 0) LIMIT $4"
);

impl Fleet {
    /// Assets that the register puts into a segment; behind them, services there of which no asset is known.
    pub(super) async fn assets_of_segment(&self, name: &str, asked: &Under) -> Result<Nodes> {
        let limit = asked.limit();
        let after = asked.after.as_deref().unwrap_or_default();
        let rows = self
            .store()
            .query(ASSETS, params![name, after, limit])
            .await?;
        let mut nodes = rows.iter().map(asset).collect::<Result<Vec<_>>>()?;
        let full = rows.len() == limit as usize;
        let next = match (full, rows.last()) {
            (true, Some(last)) => Some(last.text(0)?.to_owned()),
            _ => None,
        };
        if next.is_none() {
            let first = Under {
                limit: Some(1),
                ..Under::default()
            };
            if !self
                .services_of_segment(name, &first)
                .await?
                .nodes
                .is_empty()
            {
                nodes.push(rest(name));
            }
        }
        Ok(Nodes { nodes, next })
    }

    pub(super) async fn services_of_segment(&self, name: &str, asked: &Under) -> Result<Nodes> {
        let (limit, after) = (asked.limit(), number(asked.after.as_deref())?);
        let rows = match name {
            "" => self.store().query(NOWHERE, params![after, limit]).await?,
            name => {
                self.store()
                    .query(REST, params![name, after, limit])
                    .await?
            }
        };
        let nodes = rows.iter().map(service).collect::<Result<Vec<_>>>()?;
        let full = rows.len() == limit as usize;
        let next = match (full, rows.last()) {
            (true, Some(last)) => Some(last.int(0)?.to_string()),
            _ => None,
        };
        Ok(Nodes { nodes, next })
    }

    pub(super) async fn services_of_asset(&self, id: &str, asked: &Under) -> Result<Nodes> {
        let limit = asked.limit();
        let after = asked.after.as_deref().unwrap_or("0_0");
        let (certificate, place) = after.split_once('_').unwrap_or((after, "0"));
        let from = [number(Some(certificate))?, number(Some(place))?];
        let asked: Vec<Value> = params![id, from[0], from[1], limit];
        let rows = self.store().query(OF_ASSET, asked).await?;
        let nodes = rows.iter().map(service).collect::<Result<Vec<_>>>()?;
        let full = rows.len() == limit as usize;
        let next = match (full, rows.last()) {
            (true, Some(last)) => Some(format!("{}_{}", last.int(3)?, last.int(0)?)),
            _ => None,
        };
        if nodes.is_empty() {
            // An asset without certificates is there all the same; one that is none is not.
            self.asset(id).await?;
        }
        Ok(Nodes { nodes, next })
    }
}

fn number(text: Option<&str>) -> Result<i64> {
    let Some(text) = text else { return Ok(0) };
    text.parse().map_err(|_| super::unknown(text))
}

fn risk(number: i64) -> Result<&'static str> {
    let level = Level::from_number(number).ok_or(FleetError::Damaged("a risk"))?;
    Ok(level.name())
}

fn asset(row: &Row) -> Result<Node> {
    let (id, serial) = (row.text(0)?, row.text(1)?);
    let certificates = row.int(3)?.unsigned_abs();
    let name = if serial.is_empty() { id } else { serial };
    let kind = row.text(2)?;
    let detail = match row.opt_text(6)? {
        Some(department) if !department.is_empty() => format!("{kind}, {department}"),
        _ => kind.to_owned(),
    };
    Ok(Node {
        id: format!("asset:{id}"),
        kind: "asset",
        label: name.to_owned(),
        certificates,
        worst: risk(row.int(4)?)?,
        phi: row.int(5)? != 0,
        expandable: certificates > 0,
        certificate: None,
        detail: Some(detail),
        link: Link::to(&format!("/assets/{id}")),
    })
}

fn rest(segment: &str) -> Node {
    let query = match segment {
        "" => "not segment and not asset".to_owned(),
        name => format!("segment = {} and not asset", quoted(name)),
    };
    Node {
        id: format!("rest:{segment}"),
        kind: "rest",
        label: "services of no known asset".to_owned(),
        certificates: 0,
        worst: Level::None.name(),
        phi: false,
        expandable: true,
        certificate: None,
        detail: None,
        link: Link::inventory(&query),
    }
}

fn service(row: &Row) -> Result<Node> {
    let leaf = Leaf {
        sha256: hex::encode(row.blob(4)?),
        subject: row.text(5)?.to_owned(),
        expires: row.int(6)?,
        phi: row.int(7)? != 0,
        risk: risk(row.int(8)?)?,
    };
    let place = row.opt_text(1)?;
    Ok(Node {
        id: match place {
            Some(_) => format!("service:{}", row.int(0)?),
            None => format!("certificate:{}", leaf.sha256),
        },
        kind: if place.is_some() {
            "service"
        } else {
            "certificate"
        },
        label: place.map_or_else(|| leaf.subject.clone(), str::to_owned),
        certificates: 1,
        worst: leaf.risk,
        phi: leaf.phi,
        expandable: false,
        detail: row.opt_text(2)?.map(str::to_owned),
        link: Link::to(&format!("/inventory/{}", leaf.sha256)),
        certificate: Some(leaf),
    })
}
