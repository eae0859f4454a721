//! The room's tables.

use store::Migration;

/// The migrations, in order.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        room: "enroll",
        version: 1,
        sql: include_str!("schema/v1.sql"),
        postgres: None,
    },
    Migration {
        room: "enroll",
        version: 2,
        sql: include_str!("schema/v2.sql"),
        postgres: None,
    },
    Migration {
        room: "enroll",
        version: 3,
        sql: include_str!("schema/v3.sql"),
        postgres: None,
    },
    Migration {
        room: "enroll",
        version: 4,
        sql: include_str!("schema/v4.sql"),
        postgres: None,
    },
    Migration {
        room: "enroll",
        version: 5,
        sql: include_str!("schema/v5.sql"),
        postgres: None,
    },
    Migration {
        room: "enroll",
        version: 6,
        sql: include_str!("schema/v6.sql"),
        postgres: None,
    },
];
