//! Who calls whom, as seen on the wire: dependencies that nobody wrote down (R16). Only calls in which the caller showed a
//! certificate of its own are known to the inventory.

use std::net::IpAddr;

use serde::Serialize;
use store::{Row, params};

use super::Map;
use crate::{Fleet, Result};

/// Calls that are looked at, the newest first.
const MOST: i64 = 10_000;

/// A call that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Observed {
    pub address: IpAddr,
    pub server: IpAddr,
    pub port: u16,
    /// Systems at either end, as the map has them.
    pub from: Vec<String>,
    pub to: Vec<String>,
    /// A flow of the map says so.
    pub on_map: bool,
    /// Unix milliseconds.
    pub first_seen: i64,
    pub last_seen: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

const CALLS: &str = "SELECT p.address, p.host, p.port, p.first_seen, p.last_seen, i.sha256 FROM places p \
    LEFT JOIN inventory i ON i.id = p.certificate WHERE p.kind = 'client' ORDER BY p.last_seen DESC, p.id LIMIT $1";

impl Fleet {
    /// Calls that were seen, with the systems at their ends. `off_map`: only those that no flow says.
    pub async fn observed_calls(&self, map: &Map, off_map: bool) -> Result<Vec<Observed>> {
        let rows = self.store().query(CALLS, params![MOST]).await?;
        let mut calls = Vec::new();
        for row in &rows {
            let call = read(map, row)?;
            calls.extend(call.filter(|call| !(off_map && call.on_map)));
        }
        Ok(calls)
    }
}

/// `None`: the row's texts were cut, which no address is long enough for.
fn read(map: &Map, row: &Row) -> Result<Option<Observed>> {
    let address = |column: usize| {
        row.opt_text(column)
            .map(|text| text?.parse::<IpAddr>().ok())
    };
    let port = row.opt_int(2)?.and_then(|port| u16::try_from(port).ok());
    let (Some(address), Some(server), Some(port)) = (address(0)?, address(1)?, port) else {
        return Ok(None);
    };
    let (from, to, on_map) = map.call(address, server, port);
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    Ok(Some(Observed {
        address,
        server,
        port,
        from: owned(from),
        to: owned(to),
        on_map,
        first_seen: row.int(3)?,
        last_seen: row.int(4)?,
        sha256: row.opt_blob(5)?.map(hex::encode),
    }))
}
