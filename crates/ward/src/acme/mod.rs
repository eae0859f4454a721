//! `ward acme`: what operators do about ACME. It works on the database; a server beside it follows the log.

mod account;
pub(crate) mod args;
pub(crate) mod directory;
mod eab;
mod order;
mod recall;
pub(crate) mod summary;

use enroll::AcmeError;
use enroll::acme::Desk;

use crate::args::Place;
use crate::context::Context;
use crate::output::{Done, Failure};
use args::Acme;

pub(crate) async fn run(place: &Place, command: Acme) -> Done {
    let context = Context::open(place).await?;
    let desk = Desk::new(context.ca.clone());
    match command {
        Acme::Directory(command) => directory::run(&context, &desk, command).await,
        Acme::Eab(command) => eab::run(&context, &desk, command).await,
        Acme::Account(command) => account::run(&context, &desk, command).await,
        Acme::Order(command) => order::run(&context, &desk, command).await,
        Acme::Recall(command) => recall::run(&context, &desk, command).await,
    }
}

impl From<AcmeError> for Failure {
    fn from(error: AcmeError) -> Self {
        match error {
            AcmeError::Refused(refusal) => refusal.into(),
            AcmeError::NotFound { .. } => Failure::NotFound(error.to_string()),
            AcmeError::Access(error) => error.into(),
            AcmeError::Ca(error) => error.into(),
            AcmeError::Store(error) => error.into(),
            other => Failure::Failed(other.to_string()),
        }
    }
}

/// Where clients find a directory.
fn url(context: &Context, directory: &str) -> String {
    format!("{}/acme/{directory}/directory", context.url())
}
