//! What fuzz targets and property tests do with arbitrary bytes: everything that reads what other people made.

use crate::import;
use crate::inventory::import::CertificateTable;
use crate::udi::Udi;

/// A UDI that is read is read again as the same.
pub fn udi(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(udi) = Udi::parse(text) {
        assert_eq!(Udi::parse(&udi.text).as_ref(), Ok(&udi));
        let link = udi.link().map(|link| Udi::parse(&link));
        if let Some(link) = link {
            assert_eq!(link.map(|link| link.di), Ok(udi.di));
        }
    }
}

/// A table, CSV or XLSX, is planned or refused; every row is accounted for.
pub fn table(data: &[u8]) {
    import::exercise(data);
}

/// A table of certificates, CSV or XLSX: every row is taken, bad or told, and what is taken are observations that can be
/// written and read again.
pub fn certificate_table(data: &[u8]) {
    let now = audit::Timestamp(1_795_348_800_000);
    let named = std::collections::BTreeMap::new();
    let Ok(read) = CertificateTable::read(data.to_vec(), "fuzz", &named, now) else {
        return;
    };
    assert_eq!(read.rows, read.bad + read.observations.len() as u64);
    assert!(read.bad_rows.len() as u64 <= read.bad);
    for seen in &read.observations {
        let line = seen.line().unwrap_or_default();
        if line.len() > agent::observation::LINE_LIMIT {
            continue;
        }
        assert_eq!(
            agent::observation::Observation::read(&line).as_ref(),
            Ok(seen),
            "{line}"
        );
    }
}

/// A search: read, printed and read again, and made into statements for either database.
pub fn search(text: &str) {
    crate::search::exercise(text);
}

/// Owner rules, a line of JSON each, and what they are held against.
pub fn owner_rules(text: &str) {
    crate::inventory::rule::exercise(text);
}
