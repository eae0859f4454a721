//! What other tools know, over REST (R16, R17): observations that were carried here, and files of any format, taken in by the
//! code that `ward discover import` has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use access::{Action, Permit, Target};
use agent::files::{self, Look};
use agent::observation::LINE_LIMIT;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::routing::post;
use axum::{Json, Router};
use fleet::LARGEST_FILE;
use fleet::inventory::import::CertificateTable;
use fleet::inventory::{Carried, Desk, Imported};
use futures_util::StreamExt;
use hyper::body::Body as _;
use hyper::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};
use zeroize::Zeroizing;

use crate::Services;
use crate::api::caller::{Asked, Caller};
use crate::problem::Problem;

/// What one request may bring as observations, and how long it may take over it.
const MOST_BYTES: usize = 256 << 20;
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a file may take to come, how long it may wait for its turn, and how long taking it in may last.
const FILE_PATIENCE: Duration = Duration::from_secs(120);
const TURN: Duration = Duration::from_secs(30);
const WORK: Duration = Duration::from_secs(600);
/// Files at once: each may have 64 MiB, and a table as much again while it is read.
const AT_ONCE: usize = 2;
static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);
/// Passwords of one request, and bytes of each.
const MOST_PASSWORDS: usize = 16;
const LONGEST_PASSWORD: usize = 512;
/// Iterations of key derivation that one request may cost, all passwords together: some two seconds of a processor. Stores of
/// today ask for 2,048 (OpenSSL 3) to 600,000 a password.
const ITERATIONS: u64 = 2_000_000;
const PASSWORD: &str = "ward-store-password";

pub(super) fn routes() -> Router<Arc<Services>> {
    let limit = DefaultBodyLimit::max(LARGEST_FILE);
    Router::new()
        .route("/api/v1/inventory/observations", post(observations))
        .route("/api/v1/inventory/import", post(import).layer(limit))
}

async fn manages(caller: &Caller) -> Result<Permit, Problem> {
    caller
        .permit(Action::ManageInventory, &Target::default())
        .await
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct CarriedHere {
    /// Where they come from, as the inventory will say; `rest` if absent.
    source: Option<String>,
    /// Only says what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// Takes in observations, a line of JSON each, as `ward discover … --out` writes them: at most 256 MiB, 4 MiB a line,
/// ten minutes. They are taken in as they come: what breaks off leaves the batches before it, which the answer names under `kept`,
/// and may be sent again as it is.
#[utoipa::path(post, path = "/api/v1/inventory/observations", tag = "inventory", params(CarriedHere),
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 408, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem)))]
pub(crate) async fn observations(
    caller: Caller,
    Asked(carried): Asked<CarriedHere>,
    body: Body,
) -> Result<Json<Imported>, Problem> {
    let permit = manages(&caller).await?;
    // Who says beforehand that it will be too much has nothing taken in.
    if body.size_hint().lower() > MOST_BYTES as u64 {
        return Err(over_full());
    }
    let permit = (!carried.dry_run).then_some(&permit);
    let mut desk = Desk::new(&caller.services.fleet, permit, caller.now);
    desk.from(carried.source.as_deref().unwrap_or("rest"));
    match read(&mut desk, body).await {
        Ok(()) => Ok(Json(desk.sum)),
        Err(problem) => Err(broken_off(problem, &desk.sum, carried.dry_run)),
    }
}

/// Takes in lines as they come, to their end or to what is wrong with them.
async fn read(desk: &mut Desk<'_>, body: Body) -> Result<(), Problem> {
    let late = || Problem::too_slow(format!("it did not come within {} s", PATIENCE.as_secs()));
    let deadline = Instant::now() + PATIENCE;
    let (mut pieces, mut rest, mut total) = (body.into_data_stream(), Vec::new(), 0_usize);
    let mut number = 1;
    while let Some(piece) = timeout_at(deadline, pieces.next())
        .await
        .map_err(|_| late())?
    {
        let piece = piece.map_err(|error| Problem::malformed(error.to_string()))?;
        total = total.saturating_add(piece.len());
        if total > MOST_BYTES {
            return Err(over_full());
        }
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            rest.extend_from_slice(part);
            if rest.len() > LINE_LIMIT {
                return Err(Problem::too_large(format!(
                    "line {number}: lines have at most {LINE_LIMIT} bytes"
                )));
            }
            if part.ends_with(b"\n") {
                desk.line(number, &rest).await?;
                rest.clear();
                number += 1;
            }
        }
    }
    if !rest.is_empty() {
        desk.line(number, &rest).await?;
    }
    Ok(desk.end().await?)
}

fn over_full() -> Problem {
    Problem::too_large(format!("a request has at most {MOST_BYTES} bytes"))
}

