//! The decision that every device protocol ends in, on both databases (R05, R07, R08, R09, R11).

mod decisions;
mod people;
mod renewals;
mod rights;
mod support;
mod webhook;
