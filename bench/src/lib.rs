//! A closed-loop HTTP load generator that costs the measured server as little of the machine as it can.
//!
//! Generator and server share two cores, so a general HTTP client would mostly measure itself. Here a
//! request is bytes prepared beforehand, and of an answer only status and length are read.

pub mod http;
pub mod load;
pub mod process;
