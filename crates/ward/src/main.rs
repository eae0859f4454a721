//! `ward`: the one binary. Reads the command line, does one thing in this process on the data
//! directory, prints what came of it, and says with its exit status how it went.

mod acme;
mod agent;
mod args;
mod asset;
mod audit_log;
mod backup;
mod bundle;
mod ca;
mod cbom;
mod cert;
mod clock;
mod confirm;
mod context;
mod crl;
mod discover;
mod enrol;
mod finding;
mod flow;
mod init;
mod inventory;
mod issue;
mod key;
mod output;
mod owner;
mod person;
mod policy;
mod profile;
mod progress;
mod request;
mod segment;
mod serve;
mod settings;
mod sign_in;
mod status;
mod token;
mod x509;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Cli, Command, Place};
use output::{Done, Failure};

/// SQLite and aws-lc allocate with it too. A server's memory is asked for on one thread and given back on another all
/// the time, which costs glibc's allocator a tenth of an issuance more.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return not_understood(&error, &arguments),
    };
    let json = cli.json;
    output::finish(run(cli), json)
}

fn run(cli: Cli) -> Done {
    let Cli {
        place,
        json,
        command,
    } = cli;
    match command {
        Command::X509(command) => x509::run(command),
        Command::Discover(command) => discover::run(&place, command),
        Command::Serve(options) => serve::run(&place, &options, json),
        command => runtime()?.block_on(act(&place, command)),
    }
}

async fn act(place: &Place, command: Command) -> Done {
    match command {
        Command::Init(options) => init::run(place, &options).await,
        Command::Status { check } => status::run(place, check).await,
        Command::Ca(command) => ca::run(place, command).await,
        Command::Profile(command) => profile::run(place, command).await,
        Command::Cert(command) => cert::run(place, command).await,
        Command::Request(command) => request::run(place, command).await,
        Command::Crl(command) => crl::run(place, command).await,
        Command::Key(command) => key::run(place, command).await,
        Command::Token(command) => token::run(place, command).await,
        Command::Session(command) => sign_in::run_session(place, command).await,
        Command::Person(command) => person::run(place, command).await,
        Command::Group(command) => person::run_group(place, command).await,
        Command::Access(command) => person::run_access(place, command).await,
        Command::Policy(command) => policy::run(place, command).await,
        Command::Acme(command) => acme::run(place, command).await,
        Command::Agent(command) => agent::run(place, command).await,
        Command::Asset(command) => asset::run(place, command, None).await,
        Command::Device(command) => asset::run(place, command, Some(fleet::Kind::Device)).await,
        Command::Spare(command) => asset::run_spare(place, command).await,
        Command::Enrol(command) => enrol::run(place, command).await,
        Command::Flow(command) => flow::run(place, command).await,
        Command::Bundle(command) => bundle::run(place, command).await,
        Command::Owner(command) => owner::run(place, command).await,
        Command::Finding(command) => finding::run(place, command).await,
        Command::Segment(command) => segment::run(place, command).await,
        Command::Inventory(command) => inventory::run(place, command).await,
        Command::Audit(command) => audit_log::run(place, command).await,
        Command::Backup { file } => backup::backup(place, &file).await,
        Command::Restore { file, replace, yes } => {
            backup::restore(place, &file, replace, yes).await
        }
        Command::Serve(_) | Command::X509(_) | Command::Discover(_) => {
            Err(Failure::Failed("not a command of this kind".into()))
        }
    }
}

/// One command needs few threads: one that works, and one for what must not wait.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(output::failed)
}

/// Help and versions are answers; everything else is a usage error, told in the form that was asked for.
fn not_understood(error: &clap::Error, arguments: &[OsString]) -> ExitCode {
    let is_answer = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    if !is_answer && arguments.iter().any(|argument| argument == "--json") {
        return output::finish(
            Err(Failure::Usage(error.to_string().trim_end().to_owned())),
            true,
        );
    }
    // Nobody may be reading: that is no failure of the command.
    let _ = error.print();
    ExitCode::from(if is_answer { 0 } else { 2 })
}
