//! `ward enrol`: endpoints that devices enrol at, rights to enrol, and who has. It works on the database; a server beside
//! it follows the log.

pub(crate) mod args;
mod endpoint;
mod label;
mod registration;
mod right;

use enroll::device::{Desk, DeviceError};
use fleet::Fleet;

use crate::args::Place;
use crate::context::Context;
use crate::output::{Done, Failure};
use args::Enrol;

pub(crate) async fn run(place: &Place, command: Enrol) -> Done {
    let context = Context::open(place).await?;
    let fleet = Fleet::open(context.ca.clone()).map_err(DeviceError::from)?;
    let desk = Desk::new(context.ca.clone(), fleet.clone());
    match command {
        Enrol::Endpoint(command) => endpoint::run(&context, &desk, command).await,
        Enrol::Right(command) => right::run(&context, &desk, &fleet, command).await,
        Enrol::List(wanted) => registration::list(&context, &desk, wanted).await,
        Enrol::Show { id } => registration::show(&context, &desk, &id).await,
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::Refused(refusal) => refusal.into(),
            DeviceError::NotFound { .. } => Failure::NotFound(error.to_string()),
            DeviceError::Access(error) => error.into(),
            DeviceError::Ca(error) => error.into(),
            DeviceError::Store(error) => error.into(),
            other => Failure::Failed(other.to_string()),
        }
    }
}
