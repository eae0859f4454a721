//! Which asset of the register a certificate or a place belongs to: what the asset was given, its serial number in the
//! subject, its host name (R08, R16). A name that two assets have tells nothing.

use std::collections::HashMap;
use std::sync::Arc;

use agent::observation::Place;
use store::params;
use x509::oids;

use super::{Facts, certificate};
use crate::{Asset, AssetFilter, AssetState, Fleet, Result};

const MARK: &str = "SELECT COUNT(*), COALESCE(SUM(version), 0) FROM assets";
const PAGE: u32 = 1000;

/// Ids of assets by what they are found by; `None` where there are several.
#[derive(Debug, Default)]
pub(crate) struct Register {
    /// How many assets in how many versions: another number, another register.
    mark: (i64, i64),
    hosts: HashMap<String, Option<String>>,
    serials: HashMap<String, Option<String>>,
}

impl Register {
    fn note(&mut self, asset: &Asset) {
        if asset.state == AssetState::Retired {
            return;
        }
        for host in &asset.host_names {
            note(&mut self.hosts, host, &asset.id);
        }
        if !asset.serial.is_empty() {
            note(&mut self.serials, &asset.serial, &asset.id);
        }
    }

    /// The asset that a host name is of.
    fn host(&self, name: &str) -> Option<&str> {
        self.hosts.get(name)?.as_deref()
    }

    /// The asset of a place, by the name that was asked for or the host that a file is on.
    pub(crate) fn of_place(&self, place: &Place) -> Option<&str> {
        match place {
            Place::Network { sni, .. } => self.host(sni.as_deref()?),
            Place::Name { name, .. } => self.host(name),
            Place::File { host, .. } => self.host(host),
            Place::Client { .. } | Place::Log { .. } => None,
        }
    }

    /// The asset that a certificate names: its serial number first, then the first host name that is one's.
    pub(crate) fn of_certificate(&self, facts: &Facts) -> Option<&str> {
        let subject = facts.certificate.subject();
        let serial = subject.find(&oids::SERIAL_NUMBER);
        let serial = serial.and_then(|serial| self.serials.get(serial.trim())?.as_deref());
        serial.or_else(|| {
            let names = certificate::names(&facts.certificate);
            names.iter().find_map(|name| match name.split_once(':')? {
                ("dns" | "cn", host) => self.host(host),
                _ => None,
            })
        })
    }
}

fn note(by: &mut HashMap<String, Option<String>>, key: &str, id: &str) {
    let known = by.entry(key.to_owned());
    known
        .and_modify(|known| *known = None)
        .or_insert_with(|| Some(id.to_owned()));
}

impl Fleet {
    /// The register as certificates are held against it; read anew when it has changed.
    pub(crate) async fn register(&self) -> Result<Arc<Register>> {
        let rows = self.store().query(MARK, params![]).await?;
        let mark = match rows.first() {
            Some(row) => (row.int(0)?, row.int(1)?),
            None => (0, 0),
        };
        if let Some(known) = self.inventory.register.lock().clone()
            && known.mark == mark
        {
            return Ok(known);
        }
        let mut register = Register {
            mark,
            ..Register::default()
        };
        let mut filter = AssetFilter {
            limit: Some(PAGE),
            ..AssetFilter::default()
        };
        loop {
            let page = self.assets(&filter).await?;
            for stored in &page.assets {
                register.note(&stored.asset);
            }
            filter.after = page.next;
            if filter.after.is_none() {
                break;
            }
        }
        let register = Arc::new(register);
        *self.inventory.register.lock() = Some(Arc::clone(&register));
        Ok(register)
    }
}
