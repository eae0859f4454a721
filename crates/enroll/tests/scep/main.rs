//! SCEP through its door, on both databases: what it answers, and to whom (R08, R09).

#![cfg(test)]

mod authority;
mod chains;
mod device;
mod enrolment;
mod lookup;
mod oracle;
mod renewal;
mod support;
