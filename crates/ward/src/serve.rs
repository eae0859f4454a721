//! `ward serve`: the listeners and everything that happens by itself, until a signal.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;

use serde_json::{Value, json};
use server::Addresses;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::args::{Place, Serve};
use crate::context::Context;
use crate::output::{Done, Failure, Report, failed};
use crate::sign_in;

/// The level of log lines, as `RUST_LOG` writes it.
const LEVEL: &str = "WARD_LOG";

pub(crate) fn run(place: &Place, options: &Serve, json: bool) -> Done {
    start_log(options.log_json);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    runtime.block_on(serve(place, options, json))
}

async fn serve(place: &Place, options: &Serve, json: bool) -> Done {
    let mut context = Context::open(place).await?;
    context.config.api = options.listen.unwrap_or(context.config.api);
    context.config.status = options.http.unwrap_or(context.config.status);
    let stop = stop_signal()?;
    let first = first_administrator(&context, json).await?;
    let Context {
        config,
        store,
        access,
        ca,
        ..
    } = context;
    server::serve(
        config,
        server::Sockets::inherited(),
        store,
        access,
        ca,
        |addresses| announce(addresses, json, first.as_deref()),
        stop,
    )
    .await
    .map_err(failed)?;
    // All was said when it started.
    Ok(Report::new(Value::Null, ""))
}

/// The first administrator's link, for a person at a terminal alone: what goes to a journal is read by others.
async fn first_administrator(context: &Context, json: bool) -> Result<Option<String>, Failure> {
    if !context.access.nobody_signs_in().await? {
        return Ok(None);
    }
    if json || !std::io::stdout().is_terminal() {
        tracing::info!("nobody can sign in yet: `ward person invite ID` makes a one-time link");
        return Ok(None);
    }
    sign_in::first_link(context).await
}

/// One line when both listeners answer: what a person, or a script that started Ward, waits for.
fn announce(addresses: Addresses, json: bool, first: Option<&str>) {
    let Addresses {
        api,
        status,
        legacy,
    } = addresses;
    let line = match json {
        true => json!({
            "api": url("https", api),
            "status": url("http", status),
            "legacy": legacy.iter().map(|at| url(if at.tls { "https" } else { "http" }, at.address)).collect::<Vec<_>>(),
        })
        .to_string(),
        false => format!(
            "ward {} serves {} (REST) and {} (CRL, OCSP, log)",
            env!("CARGO_PKG_VERSION"),
            url("https", api),
            url("http", status)
        ),
    };
    tracing::info!(%api, %status, "started");
    let line = match first {
        Some(url) => format!("{line}\n\n{}", sign_in::first_words(url)),
        None => line,
    };
    // Whoever started it need not read.
    let _ = writeln!(std::io::stdout(), "{line}").and_then(|()| std::io::stdout().flush());
}

fn url(scheme: &str, address: SocketAddr) -> String {
    format!("{scheme}://{address}")
}

pub(crate) fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn start_log(as_json: bool) {
    let filter = EnvFilter::try_from_env(LEVEL).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match as_json {
        true => log.json().flatten_event(true).init(),
        false => log
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .init(),
    }
}
