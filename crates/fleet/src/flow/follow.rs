//! Which place is an end of what, kept in `map_places`: a reconciler over places that have changed, and over all of them
//! when the map has. Derived: a lost row is found again by the next walk.

use std::collections::{BTreeSet, HashSet};
use std::time::Instant;

use agent::observation::Place;
use audit::Timestamp;
use audit::merkle::sha256;
use serde::Serialize;
use store::{Row, Write, params};

use super::{Map, MapKind, Side};
use crate::inventory::head::Head;
use crate::{Fleet, Result};

/// Places that one question brings.
const PAGE: i64 = 20_000;

const PLACES: &str = "SELECT id, kind, address, port, sni, host, asset FROM places WHERE id > $1 ORDER BY id LIMIT $2";
const CHANGED: &str = "SELECT id, kind, address, port, sni, host, asset FROM places \
    WHERE touched > $3 AND touched <= $4 AND id > $1 ORDER BY id LIMIT $2";
const KNOWN: &str =
    "SELECT kind, name, place, side FROM map_places WHERE place >= $1 AND place <= $2";
const ADD: &str =
    "INSERT INTO map_places(kind, name, place, side) VALUES($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const REMOVE: &str =
    "DELETE FROM map_places WHERE kind = $1 AND name = $2 AND place = $3 AND side = $4";
/// What a certificate protects has changed: it is looked at again.
const TOUCH: &str =
    "UPDATE inventory SET touched = $1 WHERE id = (SELECT certificate FROM places WHERE id = $2)";
const TOUCH_ALL: &str = "UPDATE inventory SET touched = $1 WHERE id > $2 AND id <= $3 AND EXISTS\
    (SELECT 1 FROM places p JOIN map_places m ON m.place = p.id WHERE p.certificate = inventory.id)";
const ANY: &str = "SELECT place FROM map_places LIMIT 1";

/// How far the places are followed. A new one follows from the beginning.
#[derive(Clone, Debug, Default)]
pub struct MapCursor {
    /// SHA-256 over the versions of everything on the map.
    map: Option<[u8; 32]>,
    touched: i64,
}

impl MapCursor {
    /// For a server that starts: the map may have changed while nobody followed it, so that whatever stands on it is
    /// settled again.
    pub fn starting() -> Self {
        MapCursor {
            map: Some([0; 32]),
            touched: 0,
        }
    }
}

/// What a walk did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Followed {
    pub places: u64,
    pub added: u64,
    pub removed: u64,
}

type End = (MapKind, String, i64, Side);

