//! The scanner against other people's servers: what it sees is held against how they were set up and against
//! what `openssl` says of them (R17, R19).

mod certificate;
mod suites;
mod support;