/// The problem that ended it, with what was taken in before: who believes that nothing was would count wrong.
fn broken_off(mut problem: Problem, taken: &Imported, dry_run: bool) -> Problem {
    let count = taken.counts.observations;
    let kept = match (dry_run, count) {
        (true, _) | (_, 0) => "nothing of it was taken in".to_owned(),
        _ => {
            let line = taken.through_line.map(|line| format!(" up to line {line}"));
            let line = line.unwrap_or_default();
            format!(
                "the {count} observations{line} were taken in and stay; sent again, they change nothing"
            )
        }
    };
    problem.detail = format!("{}; {kept}", problem.detail).into_boxed_str();
    if !dry_run {
        problem.kept = serde_json::to_value(taken).ok().map(Box::new);
    }
    problem
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportedFile {
    /// The file's name, `upload` if absent: its places are named by it, and `.csv`, `.tsv` and `.xlsx` say that it is a table.
    #[serde(default = "upload")]
    name: String,
    /// Where it comes from, as the inventory will say; the name if absent.
    source: Option<String>,
    /// Only says what would happen.
    #[serde(default)]
    dry_run: bool,
    /// Headings of a table and what they mean: `Raw data=certificate,Comment=-`.
    columns: Option<String>,
}

fn upload() -> String {
    "upload".to_owned()
}

impl ImportedFile {
    fn columns(&self) -> Result<BTreeMap<String, String>, Problem> {
        let pairs = self.columns.iter().flat_map(|text| text.split(','));
        let pair = |text: &str| {
            let pair = text.rsplit_once('=');
            let pair =
                pair.map(|(heading, field)| (heading.trim().to_owned(), field.trim().to_owned()));
            pair.ok_or_else(|| Problem::malformed(format!("columns: `{text}` has no `=`")))
        };
        pairs.map(pair).collect()
    }

    /// What places are called is kept and shown.
    fn check(&self) -> Result<(), Problem> {
        let fits = |text: &str| {
            (1..=200).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        match fits(&self.name) && self.source.as_deref().is_none_or(fits) {
            true => Ok(()),
            false => Err(Problem::malformed(
                "`name` and `source` have 1 to 200 characters on one line",
            )),
        }
    }
}

/// What became of a file.
#[derive(Serialize)]
pub(crate) struct ImportAnswer {
    dry_run: bool,
    kind: Carried,
    #[serde(flatten)]
    imported: Imported,
}

/// Takes in a file of another tool: PEM, DER, PKCS #7, PKCS #12, JKS, serialized stores of Windows, entries of CT logs, CSV, TSV,
/// XLSX, lines of observations. At most 64 MiB, key stores 16 MiB. Passwords of key stores come in `Ward-Store-Password`, a header
/// for each, and are kept nowhere.
#[utoipa::path(post, path = "/api/v1/inventory/import", tag = "inventory",
    params(ImportedFile, ("Ward-Store-Password" = Option<String>, Header)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = Object), (status = 403, body = Problem), (status = 408, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(crate) async fn import(
    caller: Caller,
    Asked(wanted): Asked<ImportedFile>,
    request: Request,
) -> Result<Json<ImportAnswer>, Problem> {
    let permit = manages(&caller).await?;
    wanted.check()?;
    let columns = wanted.columns()?;
    let passwords = passwords(request.headers())?;
    let turn = timeout(TURN, TURNS.acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(Problem::unavailable(format!(
            "{AT_ONCE} other files are being taken in; send it again in a while"
        )));
    };
    let bytes = received(request).await?;
    let permit = (!wanted.dry_run).then_some(&permit);
    let mut desk = Desk::new(&caller.services.fleet, permit, caller.now);
    let source = wanted.source.as_deref().unwrap_or(&wanted.name);
    desk.from(source);
    let kind = Carried::of(&wanted.name, bytes.get(..64).unwrap_or(&bytes));
    let now = caller.now;
    let work = async {
        match kind {
            Carried::Observations => desk.lines(&bytes).await?,
            Carried::Table => {
                let source = source.to_owned();
                let read = move || CertificateTable::read(bytes.into(), &source, &columns, now);
                desk.table(off_the_runtime(read).await?).await?;
            }
            Carried::Store => {
                let mut look = Look::new(source, now.0);
                look.passwords = passwords;
                look.limits.iterations = ITERATIONS;
                let name = wanted.name.clone();
                let read = move || {
                    let mut seen = Vec::new();
                    let summary = files::read(&name, &bytes, &look, |one| seen.push(one));
                    (summary, seen)
                };
                let (summary, seen) = off_the_runtime(read).await?;
                desk.store(&summary, seen).await?;
            }
        }
        Ok::<_, Problem>(())
    };
    match timeout(WORK, work).await {
        Ok(done) => done?,
        Err(_) => {
            let late = Problem::unavailable(format!(
                "it takes longer than {} s: send it again in parts",
                WORK.as_secs()
            ));
            return Err(broken_off(late, &desk.sum, wanted.dry_run));
        }
    }
    Ok(Json(ImportAnswer {
        dry_run: wanted.dry_run,
        kind,
        imported: desk.sum,
    }))
}

async fn received(request: Request) -> Result<Bytes, Problem> {
    let body = timeout(FILE_PATIENCE, Bytes::from_request(request, &())).await;
    let body = body.map_err(|_| {
        let patience = FILE_PATIENCE.as_secs();
        Problem::too_slow(format!("the file did not come within {patience} s"))
    })?;
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::too_large(format!("files have at most {LARGEST_FILE} bytes"))
        }
        _ => Problem::malformed(rejection.body_text()),
    })
}

/// A header for each, as they come; no error quotes one.
fn passwords(headers: &HeaderMap) -> Result<Vec<Zeroizing<String>>, Problem> {
    let given = headers.get_all(PASSWORD).iter();
    let mut passwords = Vec::new();
    for value in given {
        let text = std::str::from_utf8(value.as_bytes());
        let text = text.map_err(|_| Problem::malformed("Ward-Store-Password: not UTF-8"))?;
        if text.len() > LONGEST_PASSWORD || passwords.len() == MOST_PASSWORDS {
            return Err(Problem::malformed(format!(
                "Ward-Store-Password: at most {MOST_PASSWORDS} of {LONGEST_PASSWORD} bytes"
            )));
        }
        passwords.push(Zeroizing::new(text.to_owned()));
    }
    Ok(passwords)
}

/// Reading a key store or a table takes a processor, and not a thread that answers others.
async fn off_the_runtime<T: Send + 'static>(
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|error| Problem::internal(&error))
}
