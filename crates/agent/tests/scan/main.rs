//! The scanner against other people's servers: what it sees is held against how they were set up and against
//! what `openssl` says of them; and against peers that no server should be (R17, R19).

#![cfg(test)]

mod arbitrary;
mod bad;
mod certificate;
mod limits;
mod peer;
mod starttls;
mod suites;
mod support;
