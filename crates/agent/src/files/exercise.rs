//! Every reader of this module on bytes that may be anything: for the fuzz targets and the property tests only.

use std::path::Path;

use super::{
    Look, Summary,
    config::{self, Gathered},
    log, store,
};

/// Key stores, armoured text, log entries.
pub fn store(data: &[u8]) {
    let mut look = Look::new("", 0).with_passwords("x");
    look.limits.iterations = 5_000;
    if let Some(kind) = store::kind(data) {
        let _ = store::read(data, kind, &look);
    }
    if let Ok(entries) = log::entries(data, "log", u64::MAX, 0) {
        assert!(entries.len() <= data.len());
    }
}

/// Configurations, without their includes: those would read this machine's files.
pub fn configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text = text
        .to_ascii_lowercase()
        .replace("include", "i")
        .replace("crt-list", "c");
    let mut summary = Summary::default();
    let mut gathered = Gathered::new(&mut summary);
    let path = Path::new("/nowhere/etc/server.conf");
    config::read_all(path, &text, &mut gathered);
    let _ = gathered.named();
}
