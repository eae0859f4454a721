//! The CA's tables. Certificates are immutable rows; what changes about them (revocation) is a small
//! row of its own. A certificate's row is covered by the event `certificate.issue`, whose digest is
//! the SHA-256 of the DER; an intent's by `certificate.intend`, a block of serial numbers by
//! `certificate.reserve`.

use store::Migration;

/// The CA's migrations, in order.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        room: "ca",
        version: 1,
        sql: include_str!("schema/v1.sql"),
        postgres: None,
    },
    Migration {
        room: "ca",
        version: 2,
        sql: include_str!("schema/v2.sql"),
        postgres: None,
    },
    Migration {
        room: "ca",
        version: 3,
        sql: include_str!("schema/v3.sql"),
        postgres: None,
    },
    Migration {
        room: "ca",
        version: 4,
        sql: include_str!("schema/v4.sql"),
        postgres: None,
    },
];
