//! Control checks against servers that tests script, and against OpenSSL and BIND.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arbitrary;
mod dns;
mod http01;
mod named;
mod support;
mod tls_alpn01;
