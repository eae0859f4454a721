//! Following the log for what concerns the inventory: assets that changed, segments with other ranges, certificates that
//! were revoked. The log is the only feed of changes; what it says is looked up, never taken from its text.

use std::collections::BTreeSet;

use audit::{Event, Outcome};
use store::{Row, params};

use super::head::Head;
use super::zone::Zones;
use crate::{Fleet, Result};

/// Events that are read at a time, and rows of a table.
const EVENTS: u64 = 4096;
const PAGE: i64 = 10_000;
/// Certificates that one question brings.
const TOUCHED: usize = 5_000;

const REVOKED: &str = "UPDATE inventory SET revoked = (SELECT CASE WHEN r.reason = 8 THEN NULL ELSE r.reason END \
    FROM certificates c JOIN revocations r ON r.issuer = c.issuer AND r.serial = c.serial WHERE c.sha256 = inventory.sha256), \
    touched = $3 WHERE sha256 = (SELECT sha256 FROM certificates WHERE issuer = $1 AND serial = $2)";
const OF_ASSET: &str = "UPDATE inventory SET touched = $2 WHERE asset = $1";
const ONE: &str = "UPDATE inventory SET touched = $2 WHERE id = $1";
const ALL: &str = "UPDATE inventory_head SET again = 0 WHERE id = 1";
/// Certificates that have a name, or a serial number in their subject; those at a place of that name.
const BY_NAME: [&str; 3] = [
    "SELECT certificate FROM inventory_names WHERE name = $1 AND certificate > $2 ORDER BY certificate LIMIT $3",
    "SELECT DISTINCT certificate FROM places WHERE host IS NOT NULL AND LOWER(host) = $1 AND certificate > $2 \
        ORDER BY certificate LIMIT $3",
    "SELECT DISTINCT certificate FROM places WHERE sni IS NOT NULL AND LOWER(sni) = $1 AND certificate > $2 \
        ORDER BY certificate LIMIT $3",
];
const PLACES: &str = "SELECT id, address, segment, certificate FROM places \
    WHERE id > $1 AND address IS NOT NULL ORDER BY id LIMIT $2";
const PLACE: &str = "UPDATE places SET segment = $2, touched = $3 WHERE id = $1";

/// What a part of the log says.
#[derive(Debug, Default)]
struct News {
    assets: BTreeSet<String>,
    /// An import says how many assets it changed, not which.
    all_assets: bool,
    segments: bool,
    /// Authorities of ours, by which certificates are known as ours.
    authorities: bool,
    /// Issuer and serial number.
    revoked: Vec<(String, Vec<u8>)>,
}

impl News {
    fn note(&mut self, event: &Event) {
        if event.outcome != Outcome::Done {
            return;
        }
        let action: &str = &event.action;
        match action {
            "asset.import" | "asset.reconcile" => self.all_assets = true,
            "certificate.revoke" | "certificate.hold" | "certificate.release" => {
                let issuer = event.after.as_ref().and_then(|after| after.get("issuer"));
                let issuer = issuer.and_then(serde_json::Value::as_str);
                if let (Some(issuer), Ok(serial)) = (issuer, hex::decode(&event.object.id)) {
                    self.revoked.push((issuer.to_owned(), serial));
                }
            }
            _ if action.starts_with("asset.") => {
                self.assets.insert(event.object.id.clone());
            }
            _ if action.starts_with("segment.") => self.segments = true,
            _ if action.starts_with("authority.") => self.authorities = true,
            _ => {}
        }
    }
}

/// Whether a body may be that of an event that [`News`] looks at: most are issuance and ingestion, and cost no parse.
fn may_concern(body: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [
        b"\"asset.",
        b"\"segment.",
        b"\"authority.",
        b"\"certificate.revoke\"",
        b"\"certificate.hold\"",
        b"\"certificate.release\"",
    ];
    // The action stands near the front: time, actor, action.
    let front = body.get(..512).unwrap_or(body);
    WORDS
        .iter()
        .any(|word| front.windows(word.len()).any(|part| part == *word))
}

impl Fleet {
    /// Marks what the log says has changed since it was last read.
    pub(crate) async fn follow_events(&self) -> Result<()> {
        loop {
            let head = Head::read(self.store()).await?;
            let from = head.log.unsigned_abs();
            let unread = self.store().unread(from).await?;
            let count = unread.end.saturating_sub(unread.start).min(EVENTS);
            let (entries, read) = match count {
                0 if unread.end <= from => return Ok(()),
                // Routine, as issuance is.
                0 => (Vec::new(), unread.end),
                count => {
                    let entries = self.store().events(from, count).await?;
                    let Some(last) = entries.last() else {
                        return Ok(());
                    };
                    let read = last.seq + 1;
                    (entries, read)
                }
            };
            let mut news = News::default();
            for entry in entries.iter().filter(|entry| may_concern(&entry.body)) {
                if let Ok(event) = Event::parse(&entry.body) {
                    news.note(&event);
                }
            }
            self.heed(&news).await?;
            self.touch_as(|write, head| {
                head.log = read.cast_signed();
                write
            })
            .await?;
        }
    }

