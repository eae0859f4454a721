//! The room's tables.

use store::Migration;

/// The migrations, in order.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        room: "fleet",
        version: 1,
        sql: include_str!("schema/v1.sql"),
        postgres: None,
    },
    Migration {
        room: "fleet",
        version: 2,
        sql: include_str!("schema/v2.sql"),
        postgres: None,
    },
    Migration {
        room: "fleet",
        version: 3,
        sql: include_str!("schema/v3.sql"),
        postgres: None,
    },
    Migration {
        room: "fleet",
        version: 4,
        sql: include_str!("schema/v4.sql"),
        postgres: Some(include_str!("schema/v4.postgres.sql")),
    },
    Migration {
        room: "fleet",
        version: 5,
        sql: include_str!("schema/v5.sql"),
        postgres: None,
    },
];
