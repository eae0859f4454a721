//! A backup of a PostgreSQL database is a SQLite file with the same tables and rows, read under
//! one snapshot; a PostgreSQL database is made from such a file, whichever engine it came from.

use std::path::Path;
use std::pin::pin;

use futures_util::TryStreamExt;
use rusqlite::{Connection, params_from_iter};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

use super::migrate;
use super::session::{Purpose, Server, Session, row};
use crate::sqlite::backup::{self, Draft};
use crate::{Migration, Result, StoreError, Value, params, schema};

const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const TABLES_HERE: &str =
    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema()";
const IDENTITIES: &str = "SELECT table_name::text, column_name::text \
    FROM information_schema.columns \
    WHERE table_schema = current_schema() AND is_identity = 'YES'";

/// Writes the database to the new SQLite file `to`.
pub(crate) async fn dump(server: &Server, rooms: &[Migration], to: &Path) -> Result<()> {
    let session = server.connect(Purpose::Backup).await?;
    session.client.batch_execute(SNAPSHOT).await?;
    let draft = Draft::beside(to)?;
    let copy = Connection::open(&draft.path)?;
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")?;
    copy.execute_batch(schema::BOOTSTRAP)?;
    for migration in schema::due(rooms, &[])? {
        copy.execute_batch(migration.sql)?;
    }
    for table in tables(&copy)? {
        dump_table(&session, &copy, &table).await?;
    }
    copy.execute_batch("COMMIT")?;
    session.client.batch_execute("COMMIT").await?;
    backup::finish(copy, draft, to)
}

/// Makes the database, which must be empty, from the SQLite file at `from`, whose schema is
/// already the present one.
pub(crate) async fn load(server: &Server, rooms: &[Migration], from: &Path) -> Result<()> {
    let session = server.connect(Purpose::Write).await?;
    session.client.batch_execute("BEGIN").await?;
    let rows = session.query(TABLES_HERE, &[]).await?;
    if rows.first().map_or(Ok(1), |row| row.int(0))? != 0 {
        let refused = "the PostgreSQL database has tables already and is not overwritten";
        return Err(StoreError::Backup(refused.to_owned()));
    }
    migrate::make_schema(&session, rooms).await?;
    let copy = Connection::open(from)?;
    for table in tables(&copy)? {
        load_table(&session, &copy, &table).await?;
    }
    number_on(&session).await?;
    session.client.batch_execute("COMMIT").await?;
    Ok(())
}

/// A table and its columns, quoted.
struct Table {
    name: String,
    columns: String,
    placeholders: String,
}

/// The tables in the order in which they were made: what a row refers to comes before it.
fn tables(copy: &Connection) -> Result<Vec<Table>> {
    let mut names = copy.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' \
         ORDER BY rowid",
    )?;
    let names = names.query_map([], |row| row.get::<_, String>(0))?;
    names.map(|name| table(copy, name?)).collect()
}

fn table(copy: &Connection, name: String) -> Result<Table> {
    let mut columns = copy.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
    let columns = columns.query_map([&name], |row| row.get::<_, String>(0))?;
    let columns: std::result::Result<Vec<String>, _> = columns
        .map(|column| column.map(|column| quoted(&column)))
        .collect();
    let columns = columns?;
    Ok(Table {
        name: quoted(&name),
        placeholders: vec!["?"; columns.len()].join(", "),
        columns: columns.join(", "),
    })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn dump_table(session: &Session, copy: &Connection, table: &Table) -> Result<()> {
    let Table {
        name,
        columns,
        placeholders,
    } = table;
    copy.execute_batch(&format!("DELETE FROM {name}"))?;
    let mut insert = copy.prepare(&format!(
        "INSERT INTO {name}({columns}) VALUES({placeholders})"
    ))?;
    let select = format!("SELECT {columns} FROM {name}");
    let nothing: [&Value; 0] = [];
    let rows = session.client.query_raw(&select, nothing).await?;
    let mut rows = pin!(rows);
    while let Some(found) = rows.try_next().await? {
        insert.execute(params_from_iter(row(&found)?.into_values()))?;
    }
    Ok(())
}

async fn load_table(session: &Session, copy: &Connection, table: &Table) -> Result<()> {
    let Table { name, columns, .. } = table;
    let client = &session.client;
    client.batch_execute(&format!("DELETE FROM {name}")).await?;
    let select = format!("SELECT {columns} FROM {name}");
    let types = client.prepare(&select).await?;
    let types: Vec<Type> = types
        .columns()
        .iter()
        .map(|column| column.type_().clone())
        .collect();
    let copy_in = format!("COPY {name}({columns}) FROM STDIN BINARY");
    let writer = BinaryCopyInWriter::new(client.copy_in(&copy_in).await?, &types);
    let mut writer = pin!(writer);
    let mut select = copy.prepare(&select)?;
    let mut rows = select.query([])?;
    while let Some(found) = rows.next()? {
        let values: Result<Vec<Value>> = (0..types.len())
            .map(|at| crate::sqlite::value(found.get_ref(at)?))
            .collect();
        let values = values?;
        let values: Vec<&(dyn ToSql + Sync)> =
            values.iter().map(super::session::as_param).collect();
        writer.as_mut().write(&values).await?;
    }
    writer.finish().await?;
    Ok(())
}

/// Columns that number themselves go on after the largest number there is.
async fn number_on(session: &Session) -> Result<()> {
    for found in session.query(IDENTITIES, &params![]).await? {
        let (table, column) = (quoted(found.text(0)?), quoted(found.text(1)?));
        let sequence = format!(
            "SELECT setval(pg_get_serial_sequence('{}', '{}'), GREATEST(MAX({column}), 1)) FROM {table}",
            table.replace('\'', "''"),
            found.text(1)?.replace('\'', "''"),
        );
        session.client.batch_execute(&sequence).await?;
    }
    Ok(())
}
