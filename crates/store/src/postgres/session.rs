//! Where the server is, and one connection to it with the statements prepared on it.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Statement};

use super::many::Form;
use super::tls::Tls;
use crate::{Result, Row, StoreError, Value, dialect};

/// How long to wait for a server that does not answer a connection attempt.
const CONNECT: Duration = Duration::from_secs(5);

/// A session that writes. An orphaned transaction of a node that was cut off holds the head of
/// the log: the server ends it after ten seconds of silence. A server told to commit without
/// waiting for its disk is told otherwise.
///
/// What is written is found by its key: plans are made once, and not for tables that were empty or
/// small when they were made.
const WRITER: &str = "SET idle_in_transaction_session_timeout = '10s'; \
    SET statement_timeout = '60s'; \
    SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off; \
    SELECT set_config('synchronous_commit', 'on', false) \
        WHERE current_setting('synchronous_commit') = 'off'";

/// A session that cannot write.
const READER: &str = "SET default_transaction_read_only = on; SET statement_timeout = '60s'";

/// A session that reads by key, whatever the size of the table was when it began: a plan that was made for an empty one
/// walks it from end to end, however large it has become since, until statistics of it are gathered anew.
const FINDER: &str = "SET default_transaction_read_only = on; SET statement_timeout = '60s'; \
    SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET jit = off";

/// A session for what is small, many and not worth waiting for a disk.
const CLAIMER: &str = "SET synchronous_commit = off; SET statement_timeout = '10s'";

/// A session that cannot write, for statements made at run time. Each sets its own end; compiling one would take longer than
/// most of them.
const SEARCHER: &str = "SET default_transaction_read_only = on; SET jit = off";

/// What a session is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Write,
    Read,
    /// By keys alone.
    Find,
    Search,
    Claim,
    /// A long read of everything, in one transaction.
    Backup,
}

/// A server's address and how to speak to it.
pub(crate) struct Server {
    config: Config,
    tls: Option<Tls>,
}

impl Server {
    /// Reads a `postgres://` URL. Besides what the driver knows, `sslrootcert=FILE` turns on TLS
    /// with full verification against the certificates in that file.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let (url, roots) = without_root_certificates(url);
        let bad = |error: &dyn std::fmt::Display| StoreError::Url(error.to_string());
        let mut config: Config = url.parse().map_err(|error| bad(&error))?;
        if config.get_application_name().is_none() {
            config.application_name("ward");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        let tls = match (roots, config.get_ssl_mode()) {
            (Some(path), _) => Some(Tls::trusting(&path)?),
            (None, SslMode::Require) => {
                let missing = "sslmode=require needs sslrootcert=FILE: \
                    encryption to a server that nobody verified keeps no secrets";
                return Err(bad(&missing));
            }
            (None, _) => None,
        };
        config.ssl_mode(match tls {
            Some(_) => SslMode::Require,
            None => SslMode::Disable,
        });
        let server = Server { config, tls };
        if server.tls.is_none() && server.is_remote() {
            tracing::warn!("the connection to PostgreSQL is not encrypted; add sslrootcert=FILE");
        }
        Ok(server)
    }

    /// Opens a session.
    pub(crate) async fn connect(&self, purpose: Purpose) -> Result<Session> {
        let client = match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                tokio::spawn(connection);
                client
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(connection);
                client
            }
        };
        match purpose {
            Purpose::Write => client.batch_execute(WRITER).await?,
            Purpose::Read => client.batch_execute(READER).await?,
            Purpose::Find => client.batch_execute(FINDER).await?,
            Purpose::Search => client.batch_execute(SEARCHER).await?,
            Purpose::Claim => client.batch_execute(CLAIMER).await?,
            Purpose::Backup => {}
        }
        Ok(Session {
            client,
            prepared: Mutex::default(),
        })
    }

    fn is_remote(&self) -> bool {
        self.config.get_hosts().iter().any(|host| match host {
            Host::Tcp(name) => {
                let address = name.parse::<std::net::IpAddr>();
                name != "localhost" && !address.is_ok_and(|address| address.is_loopback())
            }
            Host::Unix(_) => false,
        })
    }
}

/// Takes `sslrootcert` out of a URL's query; the driver does not know it.
fn without_root_certificates(url: &str) -> (String, Option<String>) {
    let Some((base, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let mut roots = None;
    let mut rest = Vec::new();
    for option in query.split('&') {
        match option.strip_prefix("sslrootcert=") {
            Some(path) => roots = Some(path.replace("%2F", "/").replace("%2f", "/")),
            None => rest.push(option),
        }
    }
    (format!("{base}?{}", rest.join("&")), roots)
}

/// A connection.
pub(crate) struct Session {
    pub(crate) client: Client,
    prepared: Mutex<HashMap<Form, Statement>>,
}

impl Session {
    /// The prepared form of a statement; a round trip or two the first time.
    pub(crate) async fn prepare(&self, form: Form) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.prepared.lock().get(&form) {
            return Ok(statement.clone());
        }
        let plain = Form::plain(form.sql);
        let statement = match form == plain {
            true => {
                self.client
                    .prepare(&dialect::postgres_keys(form.sql))
                    .await?
            }
            false => {
                let one = Box::pin(self.prepare(plain)).await?;
                self.client.prepare(&form.text(one.params())).await?
            }
        };
        self.prepared.lock().insert(form, statement.clone());
        Ok(statement)
    }

    /// Runs a statement and collects its rows.
    pub(crate) async fn query(
        &self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.prepare(Form::plain(sql)).await?;
        let params: Vec<_> = params.iter().map(as_param).collect();
        let rows = self.client.query(&statement, &params).await?;
        rows.iter().map(row).collect()
    }

    /// Runs a statement about many keys.
    pub(crate) async fn find(
        &self,
        sql: &'static str,
        keys: &[Value],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.prepare(Form::plain(sql)).await?;
        let rows = self.client.query(&statement, &[&keys]).await?;
        rows.iter().map(row).collect()
    }

    /// Runs a statement that returns no rows; says how many it changed.
    pub(crate) async fn execute(
        &self,
        sql: &'static str,
        params: &[Value],
    ) -> Result<u64, tokio_postgres::Error> {
        let params: Vec<_> = params.iter().map(as_param).collect();
        self.execute_as(Form::plain(sql), &params).await
    }

    /// Runs a statement in another form.
    pub(crate) async fn execute_as(
        &self,
        form: Form,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, tokio_postgres::Error> {
        let statement = self.prepare(form).await?;
        self.client.execute(&statement, params).await
    }
}

pub(crate) fn as_param(value: &Value) -> &(dyn ToSql + Sync) {
    value
}

/// A row in the store's types.
pub(crate) fn row(row: &tokio_postgres::Row) -> Result<Row, tokio_postgres::Error> {
    let values: Result<Vec<Value>, _> = (0..row.len()).map(|at| row.try_get(at)).collect();
    values.map(Row)
}