impl Fleet {
    /// Brings `map_places` up to the map and the places, from where `cursor` stands.
    pub async fn follow_map(&self, cursor: &mut MapCursor) -> Result<Followed> {
        let head = Head::read(self.store()).await?;
        let map = self.flow_map().await?;
        let drawn = fingerprint(&map);
        let whole = cursor.map != Some(drawn);
        let mut done = Followed::default();
        let mut after = 0;
        loop {
            let rows = match whole {
                true => self.store().query(PLACES, params![after, PAGE]).await?,
                false => {
                    let params = params![after, PAGE, cursor.touched, head.touched];
                    self.store().query(CHANGED, params).await?
                }
            };
            let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
                break;
            };
            let ids = (first.int(0)?, last.int(0)?);
            self.follow_page(&map, &rows, ids, &mut done).await?;
            after = ids.1;
        }
        if whole && cursor.map.is_some() {
            self.look_again_at_all(head.certificates).await?;
        }
        *cursor = MapCursor {
            map: Some(drawn),
            touched: head.touched,
        };
        Ok(done)
    }

    /// As [`Fleet::follow_map`], and then what the flows lack becomes findings.
    pub async fn follow_flows(&self, cursor: &mut MapCursor, now: Timestamp) -> Result<Followed> {
        let done = self.follow_map(cursor).await?;
        self.find_flow_gaps(&self.flow_map().await?, now).await?;
        Ok(done)
    }

    async fn follow_page(
        &self,
        map: &Map,
        rows: &[Row],
        (first, last): (i64, i64),
        done: &mut Followed,
    ) -> Result<()> {
        let mut wanted: BTreeSet<End> = BTreeSet::new();
        let mut looked: HashSet<i64> = HashSet::with_capacity(rows.len());
        for row in rows {
            let id = row.int(0)?;
            looked.insert(id);
            done.places += 1;
            if map.is_empty() {
                continue;
            }
            if let Some(place) = place(row)? {
                let ends = map.at(&place, row.opt_text(6)?).into_iter();
                wanted.extend(ends.map(|at| (at.kind, map.name_of(at).to_owned(), id, at.side)));
            }
        }
        let known = self.store().query(KNOWN, params![first, last]).await?;
        let mut gone = Vec::new();
        for row in &known {
            let end = end(row)?;
            if !wanted.remove(&end) && looked.contains(&end.2) {
                gone.push(end);
            }
        }
        done.added += wanted.len() as u64;
        done.removed += gone.len() as u64;
        let changes: Vec<(&'static str, End)> = gone
            .into_iter()
            .map(|end| (REMOVE, end))
            .chain(wanted.into_iter().map(|end| (ADD, end)))
            .collect();
        let mut rest = &changes[..];
        while !rest.is_empty() {
            let (batch, after) =
                rest.split_at(rest.len().min(self.inventory.marks.rows() as usize));
            rest = after;
            self.change_ends(batch).await?;
        }
        Ok(())
    }

    async fn change_ends(&self, batch: &[(&'static str, End)]) -> Result<()> {
        let mut write = Write::derived();
        let mut places = BTreeSet::new();
        for (sql, (kind, name, place, side)) in batch {
            places.insert(*place);
            write = write.run(
                sql,
                params![kind.name(), name.as_str(), *place, side.name()],
            );
        }
        let begun = Instant::now();
        self.store().commit(write).await?;
        let marks = &self.inventory.marks;
        marks.took(batch.len() as u32, begun.elapsed());
        self.look_again(places.into_iter().collect()).await
    }

    /// Has the certificates at these places settled again.
    async fn look_again(&self, places: Vec<i64>) -> Result<()> {
        self.touch_some(places.len(), |mut write, head| {
            for place in &places {
                write = write.run(TOUCH, params![head.touched, *place]);
            }
            write
        })
        .await
    }

    /// Has the certificates at every end of the map settled again: all up to number `last`, a part at a time.
    async fn look_again_at_all(&self, last: i64) -> Result<()> {
        if self.store().query(ANY, vec![]).await?.is_empty() {
            return Ok(());
        }
        let mut after = 0;
        while after < last {
            let rows = self.inventory.marks.rows();
            let to = after.saturating_add(i64::from(rows));
            self.touch_some(rows as usize, |write, head| {
                write.run(TOUCH_ALL, params![head.touched, after, to])
            })
            .await?;
            after = to;
        }
        Ok(())
    }
}

fn fingerprint(map: &Map) -> [u8; 32] {
    // Records of this room serialize; if they did not, every walk would be a whole one.
    let text = serde_json::to_vec(&(map.systems(), map.flows())).unwrap_or_default();
    sha256(&text)
}

fn end(row: &Row) -> Result<End> {
    let kind = match row.text(0)? {
        "system" => MapKind::System,
        _ => MapKind::Flow,
    };
    let side = match row.text(3)? {
        "client" => Side::Client,
        _ => Side::Server,
    };
    Ok((kind, row.text(1)?.to_owned(), row.int(2)?, side))
}

/// As much of a place as the map asks for.
fn place(row: &Row) -> Result<Option<Place>> {
    let address = |column: usize| row.opt_text(column).map(|text| text?.parse().ok());
    let port = row.opt_int(3)?.and_then(|port| u16::try_from(port).ok());
    let host = row.opt_text(5)?.map(str::to_owned);
    Ok(match row.text(1)? {
        "network" => address(2)?.zip(port).map(|(address, port)| Place::Network {
            address,
            port,
            sni: row.opt_text(4).ok().flatten().map(str::to_owned),
            starttls: None,
        }),
        "client" => match (address(2)?, address(5)?, port) {
            (Some(address), Some(server), Some(port)) => Some(Place::Client {
                address,
                server,
                port,
            }),
            _ => None,
        },
        "file" => host.map(|host| Place::File {
            host,
            path: String::new(),
            alias: None,
        }),
        _ => None,
    })
}