    async fn heed(&self, news: &News) -> Result<()> {
        if !news.revoked.is_empty() {
            self.touch(|mut write, head| {
                for (issuer, serial) in &news.revoked {
                    let params = params![issuer.as_str(), serial.clone(), head.touched];
                    write = write.run(REVOKED, params);
                }
                write
            })
            .await?;
        }
        if news.authorities || news.all_assets {
            self.touch(|write, _| write.run(ALL, vec![])).await?;
        }
        if !news.assets.is_empty() {
            self.heed_assets(&news.assets).await?;
        }
        match news.segments {
            true => self.sort_into_segments().await,
            false => Ok(()),
        }
    }

    /// Certificates of these assets, and those that name one of them or lie where one is named.
    async fn heed_assets(&self, assets: &BTreeSet<String>) -> Result<()> {
        self.touch(|mut write, head| {
            for asset in assets {
                write = write.run(OF_ASSET, params![asset.as_str(), head.touched]);
            }
            write
        })
        .await?;
        let mut wanted: BTreeSet<String> = BTreeSet::new();
        for id in assets {
            if let Ok(stored) = self.asset(id).await {
                let hosts = stored.asset.host_names.iter();
                wanted.extend(hosts.map(|host| host.to_lowercase()));
                wanted.insert(stored.asset.serial.to_lowercase());
            }
        }
        wanted.remove("");
        let mut concerned = BTreeSet::new();
        for name in &wanted {
            for sql in BY_NAME {
                self.find_named(sql, name, &mut concerned).await?;
            }
        }
        self.touch_these(concerned).await
    }

    /// Adds whom an index knows by `name`; where there are very many, they are touched on the way.
    async fn find_named(
        &self,
        sql: &'static str,
        name: &str,
        found: &mut BTreeSet<i64>,
    ) -> Result<()> {
        let mut after = 0;
        loop {
            let params = params![name, after, TOUCHED as i64];
            let rows = self.store().query(sql, params).await?;
            for row in &rows {
                after = row.int(0)?;
                found.insert(after);
            }
            if rows.len() < TOUCHED {
                return Ok(());
            }
            self.touch_these(std::mem::take(found)).await?;
        }
    }

    async fn touch_these(&self, certificates: BTreeSet<i64>) -> Result<()> {
        let certificates: Vec<i64> = certificates.into_iter().collect();
        let mut rest = &certificates[..];
        while !rest.is_empty() {
            let rows = rest.len().min(self.inventory.marks.rows() as usize);
            let (part, after) = rest.split_at(rows);
            rest = after;
            self.touch_some(rows, |mut write, head| {
                for id in part {
                    write = write.run(ONE, params![*id, head.touched]);
                }
                write
            })
            .await?;
        }
        Ok(())
    }

    /// Every place into the segment that its address is in now.
    async fn sort_into_segments(&self) -> Result<()> {
        let zones = self.zones().await?;
        let mut after = 0;
        loop {
            let rows = self.store().query(PLACES, params![after, PAGE]).await?;
            let Some(last) = rows.last() else {
                // Sites and rules by segment may be others, too.
                return self.touch(|write, _| write.run(ALL, vec![])).await;
            };
            after = last.int(0)?;
            let moved = moved(&rows, &zones)?;
            if moved.is_empty() {
                continue;
            }
            self.touch(|mut write, head| {
                for (place, segment, _) in &moved {
                    let params = params![*place, segment.clone(), head.touched];
                    write = write.run(PLACE, params);
                }
                for certificate in moved.iter().filter_map(|(_, _, certificate)| *certificate) {
                    write = write.run(ONE, params![certificate, head.touched]);
                }
                write
            })
            .await?;
        }
    }
}

type Moved = Vec<(i64, Option<String>, Option<i64>)>;

/// Places that are in another segment than their row says.
fn moved(rows: &[Row], zones: &Zones) -> Result<Moved> {
    let mut moved = Vec::new();
    for row in rows {
        let zone = row
            .text(1)?
            .parse()
            .ok()
            .and_then(|address| zones.of(address));
        let is = zone.map(|zone| zone.name.as_str());
        if row.opt_text(2)? != is {
            moved.push((row.int(0)?, is.map(str::to_owned), row.opt_int(3)?));
        }
    }
    Ok(moved)
}
